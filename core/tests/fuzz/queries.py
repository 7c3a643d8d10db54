"""Random queries over three-part handles, in DuckDB's SQL, out of nested pieces.

A piece knows the names and families of its columns, so that most queries bind. Nothing here depends on the order of
rows: aggregates that do are left out, limits stand under an order that is total, and sums are taken of exact numbers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from dvt.federation.plan.model import Input
from dvt.identifiers import quote
from fuzz.conditions import Conditions, Ref
from fuzz.schema import Table

EXACT = ("int", "dec")
_ORDERED = ("int", "dec", "double", "text", "date", "ts", "tstz", "time", "bool", "uuid")
_JOINS = ("join", "inner join", "left join", "left join", "left join", "right join", "full join", "cross join", ",")
_SET_OPERATIONS = ("union all", "union all", "union", "intersect", "except", "intersect all", "except all", "union by name", "union all by name")  # fmt: skip


def name(text: str) -> str:
    """A quoted identifier."""
    return quote(text, "duckdb")


@dataclass(frozen=True)
class Piece:
    """Something that stands in FROM.

    Args:
        sql: Its text, with its alias.
        columns: Its columns, qualified by the alias.
        names: Their bare names, in the same order.
        key: Position of a column that is unique and never NULL; None when there is none.
        alias: Its alias.
    """

    sql: str
    columns: tuple[Ref, ...]
    names: tuple[str, ...]
    key: int | None
    alias: str


class Queries(Conditions):
    """Makes queries over some tables.

    Args:
        rng: Every choice comes from it.
        tables: The tables.
        inputs: The same tables as inputs, in the same order.
    """

    def __init__(self, rng: random.Random, tables: Sequence[Table], inputs: Sequence[Input]) -> None:
        super().__init__(rng, _actual(tables))
        self.tables = list(tables)
        self.handles = [".".join(map(name, (i.handle.catalog, i.handle.schema, i.handle.name))) for i in inputs]
        self.ctes: list[tuple[str, Piece]] = []
        self._number = 0

    def alias(self) -> str:
        """A fresh alias; now and then in mixed case, or that of a table."""
        self._number += 1
        return f"{self.rng.choice(('r', 'r', 'R'))}{self._number}"

    def base(self, alias: str | None = None) -> Piece:
        """A table, under an alias."""
        index = self.rng.randrange(len(self.tables))
        table = self.tables[index]
        alias = alias or self.alias()
        names = tuple(column.name for column in table.columns)
        refs = tuple(Ref(f"{alias}.{name(c.name)}", c.family) for c in table.columns)
        if self.rng.random() < 0.05:  # an alias with a column list
            renamed = tuple(f"c{number}" for number in range(len(names)))
            refs = tuple(Ref(f"{alias}.{new}", c.family) for new, c in zip(renamed, table.columns, strict=True))
            return Piece(f"{self.handles[index]} as {alias}({', '.join(renamed)})", refs, renamed, 0, alias)
        return Piece(f"{self.handles[index]} as {alias}", refs, names, 0, alias)

    def source(self, depth: int) -> Piece:
        """A table, a CTE that was made before, or a derived table."""
        roll = self.rng.random()
        if self.ctes and roll < 0.4:
            cte, piece = self.rng.choice(self.ctes)
            alias = self.alias()
            refs = tuple(Ref(f"{alias}.{name(n)}", r.family) for n, r in zip(piece.names, piece.columns, strict=True))
            return Piece(f"{cte} as {alias}", refs, piece.names, piece.key, alias)
        if depth <= 0 or roll < 0.7:
            return self.base()
        return self.derived(depth)

    def derived(self, depth: int) -> Piece:
        """A subquery in FROM."""
        alias = self.alias()
        return self._named(alias, *self.simple(depth - 1))

    def simple(self, depth: int) -> tuple[str, tuple[str, ...], tuple[str, ...], int | None]:
        """A select over one source, or a set operation: text, names, families, position of a unique column."""
        rng = self.rng
        inner = self.source(depth)
        if rng.random() < 0.2:
            return self.set_operation(depth)
        roll = rng.random()
        families = tuple(ref.family for ref in inner.columns)
        if roll < 0.45:  # dbt's import style
            star = rng.choice(("*", "*", f"{inner.alias}.*"))
            return f"select {star} from {inner.sql}{self.where(inner.columns, 0.6)}", inner.names, families, inner.key
        if roll < 0.55 and inner.key is not None:
            order = self._order(inner)
            sql = (
                f"select * from {inner.sql}{self.where(inner.columns, 0.4)} order by {order} limit {rng.randint(0, 8)}"
            )
            return sql + rng.choice(("", "", " offset 2")), inner.names, families, inner.key
        if roll < 0.62:
            return (
                f"select distinct * from {inner.sql}{self.where(inner.columns, 0.5)}",
                inner.names,
                families,
                inner.key,
            )
        if roll < 0.72:
            return self.grouped(inner)
        return self.projected(inner)

    def projected(self, inner: Piece) -> tuple[str, tuple[str, ...], tuple[str, ...], int | None]:
        """Some columns, some of them under the names of others, some made by expressions."""
        rng = self.rng
        count = rng.randint(1, min(5, len(inner.columns)))
        positions = rng.sample(range(len(inner.columns)), count)
        items, names, families = [], [], []
        for position in positions:
            ref = inner.columns[position]
            made = self.value([ref]) if rng.random() < 0.3 else ref
            other = rng.choice(inner.names) if rng.random() < 0.15 else inner.names[position]
            if other.lower() in {n.lower() for n in names}:
                other = f"v{len(names)}"
            items.append(f"{made.sql} as {name(other)}")
            names.append(other)
            families.append(made.family)
        sql = f"select {', '.join(items)} from {inner.sql}{self.where(inner.columns, 0.6)}"
        return sql, tuple(names), tuple(families), None

    def grouped(self, inner: Piece) -> tuple[str, tuple[str, ...], tuple[str, ...], int | None]:
        """Groups by one column, with aggregates."""
        rng = self.rng
        position = rng.randrange(len(inner.columns))
        key = inner.columns[position]
        aggregates = [self.aggregate(inner.columns) for _ in range(rng.randint(1, 3))]
        made = [f"{a.sql} as a{number}" for number, a in enumerate(aggregates)]
        by = rng.choice((key.sql, "1", "all"))
        having = f" having {self.having(inner.columns)}" if rng.random() < 0.3 else ""
        sql = f"select {key.sql} as {name(inner.names[position])}, {', '.join(made)} from {inner.sql}"
        names = (inner.names[position], *(f"a{number}" for number in range(len(made))))
        families = (key.family, *(a.family for a in aggregates))
        return f"{sql}{self.where(inner.columns, 0.5)} group by {by}{having}", names, families, None

    def having(self, columns: Sequence[Ref]) -> str:
        """A condition over groups."""
        a = self.aggregate(columns)
        return f"{a.sql} {self.rng.choice(('>', '<', '=', '<>'))} {self.literal(a.family)}"

    def aggregate(self, columns: Sequence[Ref]) -> Ref:
        """An aggregate that does not depend on the order of rows."""
        rng = self.rng
        column = self.value(columns) if rng.random() < 0.2 else rng.choice(list(columns))
        exact = column.family in EXACT
        forms = [("count(*)", "int"), (f"count({column.sql})", "int"), (f"count(distinct {column.sql})", "int")]
        if column.family in _ORDERED:
            forms += [(f"min({column.sql})", column.family), (f"max({column.sql})", column.family)]
        if exact:
            forms += [(f"sum({column.sql})", "dec"), (f"sum(distinct {column.sql})", "dec")]
        if column.family == "bool":
            forms += [(f"bool_and({column.sql})", "bool"), (f"bool_or({column.sql})", "bool")]
        sql, family = rng.choice(forms)
        if rng.random() < 0.3:
            sql += f" filter (where {self.condition(columns)})"
        return Ref(sql, family)

    def set_operation(self, depth: int) -> tuple[str, tuple[str, ...], tuple[str, ...], int | None]:
        """Two branches over the same column names, perhaps of different types."""
        rng = self.rng
        left, right = self.source(depth - 1), self.source(depth - 1)
        operation = rng.choice(_SET_OPERATIONS)
        wide = [n for n in left.names if n in right.names]
        shared = wide if wide else [left.names[0]]
        shared = shared[: rng.randint(1, len(shared))]
        families = tuple(left.columns[left.names.index(n)].family for n in shared)
        first = ", ".join(name(n) for n in shared)
        rest = list(right.names) if not wide else shared
        second = ", ".join(name(n) for n in rest[: len(shared)])
        # (Two derived columns of one name cannot come here: names of a piece are distinct.)
        left_sql = f"select {first} from {left.sql}{self.where(left.columns, 0.5)}"
        right_sql = f"select {second} from {right.sql}{self.where(right.columns, 0.5)}"
        if "by name" in operation and shared != rest[: len(shared)]:
            operation = "union all"
        return f"{left_sql} {operation} {right_sql}", tuple(shared), families, None

    def joined(self, depth: int, least: int = 1) -> tuple[str, list[Piece]]:
        """A FROM clause of one to three sources, joined in every way."""
        rng = self.rng
        pieces = [self.source(depth)]
        text = pieces[0].sql
        for _ in range(rng.choice((least, 1, 1, 2))):
            right = self.source(depth)
            if rng.random() < 0.12:
                inner = self.source(0)
                kind = rng.choice(("join", "left join", "right join", "full join"))
                bracket = f"({right.sql} {kind} {inner.sql} on {self._on([right], inner)})"
                how = rng.choice(("join", "left join", "right join", "full join"))
                text += f" {how} {bracket} on {self._on(pieces, rng.choice((right, inner)))}"
                pieces += [right, inner]
                continue
            how = rng.choice(_JOINS)
            text += f"{', ' if how == ',' else ' ' + how + ' '}{right.sql}"
            if how not in (",", "cross join"):
                text += f" on {self._on(pieces, right)}"
            pieces.append(right)
        return text, pieces

    def _on(self, lefts: Sequence[Piece], right: Piece) -> str:
        rng = self.rng
        left = rng.choice(list(lefts))
        parts = [self.equality(left, right)] if rng.random() < 0.92 else []
        if rng.random() < 0.3:
            parts.append(self.condition(left.columns, 1))
        if rng.random() < 0.3:
            parts.append(self.condition(right.columns, 1))
        if rng.random() < 0.1:
            parts.append(self.condition([*left.columns, *right.columns], 1))
        return " and ".join(parts) or "true"

    def equality(self, left: Piece, right: Piece) -> str:
        """An equality between two pieces; of the integer keys, or of two columns of one family."""
        rng = self.rng
        pairs = [(a, b) for a in left.columns for b in right.columns if a.family == b.family]
        ids = [(a, b) for a, b in pairs if a.family == "int"]
        chosen = rng.choice(ids if ids and rng.random() < 0.6 else pairs or [(left.columns[0], right.columns[0])])
        sides = [chosen[0].sql, rng.choice(("=", "=", "=", "=", "=", "is not distinct from")), chosen[1].sql]
        return " ".join(sides if rng.random() < 0.6 else sides[::-1])

    def _order(self, piece: Piece) -> str:
        """A total order: any columns, then the key."""
        rng = self.rng
        assert piece.key is not None
        parts = []
        for ref in rng.sample(list(piece.columns), min(len(piece.columns), rng.choice((0, 1, 1, 2)))):
            parts.append(
                f"{ref.sql}{rng.choice(('', ' asc', ' desc'))}{rng.choice(('', '', ' nulls first', ' nulls last'))}"
            )
        return ", ".join([*parts, piece.columns[piece.key].sql + rng.choice(("", " desc"))])

    def _named(self, alias: str, sql: str, names: tuple[str, ...], families: tuple[str, ...], key: int | None) -> Piece:
        refs = tuple(Ref(f"{alias}.{name(n)}", f) for n, f in zip(names, families, strict=True))
        return Piece(f"({sql}) as {alias}", refs, names, key, alias)

    def cte(self, depth: int) -> tuple[str, Piece]:
        """A CTE; the import style reads one table whole."""
        label = f"{self.rng.choice(('src', 'w', 'stg'))}_{len(self.ctes)}"
        if self.rng.random() < 0.5:
            inner = self.base()
            sql = f"select * from {inner.sql}"
            piece = self._named(label, sql, inner.names, tuple(r.family for r in inner.columns), inner.key)
        else:
            sql, names, families, key = self.simple(depth)
            piece = self._named(label, sql, names, families, key)
        kind = self.rng.choice(("as", "as", "as", "as", "as materialized", "as not materialized"))
        return f"{label} {kind} ({sql})", piece


def _actual(tables: Sequence[Table]) -> dict[str, list[str]]:
    """The cells of the tables by family, as often as they stand there."""
    found: dict[str, list[str]] = {}
    for table in tables:
        for position, column in enumerate(table.columns):
            if column.family not in ("list", "struct") and column.name != "k":
                cells = (row[position] for row in table.rows)
                found.setdefault(column.family, []).extend(cell for cell in cells if cell is not None)
    return found
