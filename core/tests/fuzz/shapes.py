"""The shapes of whole queries: each of them is one way in which a planner can go wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dvt.federation.plan.model import Input
from fuzz.conditions import Ref
from fuzz.moved import Moved
from fuzz.queries import EXACT, Piece, name
from fuzz.schema import Table


@dataclass(frozen=True)
class Query:
    """A query.

    Args:
        sql: Its text.
        is_ordered: Whether the order of its rows is determined, values that are equal apart.
        shape: Name of the shape that made it, for counts.
    """

    sql: str
    is_ordered: bool
    shape: str


class Shapes(Moved):
    """Makes one query of a random shape."""

    def query(self) -> Query:
        """One query, with CTEs in front now and then."""
        shape = self.rng.choice(_SHAPES)
        heads = []
        if self.rng.random() < 0.45:
            for _ in range(self.rng.choice((1, 2, 2, 3))):
                text, piece = self.cte(self.rng.choice((0, 1)))
                heads.append(text)
                self.ctes.append((piece.alias, piece))
        body = shape(self)
        is_ordered = False
        if self.rng.random() < 0.35 and shape.__name__ not in _CANNOT_ORDER:
            # Ordered by every column of the result, the rows' values stand in one order only.
            body = f"select * from ({body}) as o order by all{self.rng.choice(('', '', ' desc'))}"
            is_ordered = True
            body += self.rng.choice(("", f" limit {self.rng.randint(0, 9)}", " limit 5 offset 2"))
        recursive = any(head.startswith("recursive ") for head in heads)
        heads = [head.removeprefix("recursive ") for head in heads]
        front = f"with {'recursive ' if recursive else ''}{', '.join(heads)} " if heads else ""
        return Query(front + body, is_ordered, shape.__name__)

    def output(self, pieces: Sequence[Piece], most: int = 5) -> str:
        """A select list of some columns and expressions, each under a name of its own."""
        rng = self.rng
        columns = [ref for piece in pieces for ref in piece.columns]
        items = []
        for number in range(rng.randint(1, most)):
            ref = self.value(columns) if rng.random() < 0.25 else rng.choice(columns)
            items.append(f"{ref.sql} as o{number}")
        return ", ".join(items)

    def where_all(self, pieces: Sequence[Piece], chance: float = 0.8) -> str:
        """A WHERE whose conjuncts are mostly of one source each, as people write them."""
        rng = self.rng
        if rng.random() > chance:
            return ""
        parts = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            piece = rng.choice(list(pieces))
            columns = piece.columns if rng.random() < 0.85 else [c for p in pieces for c in p.columns]
            parts.append(self.condition(list(columns)))
        if len(pieces) > 1 and rng.random() < 0.3:
            parts.append(self.equality(pieces[0], pieces[-1]))
        return " where " + " and ".join(parts)

    def plain(self) -> str:
        """One source, filters, some columns or a star."""
        piece = self.source(2)
        star = self.rng.choice(("*", self.output([piece])))
        return f"select {star} from {piece.sql}{self.where_all([piece], 0.9)}"

    def joins(self) -> str:
        """Joins of every kind, with filters above them."""
        text, pieces = self.joined(1)
        return f"select {self.output(pieces)} from {text}{self.where_all(pieces)}"

    def anti_join(self) -> str:
        """A left join whose right side is asked to be missing, or to be something when it is."""
        left, right = self.source(1), self.source(1)
        column = self.rng.choice(right.columns)
        c = column.sql
        test = self.rng.choice(
            (f"{c} is null", f"{c} is null", f"coalesce({c}, {self.literal(column.family)}) = {self.literal(column.family)}",
             f"{c} is not null", f"{c} is distinct from {self.literal(column.family)}", f"({c} = {self.literal(column.family)}) is not true",
             f"not coalesce({c} = {self.literal(column.family)}, false)", f"{c} in ({self.literal(column.family)}, null)",
             self.condition(right.columns))
        )  # fmt: skip
        how = self.rng.choice(("left join", "left join", "full join", "right join"))
        on = self._on([left], right)
        return f"select {self.output([left, right])} from {left.sql} {how} {right.sql} on {on} where {test}"

    def semi(self) -> str:
        """DuckDB's SEMI and ANTI joins."""
        left, right = self.source(1), self.source(1)
        how = self.rng.choice(("semi join", "anti join"))
        filters = self.where_all([left], 0.6)
        return f"select {self.output([left])} from {left.sql} {how} {right.sql} on {self._on([left], right)}{filters}"

    def subquery(self) -> str:
        """EXISTS, IN, NOT IN and scalar subqueries, correlated or not."""
        rng = self.rng
        outer, inner = self.source(1), self.source(1)
        pairs = [(a, b) for a in outer.columns for b in inner.columns if a.family == b.family and a.family != "struct"]
        a, b = rng.choice(pairs or [(outer.columns[0], inner.columns[0])])
        link = f" and {self.equality(outer, inner)}" if rng.random() < 0.4 else ""
        some = f"from {inner.sql} where {self.condition(inner.columns, 1)}{link}"
        every = f"from {inner.sql} where true{link}"
        test = rng.choice(
            (f"exists (select * {some})", f"not exists (select 1 {some})", f"{a.sql} in (select {b.sql} {some})",
             f"{a.sql} not in (select {b.sql} {some})", f"{a.sql} not in (select {b.sql} {every})", f"{a.sql} = any (select {b.sql} {some})",
             f"{a.sql} > (select max({b.sql}) {some})", f"{a.sql} = (select min({b.sql}) {every})", f"(select count(*) {some}) > 1",
             f"{a.sql} <> all (select {b.sql} {some})")
        )  # fmt: skip
        combined = rng.choice((test, test, f"({test} or {self.condition(outer.columns, 1)})", f"not ({test})"))
        filters = f" and {self.condition(outer.columns)}" if rng.random() < 0.5 else ""
        extra = f", (select count({b.sql}) {some}) as sub" if rng.random() < 0.25 else ""
        return f"select {self.output([outer])}{extra} from {outer.sql} where {combined}{filters}"

    def watermark(self) -> str:
        """Newer than what is there already; NULL when nothing is."""
        outer, inner = self.source(1), self.base()
        odd = {"list", "struct", "bool"}
        if not {c.family for c in outer.columns} & {c.family for c in inner.columns} - odd:
            outer = self.base()
        families = {c.family for c in outer.columns} & {c.family for c in inner.columns} - odd
        family = self.rng.choice(sorted(families))
        a = self.rng.choice([c for c in outer.columns if c.family == family])
        b = self.rng.choice([c for c in inner.columns if c.family == family])
        largest = f"max({b.sql})"
        if self.rng.random() < 0.3:
            others = [f"{largest} filter (where {self.easy(inner.columns)})", f"max(distinct {b.sql})", f"min({b.sql})"]
            if family in EXACT:
                others += [f"{largest} - min({b.sql})", f"{largest} - count(*)", f"coalesce({largest}, 0) - 1"]
            largest = self.rng.choice(others)
        maximum = f"(select {largest} from {inner.sql}{self.where(inner.columns, 0.3)})"
        form = self.rng.choice(("{a} > {m}", "{a} >= {m}", "{a} > coalesce({m}, {l})", "({a} > {m} or {m} is null)"))
        return f"select {self.output([outer])} from {outer.sql} where " + form.format(
            a=a.sql, m=maximum, l=self.literal(family)
        )

    def aggregates(self) -> str:
        """Groups over a join: FILTER, DISTINCT, HAVING, grouping sets."""
        rng = self.rng
        text, pieces = self.joined(1, least=0)
        columns = [ref for piece in pieces for ref in piece.columns]
        keys = rng.sample(columns, min(len(columns), rng.choice((0, 1, 1, 2))))
        items = [f"{key.sql} as g{number}" for number, key in enumerate(keys)]
        items += [f"{self.aggregate(columns).sql} as a{number}" for number in range(rng.randint(1, 4))]
        by = ""
        if keys:
            sqls = [key.sql for key in keys]
            plain = ", ".join(sqls)
            by = " group by " + rng.choice(
                (plain, plain, "all", ", ".join(str(n + 1) for n in range(len(keys))), f"rollup ({plain})", f"cube ({plain})",
                 f"grouping sets (({plain}), ())")
            )  # fmt: skip
            if rng.random() < 0.25:
                by += f" having {self.having(columns)}"
        return f"select {', '.join(items)} from {text}{self.where_all(pieces, 0.7)}{by}"

    def above_group(self) -> str:
        """A filter above an aggregate: on its key, or on its figure."""
        inner = self.source(1)
        piece = self._named(self.alias(), *self.grouped(inner))
        return f"select * from {piece.sql}{self.where(piece.columns, 0.95)}"

    def set_operations(self) -> str:
        """A set operation, with a filter above it or not."""
        piece = self._named(self.alias(), *self.set_operation(2))
        return f"select * from {piece.sql}{self.where(piece.columns, 0.8)}"

    def distinct_on(self) -> str:
        """The first row of each group, under a filter or above it."""
        inner = self._with_key()
        key = self.rng.choice(inner.columns)
        made = f"select distinct on ({key.sql}) * from {inner.sql}{self.where(inner.columns, 0.5)} order by {key.sql}, {self._order(inner)}"
        alias = self.alias()
        piece = self._named(alias, made, inner.names, tuple(c.family for c in inner.columns), inner.key)
        return f"select * from {piece.sql}{self.where(piece.columns, 0.7)}"

    def window(self) -> str:
        """Window functions: a filter on the partition's key may go below them, another may not."""
        rng = self.rng
        inner = self._with_key()
        partition = rng.choice(inner.columns)
        value = rng.choice([c for c in inner.columns if c.family in EXACT])
        order = self._order(inner)
        over = f"over (partition by {partition.sql} order by {order})"
        whole = f"over (partition by {partition.sql})"
        function = rng.choice(
            (f"row_number() {over}", f"lag({value.sql}) {over}", f"sum({value.sql}) {over}", f"count(*) {whole}", f"max({value.sql}) {whole}",
             f"first_value({value.sql}) {over}", f"count(*) filter (where {self.condition(inner.columns)}) {whole}", f"rank() {over}")
        )  # fmt: skip
        below = self.where(inner.columns, 0.4)
        if rng.random() < 0.3:
            limit = rng.choice(("= 1", "<= 2", "> 1", "is null"))
            return f"select *, {function} as w from {inner.sql}{below} qualify w {limit}"
        alias = self.alias()
        families = (*(c.family for c in inner.columns), "int")
        made = f"select *, {function} as w from {inner.sql}{below}"
        piece = self._named(alias, made, (*inner.names, "w"), families, None)
        on_key = Ref(f"{alias}.{name(inner.names[inner.columns.index(partition)])}", partition.family)
        test = self.condition([on_key]) if rng.random() < 0.5 else self.condition(piece.columns)
        return f"select * from {piece.sql} where {test}" + (f" and {alias}.w <= 2" if rng.random() < 0.4 else "")

    def limits(self) -> str:
        """Limits whose answer is determined: counted, or under a total order; with a filter above or below."""
        rng = self.rng
        piece = self._with_key()
        if rng.random() < 0.3:
            how = rng.choice(("", self.where(piece.columns)))
            return f"select count(*) as n from (select * from {piece.sql}{how} limit {rng.randint(0, 9)}) as z"
        below = self.where(piece.columns, 0.5)
        tail = f"order by {self._order(piece)} limit {rng.randint(0, 9)}{rng.choice(('', ' offset 1', ' offset 3'))}"
        top = self._named(
            self.alias(),
            f"select * from {piece.sql}{below} {tail}",
            piece.names,
            tuple(c.family for c in piece.columns),
            piece.key,
        )
        if rng.random() < 0.4:
            other = self.source(0)
            return f"select {self.output([top, other])} from {top.sql} left join {other.sql} on {self.equality(top, other)}"
        return f"select * from {top.sql}{self.where(top.columns, 0.5)}"

    def using(self) -> str:
        """USING and NATURAL, whose columns belong to both sides."""
        rng = self.rng
        left, right = self.source(0), self.source(0)
        if "id" not in left.names or "id" not in right.names:
            left, right = self.base("x"), self.base("y")
        how = rng.choice(("join", "left join", "right join", "full join"))
        merged = Ref("id", "int")
        test = self.condition([merged]) if "id" in left.names and "id" in right.names else "true"
        if rng.random() < 0.2:
            a, b = ", ".join({"id", *left.names[:1]}), ", ".join({"id", *right.names[:1]})
            return f"select * from (select {a} from {left.sql}) natural {how} (select {b} from {right.sql})"
        star = rng.choice(("count(*) as n", "id, count(*) as n", "id"))
        tail = " group by id" if star.startswith("id,") else ""
        return f"select {star} from {left.sql} {how} {right.sql} using (id) where {test}{' and ' + self.condition(right.columns) if rng.random() < 0.6 else ''}{tail}"

    def lateral(self) -> str:
        """A derived table that refers to its neighbour; also by ASOF."""
        rng = self.rng
        left, right = self.source(1), self.base()
        if rng.random() < 0.25:
            both = sorted(
                {c.family for c in left.columns} & {c.family for c in right.columns} & {"int", "dec", "date", "ts"}
            )
            family = rng.choice(both or ["int"])
            a = next((c for c in left.columns if c.family == family), left.columns[0])
            b = next((c for c in right.columns if c.family == family), right.columns[0])
            if family == "int":  # one row for each: the key is unique
                b = right.columns[0]
            shown = f"{a.sql} as o0, {b.sql} as o1"
            return f"select {shown} from {left.sql} asof {rng.choice(('', 'left '))}join {right.sql} on {a.sql} >= {b.sql}{self.where_all([left], 0.5)}"
        link = self.equality(left, right)
        value = self.aggregate(right.columns).sql
        how = rng.choice(
            (", lateral ({}) as l", " left join lateral ({}) as l on true", " cross join lateral ({}) as l")
        )
        inner = f"select {value} as v from {right.sql} where {link}"
        return f"select {self.output([left])}, l.v from {left.sql}{how.format(inner)}{self.where_all([left], 0.6)}"

    def stars(self) -> str:
        """Stars that leave out, replace or rename, and COLUMNS."""
        rng = self.rng
        piece = self.source(1)
        one = name(rng.choice(piece.names))
        forms = [f"* replace ({one} as {one})", f"* rename ({one} as renamed)", "*", "columns(*)", f"{piece.alias}.*"]
        if len(piece.names) > 1:
            forms += [f"* exclude ({one})", f"columns(c -> c <> {one.replace(chr(34), chr(39))})"]
        inner = f"select {rng.choice(forms)} from {piece.sql}{self.where(piece.columns, 0.7)}"
        return rng.choice((inner, f"select count(*) as n from ({inner}) as z", f"select * from ({inner}) as z"))

    def nested(self) -> str:
        """Unnest and fields of structs, where a table has such columns; else nested derived tables."""
        for index in self.rng.sample(range(len(self.tables)), len(self.tables)):
            table, handle = self.tables[index], self.handles[index]
            refs = [Ref(f"x.{name(c.name)}", c.family) for c in table.columns]
            for column, ref in zip(table.columns, refs, strict=True):
                if column.family == "list":
                    return f"select x.k, u.v from {handle} as x, unnest({ref.sql}) as u(v) where u.v > 0 and {self.condition(refs)}"
                if column.family == "struct":
                    return f"select x.k, {ref.sql}.x as sx from {handle} as x where {ref.sql}.y = 'a' or {self.condition(refs)}"
        piece = self.derived(3)
        return f"select * from {piece.sql}{self.where(piece.columns, 0.9)}"

    def _with_key(self) -> Piece:
        """A source that has a unique column, so that its rows can be put into one order."""
        for _ in range(3):
            piece = self.source(1)
            if piece.key is not None and any(c.family in EXACT for c in piece.columns):
                return piece
        return self.base()


_SHAPES: tuple[Callable[[Shapes], str], ...] = (
    *(Shapes.plain, Shapes.plain, Shapes.joins, Shapes.joins, Shapes.joins, Shapes.joins, Shapes.anti_join, Shapes.anti_join),
    *(Shapes.semi, Shapes.subquery, Shapes.subquery, Shapes.watermark, Shapes.aggregates, Shapes.aggregates, Shapes.above_group),
    *(Shapes.set_operations, Shapes.distinct_on, Shapes.window, Shapes.window, Shapes.limits, Shapes.limits, Shapes.self_join),
    *(Shapes.traps, Shapes.traps, Shapes.traps, Shapes.traps, Shapes.traps, Shapes.traps),
    *(Shapes.odd, Shapes.using, Shapes.lateral, Shapes.stars, Shapes.aliases, Shapes.shadow, Shapes.cte_twice, Shapes.cte_twice, Shapes.nested, Shapes.odd, Shapes.odd),
    *(Shapes.moved, Shapes.moved, Shapes.moved, Shapes.moved, Shapes.moved, Shapes.moved),
)  # fmt: skip
# Their outputs may hold a WITH of their own that DuckDB does not take inside, or lists and structs that have no order.
_CANNOT_ORDER = frozenset({"cte_twice"})


def random_query(seed: int, number: int, tables: Sequence[Table], inputs: Sequence[Input]) -> Query:
    """The numbered query of a seed over these tables."""
    return Shapes(random.Random(f"query {seed} {number}"), tables, inputs).query()
