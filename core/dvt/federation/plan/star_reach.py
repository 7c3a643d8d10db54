"""Where the column set of a relation matters although no column is named: stars, whole rows, positions.

`with src as (select * from h) select a from src` needs one column of h: a star that only passes columns on does no
harm. This module finds the relations for which a star does more than that. It errs on the safe side: a shape that it
does not know makes every relation of the statement one of which all columns are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp

from dvt.federation.engines.base import Handle
from dvt.federation.plan.parse import Handles

# Relations of which all columns pass through a query, a CTE or an alias.
Open = frozenset[Handle]
Names = Mapping[str, Open]
_NOTHING: Open = frozenset()

# Constructs that take columns by pattern, by position or from the whole relation.
_GREEDY: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Columns, "COLUMNS(...) chooses by pattern"),
    (exp.Pivot, "PIVOT takes all other columns"),
    (exp.Summarize, "SUMMARIZE takes all columns"),
    (exp.Describe, "DESCRIBE takes all columns"),
    (exp.PositionalColumn, "#n is a position"),
)


class StarReach:
    """One pass over a query.

    Args:
        root: The query.
        handles: The handles that may occur in it.

    Attributes:
        blocked: Relations of which all columns are needed, with the reason.
    """

    def __init__(self, root: exp.Expr, handles: Handles) -> None:
        self.blocked: dict[Handle, str] = {}
        self._handles = handles
        self._all: Open = frozenset(handles.mentioned(root))
        self._seen: set[int] = set()
        self._rows: dict[str, Open] = {}  # by the name under which a whole row could be meant
        self._greedy(root)
        self._block(self._query(root, {}), "the output takes all columns (*)")
        self._whole_rows(root)
        self._unseen(root)

    def _block(self, relations: Open, reason: str) -> None:
        for handle in relations:
            self.blocked.setdefault(handle, reason)

    def _greedy(self, root: exp.Expr) -> None:
        for kind, reason in _GREEDY:
            if root.find(kind):
                self._block(self._all, reason)
        if any(function.name.lower() in ("query", "query_table") for function in root.find_all(exp.Anonymous)):
            self._block(self._all, "a function reads a relation that it is given as a text")
        for join in root.find_all(exp.Join):
            if join.method in ("NATURAL", "POSITIONAL"):
                self._block(self._all, f"{join.method} JOIN depends on all columns")

    # -- queries: each gives the relations of which all columns are in its output

    def _query(self, node: exp.Expr, names: Names) -> Open:
        self._seen.add(id(node))
        names = self._with(node, names)
        if isinstance(node, exp.Select):
            return self._select(node, names)
        if isinstance(node, exp.SetOperation):
            both = self._query(node.this, names) | self._query(node.expression, names)
            self._block(both, "a set operation pairs columns by position")
            self._nested(node, names, skip=("this", "expression", "with_"))
            return both
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query) and not node.args.get("joins"):
            self._nested(node, names, skip=("this", "with_", "alias"))
            found = self._query(node.this, names)
            if not _orders_by_name(node):
                self._block(found, "the order is by position")
            return found
        if isinstance(node, exp.Values):
            self._nested(node, names)
            return _NOTHING
        self._block(self._all, f"{node.key.upper()} may take all columns")
        return self._all

    def _with(self, node: exp.Expr, names: Names) -> Names:
        clause = node.args.get("with_")
        if not isinstance(clause, exp.With):
            return names
        known = dict(names)
        for cte in clause.expressions:
            name = cte.alias.lower()
            inner = dict(known)
            if clause.recursive and any(table.name.lower() == name for table in cte.this.find_all(exp.Table)):
                inner[name] = _NOTHING  # a set operation, which blocks its parts by itself
                if not isinstance(cte.this, exp.SetOperation):
                    self._block(self._all, "a recursive CTE of an unknown shape")
            known[name] = self._query(cte.this, inner)
            self._named(cte.args.get("alias"), known[name])
            self._rows[name] = self._rows.get(name, _NOTHING) | known[name]
        return known

    def _select(self, node: exp.Select, names: Names) -> Open:
        sources: list[tuple[str, Open]] = []
        from_ = node.args.get("from_")
        if from_ is not None:
            sources += self._source(from_.this, names)
        for item in (*node.args.get("joins", ()), *node.args.get("laterals", ())):
            sources += self._joined(item, names)
        self._nested(node, names, skip=("with_", "from_", "joins", "laterals"))
        passed = _NOTHING
        for item in node.expressions:
            passed |= self._star(item, sources)
        if passed and (node.args.get("distinct") or node.args.get("group")):
            self._block(passed, "DISTINCT or GROUP BY over *")
        if passed and not _orders_by_name(node):
            self._block(passed, "the order of * is by position")
        return passed

    def _star(self, item: exp.Expr, sources: list[tuple[str, Open]]) -> Open:
        """The relations of which a select item passes all columns on."""
        if isinstance(item, exp.Star):
            self._seen.add(id(item))
            return frozenset().union(*(relations for _, relations in sources))
        if not (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
            return _NOTHING
        found = [relations for name, relations in sources if name == item.table.lower()]
        if not found:  # an alias of an outer query, or a struct
            return _NOTHING  # the star stays unseen
        self._seen.add(id(item.this))
        return frozenset().union(*found)

    # -- sources: each gives the names that it brings into scope

    def _joined(self, item: exp.Expr, names: Names) -> list[tuple[str, Open]]:
        if not isinstance(item, exp.Join):
            return self._source(item, names)
        self._nested(item, names, skip=("this",))
        return self._source(item.this, names)

    def _source(self, node: exp.Expr, names: Names) -> list[tuple[str, Open]]:
        found = self._plain_source(node, names)
        for join in node.args.get("joins") or ():
            found += self._joined(join, names)
        return found

    def _plain_source(self, node: exp.Expr, names: Names) -> list[tuple[str, Open]]:
        self._seen.add(id(node))
        alias = node.args.get("alias")
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            is_plain = not node.db and not node.catalog
            handle = self._handles.of_table(node)
            relations = (
                frozenset({handle}) if handle else names.get(node.name.lower(), _NOTHING) if is_plain else _NOTHING
            )
            self._nested(node, names, skip=("this", "joins", "alias"))
        elif isinstance(node, (exp.Subquery, exp.Lateral)) and isinstance(node.this, exp.Query):
            self._nested(node, names, skip=("this", "joins", "alias", "with_"))
            relations = self._query(node.this, self._with(node, names))
        elif isinstance(node, exp.Subquery):  # a join in parentheses
            self._nested(node, names, skip=("this", "joins", "alias"))
            inner = self._source(node.this, names)
            if not node.alias:
                return inner
            relations = frozenset().union(*(part for _, part in inner))
        else:  # a table function, UNNEST or VALUES: relations inside of its arguments are whole rows
            self._nested(node, names, skip=("joins", "alias"))
            relations = _NOTHING
        self._named(alias, relations)
        name = (node.alias or (node.name if isinstance(node, exp.Table) else "")).lower()
        self._rows[name] = self._rows.get(name, _NOTHING) | relations
        return [(name, relations)]

    def _named(self, alias: exp.Expr | None, relations: Open) -> None:
        if alias is not None and alias.args.get("columns"):
            self._block(relations, "an alias list names columns by position")

    # -- expressions

    def _nested(self, node: exp.Expr, names: Names, skip: tuple[str, ...] = ()) -> None:
        """Visit the queries inside of a node's parts."""
        stack = [child for key, value in node.args.items() if key not in skip for child in _nodes(value)]
        while stack:
            item = stack.pop()
            if not isinstance(item, exp.Query) or isinstance(item, exp.Table):
                stack.extend(child for value in item.args.values() for child in _nodes(value))
                continue
            relations = self._query(item, names)
            if not isinstance(item.parent, exp.Exists):
                self._block(relations, "a subquery used as a value takes all columns")

    def _whole_rows(self, root: exp.Expr) -> None:
        """Block what is used as a value: `select t from t`, `to_json(t)`, `histogram_values(cat.s.t, a)`."""
        for column in root.find_all(exp.Column):
            handle = self._handles.of_column(column)
            if handle is not None:
                self._block(frozenset({handle}), "the relation is used as a value")
        for node in root.find_all(exp.Identifier, exp.Var):
            if _is_value(node):
                self._block(self._rows.get(node.name.lower(), _NOTHING), f"'{node.name}' may be the whole row")

    def _unseen(self, root: exp.Expr) -> None:
        """Whatever this pass did not come by is a shape that it does not know."""
        for node in root.find_all(exp.Star, exp.Table, exp.Select, exp.SetOperation):
            is_count = isinstance(node, exp.Star) and isinstance(node.parent, exp.Count) and not any(node.args.values())
            if not is_count and id(node) not in self._seen:
                self._block(self._all, f"{node.key.upper()} in a place that is not followed")


def _nodes(value: object) -> Iterator[exp.Expr]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, exp.Expr):
            yield item


def _orders_by_name(node: exp.Expr) -> bool:
    """Whether every item of ORDER BY holds a column's name, rather than a position or ALL."""
    order = node.args.get("order")
    return order is None or all(item.find(exp.Column) for item in order.expressions)


def _is_value(node: exp.Expr) -> bool:
    """Whether an identifier stands where a value is read, not where something is named or qualified."""
    parent, key = node.parent, node.arg_key
    if isinstance(parent, (exp.Table, exp.TableAlias)):
        return False
    if isinstance(parent, exp.Column):
        return key == "this"
    return not (isinstance(parent, exp.Alias) and key == "alias")
