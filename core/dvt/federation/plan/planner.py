"""From a query and its possible inputs to the scans that feed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from dvt.errors import PlanError, nearest
from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import BaseExtractor
from dvt.federation.plan.constants import Constants
from dvt.federation.plan.filters import Filters, filters_of
from dvt.federation.plan.key_filters import Size, marker_of
from dvt.federation.plan.merging import Merged, Merger
from dvt.federation.plan.model import Decision, Input, QueryPlan, ScanPlan
from dvt.federation.plan.needed_rows import NeededRows, Reach, by_other_means
from dvt.federation.plan.parse import Handles, parse_query
from dvt.federation.plan.projection import needed_columns
from dvt.federation.plan.pushdown import ALL_MOVES, Move, Pushdown
from dvt.federation.plan.reasons import Reason
from dvt.federation.plan.unread import unread, without_rows
from dvt.federation.plan.watermarks import resolved_watermarks
from dvt.federation.registry import new_extractor
from dvt.federation.stream import ColumnSchema

if TYPE_CHECKING:
    from dvt.federation.binding import Binder

# Catalogues that every DuckDB session has.
_ENGINE_CATALOGS = frozenset({"memory", "system", "temp"})

ExtractorFactory = Callable[..., BaseExtractor]


def plan_query(
    sql: str,
    inputs: Sequence[Input],
    describe: Callable[[Input], list[ColumnSchema]],
    *,
    pushdown: Pushdown = Pushdown.SAFE,
    extractor_factory: ExtractorFactory | None = None,
    evaluate: Callable[[ScanPlan], pa.Table] | None = None,
    rows_of: Callable[[Input], int | None] = lambda _: None,
    describe_block: Callable[[Input], list[ColumnSchema]] | None = None,
    binder: Binder | None = None,
    moves: frozenset[Move] = ALL_MOVES,
) -> QueryPlan:
    """Which inputs a query reads, which of their columns and rows, and by what SQL.

    Args:
        sql: One query in DuckDB's SQL, over three-part handles.
        inputs: What it may read; only what it mentions is described and scanned.
        describe: Gives an input's columns.
        pushdown: The most that sources are asked to do; an input's own setting may hold it back.
        extractor_factory: Makes an extractor of a connection, for its `source_sql`; the registry's when not given.
        evaluate: Reads the one row of a watermark. Without it no data is read.
        rows_of: How many rows an input has about; None when nobody knows.
        describe_block: Gives a block's columns as its source describes them. Without it no joins are sent.
        binder: Refuses a query that the engine would refuse, and tells a query's columns.
        moves: What may move when pushdown is full.

    Raises:
        PlanError: The query cannot be parsed or bound, or names a relation that is none of the inputs.
    """
    by_handle = {input_.handle: input_ for input_ in inputs}
    handles = Handles(by_handle)
    root = parse_query(sql)
    _check_known(root, handles, by_handle)
    columns_of = {handle: describe(by_handle[handle]) for handle in sorted(handles.mentioned(root))}
    tables = {handle: [column.name for column in columns] for handle, columns in columns_of.items()}
    needed = needed_columns(sql, tables)
    relations = {handle: _kept(columns_of[handle], columns) for handle, (columns, _) in needed.items()}
    if binder is not None:
        binder.check(sql, by_handle, relations)
    empty = unread(root, handles)
    if pushdown is Pushdown.OFF:
        scans = [without_rows(by_handle[h], *needed[h]) if h in empty else _whole(by_handle[h]) for h in needed]
        return QueryPlan(sql, tuple(with_sql(scan, extractor_factory) for scan in scans))
    if pushdown is Pushdown.FULL and describe_block is not None:
        merged = _merged(sql, root, handles, by_handle, columns_of, rows_of, describe_block, moves)
        if merged is not None and _has_same_columns(sql, merged, relations, binder):
            return plan_query(
                merged.sql,
                [*inputs, *merged.inputs],
                lambda input_: list(input_.columns) if input_.block is not None else describe(input_),
                pushdown=pushdown,
                extractor_factory=extractor_factory,
                evaluate=evaluate,
                rows_of=rows_of,
                moves=moves,
            )
    marks = resolved_watermarks(root, handles, by_handle, columns_of, evaluate)
    types = {handle: {column.name.lower(): column.type for column in found} for handle, found in columns_of.items()}
    rows = NeededRows(marks.root, handles, types, with_keys=pushdown is Pushdown.FULL and Move.KEYS in moves)
    constants = Constants()
    is_joined = len(needed) > 1
    waits = is_joined and pushdown is Pushdown.FULL
    sizes = {h: Size(rows_of(by_handle[h]), _is_filtered(rows.reaches.get(h, ()))) for h in needed} if waits else {}
    scans = []
    for handle, (columns, reason) in needed.items():
        input_ = by_handle[handle]
        if handle in marks.scans:
            scans.append(marks.scans[handle])
        elif handle in empty:
            scans.append(without_rows(input_, columns, reason))
        elif input_.pushdown is Pushdown.OFF:
            scans.append(_whole(input_))
        else:
            known = sizes if pushdown.at_most(input_.pushdown) is Pushdown.FULL else {}
            found = filters_of(input_, columns_of[handle], rows.reaches.get(handle, ()), constants, known)
            if rows.reason:
                found = Filters(decisions=(Decision(rows.reason, False, reason=Reason.NOT_FOLLOWED),))
            if input_.block is not None:
                found = replace(found, decisions=(*input_.block.decisions, *found.decisions))
            scans.append(found.applied(ScanPlan(input_, columns, "", reason)))
    return QueryPlan(sql, tuple(with_sql(scan, extractor_factory) for scan in scans), marks.known)


def _is_filtered(reaches: Sequence[Reach]) -> bool:
    return bool(reaches) and all(any(marker_of(c) is None for c in reach.conditions) for reach in reaches)


def _kept(columns: Sequence[ColumnSchema], names: Sequence[str] | None) -> list[ColumnSchema]:
    return [column for column in columns if names is None or column.name in names]


def _merged(
    sql: str,
    root: exp.Expr,
    handles: Handles,
    by_handle: dict[Handle, Input],
    columns_of: dict[Handle, list[ColumnSchema]],
    rows_of: Callable[[Input], int | None],
    describe_block: Callable[[Input], list[ColumnSchema]],
    moves: frozenset[Move],
) -> Merged | None:
    """The query with joins and groups that are read at their sources; what a watermark is read from stays as it is."""
    if by_other_means(root, [[column.name.lower() for column in columns] for columns in columns_of.values()]):
        return None
    marks = resolved_watermarks(root, handles, by_handle, columns_of, None)
    inputs = {
        handle: by_handle[handle]
        for handle in columns_of
        if handle not in marks.scans and Pushdown.FULL.at_most(by_handle[handle].pushdown) is Pushdown.FULL
    }
    return Merger(parse_query(sql), handles, inputs, columns_of, rows_of, describe_block, moves).merged(sql)


def _has_same_columns(
    sql: str,
    merged: Merged,
    relations: Mapping[Handle, Sequence[ColumnSchema]],
    binder: Binder | None,
) -> bool:
    """Whether the engine gives the query over blocks the names and types that it gives to the query itself."""
    if binder is None:
        return True
    try:
        found = binder.columns(merged.sql, {**relations, **{inp.handle: inp.columns for inp in merged.inputs}})
    except PlanError as error:
        error.remedy = "This is a fault of dvt: report it, and set dvt_pushdown: safe on the model until it is mended"
        raise
    expected = binder.columns(sql, relations)
    return [(c.name, c.type) for c in found] == [(c.name, c.type) for c in expected]


def _whole(input_: Input) -> ScanPlan:
    return ScanPlan(input_, None, "", "pushdown is off", decisions=(Decision("all rows", False, reason=Reason.OFF),))


def with_sql(scan: ScanPlan, factory: ExtractorFactory | None) -> ScanPlan:
    """The scan with the statement that its source is sent."""
    make = factory or new_extractor
    return replace(scan, sql=make(scan.input.connection).source_sql(scan.request()))


def _check_known(root: exp.Expr, handles: Handles, by_handle: dict[Handle, Input]) -> None:
    for table in root.find_all(exp.Table):
        if not table.catalog or table.catalog.lower() in _ENGINE_CATALOGS or handles.of_table(table):
            continue
        name = ".".join((table.catalog, table.db, table.name))
        known = [".".join((handle.catalog, handle.schema, handle.name)) for handle in by_handle]
        raise PlanError(
            f"{name} is not an input of this query: {nearest(name, known)}",
            relation=name,
            phase="plan",
            remedy="Refer to relations through ref() and source()",
        )
