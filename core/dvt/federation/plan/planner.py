"""From a query and its possible inputs to the scans that feed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
from sqlglot import exp

from dvt.errors import PlanError, nearest
from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import BaseExtractor
from dvt.federation.plan.constants import Constants
from dvt.federation.plan.filters import Filters, filters_of
from dvt.federation.plan.model import Decision, Input, QueryPlan, ScanPlan
from dvt.federation.plan.needed_rows import NeededRows
from dvt.federation.plan.parse import Handles, parse_query
from dvt.federation.plan.projection import needed_columns
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.plan.reasons import Reason
from dvt.federation.plan.unread import unread, without_rows
from dvt.federation.plan.watermarks import resolved_watermarks
from dvt.federation.registry import extractor_class
from dvt.federation.stream import ColumnSchema

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
    bind: Callable[[str, Mapping[Handle, Input], Mapping[Handle, Sequence[ColumnSchema]]], None] | None = None,
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
        bind: Refuses a query that the engine would refuse, given the inputs, and the columns that it reads of some.

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
    if bind is not None:
        bind(sql, by_handle, {h: _kept(columns_of[h], needed[h][0]) for h in needed})
    empty = unread(root, handles)
    if pushdown is Pushdown.OFF:
        scans = [without_rows(by_handle[h], *needed[h]) if h in empty else _whole(by_handle[h]) for h in needed]
        return QueryPlan(sql, tuple(_with_sql(scan, extractor_factory) for scan in scans))
    marks = resolved_watermarks(root, handles, by_handle, columns_of, evaluate)
    types = {handle: {column.name.lower(): column.type for column in found} for handle, found in columns_of.items()}
    rows = NeededRows(marks.root, handles, types, with_keys=pushdown is Pushdown.FULL)
    constants = Constants()
    is_joined = len(needed) > 1
    sizes = {handle: rows_of(by_handle[handle]) for handle in needed} if is_joined and pushdown is Pushdown.FULL else {}
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
            scans.append(found.applied(ScanPlan(input_, columns, "", reason)))
    return QueryPlan(sql, tuple(_with_sql(scan, extractor_factory) for scan in scans), marks.known)


def _kept(columns: Sequence[ColumnSchema], names: Sequence[str] | None) -> list[ColumnSchema]:
    return [column for column in columns if names is None or column.name in names]


def _whole(input_: Input) -> ScanPlan:
    return ScanPlan(input_, None, "", "pushdown is off", decisions=(Decision("all rows", False, reason=Reason.OFF),))


def _with_sql(scan: ScanPlan, factory: ExtractorFactory | None) -> ScanPlan:
    make = factory or (lambda connection: extractor_class(connection.type)(connection))
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
