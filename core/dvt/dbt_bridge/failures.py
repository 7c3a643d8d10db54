"""dvt's errors as dbt shows them: one message, without a traceback, under the node's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt.adapters.exceptions.connection import FailedToConnectError
from dbt_common.exceptions import DbtBaseException, DbtDatabaseError, DbtRuntimeError

from dvt.errors import ConnectionFailedError, DvtError, InternalError, QueryError


class DbtSideError(DbtRuntimeError):
    """A `DvtError` on its way through dbt."""

    def __init__(self, error: DvtError, node: Any = None) -> None:
        super().__init__(str(error), node=node)
        self.error = error


@contextmanager
def shown_by_dbt(node: Any = None) -> Iterator[None]:
    """Turn a `DvtError` into the kind that dbt prints as a message; what nobody foresaw is a fault in dvt."""
    name = getattr(node, "name", None)
    try:
        yield
    except DbtBaseException:
        raise
    except DvtError as error:
        raise DbtSideError(error.at(node=name), node) from error
    except Exception as error:
        raise DbtSideError(as_internal(error).at(node=name), node) from error


@contextmanager
def reaching(connection: str) -> Iterator[None]:
    """Name the connection that dbt's adapter cannot reach."""
    try:
        yield
    except FailedToConnectError as error:
        remedy = "Check the output in profiles.yml, and that the server runs; `dvt debug` checks every connection"
        raise ConnectionFailedError(_words(error), connection=connection, phase="connect", remedy=remedy) from error


@contextmanager
def naming(
    connection: str, *, relation: str | None = None, phase: str | None = None, is_undone: bool = True
) -> Iterator[None]:
    """Name the connection in what dbt's adapter says: with several of them, the server's words alone do not tell.

    Args:
        connection: Name of the output on which dbt works in the body.
        relation: What it works on.
        phase: What it does there.
        is_undone: Whether a failure leaves the relation as it was, whatever came before it.
    """
    try:
        with reaching(connection):
            yield
    except DbtDatabaseError as error:
        state = "the table is as it was before" if is_undone else "a table that was replaced before it stays so"
        remedy = f"Correct the model, its hooks or what they work on; {state}"
        raise QueryError(_words(error), connection=connection, relation=relation, phase=phase, remedy=remedy) from error


def _words(error: DbtDatabaseError) -> str:
    return " ".join(str(error.msg).split())


def as_internal(error: Exception) -> InternalError:
    """A sentence about an exception that should not have come this far; dbt writes its stack trace to the log."""
    return InternalError(
        f"an unforeseen {type(error).__name__}: {str(error) or 'without a message'}",
        remedy="Please report it, with the stack trace in logs/dbt.log",
    )
