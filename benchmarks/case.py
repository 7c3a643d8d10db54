"""What a benchmark case is: contenders that do the same work, and how their results are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Answer = Mapping[str, str]


@dataclass(frozen=True)
class Contender:
    """One way to do a case's work, as a process of its own.

    Args:
        name: How the table calls it.
        command: The process; a worker's last line of output is a JSON report, any other process is timed as a whole.
        folder: Where it runs; None for the current folder.
        prepare: Run before each run, not timed.
        answer: What the run left behind, for the comparison, not timed; None when the worker reports it.
        against: Name of the contender that the table sets against it; the case's first when empty, none when its own.
        is_drain: It throws away what it reads: only that much of its answer as it has is compared.
    """

    name: str
    command: tuple[str, ...]
    folder: Path | None = None
    prepare: Callable[[], object] | None = None
    answer: Callable[[], Answer] | None = None
    against: str = ""
    is_drain: bool = False


@dataclass(frozen=True)
class Case:
    """Contenders that are run in turns.

    Args:
        name: Name on the command line.
        title: One line on what is done.
        contenders: The first one is dvt's, against which the others are set, in the order of the runs; perhaps none.
        missing: Contenders that could not be had, each with the reason.
        differences: Pairs of contenders whose difference in seconds is printed.
        remarks: What a reader of the table has to know.
        warm_ups: Runs of each contender that are not counted.
        table: Lines of a table that is ready, for a case that times nothing.
        failures: What went wrong while that table was made.
    """

    name: str
    title: str
    contenders: tuple[Contender, ...]
    missing: tuple[str, ...] = ()
    differences: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = field(default=())
    warm_ups: int = 0
    table: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
