"""How each engine says the sum of a column, and the number that hexadecimal digits stand for: data, in its own SQL.

`{x}` stands for the column, or for a text of eight hexadecimal digits; `{scale}` for the digits after the point, and
`{power}` for ten to their power. Sums are asked for as texts, so that no type of a result cuts them. What is added up
is cast to the widest exact type first: the sum of an engine's small numbers may be one of its small numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

_DIGITS = "0123456789abcdef"


@dataclass(frozen=True)
class SumWords:
    """One engine's expressions.

    Args:
        whole: The exact sum of whole numbers, as a text; or two texts with a colon between, of which the first is to be
            taken times 2**32.
        decimal: The same of decimals.
        number: The whole number, 0 to 2**32 - 1, of eight lower-case hexadecimal digits; empty where there is no MD5.
        most_digits: Columns of more digits are not summed: what the engine makes of them is not exact.
        is_scaled: Whether the sum is that of the values times ten to the power of their scale.
        lands_as: Families of types that land as others, whose words are taken; a truth value may be a number.
        unlike: Families of types of which a value that landed has another text than the one that was sent.
        count: The number of values that are not NULL, or with `*` of rows, beyond 2**31 too.
        part: Eight characters of the text `{x}`, from the place `{start}` on, which counts from 1.
    """

    whole: str
    decimal: str
    number: str
    most_digits: int = 28
    is_scaled: bool = False
    lands_as: Mapping[str, str] = field(default_factory=dict)
    unlike: frozenset[str] = frozenset()
    count: str = "count({x})"
    part: str = "substr({x}, {start}, 8)"


def _digit_by_digit(position: str) -> str:
    """The number in a dialect that reads no hexadecimal digits, by the place of each among all."""
    places = (position.replace("{d}", f"substr({{x}}, {8 - power}, 1)") for power in range(8))
    return " + ".join(f"({place} - 1) * {16**power}" for power, place in enumerate(places))


def _same(total: str, number: str, **more: Any) -> SumWords:
    return SumWords(whole=total, decimal=total, number=number, **more)


def _in_halves(value: str) -> str:
    """The sum of 64-bit numbers where the sum has no more than 64 bits itself."""
    return f"cast(sum(({value}) >> 32) as text) || ':' || cast(sum(({value}) & 4294967295) as text)"


def _cast(number: str, digits: int = 38, text: str = "varchar(50)", kind: str = "decimal", **more: Any) -> SumWords:
    """Words of an engine in which sums of the widest decimals are as wide, and more digits an error."""
    return _same(f"cast(sum(cast({{x}} as {kind}({digits}, {{scale}}))) as {text})", number, **more)


_UUID_IS_TEXT = {"uuid": "text"}
_MYSQL = _same("cast(sum({x}) as char)", "cast(conv({x}, 16, 10) as unsigned)", lands_as={"boolean": "integer"})
_SPARK = _cast("cast(conv({x}, 16, 10) as decimal(20, 0))", text="string", lands_as=_UUID_IS_TEXT)
_TRINO = _cast("cast(from_base({x}, 16) as decimal(38, 0))", text="varchar")
_BY_INSTR = _digit_by_digit(f"instr('{_DIGITS}', {{d}})")
_STRPOS = f"cast(strpos('{_DIGITS}', {{d}}) as bigint)"  # places are numbers of 32 bits
SUM_WORDS: Mapping[str, SumWords] = {
    "postgres": _same("cast(sum(cast({x} as numeric)) as text)", "cast(cast('x' || {x} as bit(32)) as bigint)"),
    "redshift": _cast("cast(strtol({x}, 16) as decimal(38, 0))", lands_as=_UUID_IS_TEXT, unlike=frozenset({"time"})),
    "vertica": _cast(f"cast({_BY_INSTR} as numeric(38, 0))", kind="numeric"),
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": SumWords(
        whole=_in_halves("{x}"),
        decimal=_in_halves("cast(round({x} * {power}) as integer)"),
        number=_BY_INSTR,
        most_digits=15,  # decimals are floats there
        is_scaled=True,
        unlike=frozenset({"timestamp", "instant", "time"}),
    ),
    "duckdb": _same("cast(sum(cast({x} as decimal(38, {scale}))) as varchar)", "cast('0x' || {x} as bigint)"),
    "clickhouse": _same("toString(sum(toDecimal256({x}, {scale})))", "reinterpretAsUInt32(reverse(unhex({x})))"),
    "sqlserver": _cast(
        "cast(convert(bigint, convert(varbinary(4), {x}, 2)) as decimal(38, 0))",
        count="count_big({x})",
        part="substring({x}, {start}, 8)",
    ),
    "trino": _TRINO,
    # Instants land as UTC's wall time, and times as texts.
    "athena": replace(_TRINO, lands_as={"instant": "timestamp"}, unlike=frozenset({"time"})),
    "snowflake": _cast("to_number({x}, 'XXXXXXXX')", 37, text="varchar", kind="number"),
    "bigquery": _same(
        "cast(sum(cast({x} as bignumeric)) as string)", "cast(cast(concat('0x', {x}) as int64) as numeric)"
    ),
    "databricks": _SPARK,
    "spark": _SPARK,
    "hive": _SPARK,
    "exasol": _cast(
        "to_number({x}, 'XXXXXXXX')",
        36,
        most_digits=26,
        lands_as=_UUID_IS_TEXT,
        unlike=frozenset({"time", "binary"}),
    ),
    # A BLOB has no text, and a truth value is one or a number, as the server is old.
    "oracle": _same(
        "to_char(sum({x}), 'TM9')",
        "to_number({x}, 'xxxxxxxx')",
        lands_as=_UUID_IS_TEXT,
        unlike=frozenset({"boolean", "binary", "time"}),
    ),
    "db2": _cast("", 31, most_digits=21),
    "teradata": _cast(""),
    "firebolt": _cast(
        f"cast({_digit_by_digit(_STRPOS)} as numeric(38, 0))",
        text="text",
        kind="numeric",
        lands_as=_UUID_IS_TEXT,
        unlike=frozenset({"time"}),
    ),
}
"""By connection type. An engine that is not here is compared by the number of its rows only."""
