"""Whether a query is a read of one relation and nothing else: then the source's own rows are its answer.

The proof is by form. Each SELECT on the way from the output to the relation only chooses columns and rows, every one of
its conditions is answered exactly by the source, and the rows are in no order that would have to be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
from sqlglot import exp

from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import Ordering
from dvt.federation.plan.constants import Constants
from dvt.federation.plan.filters import filters_of
from dvt.federation.plan.limits import limit_of, ordering
from dvt.federation.plan.model import DirectScan, Input, QueryPlan, ScanPlan
from dvt.federation.plan.needed_rows import Reach
from dvt.federation.plan.outputs import Outputs
from dvt.federation.plan.parse import Handles, parse_query
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.plan.reasons import Reason
from dvt.federation.plan.scope_building import ScopeBuilder
from dvt.federation.plan.scopes import Env, Scope, conjuncts, is_always_true, is_plain_select
from dvt.federation.plan.watermarks import resolved_watermarks
from dvt.federation.stream import ColumnSchema

_CLAUSES = {"with_", "expressions", "from_", "where", "order", "limit"}
# Each SELECT builds the scopes of those below it anew.
_DEEPEST = 30


class _NotDirectError(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.code)
        self.reason = reason


@dataclass(frozen=True)
class _Chain:
    """What the SELECTs above a relation make of it.

    Args:
        handle: The relation.
        columns: For each output its name and the relation's column, both in lower case.
        conditions: Over the relation's columns.
        limit: At most that many rows.
        order: Which rows, with a limit.
    """

    handle: Handle
    columns: tuple[tuple[str, str], ...]
    conditions: tuple[exp.Expr, ...] = ()
    limit: int | None = None
    order: tuple[Ordering, ...] = ()


def direct_scan(
    plan: QueryPlan,
    inputs: Sequence[Input],
    describe: Callable[[Input], list[ColumnSchema]],
    pushdown: Pushdown,
) -> DirectScan | Reason:
    """The one scan whose rows are the query's answer, or why there is none.

    The names and types that the engine would give are not compared here: only the engine knows them.

    Args:
        plan: The query's plan.
        inputs: What it may read.
        describe: Gives an input's columns.
        pushdown: The most that sources are asked to do.
    """
    by_handle = {input_.handle: input_ for input_ in inputs}
    scans = [scan for scan in plan.scans if scan.input.handle not in plan.known]
    unread = [scan for scan in scans if any(d.reason is Reason.WATERMARK for d in scan.decisions)]
    if len(scans) - len(unread) != 1:
        return Reason.DIRECT_INPUTS
    if unread:
        return Reason.DIRECT_WATERMARK
    if Pushdown.OFF in (pushdown, scans[0].input.pushdown):
        return Reason.OFF
    columns = {scan.input.handle: describe(scan.input) for scan in plan.scans}
    handles = Handles(by_handle)
    try:
        root = _root(plan, handles, by_handle, columns)
        chain = _Following(handles, columns).chain(root, {})
        if [handles.of_table(table) for table in root.find_all(exp.Table)].count(chain.handle) != 1:
            raise _NotDirectError(Reason.DIRECT_SHAPE)
        return _filtered(scans[0], chain, columns[chain.handle])
    except _NotDirectError as error:
        return error.reason


def _root(
    plan: QueryPlan,
    handles: Handles,
    inputs: Mapping[Handle, Input],
    columns: Mapping[Handle, Sequence[ColumnSchema]],
) -> exp.Expr:
    """The query, with the watermarks that were read as constants."""
    root = parse_query(plan.sql)
    if not plan.known:
        return root

    def known(scan: ScanPlan) -> pa.Table:
        if scan.input.handle not in plan.known:
            raise _NotDirectError(Reason.DIRECT_SHAPE)
        return plan.known[scan.input.handle]

    return resolved_watermarks(root, handles, inputs, columns, known).root


def _filtered(scan: ScanPlan, chain: _Chain, columns: list[ColumnSchema]) -> DirectScan:
    """The scan that gives the chain's rows and no others."""
    taken = {name for _, name in chain.columns}
    if not all(_is_carried(column.type) for column in columns if column.name.lower() in taken):
        raise _NotDirectError(Reason.DIRECT_TYPE)
    reach = Reach(chain.conditions, chain.limit, chain.order)
    found = filters_of(scan.input, columns, [reach], Constants(), {})
    if found.limit != chain.limit or not all(decision.is_exact for decision in found.decisions):
        raise _NotDirectError(Reason.DIRECT_RESIDUAL)
    by_name = {column.name.lower(): column.name for column in columns}
    sources = tuple(by_name[name] for _, name in chain.columns)
    read = tuple(dict.fromkeys(sources))
    names = tuple(name for name, _ in chain.columns)
    return DirectScan(found.applied(replace(scan, columns=read, sql="", reason="")), names, sources)


class _Following:
    """Follows a query through its CTEs and derived tables down to one relation."""

    def __init__(self, handles: Handles, columns: Mapping[Handle, Sequence[ColumnSchema]]) -> None:
        self._outputs = Outputs(lambda select, env: self._builder.build(select, env)[0])
        self._builder = ScopeBuilder(
            handles.of_table,
            lambda handle: {column.name.lower(): column.type for column in columns[handle]},
            lambda query, env: self._outputs.of(query, env),
        )
        self._depth = 0

    def chain(self, node: exp.Expr, env: Env) -> _Chain:
        self._depth += 1
        is_known = isinstance(node, exp.Select) and is_plain_select(node)
        if not is_known or self._depth > _DEEPEST or not {key for key, value in node.args.items() if value} <= _CLAUSES:
            raise _NotDirectError(Reason.DIRECT_SHAPE)
        assert isinstance(node, exp.Select)
        seen = self._outputs.env(node, env)
        scope = self._builder.build(node, seen)[0]
        outputs = self._outputs.of(node, seen)
        if len(scope.sources) != 1 or scope.sources[0].columns is None or outputs is None:
            raise _NotDirectError(Reason.DIRECT_SHAPE)
        below = self._below(scope)
        of = dict(below.columns)
        columns = []
        for output in outputs:
            place = scope.resolve(output.expression) if isinstance(output.expression, exp.Column) else None
            if place is None or output.name is None:
                raise _NotDirectError(Reason.DIRECT_SHAPE)
            columns.append((output.name, of[place[1]]))
        is_empty = 0 in (below.limit, limit_of(node))  # then no condition says anything
        conditions = () if is_empty else tuple(self._condition(part, scope, of) for part in _conditions(node))
        if conditions and below.limit is not None:
            raise _NotDirectError(Reason.DIRECT_SHAPE)
        limit, order = _cut(node, scope, of)
        if limit is not None and below.limit is not None:
            raise _NotDirectError(Reason.DIRECT_SHAPE)
        return _Chain(
            below.handle,
            tuple(columns),
            tuple(dict.fromkeys((*below.conditions, *conditions))),
            below.limit if limit is None else limit,
            order or below.order,
        )

    def _below(self, scope: Scope) -> _Chain:
        source = scope.sources[0]
        if source.handle is not None:
            assert source.columns is not None
            return _Chain(source.handle, tuple((name, name) for name in source.columns))
        if source.query is None:
            raise _NotDirectError(Reason.DIRECT_SHAPE)
        return self.chain(source.query, source.env)

    def _condition(self, part: exp.Expr, scope: Scope, of: Mapping[str, str]) -> exp.Expr:
        if not scope.places(part):
            raise _NotDirectError(Reason.DIRECT_RESIDUAL)
        return part.copy().transform(
            lambda node: (
                exp.column(of[node.name.lower()], quoted=True)  # its place is the only source
                if isinstance(node, exp.Column)
                else node
            )
        )


def _conditions(select: exp.Select) -> list[exp.Expr]:
    """The conditions that say something: `1 = 1` and `true` do not."""
    where = select.args.get("where")
    return [part for part in conjuncts(where.this if where is not None else None) if not is_always_true(part)]


def _cut(select: exp.Select, scope: Scope, of: Mapping[str, str]) -> tuple[int | None, tuple[Ordering, ...]]:
    """A SELECT's own limit, and the order that says which rows it leaves."""
    if select.args.get("limit") is None:
        if select.args.get("order") is not None:
            raise _NotDirectError(Reason.DIRECT_ORDER)
        return None, ()
    limit, order = limit_of(select), ordering(select, scope)
    if limit is None:
        raise _NotDirectError(Reason.DIRECT_SHAPE)
    if order is None:
        raise _NotDirectError(Reason.DIRECT_ORDER)
    return limit, tuple(replace(item, column=of[item.column]) for item in order)


def _is_carried(type_: pa.DataType) -> bool:
    """Whether the engine gives every value of a type back as it came; structs and maps it may refuse or rename."""
    if pa.types.is_list(type_):
        return not pa.types.is_nested(type_.value_type)
    return not pa.types.is_nested(type_)
