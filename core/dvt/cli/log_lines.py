"""What dvt's own layers say in Python's log, as lines of a command that is not dbt's."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Print a record; a line of progress, which stays open, gives way to it."""
        from dvt.connections.secrets import redact

        clear = "\r\x1b[2K" if sys.stderr.isatty() else ""
        print(f"{clear}dvt: {redact(record.getMessage())}", file=sys.stderr, flush=True)


@contextmanager
def told() -> Iterator[None]:
    """Within it, warnings of dvt's layers are lines on stderr, without the form that some package gave the root."""
    log, handler = logging.getLogger("dvt"), _Lines(logging.WARNING)
    propagates, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagates
