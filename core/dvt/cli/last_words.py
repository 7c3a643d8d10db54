"""What is printed when an exception leaves the program that nobody foresaw."""

from __future__ import annotations

import os
import sys
import traceback
from types import TracebackType

# Shows the stack trace, for a report.
TRACEBACK = "DVT_TRACEBACK"


def last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """One sentence instead of a stack trace; Python exits with 1 afterwards. Takes what `sys.excepthook` takes."""
    from dvt.connections.secrets import redact
    from dvt.errors import InternalError

    if os.environ.get(TRACEBACK):
        print(redact("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)
    remedy = f"Please report it, with what is printed with {TRACEBACK}=1 set"
    print(f"dvt: {InternalError(f'an unforeseen {kind.__name__}: {error}', remedy=remedy)}", file=sys.stderr)
