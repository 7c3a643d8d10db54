"""Rows of a result that other processes can land themselves, side by side: an optional power of an engine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EXECUTORS, ROW_PIPE = "spark_executors", "spark_row_pipe"
"""The methods by which they land, as results name them."""

BY_COPY = "by COPY"
"""What executors do for a loader of PostgreSQL, in the words of `BaseLoader.landed_by_executors`."""


@dataclass(frozen=True)
class Part:
    """Rows that one transaction lands.

    Args:
        path: The Parquet file.
        groups: Its row groups, by number.
        rows: How many rows they hold.
    """

    path: str
    groups: tuple[int, ...]
    rows: int


@dataclass(frozen=True)
class Told:
    """What a process said of one part.

    Args:
        part: The part's number.
        rows: Rows that the server took; 0 when another attempt had landed them.
        column: The column of a value that was refused.
        state: The server's SQLSTATE, where it was the server's word.
        refusal: What was wrong; empty when it was landed.
        files: Where it is landed by files: the name, the rows and the bytes of each.
        present: With files, how many values of each column are not NULL.
    """

    part: int
    rows: int
    column: str = ""
    state: str = ""
    refusal: str = ""
    files: Sequence[tuple[str, int, int]] = ()
    present: Sequence[int] = ()


@dataclass(frozen=True)
class SpreadRows:
    """An offer to land a result's rows without sending them through dvt.

    Args:
        parts: The rows, in parts of which each is landed once.
        by: Who is to land them: "executors", "driver" (by `lines`), or "" for who reads the stream.
        why_not: Why the executors must not be asked, "" when they may.
        try_out: Lets the executors do all but the load; gives what they lack, in one line, "" for nothing.
        land: Lets them land every part; the order says how, and is JSON.
        stop: Ends what they do, from another thread.
        lines: The rows through Spark's driver, as the lines of COPY's text format; gives their number in the end.
        why_not_lines: Why they cannot come so.
    """

    parts: tuple[Part, ...]
    by: str
    why_not: str
    try_out: Callable[[Mapping[str, Any]], str]
    land: Callable[[Mapping[str, Any]], Sequence[Told]]
    stop: Callable[[], None]
    lines: Callable[[], Generator[bytes, None, int]]
    why_not_lines: str = ""

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(part.rows for part in self.parts)
