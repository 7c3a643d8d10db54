"""Random conditions and values over columns of known families, in DuckDB's SQL."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fuzz.kinds import BOOLS, DATES, DECIMALS, DOUBLES, FAR_STAMPS, SMALL_INTS, STAMPS, TEXTS, TIMES, UUIDS

_COMPARE = ("=", "=", "<>", "!=", "<", "<=", ">", ">=")
_PATTERNS = (
    "a%",
    "A%",
    "%a",
    "%",
    "_",
    "a_c",
    "a\\_c",
    "%ä%",
    "",
    "1%",
    "a ",
    "op%",
    "OPEN%",
    "%\\",
    "__",
    "%c%",
    "\t%",
    "ß%",
    "İ%",
    "i%",
    "1.5%",
)
# What a column of the family is now and then compared with, besides its own.
_FOREIGN = {
    "int": ("1.5", "'1'", "2.0", "1e0", "cast('2' as int)", "1 + 1", "abs(-1)", "length('ab')", "'01'", "9007199254740993", "-1.5", "'1.5'", "9007199254740992e0", "' 2 '", "1.5::float", "true", "9223372036854775807.5"),
    "dec": ("1", "1.5e0", "'1.50'", "1.501", "0", "1 + 0.5", "cast('1.5' as double)", "123456789012345678901234567890"),
    "double": ("1", "1.5", "'nan'::double", "'inf'::double", "'-inf'::double", "0.0", "-0.0", "1.1::float", "1.1", "'1.5'"),
    "text": ("lower('A')", "'a' || ' '", "upper('a')", "'a'::char", "trim(' a ')", "chr(97)", "'A' collate nocase", "chr(0)", "'a' || chr(0)", "'日本'", "'🙂'", "repeat('a', 300)", "1"),
    "date": (
        *("timestamp '2024-02-29 12:00:00'", "'2024-01-01'", "date '2024-01-31' + 1", "'infinity'::date", "'-infinity'::date"),
        *("date '2024-03-31' - interval 1 month", "make_date(2024, 2, 29)", "last_day(date '2024-02-01')"),
    ),
    "ts": (
        *("date '2024-02-29'", "'2024-02-29 12:00:00'", "timestamp '2024-03-31 02:30:00' + interval 1 hour", "'infinity'::timestamp"),
        *("timestamp_s '2024-02-29 12:00:00'", "date_trunc('day', timestamp '2024-02-29 12:00:00')"),
        "timestamp_ns '2024-02-29 12:00:00.123456001'",
    ),
    "tstz": ("timestamp '2024-02-29 12:00:00'", "date '2024-02-29'", "timestamptz '2024-03-31 02:30:00+02'", "'2024-02-29 12:00:00+00'"),
    "time": ("'12:00'", "time '12:00:00' + interval 1 hour"),
    "bool": ("1 = 1", "null", "'true'::boolean"),
    "uuid": ("'6F2C1F9E-1111-4222-8333-444455556666'",),
}  # fmt: skip


@dataclass(frozen=True)
class Ref:
    """An expression that can be used as a column, and its family."""

    sql: str
    family: str


def text(value: str) -> str:
    """A text literal."""
    return "'" + value.replace("'", "''") + "'"


class Conditions:
    """Makes conditions; every choice comes from the generator that is given."""

    def __init__(self, rng: random.Random, actual: Mapping[str, Sequence[str]] | None = None) -> None:
        self.rng = rng
        self.actual = actual or {}  # by family, what stands in the tables: most constants hit something

    def literal(self, family: str) -> str:
        """A constant to compare a column of the family with."""
        rng = self.rng
        if rng.random() < 0.25 and family in _FOREIGN:
            return rng.choice(_FOREIGN[family])
        if self.actual.get(family) and rng.random() < 0.7:
            return _constant(family, rng.choice(self.actual[family]), is_between=rng.random() < 0.08)
        if family == "text":
            return text(rng.choice(TEXTS))
        if family == "int":
            return rng.choice(SMALL_INTS)
        if family == "dec":
            return rng.choice(DECIMALS)
        if family == "double":
            return rng.choice(DOUBLES)
        if family == "date":
            return f"date '{rng.choice(DATES)}'"
        if family == "ts":
            return f"timestamp '{rng.choice((*STAMPS, *STAMPS, *FAR_STAMPS))}'"
        if family == "tstz":
            return f"timestamptz '{rng.choice(STAMPS)}+00'"
        if family == "time":
            return f"time '{rng.choice(TIMES)}'"
        if family == "bool":
            return ("false", "true")[int(rng.choice(BOOLS))]
        if family == "uuid":
            return f"uuid '{rng.choice(UUIDS)}'"
        return {"list": "[1, 2]", "struct": "{'x': 1, 'y': 'a'}"}.get(family, "null")

    def value(self, columns: Sequence[Ref], family: str | None = None) -> Ref:
        """A column, or an expression over one."""
        rng = self.rng
        pool = [c for c in columns if family is None or c.family == family] or list(columns)
        column = rng.choice(pool)
        if rng.random() < 0.75:
            return column
        c = column.sql
        made = {
            "int": (f"{c} + 1", f"-{c}", f"{c} % 3", f"{c} // 2", f"{c} / 2", f"abs({c}::hugeint)", f"coalesce({c}, 0)", f"{c}::varchar",
                    f"nullif({c}, 1)", f"case when {c} > 1 then {c} else 0 end", f"{c}::double", f"try_cast({c} as tinyint)"),
            "dec": (f"{c} * 2", f"round({c}, 1)", f"{c}::double", f"try_cast({c} as int)", f"coalesce({c}, 0)", f"{c} - 1", f"floor({c})"),
            "double": (f"{c} * 2", f"-{c}", f"coalesce({c}, 0)", f"abs({c})", f"isnan({c})", f"try_cast({c} as int)"),
            "text": (f"lower({c})", f"upper({c})", f"length({c})", f"trim({c})", f"{c} || 'x'", f"coalesce({c}, 'none')", f"substr({c}, 1, 1)",
                     f"try_cast({c} as int)", f"nullif({c}, '')", f"replace({c}, 'a', 'b')", f"concat({c}, '!')", f"rtrim({c})", f"{c}[1]",
                     f"case {c} when 'a' then 'x' when 'A' then 'y' else {c} end", f"md5({c})", f"strip_accents({c})", f"reverse({c})"),
            "date": (f"year({c})", f"{c} + 1", f"date_trunc('month', {c})", f"extract(dow from {c})", f"{c}::timestamp", f"{c}::varchar",
                     f"coalesce({c}, date '2024-01-01')", f"strftime({c}, '%Y')"),
            "ts": (f"{c}::date", f"date_trunc('day', {c})", f"extract(hour from {c})", f"{c} + interval 1 day", f"{c}::varchar", f"epoch({c})"),
            "tstz": (f"{c}::date", f"{c}::timestamp", f"date_trunc('day', {c})", f"extract(hour from {c})"),
            "time": (f"{c}::varchar", f"extract(hour from {c})"),
            "bool": (f"not {c}", f"coalesce({c}, false)", f"{c}::int", f"{c}::varchar"),
            "uuid": (f"{c}::varchar",),
            "list": (f"len({c})", f"{c}[1]", f"list_contains({c}, 1)"),
            "struct": (f"({c}).x", f"({c}).y", f"{c}['x']"),
        }  # fmt: skip
        sql = f"({rng.choice(made[column.family])})"
        return Ref(sql, _family_of(sql, column.family))

    def condition(self, columns: Sequence[Ref], depth: int = 2) -> str:
        """A condition over the columns; often one that a source can be asked for."""
        rng = self.rng
        if rng.random() < 0.4:
            return self.easy(columns)
        if depth and rng.random() < 0.22:
            left, right = self.condition(columns, depth - 1), self.condition(columns, depth - 1)
            form = rng.choice(
                ("({} or {})", "({} or {})", "(not ({}) or {})", "({} and {})", "(({}) is not distinct from ({}))")
            )
            return form.format(left, right)
        if depth and rng.random() < 0.1:
            return f"not ({self.condition(columns, depth - 1)})"
        return self._simple(self.value(columns), columns)

    def easy(self, columns: Sequence[Ref]) -> str:
        """A bare column against constants, as most people write most of their filters."""
        rng = self.rng
        plain = [c for c in columns if c.family not in ("list", "struct", "time")] or list(columns)
        column = rng.choice(plain)
        c = column.sql
        one, two = self.literal(column.family), self.literal(column.family)
        if column.family == "bool" and rng.random() < 0.5:
            return rng.choice((c, f"not {c}"))
        if rng.random() < 0.004:  # what a program writes
            return "(" + " or ".join(f"{c} = {self.literal(column.family)}" for _ in range(rng.choice((50, 400)))) + ")"
        if column.family == "text" and rng.random() < 0.15:
            return f"{c} like {text(rng.choice(_PATTERNS))}"
        return rng.choice(
            (f"{c} = {one}", f"{c} = {one}", f"{c} <> {one}", f"{c} <> {one}", f"{c} > {one}", f"{c} <= {one}", f"{one} < {c}",
             f"{c} in ({one}, {two})", f"{c} not in ({one}, {two})", f"{c} between {one} and {two}", f"{c} is null",
             f"{c} is not null", f"{c} is not distinct from {one}", f"{c} is distinct from {one}")
        )  # fmt: skip

    def _simple(self, value: Ref, columns: Sequence[Ref]) -> str:
        rng = self.rng
        c, family = value.sql, value.family
        roll = rng.random()
        if family == "bool" and roll < 0.4:
            return rng.choice((c, f"not {c}", f"{c} is true", f"{c} is not true", f"{c} = true", f"{c} is false"))
        if family == "text" and roll < 0.22:
            return self._like(c)
        if roll < 0.5:
            sides = (c, rng.choice(_COMPARE), self.literal(family))
            return " ".join(sides if rng.random() < 0.75 else sides[::-1])
        if roll < 0.62:
            items = [self.literal(family) for _ in range(rng.choice((1, 2, 3)))]
            items += ["null"] * (rng.random() < 0.2)
            return f"{c} {rng.choice(('', '', 'not '))}in ({', '.join(items)})"
        if roll < 0.72:
            low, high = self.literal(family), self.literal(family)
            return f"{c} {rng.choice(('', '', 'not '))}between {low} and {high}"
        if roll < 0.82:
            return f"{c} is {rng.choice(('', 'not '))}null"
        if roll < 0.88:
            return f"{c} is {rng.choice(('', 'not '))}distinct from {rng.choice((self.literal(family), 'null'))}"
        if roll < 0.91:
            items = ", ".join(self.literal(family) for _ in range(2))
            return rng.choice((f"{c} = any([{items}])", f"list_contains([{items}], {c})", f"({c}, 1) = ({self.literal(family)}, 1)",
                               f"({c}) in (({self.literal(family)}))", f"({c} = {self.literal(family)}) is true",
                               f"({c} > {self.literal(family)}) is not false", f"({c} < {self.literal(family)}) is null",
                               f"({c} = {self.literal(family)}) = true", f"{c} in (select unnest([{items}]))"))  # fmt: skip
        if roll < 0.96:
            other = self.value(columns, family)
            return f"{c} {rng.choice((*_COMPARE, 'is distinct from'))} {other.sql}"
        return rng.choice(
            (
                "true",
                "1 = 1",
                "false",
                "not null",
                f"{c} = {c}",
                f"coalesce({c} = {self.literal(family)}, true)",
                f"coalesce({c} = {self.literal(family)}, true)",
                "'a' = 'A'",
            )
        )

    def _like(self, c: str) -> str:
        rng = self.rng
        pattern = text(rng.choice(_PATTERNS))
        return rng.choice(
            (f"{c} like {pattern}", f"{c} like {pattern}", f"{c} not like {pattern}", f"{c} ilike {pattern}",
             f"{c} like {pattern} escape '\\'", f"starts_with({c}, {text(rng.choice(TEXTS))})", f"contains({c}, 'a')",
             f"{c} ~ '^a'", f"regexp_matches({c}, 'A')", f"{c} similar to 'a.*'", f"{c} ^@ 'a'", f"suffix({c}, 'c')",
             f"{c} glob 'a*'", f"{c} not ilike {pattern}")
        )  # fmt: skip

    def where(self, columns: Sequence[Ref], chance: float = 0.8) -> str:
        """A WHERE clause of one to three conjuncts, or nothing."""
        if not columns or self.rng.random() > chance:
            return ""
        return " where " + " and ".join(self.condition(columns) for _ in range(self.rng.choice((1, 1, 1, 2, 3))))


def _constant(family: str, cell: str, *, is_between: bool = False) -> str:
    """A cell as a typed constant."""
    if family == "int" and is_between:  # between this number and the next, which a float cannot tell for large ones
        return f"{cell}.5"
    if family in ("int", "dec"):
        return cell
    if family == "bool":
        return "true" if cell == "1" else "false"
    kinds = {"double": "double", "text": "varchar", "ts": "timestamp", "tstz": "timestamptz"}
    if family == "text":
        return text(cell)
    return f"{text(cell)}::{kinds.get(family, family)}"


def _family_of(sql: str, family: str) -> str:
    """The family of an expression that `value` made of a column of the family."""
    if any(mark in sql for mark in ("::varchar", "strftime", "md5")):
        return "text"
    if any(
        mark in sql
        for mark in ("length(", "year(", "extract(", "len(", "as int)", "as tinyint)", "::int)", ".x)", "[1]", "['x']")
    ):
        return "text" if family == "text" and "[1]" in sql else "int"
    if any(mark in sql for mark in ("::double", "epoch(", " / 2")):
        return "double"
    if "isnan(" in sql or "list_contains(" in sql:
        return "bool"
    if ".y)" in sql:
        return "text"
    if "::date)" in sql:
        return "date"
    if "::timestamp)" in sql or (family == "date" and "date_trunc" in sql):
        return "ts"
    return family
