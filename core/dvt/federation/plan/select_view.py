"""What a SELECT says of some of its relations, and whether it says it in names that are certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from dvt.federation.plan.grouping import Partial
from dvt.federation.plan.members import Members, Told
from dvt.federation.plan.scopes import JoinKind, Scope, conjuncts
from dvt.federation.plan.select_parts import SelectParts, star_of


@dataclass
class SelectView:
    """One SELECT with its scope.

    Attributes:
        of_result: Identities of columns in ORDER BY that name the result's columns.
    """

    select: exp.Select
    parts: SelectParts
    scope: Scope

    def __post_init__(self) -> None:
        # In ORDER BY a name is first of all one of the result's.
        shown = {item.alias.lower() for item in self.select.expressions if isinstance(item, exp.Alias)}
        order = self.select.args.get("order")
        items = [item.this for item in order.expressions] if order is not None else []
        named = [item for item in items if isinstance(item, exp.Column) and not item.table]
        self.of_result = {id(item) for item in named if item.name.lower() in shown}
        self._own = [column for column in self.parts.own if id(column) not in self.of_result]

    def can_move(self, members: Members, group: frozenset[int]) -> bool:
        """Whether every name that could mean a relation of a group certainly means one of its columns, or another."""
        sources = [self.scope.sources[index] for index in group]
        aliases = {source.alias for source in sources}
        names = aliases | {name for source in sources for name in source.columns or ()}
        stars = {id(item) for item in self.select.expressions if star_of(item) is not None}
        if any(_may_mean(column, aliases, names) for column in self.parts.nested):
            return False
        shown = {item.alias.lower(): item.unalias() for item in self.select.expressions if isinstance(item, exp.Alias)}
        for column in self._own:
            place = self.scope.resolve(column)
            if id(column) in stars:
                continue
            if place is None:
                if column.name.lower() == "rowid" or _may_mean(column, aliases, names):
                    return False
            elif place[0] in group and members.name_of(place) is None:
                return False
            elif not column.table and column.name.lower() in shown:
                other = shown[column.name.lower()]
                if not isinstance(other, exp.Column) or self.scope.resolve(other) != place:
                    return False
        if not all(self._sees_alike(index, group) for index in range(1, len(self.scope.sources))):
            return False
        return all(self._can_show(item, members, group) for item in self.select.expressions)

    def _sees_alike(self, index: int, group: frozenset[int]) -> bool:
        """Whether names in a join's condition mean the same as they would in WHERE."""
        on = self.select.args["joins"][index - 1].args.get("on")
        for column in on.find_all(exp.Column) if on is not None else ():
            here, there = self.scope.resolve(column, index + 1), self.scope.resolve(column)
            if here != there and any(place is not None and place[0] in group for place in (here, there)):
                return False
        return True

    def _can_show(self, item: exp.Expr, members: Members, group: frozenset[int]) -> bool:
        star = star_of(item)
        if star is not None:
            is_apart = any(join.kind in (JoinKind.SEMI, JoinKind.ANTI) for join in self.scope.joins)
            shown = self.starred(item)
            if any(star.args.values()) or is_apart or (self.scope.merged and not isinstance(item, exp.Column)):
                return not any(index in group for index in shown)
            moved = [(i, name) for i in shown if i in group for name in self.scope.sources[i].columns or ()]
            return all(members.name_of(place) is not None for place in moved)
        if isinstance(item, (exp.Alias, exp.Column)):
            return True
        # The engine would name the column after the expression.
        places = [self.scope.resolve(column) for column in item.find_all(exp.Column)]
        return not any(place is not None and place[0] in group for place in places)

    def starred(self, item: exp.Expr) -> list[int]:
        """Which sources a star shows."""
        alias = item.table.lower() if isinstance(item, exp.Column) else ""
        return [i for i, source in enumerate(self.scope.sources) if not alias or source.alias == alias]

    def all_named(self, partials: Sequence[Partial]) -> bool:
        """Whether every column that is made of an aggregate has a name of its own."""
        changed = {id(partial.node) for partial in partials}
        items = [item for item in self.select.expressions if not isinstance(item, exp.Alias)]
        return not any(id(node) in changed for item in items for node in item.walk())

    def names_read(
        self, members: Members, group: frozenset[int], dropped: Sequence[Told], partials: Sequence[Partial]
    ) -> list[str]:
        """The columns of a group that the SELECT still speaks of."""
        gone = [told.node for told in dropped if told.node is not None] + [partial.node for partial in partials]
        left_out = {id(column) for node in gone for column in node.find_all(exp.Column)}
        found: dict[str, None] = {}
        for column in self._own:
            place = self.scope.resolve(column) if id(column) not in left_out else None
            if place is not None and place[0] in group:
                found[str(members.name_of(place))] = None
        for item in self.select.expressions:
            for index in self.starred(item) if star_of(item) is not None else ():
                for name in self.scope.sources[index].columns or () if index in group else ():
                    found[str(members.name_of((index, name)))] = None
        for index in sorted(group):
            for condition in using_conditions(self.select, self.scope, index):
                found.update(self._of_condition(condition, members, group, dropped))
        for index in range(1, len(self.scope.sources)):
            if index not in group:
                for condition in using_conditions(self.select, self.scope, index):
                    found.update(self._of_condition(condition, members, group, ()))
        return list(found)

    def _of_condition(
        self, condition: exp.Expr, members: Members, group: frozenset[int], dropped: Sequence[Told]
    ) -> dict[str, None]:
        if any(told.node is condition for told in dropped):
            return {}
        places = [self.scope.resolve(column) for column in condition.find_all(exp.Column)]
        return {str(members.name_of(place)): None for place in places if place is not None and place[0] in group}


def _may_mean(column: exp.Column, aliases: set[str], names: set[str]) -> bool:
    """Whether a column that is not resolved could be one of a relation's, or the relation itself."""
    parts = [part.name.lower() for part in column.parts]
    return (
        any(part in aliases for part in parts[:-1])
        or (len(parts) == 1 and parts[0] in names)
        or (isinstance(column.this, exp.Star) and column.table.lower() in aliases)
    )


def on_conjuncts(select: exp.Select, scope: Scope, index: int) -> list[exp.Expr] | None:
    """What a source's own join asks for, with USING as equalities; None when not all of it is certain."""
    if index == 0:
        return []
    clause = select.args["joins"][index - 1]
    on = conjuncts(clause.args.get("on"))
    if any(scope.resolve(c, index + 1) != scope.resolve(c) for part in on for c in part.find_all(exp.Column)):
        return None
    using = using_conditions(select, scope, index)
    return [*on, *using] if len(using) == len(clause.args.get("using") or ()) else None


def using_conditions(select: exp.Select, scope: Scope, index: int) -> list[exp.Expr]:
    """The equalities of a source's USING."""
    count = len(select.args["joins"][index - 1].args.get("using") or ()) if index else 0
    return list(scope.joins[index - 1].conditions[-count:]) if count else []
