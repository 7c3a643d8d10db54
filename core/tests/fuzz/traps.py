"""Shapes of queries over bare tables: the known wrong answers of naive pushdown, and what a planner does not meet daily."""

from __future__ import annotations

from fuzz.conditions import Ref
from fuzz.queries import Piece, Queries, name


class Traps(Queries):
    """Makes bodies of queries; every one of them is a way to lose rows, or to invent them."""

    def self_join(self) -> str:
        """One table under two aliases, a filter on each."""
        rng = self.rng
        index = rng.randrange(len(self.tables))
        table, handle = self.tables[index], self.handles[index]
        pieces = []
        for alias in ("x", "y"):
            refs = tuple(Ref(f"{alias}.{name(c.name)}", c.family) for c in table.columns)
            pieces.append(Piece(f"{handle} as {alias}", refs, tuple(c.name for c in table.columns), 0, alias))
        x, y = pieces
        how = rng.choice(("join", "left join", "full join", "semi join", "anti join"))
        shown = [x] if how.startswith(("semi", "anti")) else [x, y]
        filters = [self.condition(piece.columns) for piece in shown]
        on = f"{self.equality(x, y)} and {self.condition(y.columns, 1)}"
        return f"select {self.output(shown)} from {x.sql} {how} {y.sql} on {on} where {' and '.join(filters)}"

    def shadow(self) -> str:
        """A CTE or an alias that is called like a table, or like a part of a handle."""
        rng = self.rng
        index = rng.randrange(len(self.tables))
        table, handle = self.tables[index], self.handles[index]
        label = name(table.name)
        refs = [Ref(f"{label}.{name(c.name)}", c.family) for c in table.columns]
        other = self.base()
        cond = self.condition(refs)
        return rng.choice(
            (f"select count(*) as n from (with {label} as (select * from {handle}) select * from {label} where {cond}) as z",
             f"select {label}.k from {handle} where {cond}",
             f"select {other.alias}.k from {other.sql} where exists (select * from {handle} as {label} where {cond})",
             f"with {label} as (select * from {handle} where {cond}) select a.k as k1, b.k as k2 from {label} a full join {handle} b on a.id = b.id")
        )  # fmt: skip

    def cte_twice(self) -> str:
        """One CTE over a table read twice, filtered once or in two ways; or recursive."""
        rng = self.rng
        inner = self.base()
        refs = [
            [Ref(f"{a}.{name(n)}", c.family) for n, c in zip(inner.names, inner.columns, strict=True)] for a in "xy"
        ]
        head = f"with one as {rng.choice(('', '', 'materialized '))}(select * from {inner.sql}{self.where(inner.columns, 0.3)})"
        x, y = (self.condition(list(side)) for side in refs)
        if rng.random() < 0.1:
            return (
                f"with recursive r(v, depth) as (select k, 0 from {inner.sql}{self.where(inner.columns, 0.6)} union "
                f"select r.v + 1, r.depth + 1 from r where r.depth < 3) select * from r where v > 2"
            )
        return rng.choice(
            (f"{head} select x.k as k1, y.k as k2 from one x left join one y on x.id = y.id where {x}",
             f"{head} select x.k from one x where {x} union all select y.k from one y where {y}",
             f"{head} select (select count(*) from one x where {x}) as n1, (select count(*) from one y) as n2",
             f"{head} select count(*) as n from one x join one y on x.k = y.k and {y}",
             f"{head}, two as (select * from one x where {x}), three as (select * from one) "
             f"select three.k, two.k as k2 from three left join two on two.id = three.id and two.k = three.k")
        )  # fmt: skip

    def aliases(self) -> str:
        """Aliases of the select list in WHERE and GROUP BY, and aliases that are names of other columns."""
        rng = self.rng
        piece = self.source(1)
        made = self.value(piece.columns)
        other = rng.choice((*piece.names, "fresh"))
        test = f"{name(other)} {rng.choice(('=', '<>', '>', 'is distinct from'))} {self.literal(made.family)}"
        if rng.random() < 0.5:
            return f"select {made.sql} as {name(other)} from {piece.sql} where {test}"
        return f"select {made.sql} as {name(other)}, count(*) as n_rows from {piece.sql} where {test} group by {name(other)}"

    def traps(self) -> str:
        """The known wrong answers of naive pushdown, over bare tables and with filters that a source would take."""
        rng = self.rng
        a, b = self.base("a"), self.base("b")
        link = self.equality(a, b)
        easy_a, easy_b = self.easy(a.columns), self.easy(b.columns)
        b_column = rng.choice(b.columns)
        missing = rng.choice((f"{b_column.sql} is null", f"{b_column.sql} is null", easy_b, f"not ({easy_b})"))
        self_b = Piece(a.sql.removesuffix(" as a") + " as b", a.columns, a.names, 0, "b")  # the same table again
        twin = easy_a.replace("a.", "b.") if a.sql.endswith(" as a") else "true"
        handle = a.sql.split(" as ")[0]
        limit = f"{rng.randint(1, 6)}{rng.choice(('', ' offset 1'))}"
        outer = rng.choice(("left join", "full join"))
        if rng.random() < 0.12:
            return self._used_twice(easy_a, easy_b, missing, a, b)
        return rng.choice(
            (f"select a.k, b.k as k2 from {a.sql} left join {b.sql} on {link} where {missing}",
             f"select a.k, b.k as k2 from {a.sql} left join {b.sql} on {link} where {missing} and {easy_a}",
             f"select a.k, b.k as k2 from {a.sql} full join {b.sql} on {link} where {missing}",
             f"select a.k, b.k as k2 from {a.sql} right join {b.sql} on {link} where {easy_a.replace('=', '<>', 1) if ' = ' in easy_a else easy_a}",
             f"select a.k, b.k as k2 from {a.sql} left join {b.sql} on {link} and {easy_a} and {easy_b}",
             f"select a.k, b.k as k2 from {a.sql} left join {b.sql} on {link} where {easy_a} or {easy_b}",
             f"select a.k, b.k as k2 from {a.sql} join {self_b.sql} on a.id = b.id where {easy_a}",
             f"select a.k from {a.sql} where {easy_a} union all select b.k from {self_b.sql} where not ({twin})",
             f"with one as (select * from {handle}), two as (select a.k from {a.sql} where {easy_a}) "
             f"select (select count(*) from one) as n, (select count(*) from two) as m",
             f"select a.k from {a.sql} where {easy_a} order by {self._order(a)} limit {limit}",
             f"select k from (select * from {a.sql} order by {self._order(a)} limit {limit}) as a where {easy_a}",
             f"select count(*) filter (where {easy_a}) as n, count(*) as m from {a.sql}",
             f"select {rng.choice(a.columns).sql} as g, count(*) filter (where {easy_a}) as n, count(*) as m from {a.sql} group by 1",
             f"select a.k from {a.sql} where {easy_a}",
             f"select a.k from {a.sql} where {easy_a} and {self.easy(a.columns)}",
             f"select a.k from {a.sql} where a.id not in (select b.id from {b.sql} where {easy_b})",
             f"select a.k from {a.sql} anti join {b.sql} on {link} and {easy_b} where {easy_a}",
             f"select a.k, b.k as k2 from {a.sql} {outer} {b.sql} on {link} and {easy_a} where {b.columns[0].sql} {rng.choice(('<>', '>', '='))} "
             f"all (select z.k from {self.base('z').sql} where z.k > {rng.choice((0, 30, 90))})")
        )  # fmt: skip

    def _used_twice(self, easy_a: str, easy_b: str, missing: str, a: Piece, b: Piece) -> str:
        """USING after USING: the second is about what the first made of both sides."""
        rng = self.rng
        c = self.base("c")
        joins = ("join", "left join", "right join", "full join", "semi join", "anti join")
        first, second = rng.choice(joins[:4]), rng.choice(joins)
        a_null = f"{rng.choice(a.columns).sql} is null"
        test = rng.choice((a_null, a_null, easy_a, easy_b, missing, "id = 1", f"{a_null} and {easy_b}"))
        return f"select a.k, b.k as k2 from {a.sql} {first} {b.sql} using (id) {second} {c.sql} using (id) where {test}"

    def odd(self) -> str:
        """What a planner does not meet each day: pivots, tuples, nested WITH, correlation in ON and in the select list."""
        rng = self.rng
        a, b = self.base("a"), self.base("b")
        cond_a, cond_b = self.condition(a.columns), self.condition(b.columns)
        link = self.equality(a, b)
        key = rng.choice(a.columns).sql
        return rng.choice(
            (f"select a.k, exists (select 1 from {b.sql} where {link} and {cond_b}) as e from {a.sql} where {cond_a}",
             f"select a.k from {a.sql} where (a.k, a.id) in (select b.k, b.id from {b.sql} where {cond_b})",
             f"select a.k from {a.sql} where (a.k, a.id) not in (select b.k, b.id from {b.sql} where {cond_b}) and {cond_a}",
             f"select a.k, (with w as (select * from {b.sql} where {cond_b}) select count(*) from w) as n from {a.sql} where {cond_a}",
             f"select a.k from {a.sql} where a.id in (with w as (select * from {b.sql}) select w.id from w) and {cond_a}",
             f"select a.k, b.k as k2 from {a.sql} left join {b.sql} on {link} and exists (select 1 from {self.base('z').sql} where z.k = b.k)",
             f"select * from (pivot (select id, k from {a.sql} where {cond_a}) on id in (1, 2, 3) using count(k)) as p",
             f"select count(*) as n from {a.sql} having count(*) > 2 and count(*) filter (where {cond_a}) < 9",
             f"select count(*) as n from {a.sql} where {cond_a} having count(*) > 1",
             f"select a.k from {a.sql} where {cond_a} and 1 = (select count(*) from {b.sql} where b.k = a.k)",
             f"select x.id, x.n from (select a.id, count(*) as n, min({key}) as m from {a.sql} group by a.id) x join {b.sql} on b.id = x.id where {cond_b} and x.n > 1",
             f"select a.k from {a.sql} where {cond_a} union all (select b.k from {b.sql} where {cond_b} order by b.k limit 3)",
             f"select * from (select a.k, 'l' as side from {a.sql} where {cond_a} union all select b.k, 'r' from {b.sql}) u where side = 'l' and k > 2",
             f"select a.k, coalesce(b.id, -1) as i from {a.sql} full join {b.sql} on {link} where coalesce(a.id, b.id) = 1 or {cond_a}",
             f"select v.k from (select * from {a.sql} where {cond_a}) v where v.k in (select k from (select * from {b.sql} order by k limit 5) t)",
             f"select a.k from {a.sql} where not exists (select 1 from {b.sql} where {link} and not ({cond_b})) and {cond_a}",
             f"select a.k from {a.sql}, (values (1), (2), (null)) as v(w) where a.id = v.w and {cond_a}",
             f"select a.k from {a.sql} left join {b.sql} on {link} and {cond_a} where not (b.k = any (select z.k from {self.base('z').sql} where z.k > 90))",
             # The `k` of the first ON is the outer query's: the one that a later source has is not in its reach.
             f"select a.k from {a.sql} where exists (select 1 from (select id as i from {self.base('z').sql}) y join {b.sql.replace(' as b', ' as w')} on y.i = w.id "
             f"and y.i = a.id join (select id as i2, k as k2 from {self.base('z').sql}) a2 on true where a2.i2 = {self.literal('int')})",
             f"select a.k from {a.sql} where exists (select 1 from (select id as i from {self.base('z').sql}) y join (select k as j from {self.base('z').sql}) w "
             f"on y.i = a.id join (select id, k as k2 from {self.base('z').sql}) a on true where a.id = {self.literal('int')})",
             f"from {a.sql} select a.k where {cond_a}")
        )  # fmt: skip
