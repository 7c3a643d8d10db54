"""The chain of methods by which rows are read or loaded: the first that can is taken, the others say what they lack.

A method is passed over for what is not there: a driver, a right, a statement that the server does not know. A wrong
password, a missing table or a broken connection is no reason to try another way, and after the first row there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dvt.connections.connection import Connection
from dvt.errors import UnsupportedError

STREAMING: Final = "streaming"
BUFFERED: Final = "buffered"
JDBC: Final = "jdbc"
HELD_IN_MEMORY: Final = "a result is held in memory as a whole"


@dataclass(frozen=True)
class PassedOver:
    """A method that was not taken.

    Args:
        method: Its name.
        why: What is missing, or that another one is asked for.
    """

    method: str
    why: str

    def __str__(self) -> str:
        return f"{self.method}: {self.why}"


@dataclass(frozen=True)
class Chosen:
    """The method by which a connection's rows are read.

    Args:
        method: Its name in results, for example "copy_streaming".
        passed_over: The ones before it in the chain, and why.
        remarks: What a user should know of it before a run.
    """

    method: str
    passed_over: tuple[PassedOver, ...] = ()
    remarks: tuple[str, ...] = ()


def nothing_lacks() -> str | None:
    """For a method that can always be taken."""
    return None


@dataclass(frozen=True)
class Method:
    """One method of a chain.

    Args:
        name: Its name in results.
        kind: "streaming", "buffered" or "jdbc": what `dvt.read_by` or `dvt.load_by` asks for.
        lacks: What is missing for it, None when it can be taken; it may ask the server, but reads no data.
        remarks: As in `Chosen`.
    """

    name: str
    kind: str = STREAMING
    lacks: Callable[[], str | None] = nothing_lacks
    remarks: tuple[str, ...] = ()


def first_that_can(methods: Sequence[Method], connection: Connection, *, what: str = "read") -> Chosen:
    """The first method of the chain that is wanted and can be taken.

    Args:
        methods: The chain.
        connection: Its option `read_by`, or `load_by`, says which kind is wanted.
        what: "read" or "loaded".

    Raises:
        UnsupportedError: There is none; all reasons are told.
    """
    is_read = what == "read"
    option = "read_by" if is_read else "load_by"
    wanted = connection.options.get(option, "auto")
    passed: list[PassedOver] = []
    for method in methods:
        if wanted in (STREAMING, BUFFERED, JDBC) and method.kind != wanted:
            passed.append(PassedOver(method.name, f"dvt.{option} is {wanted}"))
            continue
        why = method.lacks()
        if why is None:
            return Chosen(method.name, tuple(passed), method.remarks)
        passed.append(PassedOver(method.name, why))
    raise UnsupportedError(
        f"there is no method by which it can be {what}: " + "; ".join(str(each) for each in passed),
        connection=connection.name,
        phase="extract" if is_read else "load",
        remedy=f"Set dvt.{option} to auto, or grant or install what is missing",
    )
