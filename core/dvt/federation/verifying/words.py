"""How each engine says the sum of a column, and the number that hexadecimal digits stand for: data, in its own SQL.

`{x}` stands for the column, or for a text of eight hexadecimal digits; `{scale}` for the digits after the point, and
`{power}` for ten to their power. Sums are asked for as texts, so that no type of a result cuts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DIGITS = "0123456789abcdef"


@dataclass(frozen=True)
class SumWords:
    """One engine's expressions.

    Args:
        whole: The exact sum of whole numbers, as a text; or two texts with a colon between, of which the first is to be
            taken times 2**32.
        decimal: The same of decimals.
        number: The whole number, 0 to 2**32 - 1, of eight lower-case hexadecimal digits.
        most_digits: Columns of more digits are not summed: what the engine makes of them is not exact.
        is_scaled: Whether the sum is that of the values times ten to the power of their scale.
        has_booleans: Whether a truth value lands as one; else it is a number.
        unlike: Families of types of which a value that landed has another text than the one that was sent.
    """

    whole: str
    decimal: str
    number: str
    most_digits: int = 28
    is_scaled: bool = False
    has_booleans: bool = True
    unlike: frozenset[str] = frozenset()


def _digit_by_digit(position: str) -> str:
    """The number in a dialect that reads no hexadecimal digits, by the place of each among all."""
    places = (position.replace("{d}", f"substr({{x}}, {8 - power}, 1)") for power in range(8))
    return " + ".join(f"({place} - 1) * {16**power}" for power, place in enumerate(places))


def _same(total: str, number: str, **more: Any) -> SumWords:
    return SumWords(whole=total, decimal=total, number=number, **more)


def _in_halves(value: str) -> str:
    """The sum of 64-bit numbers where the sum has no more than 64 bits itself."""
    return f"cast(sum(({value}) >> 32) as text) || ':' || cast(sum(({value}) & 4294967295) as text)"


_MYSQL = _same("cast(sum({x}) as char)", "cast(conv({x}, 16, 10) as unsigned)", has_booleans=False)
SUM_WORDS: Mapping[str, SumWords] = {
    "postgres": _same("cast(sum(cast({x} as numeric)) as text)", "cast(cast('x' || {x} as bit(32)) as bigint)"),
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": SumWords(
        whole=_in_halves("{x}"),
        decimal=_in_halves("cast(round({x} * {power}) as integer)"),
        number=_digit_by_digit(f"instr('{_DIGITS}', {{d}})"),
        most_digits=15,  # decimals are floats there
        is_scaled=True,
        unlike=frozenset({"timestamp", "instant", "time"}),
    ),
    "duckdb": _same("cast(sum(cast({x} as decimal(38, {scale}))) as varchar)", "cast('0x' || {x} as bigint)"),
    "clickhouse": _same("toString(sum(toDecimal256({x}, {scale})))", "reinterpretAsUInt32(reverse(unhex({x})))"),
}
"""By connection type. An engine that is not here is compared by the number of its rows only."""
