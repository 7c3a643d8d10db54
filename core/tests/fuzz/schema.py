"""Random tables: their columns, their rows, and on which of a pair's two connections they lie."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from fuzz.kinds import KINDS, SMALL_INTS, Kind

Row = list[str | None]

# By family, so that columns of two tables that have one name can be compared, most of the time.
_NAMES = {
    "int": ("n", "x", "Qty"),
    "dec": ("amount", "Price", "x"),
    "double": ("score", "dbl"),
    "text": ("s", "Name", "status", "order", "a b"),
    "date": ("d", "Day"),
    "ts": ("at", "ts"),
    "tstz": ("seen", "tz"),
    "time": ("tod",),
    "bool": ("ok", "flag"),
    "uuid": ("uid",),
    "list": ("arr",),
    "struct": ("st",),
}
_TABLES = ("t", "Orders", "select", "line items", "c")


@dataclass(frozen=True)
class Column:
    """A column: its name, the engine's declaration, and what the query generator takes it for."""

    name: str
    ddl: str
    family: str


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        name: Its name.
        side: Which of the pair's connections holds it, 0 or 1.
        columns: The first, `k`, is unique and never NULL.
        rows: Cells as text.
    """

    name: str
    side: int
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]

    def as_data(self) -> dict[str, Any]:
        """For a case file."""
        columns = [[column.name, column.ddl, column.family] for column in self.columns]
        return {"name": self.name, "side": self.side, "columns": columns, "rows": [list(row) for row in self.rows]}

    @staticmethod
    def from_data(data: dict[str, Any]) -> Table:
        """From a case file."""
        columns = tuple(Column(*column) for column in data["columns"])
        return Table(data["name"], data["side"], columns, tuple(tuple(row) for row in data["rows"]))


def random_tables(seed: int, pair: tuple[str, str], powers: Collection[str]) -> list[Table]:
    """Two to four tables, with at least one on each side."""
    rng = random.Random(f"schema {seed} {pair}")
    count = rng.choice((2, 3, 3, 4))
    names = rng.sample(_TABLES, count)
    sides = [0, 1, *(rng.randrange(2) for _ in range(count - 2))]
    return [_table(rng, name, side, pair[side], powers) for name, side in zip(names, sides, strict=True)]


def _table(rng: random.Random, name: str, side: int, engine: str, powers: Collection[str]) -> Table:
    usable = [kind for kind in KINDS[engine] if not kind.needs or kind.needs in powers]
    by_family: dict[str, list[Kind]] = {}
    for kind in usable:
        by_family.setdefault(kind.family, []).append(kind)
    int_kinds = [kind for kind in by_family["int"] if "2" in kind.values]
    columns = [Column("k", int_kinds[0].ddl, "int"), Column("id", rng.choice(int_kinds[:2]).ddl, "int")]
    pools: list[tuple[str, ...]] = [(), SMALL_INTS[:6]]
    for _ in range(rng.randint(3, 7)):
        # Text is where engines differ most.
        family = "text" if rng.random() < 0.35 else rng.choice(sorted(by_family))
        free = [n for n in _NAMES[family] if n.lower() not in {c.name.lower() for c in columns}]
        if free:
            kind = rng.choice(by_family[family])
            columns.append(Column(rng.choice(free), kind.ddl, family))
            pools.append(kind.values)
    return Table(name, side, tuple(columns), tuple(_rows(rng, pools)))


def _with_alike(rng: random.Random, pool: Sequence[str], values: list[str]) -> list[str]:
    """Values, now and then with those that some collation takes for one of them."""
    if rng.random() < 0.5 or not values:
        return values
    folded = {value.strip().casefold() for value in values[:2]}
    return values + [value for value in pool if value.strip().casefold() in folded and value not in values]


def _rows(rng: random.Random, pools: list[tuple[str, ...]]) -> list[tuple[str | None, ...]]:
    count = rng.choice((0, 1, 5, *(12, 12, 25, 25, 25, 25, 40, 60) * 3))
    few = [_with_alike(rng, pool, rng.sample(pool, min(len(pool), rng.choice((2, 4, 12))))) for pool in pools]
    nulls = [rng.choice((0.0, 0.1, 0.3, 0.3, 1.0 if rng.random() < 0.1 else 0.2)) for _ in pools]
    rows: list[tuple[str | None, ...]] = []
    for number in range(count):
        row: Row = [str(number - 3)]
        for values, share in list(zip(few, nulls, strict=True))[1:]:
            # A skewed key: the first value is as frequent as all others together.
            value = values[0] if rng.random() < 0.2 else rng.choice(values)
            row.append(None if rng.random() < share else value)
        if rows and rng.random() < 0.15:  # a duplicate, apart from its key
            row = [row[0], *rows[-1][1:]]
        rows.append(tuple(row))
    return rows
