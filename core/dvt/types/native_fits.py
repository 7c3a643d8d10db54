"""Whether values fit a native type, as far as its name says: drivers do not name the column whose value did not."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

Check = Callable[[pa.Array], pa.Array]

_T = exp.DataType.Type
_BITS = {_T.SMALLINT: 16, _T.INT: 32, _T.BIGINT: 64}
_LENGTHS = {_T.VARCHAR, _T.NVARCHAR, _T.CHAR, _T.NCHAR}


def fits(native: str, dialect: str) -> Check:
    """The function that gives back values that fit a type, and raises ValueError for one that does not.

    What the name does not say is taken.

    >>> fits("varchar(2)", "")(pa.array(["ab", None])).to_pylist()
    ['ab', None]
    >>> fits("smallint", "")(pa.array([70000]))
    Traceback (most recent call last):
    ...
    ValueError: 70000 is beyond smallint
    """
    try:
        parsed = exp.DataType.build(native, dialect=dialect)
    except (sqlglot.errors.SqlglotError, ValueError):
        return lambda array: array
    numbers = [int(each.name) for each in parsed.expressions if each.name.isdigit()]
    if parsed.this in _BITS:
        most = 2 ** (_BITS[parsed.this] - 1)
        return lambda array: _within(array, -most, most - 1, native)
    if parsed.this in _LENGTHS and numbers:
        return lambda array: _short(array, numbers[0], native)
    if parsed.this == _T.DECIMAL and numbers:
        type_ = (*numbers, 0)[:2]
        return lambda array: _of_digits(array, type_, native)
    return lambda array: array


def _within(array: pa.Array, least: int, most: int, native: str) -> pa.Array:
    found = pc.min_max(array).as_py() if pa.types.is_integer(array.type) else {}
    for value in found.values():
        if value is not None and not least <= value <= most:
            raise ValueError(f"{value} is beyond {native}")
    return array


def _short(array: pa.Array, most: int, native: str) -> pa.Array:
    longest = (pc.max(pc.utf8_length(array)).as_py() or 0) if pa.types.is_string(array.type) else 0
    if longest > most:
        raise ValueError(f"a text of {longest} characters is longer than {native}")
    return array


def _of_digits(array: pa.Array, digits: tuple[int, ...], native: str) -> pa.Array:
    is_exact = pa.types.is_decimal(array.type) or pa.types.is_integer(array.type)
    if is_exact and digits[0] <= 38:
        exact = array if pa.types.is_decimal(array.type) else array.cast(pa.decimal128(20, 0))
        try:
            exact.cast(pa.decimal128(*digits))
        except pa.ArrowInvalid as error:
            raise ValueError(f"a number has more digits than {native}") from error
    return array
