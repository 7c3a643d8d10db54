"""dvt's errors as dbt shows them: one message, without a traceback, under the node's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt_common.exceptions import DbtBaseException, DbtRuntimeError

from dvt.errors import DvtError, InternalError


class DbtSideError(DbtRuntimeError):
    """A `DvtError` on its way through dbt."""

    def __init__(self, error: DvtError, node: Any = None) -> None:
        super().__init__(str(error), node=node)
        self.error = error


@contextmanager
def shown_by_dbt(node: Any = None) -> Iterator[None]:
    """Turn a `DvtError` into the kind that dbt prints as a message; what nobody foresaw is a fault in dvt."""
    try:
        yield
    except DbtBaseException:
        raise
    except DvtError as error:
        raise DbtSideError(error, node) from error
    except Exception as error:
        raise DbtSideError(as_internal(error), node) from error


def as_internal(error: Exception) -> InternalError:
    """A sentence about an exception that should not have come this far; dbt writes its stack trace to the log."""
    return InternalError(
        f"an unforeseen {type(error).__name__}: {str(error) or 'without a message'}",
        remedy="Please report it, with the stack trace in logs/dbt.log",
    )
