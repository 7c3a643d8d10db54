"""Casts after which every value is the same: Arrow's own and engines' round, cut and wrap."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.landing_texts import plain_texts


def exactly(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """The values in another type; as texts in their plain exact form.

    Raises:
        ValueError: One of them would change.

    >>> exactly(pa.array([5, None]), pa.decimal128(4, 2)).to_pylist(), exactly(pa.array([1.5]), pa.string()).to_pylist()
    ([Decimal('5.00'), None], ['1.5'])
    """
    if array.type == type_:
        return array
    if pa.types.is_string(type_):
        return plain_texts(array)
    try:
        cast = _cast(array, type_)
        back = _cast(cast, array.type)
    except pa.ArrowException as error:
        raise ValueError(f"a value of {array.type} is none of {type_}: {error}") from error
    if pa.types.is_nested(type_) or back.equals(array):
        return cast
    differs = pc.not_equal(back, array)
    if pa.types.is_floating(array.type):  # NaN equals itself here
        differs = pc.and_(differs, pc.invert(pc.and_(pc.is_nan(back), pc.is_nan(array))))
    if pc.any(differs).as_py():
        raise ValueError(f"a value of {array.type} is none of {type_}")
    return cast


def _cast(array: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_integer(array.type) and pa.types.is_decimal(type_):
        # Arrow asks for a decimal that has room for all of an integer's digits.
        array = array.cast(pa.decimal256(76, type_.scale))
    return array.cast(type_)
