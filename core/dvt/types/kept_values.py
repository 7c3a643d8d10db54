"""Checks of columns whose declared type may not hold every value: what would be rounded or cut is refused."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


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
