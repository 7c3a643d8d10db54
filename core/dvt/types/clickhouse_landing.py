"""The ClickHouse types under which Arrow types land, and what of a column's values has no place there.

Columns are Nullable, but for arrays, maps and tuples, which ClickHouse cannot make so: a NULL among them is refused.
Moments are instants in UTC, also those that came without a zone. Dates and moments reach from 1900 to 2299.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import DataError
from dvt.identifiers import quote
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, is_json, is_uuid

_PLAIN = {
    pa.bool_(): "Bool",
    **{getattr(pa, f"int{bits}")(): f"Int{bits}" for bits in (8, 16, 32, 64)},
    **{getattr(pa, f"uint{bits}")(): f"UInt{bits}" for bits in (8, 16, 32, 64)},
    pa.float32(): "Float32",
    pa.float64(): "Float64",
    pa.string(): "String",
    pa.binary(): "String",
    pa.date32(): "Date32",
    TIME: "Time64(6)",
    MICROS: "DateTime64(6, 'UTC')",
    MICROS_UTC: "DateTime64(6, 'UTC')",
    pa.timestamp("ns"): "DateTime64(9, 'UTC')",
}
_FIRST_DAY, _LAST_DAY = -25_567, 120_529  # 1900-01-01 and 2299-12-31
_DAY_US = 86_400_000_000
_RANGES = {
    pa.date32(): (pa.int32(), _FIRST_DAY, _LAST_DAY),
    MICROS: (pa.int64(), _FIRST_DAY * _DAY_US, (_LAST_DAY + 1) * _DAY_US - 1),
    MICROS_UTC: (pa.int64(), _FIRST_DAY * _DAY_US, (_LAST_DAY + 1) * _DAY_US - 1),
    pa.timestamp("ns"): (pa.int64(), _FIRST_DAY * _DAY_US * 1000, 2**63 - 2),
}


def clickhouse_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none.

    >>> clickhouse_type(pa.decimal128(10, 2)), clickhouse_type(pa.list_(pa.int8()))
    ('Nullable(Decimal(10, 2))', 'Array(Nullable(Int8))')
    """
    if pa.types.is_list(type_):
        inner = clickhouse_type(type_.value_type)
        return inner and f"Array({inner})"
    if pa.types.is_map(type_):
        inner = clickhouse_type(type_.item_type)
        return inner and f"Map(String, {inner})"
    if pa.types.is_struct(type_):
        fields = [(field.name, clickhouse_type(field.type)) for field in type_]
        if not fields or not all(inner for _, inner in fields):
            return None
        return f"Tuple({', '.join(' '.join([quote(name, 'clickhouse'), str(inner)]) for name, inner in fields)})"
    if pa.types.is_decimal128(type_):
        return f"Nullable(Decimal({type_.precision}, {type_.scale}))"
    plain = "UUID" if is_uuid(type_) else "String" if is_json(type_) else _PLAIN.get(type_)
    return plain and f"Nullable({plain})"


def sent(array: pa.Array, column: str) -> pa.Array:
    """A column's values as they are sent.

    Raises:
        DataError: ClickHouse has no place for one of them; the column is named.
    """
    type_ = array.type
    if pa.types.is_nested(type_) and _holds_null(array):
        raise _refusal("ClickHouse's arrays, maps and tuples cannot be NULL", column, "Make it an empty one, or JSON")
    if type_ in _RANGES:
        number, first, last = _RANGES[type_]
        span = pc.min_max(array.view(number))
        smallest, largest = span["min"].as_py(), span["max"].as_py()
        if smallest is not None and (smallest < first or largest > last):
            raise _refusal("a value is outside of the years 1900 to 2299", column, "Mend or drop it in the model")
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _holds_null(array: pa.Array) -> bool:
    """Whether a nested value is NULL, at any depth; leaves may be."""
    if not pa.types.is_nested(array.type):
        return False
    if array.null_count:
        return True
    if pa.types.is_struct(array.type):
        return any(_holds_null(array.field(index)) for index in range(array.type.num_fields))
    return _holds_null(array.items if pa.types.is_map(array.type) else array.flatten())


def _refusal(message: str, column: str, remedy: str) -> DataError:
    return DataError(message, column=column, phase="load", remedy=remedy)
