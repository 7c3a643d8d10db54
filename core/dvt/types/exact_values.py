"""A column's values in another Arrow type, for engines whose days end with the year 9999."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.exact_cast import exactly

_FIRST_DAY, _LAST_DAY, _DAY_US = -719_162, 2_932_896, 86_400_000_000  # 0001-01-01 and 9999-12-31


def is_number(type_: pa.DataType) -> bool:
    """Whether a type is one of numbers."""
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def exact(array: pa.Array, to: pa.DataType) -> pa.Array:
    """The values in another type; anything goes into texts, in its plain form.

    Raises:
        ValueError: A value has no place there, or is a day outside of the years 1 to 9999.

    >>> exact(pa.array([1, None], pa.uint8()), pa.int16()).type, exact(pa.array([1.5]), pa.decimal128(2, 1)).to_pylist()
    (DataType(int16), [Decimal('1.5')])
    """
    require_days(array)
    return exactly(array, to)


def require_days(array: pa.Array) -> None:
    """Raise ValueError for a day, also within what is nested, that is infinite or outside of the years 1 to 9999."""
    type_ = array.type
    if pa.types.is_list(type_):
        require_days(array.flatten())
    elif pa.types.is_map(type_):
        require_days(array.items)
    elif pa.types.is_struct(type_):
        for inner in array.flatten():
            require_days(inner)
    elif pa.types.is_date(type_):
        _require_between(array.cast(pa.int32()), _FIRST_DAY, _LAST_DAY)
    elif pa.types.is_timestamp(type_) and type_.unit == "us":
        _require_between(array.cast(pa.int64()), _FIRST_DAY * _DAY_US, (_LAST_DAY + 1) * _DAY_US - 1)
    elif pa.types.is_timestamp(type_):
        _require_between(array.cast(pa.int64()), -(2**63) + 2, 2**63 - 2)


def _require_between(numbers: pa.Array, first: int, last: int) -> None:
    span = pc.min_max(numbers)
    smallest, largest = span["min"].as_py(), span["max"].as_py()
    if smallest is not None and (smallest < first or largest > last):
        raise ValueError("a day is infinite, or outside of the years 1 to 9999")
