"""Putting blocks into a query: FROM reads them, every reference to a relation that moved names a column of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from dvt.federation.plan.grouping import Partial, finished
from dvt.federation.plan.members import Members, Told
from dvt.federation.plan.model import Input
from dvt.federation.plan.scopes import conjuncts
from dvt.federation.plan.select_parts import star_of
from dvt.federation.plan.select_view import SelectView, on_conjuncts, using_conditions


@dataclass(frozen=True)
class Group:
    """A block in one SELECT.

    Args:
        input: The block.
        members: The relations of its connection.
        sources: Which of the SELECT's sources it stands for.
        dropped: Conditions that its rows meet.
        kept: Conditions of CTEs that are passed by, which the engine still has to check.
        partials: The SELECT's aggregates, when the block holds parts of them.
    """

    input: Input
    members: Members
    sources: frozenset[int]
    dropped: tuple[Told, ...]
    kept: tuple[Told, ...]
    partials: tuple[Partial, ...] | None

    @property
    def alias(self) -> str:
        """The block's name in the query."""
        return f"dvt_{self.input.relation.name}"

    def column(self, name: str) -> exp.Column:
        """A column of the block."""
        return exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(self.alias, quoted=True))


@dataclass
class SelectRewrite:
    """One SELECT, and the blocks that move out of it."""

    view: SelectView
    groups: list[Group] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.select, self.scope = self.view.select, self.view.scope

    def apply(self) -> None:
        """Change the SELECT."""
        dropped = {id(told.node) for group in self.groups for told in group.dropped}
        where = self.select.args.get("where")
        clauses = list(self.select.args.get("joins") or ())
        extra: list[exp.Expr] = []
        kept = [part for part in conjuncts(where.this if where is not None else None) if id(part) not in dropped]
        removed: set[int] = set()
        for group in self.groups:
            for index in sorted(group.sources):
                on = on_conjuncts(self.select, self.scope, index) or []
                extra += [part for part in on if id(part) not in dropped]
                removed.add(index)
        using = {
            index: using_conditions(self.select, self.scope, index)
            for index in range(1, len(self.scope.sources))
            if index not in removed and clauses[index - 1].args.get("using")
        }
        # Before any column changes its name, all of them are known by their own.
        expanded = [part for item in self.select.expressions for part in self._expanded(item)]
        conditions = [self._placed(part) for part in (*kept, *extra)]
        for group in self.groups:
            conditions += [_over_block(told.condition, group) for told in group.kept]
        on_others = {i: exp.and_(*(self._placed(part) for part in parts), copy=False) for i, parts in using.items()}
        for key in ("group", "having", "qualify", "order", "distinct"):
            if self.select.args.get(key) is not None:
                self.select.set(key, self._placed(self.select.args[key]))
        for index, clause in enumerate(clauses, start=1):
            if index in on_others:
                clause.set("using", None)
                clause.set("on", on_others[index])
            elif index not in removed and clause.args.get("on") is not None:
                clause.set("on", self._placed(clause.args["on"]))
        self.select.set("expressions", expanded)
        self.select.set("where", exp.Where(this=exp.and_(*conditions, copy=False)) if conditions else None)
        self._from(clauses, removed)

    def _from(self, clauses: list[exp.Expr], removed: set[int]) -> None:
        blocks = {min(group.sources): group for group in self.groups}
        joins: list[exp.Expr] = []
        for index in range(len(self.scope.sources)):
            group = blocks.get(index)
            if group is not None:
                table = _table(group)
                if index == 0:
                    self.select.args["from_"].set("this", table)
                else:
                    joins.append(exp.Join(this=table, kind="CROSS"))
            elif index and index not in removed:
                joins.append(clauses[index - 1])
        self.select.set("joins", joins)

    def _expanded(self, item: exp.Expr) -> list[exp.Expr]:
        """An item of SELECT under the name that it has, a star as the columns that it shows."""
        if star_of(item) is None:
            if not isinstance(item, exp.Column):
                return [self._placed(item)]
            placed = self._placed(item)
            group, name = self._origin(item)
            return [exp.alias_(placed, exp.to_identifier(name, quoted=True), copy=False)] if group else [placed]
        shown = self.view.starred(item)
        if not any(index in group.sources for group in self.groups for index in shown):
            return [item.copy()]
        found: list[exp.Expr] = []
        for index in shown:
            group = self._group_of(index)
            alias = exp.to_identifier(self.scope.sources[index].alias, quoted=True)
            if group is None:
                found.append(exp.Column(this=exp.Star(), table=alias))
                continue
            base = group.members.bases[index]
            for name in self.scope.sources[index].columns or ():
                column = group.column(str(group.members.name_of((index, name))))
                found.append(exp.alias_(column, exp.to_identifier(base.shown[name], quoted=True), copy=False))
        return found

    def _origin(self, column: exp.Column) -> tuple[Group | None, str]:
        place = self.scope.resolve(column)
        group = self._group_of(place[0]) if place is not None else None
        if place is None or group is None:
            return None, ""
        return group, group.members.bases[place[0]].shown[place[1]]

    def _group_of(self, index: int) -> Group | None:
        return next((group for group in self.groups if index in group.sources), None)

    def _placed(self, node: exp.Expr) -> exp.Expr:
        """A copy of a part of the SELECT in which every column of a relation that moved is one of its block."""
        partials = {id(one.node): (one, group) for group in self.groups for one in group.partials or ()}

        def place(part: exp.Expr) -> exp.Expr | None:
            if id(part) in partials:
                one, group = partials[id(part)]
                return finished(one, group.column(one.name), group.members)
            if not isinstance(part, exp.Column) or isinstance(part.this, exp.Star) or id(part) in self.view.of_result:
                return None
            found = self.scope.resolve(part)
            group_of = self._group_of(found[0]) if found is not None else None
            if found is not None and group_of is not None:
                return group_of.column(str(group_of.members.name_of(found)))
            if found is not None and not part.table and self.scope.merged:
                alias = exp.to_identifier(self.scope.sources[found[0]].alias, quoted=True)
                return exp.Column(this=part.this.copy(), table=alias)
            return None

        return _replaced(node, place)


def _replaced(node: exp.Expr, place: Callable[[exp.Expr], exp.Expr | None]) -> exp.Expr:
    """A copy of a tree in which some nodes are others; queries inside of it are copied as they are."""
    found = place(node)
    if found is not None:
        return found
    if isinstance(node, exp.Query) and not isinstance(node, exp.Table):
        return node.copy()
    made = type(node)()
    for key, value in node.args.items():
        if isinstance(value, list):
            made.set(key, [_replaced(v, place) if isinstance(v, exp.Expr) else v for v in value])
        else:
            made.set(key, _replaced(value, place) if isinstance(value, exp.Expr) else value)
    return made


def _over_block(condition: exp.Expr, group: Group) -> exp.Expr:
    return _replaced(condition, lambda part: group.column(part.name) if isinstance(part, exp.Column) else None)


def _table(group: Group) -> exp.Expr:
    handle = group.input.handle
    catalog, schema, name = (exp.to_identifier(p, quoted=True) for p in (handle.catalog, handle.schema, handle.name))
    table = exp.Table(this=name, db=schema, catalog=catalog)
    return exp.alias_(table, exp.to_identifier(group.alias, quoted=True), table=True, copy=False)


def rewritten(root: exp.Expr, selects: Sequence[SelectRewrite]) -> str:
    """The query over its blocks, without the CTEs that nothing reads any more."""
    read_before = _names_read(root)
    for select in selects:
        select.apply()
    while True:
        read = _names_read(root)
        dead = [
            cte for cte in root.find_all(exp.CTE) if cte.alias.lower() in read_before and cte.alias.lower() not in read
        ]
        if not dead:
            return root.sql(dialect="duckdb")
        for cte in dead:
            _remove(cte)


def _names_read(root: exp.Expr) -> set[str]:
    return {table.name.lower() for table in root.find_all(exp.Table) if not table.db}


def _remove(cte: exp.Expr) -> None:
    clause = cte.parent
    assert isinstance(clause, exp.With)
    cte.pop()
    if not clause.expressions and clause.parent is not None:
        clause.parent.set("with_", None)
