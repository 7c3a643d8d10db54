"""Checks of columns whose declared type may not hold every value: what would be rounded or cut is refused."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.text_values import check_range
from dvt.types.vocabulary import MICROS


def require_digits(array: pa.Array, has: int, digits: int) -> None:
    """Raise ValueError for moments with more digits of a second.

    Args:
        array: Timestamps, or times.
        has: The digits of their unit.
        digits: Those that are kept.
    """
    step = 10 ** max(0, has - digits)
    numbers = array.view(pa.int64())
    if step > 1 and pc.any(pc.not_equal(pc.multiply(pc.divide(numbers, step), step), numbers)).as_py():
        raise ValueError(f"a moment has more than {digits} digits after the second")


def require_length(lengths: pa.Array, most: int, remedy: str) -> None:
    """Raise ValueError for what is too long."""
    longest = pc.max(lengths).as_py() or 0
    if longest > most:
        raise ValueError(f"it is {longest} long, and {most} is the most: {remedy}")


def kept_bytes(array: pa.Array, most: int | None, remedy: str) -> pa.Array:
    """The same bytes.

    Args:
        array: The values.
        most: Bytes of one at most; None for any number.
        remedy: What to do about longer ones.

    Raises:
        ValueError: They are none, or one is too long.
    """
    if not pa.types.is_binary(array.type):
        raise ValueError(f"a value of {array.type} is not bytes")
    if most is not None:
        require_length(pc.binary_length(array), most, remedy)
    return array


def kept_moments(array: pa.Array, digits: int) -> pa.Array:
    """Days and moments, as moments of a wall clock: in nanoseconds where they are, else in microseconds.

    Args:
        array: The values; those with a zone are UTC's.
        digits: Digits of a second that are kept.

    Raises:
        ValueError: They are none, or one has more digits, or is outside of the years 1 to 9999.

    >>> kept_moments(pa.array([1], pa.timestamp("us", "UTC")), 6).type
    TimestampType(timestamp[us])
    """
    type_ = array.type
    if not (pa.types.is_timestamp(type_) or pa.types.is_date(type_)):
        raise ValueError(f"a value of {type_} is no moment")
    if type_ == pa.timestamp("ns"):
        require_digits(array, 9, digits)
        return array
    check_range(array)
    micros = array.cast(MICROS) if pa.types.is_date(type_) else array.view(MICROS)
    require_digits(micros, 6, digits)
    return micros
