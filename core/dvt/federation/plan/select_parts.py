"""What stands in one SELECT itself, apart from the queries inside of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

_IN_FROM = ("from_", "joins", "laterals")


@dataclass
class SelectParts:
    """The columns of a SELECT, and those of queries in it.

    Attributes:
        own: Columns that the SELECT's own names decide.
        nested: Columns in subqueries and derived tables, which may mean the SELECT's relations too.
        nodes: Every node of the SELECT's own clauses.
    """

    select: exp.Select
    own: list[exp.Column] = field(default_factory=list)
    nested: list[exp.Column] = field(default_factory=list)
    nodes: list[exp.Expr] = field(default_factory=list)

    def __post_init__(self) -> None:
        for key, value in self.select.args.items():
            if key == "with_":
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, exp.Expr):
                    self._part(child, is_relation=key in _IN_FROM)

    def _part(self, node: exp.Expr, *, is_relation: bool) -> None:
        if isinstance(node, exp.Query) and not isinstance(node, exp.Table):
            self.nested += node.find_all(exp.Column)
            return
        if is_relation and isinstance(node, (exp.Table, exp.Lateral, exp.Unnest, exp.Values)):
            self.nested += node.find_all(exp.Column)
            return
        self.nodes.append(node)
        if isinstance(node, exp.Column):
            self.own.append(node)
            return
        for key, value in node.args.items():
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, exp.Expr):
                    self._part(child, is_relation=is_relation and key == "this")

    def aggregates(self) -> list[exp.AggFunc]:
        """Its own aggregate functions."""
        return [node for node in self.nodes if isinstance(node, exp.AggFunc)]


def star_of(item: exp.Expr) -> exp.Star | None:
    """The star that an item of SELECT is, or ends with."""
    if isinstance(item, exp.Star):
        return item
    return item.this if isinstance(item, exp.Column) and isinstance(item.this, exp.Star) else None
