"""Decimals of few digits that are floats, or were read as such: several times as quick as their digits, and as exact.

A decimal of at most 15 digits, times a power of ten that a float holds, is off the whole number that it stands for by
less than a quarter (two roundings of half a unit in the last place of 53 bits, below 10**15): the nearest whole number
is that number.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_MOST_DIGITS = 15
# Added to a float below 2**51 it leaves no bits for a fraction: the sum is rounded to a whole number.
_WHOLE = pa.scalar(2.0**52 + 2.0**51)
_TWO_ROUNDINGS = pa.scalar(2.0**-51)


def is_read_as_float(type_: pa.DataType) -> bool:
    """Whether a decimal is carried exactly by way of floats.

    >>> is_read_as_float(pa.decimal128(15, 2)), is_read_as_float(pa.decimal128(16, 2)), is_read_as_float(pa.int64())
    (True, False, False)
    """
    return bool(pa.types.is_decimal128(type_) and 0 <= type_.scale <= type_.precision <= _MOST_DIGITS)


def decimals(floats: pa.Array, type_: pa.DataType) -> pa.Array:
    """The decimals whose texts were read as these floats.

    Raises:
        pa.ArrowInvalid: Some are none of the type: infinite, not a number, too large, of more digits after the point.
    """
    scaled = pc.multiply(floats, pa.scalar(10.0**type_.scale))
    whole = _whole(scaled)
    off, most = pc.abs(pc.subtract(scaled, whole)), pc.multiply(pc.abs(scaled), _TWO_ROUNDINGS)
    return _of_wholes(whole, pc.less_equal(off, most), type_)


def decimals_of_floats(floats: pa.Array, type_: pa.DataType) -> pa.Array:
    """The decimals that are the shortest texts of floats, which stand for themselves.

    A whole number below 10**15 divided by the power of ten gives the float nearest to the decimal: where that is the
    float itself, no text of as few digits stands nearer.

    Raises:
        pa.ArrowInvalid: Some are none of the type: infinite, not a number, too large, of more digits after the point.

    >>> decimals_of_floats(pa.array([0.3, None]), pa.decimal128(3, 2)).to_pylist()
    [Decimal('0.30'), None]
    """
    power = pa.scalar(10.0**type_.scale)
    whole = _whole(pc.multiply(floats, power))
    return _of_wholes(whole, pc.equal(pc.divide(whole, power), floats), type_)


def _whole(scaled: pa.Array) -> pa.Array:
    return pc.subtract(pc.add(scaled, _WHOLE), _WHOLE)


def _of_wholes(whole: pa.Array, is_exact: pa.Array, type_: pa.DataType) -> pa.Array:
    largest = pc.max(pc.abs(whole)).as_py()
    if pc.all(is_exact).as_py() is False or (largest is not None and largest >= 10**type_.precision):
        raise pa.ArrowInvalid(f"not all are of type {type_}")
    numbers = pc.cast(pc.cast(whole, pa.int64()), pa.decimal128(19, 0))
    return pa.Array.from_buffers(type_, len(numbers), numbers.buffers(), numbers.null_count, numbers.offset)
