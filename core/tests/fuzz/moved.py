"""Shapes for joins and aggregates that run at their source: several relations of one side, written as people write them."""

from __future__ import annotations

from fuzz.conditions import Ref
from fuzz.queries import EXACT, Piece, name
from fuzz.traps import Traps

_KEYED = ("int", "dec", "date", "ts", "text", "bool", "uuid", "tstz")
_MADE = ("int", "dec", "date", "ts", "tstz", "text", "double")


class Moved(Traps):
    """Makes bodies of queries over relations of one connection, and perhaps one of the other."""

    def moved(self) -> str:
        """Inner joins of one side's tables, with one of the other side among them or behind them."""
        rng = self.rng
        side = rng.randrange(2)
        own = [i for i, table in enumerate(self.tables) if table.side == side]
        count = rng.choice((1, 1, 2, 2, 2, 3))
        pieces = [self._relation(rng.choice(own), number) for number in range(count)]
        if rng.random() < 0.55:
            others = [i for i, table in enumerate(self.tables) if table.side != side]
            pieces.insert(rng.choice((0, count, count, rng.randint(0, count))), self._relation(rng.choice(others), 9))
        text, where, merged = self._from(pieces)
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            piece = rng.choice(pieces)
            columns = piece.columns if rng.random() < 0.85 else [c for p in pieces for c in p.columns]
            where.append(self.condition(list(columns), 1) if rng.random() < 0.5 else self.easy(list(columns)))
        rng.shuffle(where)
        tail = f" from {text}" + (f" where {' and '.join(where)}" if where else "")
        if rng.random() < 0.5:
            return self._groups(pieces, tail)
        return f"select {self._shown(pieces, merged)}{tail}"

    def _relation(self, index: int, number: int) -> Piece:
        """A table, by itself or through a derived table in the style of import CTEs."""
        rng = self.rng
        table, alias = self.tables[index], f"{rng.choice(('m', 'M'))}{number}"
        handle = self.handles[index]
        names = [column.name for column in table.columns]
        families = [column.family for column in table.columns]
        if rng.random() < 0.65:
            refs = tuple(Ref(f"{alias}.{name(n)}", f) for n, f in zip(names, families, strict=True))
            return Piece(f"{handle} as {alias}", refs, tuple(names), 0, alias)
        inner = [Ref(name(n), f) for n, f in zip(names, families, strict=True)]
        filters = f" where {self.easy(inner)}" if rng.random() < 0.6 else ""
        if rng.random() < 0.5:
            items = "*"
        else:
            kept = sorted(rng.sample(range(len(names)), rng.randint(2, len(names))) if len(names) > 2 else [0, 1])
            renamed = {i: (f"new{i}" if rng.random() < 0.3 else names[i]) for i in kept}
            items = ", ".join(
                f"{name(names[i])}{'' if new == names[i] else f' as {new}'}" for i, new in renamed.items()
            )
            names, families = list(renamed.values()), [families[i] for i in kept]
            if rng.random() < 0.2:
                items += ", 1 + 1 as made"
        refs = tuple(Ref(f"{alias}.{name(n)}", f) for n, f in zip(names, families, strict=True))
        return Piece(f"(select {items} from {handle}{filters}) as {alias}", refs, tuple(names), None, alias)

    def _from(self, pieces: list[Piece]) -> tuple[str, list[str], set[str]]:
        """FROM, conditions that stand in WHERE instead of ON, and the columns that USING made one of."""
        rng = self.rng
        text, where, merged = pieces[0].sql, [], set[str]()
        for number, piece in enumerate(pieces[1:], start=1):
            before = rng.choice(pieces[:number])
            shared = [n for n in piece.names if n in ("k", "id") and all(n in p.names for p in pieces[:number])]
            how = rng.choice(
                ("join", "join", "inner join", "join", "left join" if number == len(pieces) - 1 else "join")
            )
            if shared and rng.random() < 0.2:
                text += f" {how} {piece.sql} using ({shared[0]})"
                merged.add(shared[0])
                continue
            on = [self._equal(before, piece) for _ in range(rng.choice((1, 1, 1, 2)))]
            if rng.random() < 0.25:
                on.append(self.easy(list(rng.choice((before, piece)).columns)))
            if rng.random() < 0.1:
                on.append(self._compared(before, piece))
            if how in ("join", "inner join") and rng.random() < 0.3:
                text += rng.choice((f", {piece.sql}", f" cross join {piece.sql}"))
                where += on
            else:
                text += f" {how} {piece.sql} on {' and '.join(on)}"
        return text, where, merged

    def _equal(self, left: Piece, right: Piece) -> str:
        pairs = [(a, b) for a in left.columns for b in right.columns if a.family == b.family and a.family in _KEYED]
        ids = [(a, b) for a, b in pairs if a.family == "int"]
        a, b = self.rng.choice(
            ids if ids and self.rng.random() < 0.75 else pairs or [(left.columns[0], right.columns[0])]
        )
        sides = (a.sql, b.sql) if self.rng.random() < 0.5 else (b.sql, a.sql)
        return " = ".join(sides)

    def _compared(self, left: Piece, right: Piece) -> str:
        pairs = [(a, b) for a in left.columns for b in right.columns if a.family == b.family and a.family in EXACT]
        a, b = self.rng.choice(pairs or [(left.columns[0], right.columns[0])])
        return f"{a.sql} {self.rng.choice(('<', '<=', '>', '<>'))} {b.sql}"

    def _shown(self, pieces: list[Piece], merged: set[str]) -> str:
        rng = self.rng
        columns = [ref for piece in pieces for ref in piece.columns]
        roll = rng.random()
        if roll < 0.15:
            return rng.choice(pieces).alias + ".*"
        if roll < 0.25:
            piece, other = rng.choice(pieces), rng.choice(columns)
            return f"{other.sql} as first_one, {piece.alias}.*"
        if roll < 0.35 and merged:
            return f"{sorted(merged)[0]}, {rng.choice(columns).sql} as o1"
        if roll < 0.5:  # bare columns keep the names that they have
            unique = {ref.sql.split(".", 1)[1].lower(): ref.sql for ref in rng.sample(columns, min(3, len(columns)))}
            return ", ".join(unique.values())
        return self.output(pieces)

    def _groups(self, pieces: list[Piece], tail: str) -> str:
        rng = self.rng
        columns = [ref for piece in pieces for ref in piece.columns]
        keys = rng.sample(columns, min(len(columns), rng.choice((0, 1, 1, 1, 2))))
        texts = [ref for ref in columns if ref.family == "text"]
        if texts and rng.random() < 0.4:  # what is one group here may be two there
            keys = [rng.choice(texts), *keys[1:]]
        # Mostly of one relation: what is made of several has to stay.
        made = list(rng.choice(pieces).columns) if rng.random() < 0.8 else columns
        items = [f"{key.sql} as g{number}" for number, key in enumerate(keys)]
        items += [f"{self._made(made)} as a{number}" for number in range(rng.choice((1, 1, 2, 3)))]
        if not keys:
            return f"select {', '.join(items)}{tail}" + (
                f" having {self._made(made)} is not null" if rng.random() < 0.2 else ""
            )
        by = rng.choice((", ".join(key.sql for key in keys), ", ".join(str(n + 1) for n in range(len(keys))), "all"))
        having = rng.choice(("", "", "", f" having count(*) > {rng.randint(0, 3)}", f" having {self.having(made)}"))
        return f"select {', '.join(items)}{tail} group by {by}{having}"

    def _made(self, columns: list[Ref]) -> str:
        rng = self.rng
        usable = [ref for ref in columns if ref.family in _MADE] or columns
        exact = [ref for ref in usable if ref.family in EXACT]
        roll = rng.random()
        if roll < 0.25:
            return "count(*)"
        if roll < 0.55 and exact:
            return f"sum({rng.choice(exact).sql})"
        return f"{rng.choice(('min', 'max', 'count', 'min', 'max', 'count', 'count'))}({rng.choice(usable).sql})"
