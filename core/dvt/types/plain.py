"""DuckDB's Arrow output in the carrying vocabulary, where SQL casts cannot say it."""

from __future__ import annotations

import pyarrow as pa


def plain_type(type_: pa.DataType) -> pa.DataType:
    """The type with `bool` in place of `arrow.bool8`, at any depth.

    `arrow_lossless_conversion`, which keeps UUID and JSON, also turns every boolean into the one-byte extension type.
    """
    if isinstance(type_, pa.Bool8Type):
        return pa.bool_()
    if pa.types.is_list(type_):
        return pa.list_(type_.value_field.with_type(plain_type(type_.value_type)))
    if pa.types.is_struct(type_):
        return pa.struct([field.with_type(plain_type(field.type)) for field in type_])
    if pa.types.is_map(type_):
        return pa.map_(plain_type(type_.key_type), plain_type(type_.item_type))
    return type_


def plain_reader(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The reader in plain types, every column nullable: a query promises no more. Only booleans are copied."""
    schema = pa.schema([pa.field(field.name, plain_type(field.type)) for field in reader.schema])
    return reader if schema.equals(reader.schema) else reader.cast(schema)
