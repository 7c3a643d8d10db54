"""What a query gave: rows as typed text, or an error; and whether two outcomes are the same answer.

The rule for errors: a query that fails without pushdown fails with it, and the other way round. The text may differ.
One thing is allowed: an error about a *value* that the engine raises (a cast, an overflow). Which rows it looks at, and
which conjunct first, is DuckDB's own choice, which depends on statistics: a row that a source held back cannot fail,
and a smaller table can change the order. Such cases are counted. An error of a source, or of the plan, is never allowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pyarrow as pa

from dvt.errors import DataError, DvtError
from dvt.federation.stream import RowStream

_AT_MOST = 20


@dataclass(frozen=True)
class Outcome:
    """What a query gave.

    Args:
        types: Names and types of its columns; empty when it failed.
        rows: One text for each row, in order.
        error: What went wrong; empty when nothing did.
        phase: Where it went wrong: "plan", "extract", "compute".
        is_value_error: The engine refused a value.
    """

    types: tuple[str, ...]
    rows: tuple[str, ...]
    error: str = ""
    phase: str = ""
    is_value_error: bool = False

    def __str__(self) -> str:
        if self.error:
            return f"  error: {self.error}"
        shown = [f"  {', '.join(self.types)}", *(f"  {row}" for row in self.rows[:_AT_MOST])]
        return "\n".join([*shown, f"  ({len(self.rows)} rows)"])


def outcome(run: Callable[[], AbstractContextManager[RowStream]]) -> Outcome:
    """Run a query to its end; errors of dvt are outcomes, and any other exception is a fault, which nothing excuses."""
    try:
        with run() as stream:
            types = tuple(f"{column.name} {column.type}" for column in stream.columns)
            columns = [texts(column) for column in stream.to_table().columns]
            return Outcome(types, tuple(" | ".join(row) for row in zip(*columns, strict=True)))
    except DvtError as error:
        is_value = isinstance(error, DataError) and error.phase == "compute"
        return Outcome((), (), f"{type(error).__name__} [{error.phase}] {error.message}", error.phase or "", is_value)
    except Exception as error:
        return Outcome((), (), f"{type(error).__name__}, which is none of dvt's errors: {error}", "fault")


def texts(column: pa.ChunkedArray) -> list[str]:
    """Values as text that tells NULL, '' and trailing spaces apart; infinite dates have no Python value."""
    type_ = column.type
    if isinstance(type_, pa.BaseExtensionType):
        column, type_ = pa.chunked_array([c.storage for c in column.chunks], type_.storage_type), type_.storage_type
    if pa.types.is_date32(type_):
        column = column.cast(pa.int32())
    elif pa.types.is_temporal(type_) and not pa.types.is_interval(type_):
        column = column.cast(pa.int64())
    # -0.0 equals 0.0: which of them stands for a group depends on the order of rows.
    return ["0.0" if text == "-0.0" else text for text in map(repr, column.to_pylist())]


def difference(expected: Outcome, found: Outcome, is_ordered: bool) -> str:
    """How two outcomes differ; empty when they are the same answer, or the same failure."""
    if expected.error and found.error:
        # What the engine refuses without pushdown, the planner may refuse before anything is read.
        return "" if found.phase in (expected.phase, "plan") else "it failed elsewhere"
    if expected.error or found.error:
        return "" if expected.is_value_error or found.is_value_error else "one failed"
    if expected.types != found.types:
        return "columns differ"
    if Counter(expected.rows) != Counter(found.rows):
        return "rows differ"
    if is_ordered and expected.rows != found.rows:
        return "the order differs"
    return ""


def is_tolerated(expected: Outcome, found: Outcome) -> bool:
    """Whether two outcomes are equal only because an error about a value is allowed."""
    return bool(expected.error) != bool(found.error) and (expected.is_value_error or found.is_value_error)
