"""Join and aggregate pushdown: parts of a query that live on one connection are read by one query there.

What has to hold for a part to move, and what stays of it in the query, is decided here; `rewriting` changes the query.
Only relations move that inner joins of plain columns hold together. A row of the block is a row of their join, so that
the rest of the query cannot tell. Conditions that a source only answers in part are checked again by the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from dvt.federation.engines.base import Handle
from dvt.federation.plan.bases import Base, Bases
from dvt.federation.plan.blocks import BLOCK_SCHEMA, Block, BlockColumn
from dvt.federation.plan.constants import Constants
from dvt.federation.plan.estimates import block_is_smaller
from dvt.federation.plan.faithful import is_same_query
from dvt.federation.plan.grouping import Partial, cast_of, column_of, key_collations, partials
from dvt.federation.plan.members import Members, Told, linked
from dvt.federation.plan.model import Decision, Input
from dvt.federation.plan.outputs import Outputs, is_plain_projection
from dvt.federation.plan.parse import Handles
from dvt.federation.plan.pushdown import ALL_MOVES, Move
from dvt.federation.plan.reasons import Reason
from dvt.federation.plan.rewriting import Group, SelectRewrite, rewritten
from dvt.federation.plan.scope_building import ScopeBuilder
from dvt.federation.plan.scopes import Env, JoinKind, conjuncts, is_plain_select
from dvt.federation.plan.select_parts import SelectParts
from dvt.federation.plan.select_view import SelectView, on_conjuncts
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation

_NOT_MOVED = (exp.Columns, exp.Lambda, exp.Pivot)
_OUTER = (JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI)


@dataclass(frozen=True)
class Merged:
    """A query that reads blocks.

    Args:
        sql: The query.
        inputs: The blocks.
    """

    sql: str
    inputs: tuple[Input, ...]


@dataclass
class Merger:
    """Finds what may move.

    Args:
        root: The query; it is changed.
        handles: All inputs' handles.
        inputs: Inputs that may move, by handle.
        described: Their columns.
        rows_of: How many rows an input has about.
        describe: Gives a block's columns as its source describes them.
        moves: What may move.
    """

    root: exp.Expr
    handles: Handles
    inputs: Mapping[Handle, Input]
    described: Mapping[Handle, Sequence[ColumnSchema]]
    rows_of: Callable[[Input], int | None]
    describe: Callable[[Input], list[ColumnSchema]]
    moves: frozenset[Move] = ALL_MOVES
    constants: Constants = field(default_factory=Constants)

    def __post_init__(self) -> None:
        self._outputs = Outputs(lambda select, env: self._builder.build(select, env)[0])
        self._columns = {
            handle: {column.name.lower(): column for column in columns} for handle, columns in self.described.items()
        }
        self._builder = ScopeBuilder(
            self.handles.of_table,
            lambda handle: {name: column.type for name, column in self._columns[handle].items()},
            lambda query, env: self._outputs.of(query, env),
        )
        names = {handle: {name: c.name for name, c in columns.items()} for handle, columns in self._columns.items()}
        self._bases = Bases(self._builder, self._outputs, names)
        self._found: list[SelectRewrite] = []
        self._count = 0
        self._mentioned = self.handles.mentioned(self.root)

    def merged(self, sql: str) -> Merged | None:
        """The query over blocks; None when nothing moves.

        Args:
            sql: The text of the root.
        """
        self._query(self.root, {})
        if not self._found or not is_same_query(sql, self.root.sql(dialect="duckdb")):
            return None
        inputs = tuple(group.input for select in self._found for group in select.groups)
        return Merged(rewritten(self.root, self._found), inputs)

    def _query(self, node: exp.Expr, env: Env) -> None:
        """Visit a query and those in its WITH and FROM; what stands in an expression stays."""
        seen = self._outputs.env(node, env)
        clause = node.args.get("with_")
        for cte in clause.expressions if isinstance(clause, exp.With) else ():
            known = seen.get(cte.alias.lower())
            if known is not None and known[0] is cte.this:
                self._query(*known)
        if isinstance(node, exp.Select) and is_plain_select(node):
            self._select(node, seen)
            for item in (node.args.get("from_"), *(node.args.get("joins") or ())):
                if item is not None and isinstance(item.this, exp.Subquery):
                    self._query(item.this, seen)
        elif isinstance(node, exp.SetOperation):
            self._query(node.this, seen)
            self._query(node.expression, seen)
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
            self._query(node.this, seen)

    def _select(self, select: exp.Select, env: Env) -> None:
        if any(select.args.get(key) for key in ("sample", "laterals")):
            return
        scope = self._builder.build(select, env)[0]
        parts = SelectParts(select)
        if any(join.kind not in _OUTER for join in scope.joins) or any(isinstance(n, _NOT_MOVED) for n in parts.nodes):
            return
        count = next((i for i, join in enumerate(scope.joins) if join.kind is not JoinKind.INNER), len(scope.joins)) + 1
        found = {index: self._bases.of(source) for index, source in enumerate(scope.sources[:count])}
        by_connection: dict[str, dict[int, Base]] = {}
        for index, base in found.items():
            input_ = self.inputs.get(base.handle) if base is not None else None
            if base is not None and input_ is not None and input_.comparing.takes_joins:
                by_connection.setdefault(input_.connection.name, {})[index] = base
        rewrite = SelectRewrite(SelectView(select, parts, scope))
        for bases in by_connection.values():
            self._connection(rewrite, bases)
        if rewrite.groups:
            self._found.append(rewrite)

    def _connection(self, rewrite: SelectRewrite, bases: dict[int, Base]) -> None:
        """Blocks of one connection in one SELECT."""
        members = Members(
            rewrite.scope,
            bases,
            {index: self.inputs[base.handle] for index, base in bases.items()},
            {index: self._columns[base.handle] for index, base in bases.items()},
            self.constants,
        )
        told = self._told(rewrite, members)
        if told is None:
            return
        for group in linked(sorted(bases), told):
            own = [each for each in told if each.sources <= group]
            made = self._group(rewrite, members, group, own)
            if made is not None:
                rewrite.groups.append(made)

    def _told(self, rewrite: SelectRewrite, members: Members) -> list[Told] | None:
        """All conditions on the members that the SELECT's filter, its inner joins and its CTEs make."""
        where = rewrite.select.args.get("where")
        nodes = conjuncts(where.this if where is not None else None)
        found = [told for node in nodes if (told := members.told(node)) is not None]
        for index in members.bases:
            on = on_conjuncts(rewrite.select, rewrite.scope, index)
            if on is None:
                return None
            # What a join says of others only stays where it is.
            found += [told for node in on if (told := members.told(node)) is not None and index in told.sources]
        return [*found, *(told for index in members.bases for told in members.told_of_base(index))]

    def _group(self, rewrite: SelectRewrite, members: Members, group: frozenset[int], told: list[Told]) -> Group | None:
        is_alone = len(group) < 2
        if not (is_alone or Move.JOINS in self.moves) or not rewrite.view.can_move(members, group):
            return None
        aggregates = None
        if Move.GROUPS in self.moves and not any(other.partials is not None for other in rewrite.groups):
            aggregates = partials(rewrite.select, rewrite.view.parts, members, group)
        for made in (aggregates, None) if aggregates is not None else (None,):
            if made is None and is_alone:
                return None
            # Before grouping every condition counts that can be asked for; else only those that join.
            asked = [each for each in told if each.sent is not None and (made is not None or each.links)]
            found = self._made(rewrite, members, group, asked, made, told)
            if found is not None:
                return found
        return None

    def _made(
        self,
        rewrite: SelectRewrite,
        members: Members,
        group: frozenset[int],
        asked: list[Told],
        made: list[Partial] | None,
        told: list[Told],
    ) -> Group | None:
        dropped = [each for each in asked if each.is_exact]
        kept = [each for each in told if each.node is None and each not in dropped]
        read = rewrite.view.names_read(members, group, dropped, made or ())
        read += [members.columns[c.name].name for each in kept for c in each.condition.find_all(exp.Column)]
        if made is not None and not (rewrite.view.all_named(made) and all(p.name not in members.columns for p in made)):
            return None
        collations = key_collations(read, members) if made is not None else {}
        if collations is None:
            return None
        # Where nothing but the values tells a type, it could be another one for fewer rows.
        if members.facts.reads_declared and not all(members.columns[name.lower()].native_type for name in read):
            return None
        order = sorted(group)
        columns, schema = _columns(dict.fromkeys(read), asked, members, order, collations, made or ())
        rows = [self.rows_of(members.inputs[index]) for index in order]
        # Where nothing else is read and nothing computed, the join may be the answer, past the engine.
        is_all = {members.bases[index].handle for index in order} == self._mentioned
        is_everything = is_all and is_plain_projection(rewrite.select)
        read_columns = [column for column in columns if column.is_read]
        if made is None and not is_everything and not block_is_smaller(rows, read_columns, schema, told, order):
            return None
        block = Block(
            tuple(members.inputs[index].relation for index in order),
            tuple(columns),
            tuple(each.sent for each in asked if each.sent is not None),
            is_grouped=made is not None,
            rows=_largest(rows),
            decisions=_decisions(asked, members, order, made is not None),
        )
        input_ = self._input(block, schema, members, order)
        if not _is_described(self.describe(input_), schema):
            return None
        return Group(input_, members, group, tuple(dropped), tuple(kept), None if made is None else tuple(made))

    def _input(self, block: Block, schema: list[ColumnSchema], members: Members, order: list[int]) -> Input:
        self._count += 1
        first = members.inputs[order[0]]
        name = f"{'groups' if block.is_grouped else 'join'}_{self._count}"
        labels = [members.inputs[i].source_name or str(members.inputs[i].relation) for i in order]
        return Input(
            Handle(first.handle.catalog, BLOCK_SCHEMA, name),
            first.connection,
            Relation(name, BLOCK_SCHEMA),
            source_name=" and ".join(labels),
            declared=_declared(schema, members),
            pushdown=first.pushdown,
            block=block,
            columns=tuple(schema),
        )


def _largest(rows: Sequence[int | None]) -> int | None:
    known = [count for count in rows if count is not None]
    return max(known) if len(known) == len(rows) else None


def _columns(
    read: Iterable[str],
    asked: Sequence[Told],
    members: Members,
    order: Sequence[int],
    collations: Mapping[str, str],
    made: Sequence[Partial],
) -> tuple[list[BlockColumn], list[ColumnSchema]]:
    """A block's columns, with those that only its conditions speak of; and what the engine gets."""

    def plain(name: str, *, is_read: bool = True) -> BlockColumn:
        index, column = members.column(name)
        return BlockColumn(name, order.index(index), column, collation=collations.get(name, ""), is_read=is_read)

    columns = [plain(name) for name in read]
    schema = [members.columns[column.name.lower()] for column in columns]
    known = {column.name for column in columns}
    spoken = {c.name for each in asked if each.sent is not None for c in each.sent.find_all(exp.Column)}
    columns += [plain(name, is_read=False) for name in sorted(spoken - known)]
    for partial in {one.name: one for one in made}.values():
        index, column = members.column(partial.argument) if partial.argument else (order[0], "")
        cast = cast_of(partial, members)
        columns.append(BlockColumn(partial.name, order.index(index), column, partial.aggregate, cast))
        schema.append(column_of(partial, members))
    return columns, schema


def _declared(schema: Sequence[ColumnSchema], members: Members) -> dict[str, str]:
    """The types that the project declares for a block's columns, and those of counts where no other type has a name."""
    found = {column.name: members.declared[column.name] for column in schema if column.name in members.declared}
    if members.facts.reads_declared:
        made = [column for column in schema if column.name.lower() not in members.columns]
        found |= {column.name: "bigint" for column in made if pa.types.is_int64(column.type)}
    return found


def _decisions(asked: Sequence[Told], members: Members, order: Sequence[int], is_grouped: bool) -> tuple[Decision, ...]:
    labels = [members.scope.sources[index].alias for index in order]
    found = [Decision("JOIN of " + ", ".join(labels), True, True, Reason.JOINED)] if len(order) > 1 else []
    if is_grouped:
        found.append(Decision("GROUP BY below the rest of the query", True, False, Reason.GROUPED))
    for each in asked:
        reason = None if each.is_exact else Reason.SOURCE_INEXACT
        found.append(Decision(each.condition.sql(dialect="duckdb"), True, each.is_exact, reason))
    return tuple(found)


def _is_described(found: Sequence[ColumnSchema], expected: Sequence[ColumnSchema]) -> bool:
    """Whether a source gives the columns as it gives them of the relations by themselves."""
    return [(c.name, c.type) for c in found] == [(c.name, c.type) for c in expected]
