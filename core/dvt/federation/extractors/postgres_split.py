"""In which parts several sessions of one snapshot read a relation of PostgreSQL, and why it is read whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

from dvt.errors import DataError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.degree import AUTO
from dvt.federation.extractors.key_marks import asked_of, balanced_marks, extent, undivided
from dvt.federation.extractors.key_ranges import Mark, can_be_key, key_ranges
from dvt.federation.extractors.postgres_catalog import (
    Reach,
    RelationFacts,
    columns_of,
    primary_key,
    reach,
    relation_facts,
)
from dvt.federation.extractors.postgres_csv import CsvDecoder
from dvt.federation.extractors.postgres_parallel import SMALLEST_PART_BLOCKS, ctid_ranges
from dvt.federation.extractors.postgres_wire import Wire
from dvt.federation.extractors.scan_sql import scan_sql

if TYPE_CHECKING:
    import psycopg

    from dvt.connections.connection import Connection

# What a view may be made of, so that each session finds the same rows in it: no functions but these, which depend on
# nothing but their arguments, no order among equals, no limit, no sample.
_STEADY = (
    *(exp.Select, exp.From, exp.Join, exp.Where, exp.Table, exp.TableAlias, exp.Subquery, exp.Union, exp.With, exp.CTE),
    *(exp.Column, exp.Identifier, exp.Alias, exp.Star, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Interval),
    *(exp.Predicate, exp.Connector, exp.Not, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DPipe, exp.Var),
    *(exp.DataType, exp.DataTypeParam, exp.Order, exp.Ordered),
)
_STEADY_FUNCTIONS = (exp.Connector, exp.Cast, exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Lower, exp.Upper)
# A session more has to be worth its login, and what it costs the server: 128 MB.
LEAST_OF_AUTOMATIC_BLOCKS = 16_384
# Where an order is kept: 16 MB, of which about two batches are made.
_TURN_BLOCKS = 2_048
_CLOCK_WORDS = frozenset({"now", "today", "tomorrow", "yesterday"})


@dataclass(frozen=True)
class Cut:
    """How a request is cut.

    Args:
        ranges: Conditions of the parts; none where it is read whole.
        sessions: How many read them.
        whole_because: Why it is, where more were asked for.
        facts: What the catalogue says about the relation; None of a query.
    """

    ranges: Sequence[exp.Expr] = ()
    sessions: int = 1
    whole_because: str = ""
    facts: RelationFacts | None = None


def cut(session: psycopg.Connection[Any], request: ExtractionConfig, wanted: int, connection: Connection) -> Cut:
    """Conditions of the parts, and where there are none the reason.

    Args:
        session: In its snapshot, where the catalogue's words do not come as bytes.
        request: What is read.
        wanted: How many parts were asked for.
        connection: For the options of its types.
    """
    reason = undivided(request) if wanted > 1 else ""
    if request.relation is None:
        return Cut(whole_because=reason)
    if wanted < 2 or reason:
        return Cut(whole_because=reason, facts=relation_facts(session, request.relation))
    found = reach(session, request.relation)
    named = request.split.column if request.split is not None else ""
    if request.split is None:
        least = LEAST_OF_AUTOMATIC_BLOCKS if connection.options["parallel"] == AUTO else SMALLEST_PART_BLOCKS
        wanted = min(wanted, found.blocks // least)
    reason = _whole_because(found) or ("it is small" if wanted < 2 and request.split is None else "")
    if reason:
        return Cut(whole_because=reason, facts=found.own)
    assert found.own is not None, "there is a relation, or a reason"
    version = session.info.server_version
    if connection.options["keep_order"]:
        is_one = not named and found.blocks == found.own.blocks
        ranges = ctid_ranges(found.own, max(wanted, found.blocks // _TURN_BLOCKS), version) if is_one else []
        reason = "" if ranges else "dvt.keep_order is set, and only the blocks of one table have an order"
        return Cut(ranges, min(wanted, max(len(ranges), 1)), reason, found.own)
    ranges = [] if named else ctid_ranges(found.own, wanted, version)
    if not ranges:
        ranges, reason = _by_a_key(session, request, named, wanted, connection)
    return Cut(ranges, max(len(ranges), 1), reason, found.own)


def _whole_because(found: Reach) -> str:
    """Why sessions cannot share a relation, whatever was asked for; empty where they can."""
    if found.own is None:
        return "no relation of that name"
    if "f" in found.kinds:
        return "a foreign server gives each session a snapshot of its own"
    if not found.is_persistent:
        return "a temporary relation has one session"
    is_steady = all(_is_steady(definition) for definition in found.definitions)
    return "" if is_steady else "the view's rows may differ from session to session"


def _by_a_key(
    session: psycopg.Connection[Any], request: ExtractionConfig, named: str, wanted: int, connection: Connection
) -> tuple[list[exp.Expr], str]:
    assert request.relation is not None, "it was reached"
    key = named or next(iter(primary_key(session, request.relation)), "")
    if not key:
        return [], "it has no primary key; a split may name a column"
    of_key = ExtractionConfig(relation=request.relation, columns=(key,), source_name=request.source_name)
    columns, carriers = columns_of(session, Wire(session).describe(scan_sql(of_key, "postgres")), of_key, connection)
    type_ = columns[0].type
    if not can_be_key(type_):
        return [], f"no ranges are made of {key}, which is {columns[0].native_type}"
    extremes = _extremes(session, request, key, CsvDecoder(columns, carriers, request.label))
    if extremes is None:
        return [], f"the smallest or largest {key} has no ranges"

    def rows_between(low: Mark, high: Mark) -> float:
        _, stretch, _ = key_ranges(key, type_, [low, high], "postgres")
        return _estimated(session, request, stretch)

    marks = balanced_marks(*extremes, wanted, rows_between)
    ranges = key_ranges(key, type_, marks, "postgres")
    return ranges, "" if ranges else f"by the server's estimate, ranges of {key} make no parts"


def _extremes(
    session: psycopg.Connection[Any], request: ExtractionConfig, key: str, decoder: CsvDecoder
) -> tuple[Mark, Mark] | None:
    assert request.relation is not None
    ends = [asked_of(request, end).sql(dialect="postgres") for end in extent(key)]
    wire = Wire(session)
    wire.start_copy("".join(["copy (", " union all ".join(ends), ") to stdout (format csv)"]))
    try:
        blocks = [decoder.decode(block) for block in wire.copy_rows(2, 1 << 20)]
        values = [value for block in blocks for value in block.column(0).to_pylist()]
    except (DataError, OverflowError, ValueError):  # infinity, or a year that Python has not
        return None
    if len(values) < 2 or None in values or values[0] != values[0] or values[1] != values[1]:
        return None
    low, high = sorted(values)
    return low, high


def _estimated(session: psycopg.Connection[Any], request: ExtractionConfig, stretch: exp.Expr) -> float:
    query = asked_of(request, exp.Literal.number(1)).where(stretch)
    found = session.execute(b"explain (format json) " + query.sql(dialect="postgres").encode()).fetchone()
    plan = found[0] if found else []
    if isinstance(plan, (str, bytes)):
        plan = json.loads(plan)
    return float(plan[0]["Plan"]["Plan Rows"])


def _is_steady(definition: str) -> bool:
    try:
        parsed = sqlglot.parse_one(definition, read="postgres")
    except sqlglot.errors.SqlglotError:
        return False
    return isinstance(parsed, exp.Query) and all(_is_steady_node(node) for node in parsed.walk())


def _is_steady_node(node: exp.Expr) -> bool:
    if isinstance(node, exp.Literal) and node.name.strip().lower() in _CLOCK_WORDS:
        return False  # as a moment it is read when the view is
    return isinstance(node, _STEADY_FUNCTIONS) or (isinstance(node, _STEADY) and not isinstance(node, exp.Func))
