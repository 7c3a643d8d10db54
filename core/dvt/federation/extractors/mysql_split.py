"""In which ranges of its key several sessions read a table of MySQL or MariaDB, and why it is read whole."""

from __future__ import annotations

from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.mysql_session import Session
from dvt.errors import DataError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.key_marks import asked_of, balanced_marks, extent, undivided
from dvt.federation.extractors.key_ranges import Mark, can_be_key, key_ranges
from dvt.federation.extractors.mysql_schema import catalogue, primary_key, relation_readers, text_literal
from dvt.federation.extractors.mysql_values import ColumnReader
from dvt.identifiers import Relation

_SMALLEST_PART_ROWS = 10_000


def parts_of(
    session: Session, request: ExtractionConfig, wanted: int, connection: Connection
) -> tuple[list[exp.Expr], str]:
    """Conditions of the parts, and where there are none the reason.

    Args:
        session: Asked for the catalogue, the extremes and estimates.
        request: What is read; its relation has a schema.
        wanted: How many parts were asked for; more than one.
        connection: For the options of its types.
    """
    relation = request.relation
    if relation is None or undivided(request):
        return [], undivided(request)
    kind, rows = _kind(session, relation)
    if kind != "InnoDB":
        return [], f"only InnoDB tables have a snapshot, and this is {kind}"
    if request.split is None:
        wanted = min(wanted, rows // _SMALLEST_PART_ROWS)
        if wanted < 2:
            return [], "it is small"
    named = request.split.column if request.split is not None else ""
    key = named or next(iter(primary_key(session, relation)), "")
    if not key:
        return [], "it has no primary key; a split may name a column"
    [reader] = relation_readers(connection, catalogue(session, relation), [key], relation)
    if not can_be_key(reader.schema.type):
        return [], f"no ranges are made of {key}, which is {reader.native.text}"
    return _by_key(session, request, reader, wanted)


def _kind(session: Session, relation: Relation) -> tuple[str, int]:
    """The storage engine of a table, or what it is else, and about how many rows it has."""
    found = session.rows(
        " ".join(
            [
                "select table_type, engine, table_rows from information_schema.tables",
                *("where table_schema =", text_literal(relation.schema or "")),
                *("and table_name =", text_literal(relation.name)),
            ]
        )
    )
    if len(found) != 1:
        return "unknown", 0
    type_, engine, rows = found[0]
    return (engine or "" if type_ == "BASE TABLE" else (type_ or "").lower()), int(rows or 0)


def _by_key(session: Session, request: ExtractionConfig, key: ColumnReader, wanted: int) -> tuple[list[exp.Expr], str]:
    name, type_ = key.schema.name, key.schema.type
    extremes = _extremes(session, request, key)
    if extremes is None:
        return [], f"the smallest or largest {name} has no ranges"

    def rows_between(low: Mark, high: Mark) -> float:
        _, stretch, _ = key_ranges(name, type_, [low, high], "mysql")
        return _estimated(session, request, stretch)

    ranges = key_ranges(name, type_, balanced_marks(*extremes, wanted, rows_between), "mysql")
    return ranges, "" if ranges else f"by the server's estimate, ranges of {name} make no parts"


def _extremes(session: Session, request: ExtractionConfig, key: ColumnReader) -> tuple[Mark, Mark] | None:
    session.open(asked_of(request, *extent(key.schema.name)).sql(dialect="mysql"))
    values = []
    for rows in session.fetched(1):
        try:
            values = [key.read(column).to_pylist()[0] for column in rows.columns(2)]
        except (DataError, OverflowError, ValueError):  # a zero date
            values = []
    if len(values) < 2 or None in values:
        return None
    return values[0], values[1]


def _estimated(session: Session, request: ExtractionConfig, stretch: exp.Expr) -> float:
    """Rows in a stretch as the optimiser counts them: in an index to the page, else by a rule of thumb."""
    query = asked_of(request, exp.Literal.number(1)).where(stretch).sql(dialect="mysql")
    names = [field.name for field in session.open(" ".join(["explain format = traditional", query]))]
    at, found = names.index("rows"), 0
    for rows in session.fetched(100):
        texts = rows.columns(len(names))[at].cast("string").to_pylist()
        found += sum(int(float(text)) for text in texts if text)
    return float(found)
