"""DuckDB's lossless Arrow export carries BOOLEAN as the extension type bool8; here it becomes a plain boolean."""

from __future__ import annotations

import pyarrow as pa


def plain_type(type_: pa.DataType) -> pa.DataType:
    """The type with plain booleans, and list items and map entries by Arrow's usual names."""
    if isinstance(type_, pa.Bool8Type):
        return pa.bool_()
    if pa.types.is_list(type_):
        return pa.list_(plain_type(type_.value_type))
    if pa.types.is_struct(type_):
        return pa.struct([(field.name, plain_type(field.type)) for field in type_])
    if pa.types.is_map(type_):
        return pa.map_(plain_type(type_.key_type), plain_type(type_.item_type))
    return type_


def plain_array(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """The array as its `plain_type`; without booleans in it, the array itself."""
    return array.cast(type_) if _has_bool8(array.type) else array


def _has_bool8(type_: pa.DataType) -> bool:
    if isinstance(type_, pa.Bool8Type):
        return True
    return any(_has_bool8(type_.field(index).type) for index in range(type_.num_fields))
