"""Parts of an Oracle table by ranges of its key, each read by a session of its own AS OF the leader's SCN.

The leader's transaction is read-only from before its first scan to its end, and so is its state: later scans of the
session are read in parts AS OF the same SCN, however much was committed in between.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlglot import exp

from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.key_marks import even_marks, extent, undivided
from dvt.federation.extractors.key_ranges import Mark, can_be_key, key_ranges
from dvt.federation.extractors.part_readers import PartReaders
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation

SCN = "SELECT dbms_flashback.get_system_change_number FROM dual"
PRIMARY_KEY = (
    "SELECT c.column_name FROM all_constraints k JOIN all_cons_columns c"
    " ON c.owner = k.owner AND c.constraint_name = k.constraint_name"
    " WHERE k.owner = :owner AND k.table_name = :name AND k.constraint_type = 'P' AND k.status = 'ENABLED'"
    " AND k.validated = 'VALIDATED' AND k.deferrable = 'NOT DEFERRABLE' ORDER BY c.position"
)
TABLE = "SELECT num_rows FROM all_tables WHERE owner = :owner AND table_name = :name AND temporary = 'N'"
_SMALLEST_PART_ROWS = 10_000

# Gives the rows of a small result.
Ask = Callable[..., list[Any]]


@dataclasses.dataclass(frozen=True)
class AsOf(Relation):
    """A relation in a state of the past.

    Args:
        scn: The system change number up to which its changes are seen.
    """

    scn: int = 0

    def ast(self) -> Any:
        """The table, with the state."""
        table = super().ast()
        table.set("version", exp.Version(this="SCN", kind="AS OF", expression=exp.Literal.number(self.scn)))
        return table


def parts_of(
    ask: Ask, request: ExtractionConfig, wanted: int, describe: Callable[[str], ColumnSchema]
) -> tuple[list[exp.Expr], str]:
    """Conditions of the parts, and where there are none the reason.

    Args:
        ask: Asks the leading session.
        request: What is read, by the catalogue's names.
        wanted: How many parts were asked for; more than one.
        describe: The column of a name.
    """
    relation = request.relation
    if relation is None or undivided(request):
        return [], undivided(request)
    found = ask(TABLE, owner=relation.schema, name=relation.name)
    if not found:
        return [], "only tables are read in parts"
    if request.split is None:
        wanted = min(wanted, int(found[0][0] or 0) // _SMALLEST_PART_ROWS)
        if wanted < 2:
            return [], "it is small, or has no statistics"
    named = request.split.column if request.split is not None else ""
    keys = [named] if named else [row[0] for row in ask(PRIMARY_KEY, owner=relation.schema, name=relation.name)]
    if not keys:
        return [], "it has no primary key; a split may name a column"
    column = describe(keys[0])
    if not can_be_key(column.type):
        return [], f"no ranges are made of {column.name}, which is {column.native_type}"
    ends = exp.Select().select(*extent(column.name)).from_(relation.ast())
    low, high = (_mark(value, column.type) for value in ask(ends.sql(dialect="oracle"))[0])
    marks = even_marks(low, high, wanted) if low is not None and high is not None else []
    ranges = key_ranges(column.name, column.type, marks, "oracle")
    return ranges, "" if ranges else f"ranges of {column.name} make no parts"


def _mark(value: Any, type_: pa.DataType) -> Mark | None:
    """An extreme as a mark; the driver may give whole numbers as floats. It need not be exact, only near."""
    if isinstance(value, datetime):
        return value if value.tzinfo is not None or getattr(type_, "tz", None) is None else None
    if isinstance(value, (int, float)):
        return int(value) if value == value and abs(value) != float("inf") else None
    return None


@dataclasses.dataclass(frozen=True)
class LeadingState:
    """What the leader's transaction sees.

    Args:
        scn: Its system change number; None where it is not known.
        reason: Why it is not.
    """

    scn: int | None
    reason: str = ""


UNASKED = LeadingState(None, "the first scan of its session asked for no parts, and so not for the session's SCN")


def leading_state(ask: Ask, begin_anew: Callable[[], None]) -> LeadingState:
    """The state of a read-only transaction that begins now.

    It is some SCN between the one before it began and the one after: when these are one, it is that.
    """
    before = int(ask(SCN)[0][0])
    for _ in range(20):
        begin_anew()
        after = int(ask(SCN)[0][0])
        if after == before:
            return LeadingState(after)
        before = after
    return LeadingState(None, "too much is committed for the state of a session to be known")


class ParallelFrames:
    """Several sessions that read at once.

    Args:
        sessions: They are ended with the reading.
        read: The batches of each.
    """

    def __init__(self, sessions: Sequence[Any], read: Sequence[Iterator[pa.RecordBatch]]) -> None:
        self._sessions = sessions
        self._readers = PartReaders(read, self.cancel)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches until every session is through; the first failure of any of them is raised."""
        return self._readers.batches()

    def cancel(self) -> None:
        """Send each server process a break."""
        import oracledb

        for session in self._sessions:
            with contextlib.suppress(oracledb.Error, OSError):
                session.cancel()

    def close(self) -> None:
        """End the threads and the sessions."""
        self._readers.close()
        close_all(self._sessions)


def close_all(sessions: Sequence[Any]) -> None:
    """End sessions, also those that broke."""
    import oracledb

    for session in sessions:
        with contextlib.suppress(oracledb.Error, OSError):
            session.close()
