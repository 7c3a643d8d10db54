"""The Databricks types under which Arrow types land, and the values as they are sent: exactly, or not at all.

A declared type takes the values of an Arrow type of its own: what goes there is cast here, and cast back to see whether
it is the same, since Databricks' own CAST rounds, cuts and pads. Times and UUIDs are texts, documents their text.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

from dvt.identifiers import quote
from dvt.types.exact_values import exact, is_number
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, is_json, is_uuid

_PLAIN = {
    pa.bool_(): "boolean",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.uint8(): "smallint",
    pa.uint16(): "int",
    pa.uint32(): "bigint",
    pa.uint64(): "decimal(20, 0)",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.binary(): "binary",
    pa.date32(): "date",
    MICROS: "timestamp_ntz",
    MICROS_UTC: "timestamp",
    pa.timestamp("ns"): "timestamp_ntz",
    TIME: "string",
}
_CARRIERS = {
    exp.DType.BOOLEAN: pa.bool_(),
    exp.DType.TINYINT: pa.int8(),
    exp.DType.SMALLINT: pa.int16(),
    exp.DType.INT: pa.int32(),
    exp.DType.BIGINT: pa.int64(),
    exp.DType.FLOAT: pa.float32(),
    exp.DType.DOUBLE: pa.float64(),
    exp.DType.TEXT: pa.string(),
    exp.DType.VARCHAR: pa.string(),
    exp.DType.BINARY: pa.binary(),
    exp.DType.DATE: pa.date32(),
    exp.DType.TIMESTAMPNTZ: MICROS,
    exp.DType.TIMESTAMPTZ: MICROS_UTC,  # what the dialect's `timestamp` is
}


def databricks_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none.

    >>> databricks_type(pa.uint64()), databricks_type(pa.list_(pa.int8())), databricks_type(pa.duration("s"))
    ('decimal(20, 0)', 'array<tinyint>', None)
    """
    if is_uuid(type_) or is_json(type_):
        return "string"
    return _plain_type(type_)


def _plain_type(type_: pa.DataType) -> str | None:
    if pa.types.is_list(type_):
        inner = _inner(type_.value_type)
        return inner and f"array<{inner}>"
    if pa.types.is_map(type_):
        inner = _inner(type_.item_type)
        return inner and f"map<string, {inner}>" if pa.types.is_string(type_.key_type) else None
    if pa.types.is_struct(type_):
        fields = [(field.name, _inner(field.type)) for field in type_]
        if not fields or not all(inner for _, inner in fields):
            return None
        listed = ", ".join(f"{quote(name, 'databricks')}: {inner}" for name, inner in fields)
        return f"struct<{listed}>"
    if pa.types.is_decimal128(type_):
        return f"decimal({type_.precision}, {type_.scale})" if 0 <= type_.scale <= type_.precision else None
    return _PLAIN.get(type_)


def _inner(type_: pa.DataType) -> str | None:
    """What stands within something nested; times, UUIDs and documents are columns only."""
    return None if type_ in (TIME, pa.timestamp("ns")) else _plain_type(type_)


def parsed(native: str) -> exp.DataType | None:
    """A type in Databricks' words; None for what is none, or an interval."""
    try:
        found = exp.DataType.build(native, dialect="databricks")
    except (sqlglot.errors.SqlglotError, ValueError):
        return None
    return found if isinstance(found, exp.DataType) else None


def carrier(native: str) -> pa.DataType | None:
    """The Arrow type that has a column type's values; None for one that is not loaded.

    >>> carrier("decimal(10, 2)"), carrier("varchar(9)"), carrier("char(3)"), carrier("interval day to second")
    (Decimal128Type(decimal128(10, 2)), DataType(string), None, None)
    """
    found = parsed(native)
    return found and _carrier(found)


def _carrier(type_: exp.Expr) -> pa.DataType | None:
    inner = type_.expressions
    if not isinstance(type_, exp.DataType):
        return None
    if type_.this == exp.DType.DECIMAL:
        digits = [int(parameter.name) for parameter in inner] or [10]
        return pa.decimal128(digits[0], digits[1] if len(digits) > 1 else 0)
    if type_.this == exp.DType.ARRAY:
        item = _carrier(inner[0]) if inner else None
        return item and pa.list_(item)
    if type_.this == exp.DType.MAP:
        key, item = (_carrier(each) for each in inner) if len(inner) == 2 else (None, None)
        return item and pa.map_(key, item) if key == pa.string() else None
    if type_.this == exp.DType.STRUCT:
        fields = [(field.name, _carrier(field.args["kind"])) for field in inner if isinstance(field, exp.ColumnDef)]
        is_whole = len(fields) == len(inner) and all(item for _, item in fields)
        return pa.struct([pa.field(name, item) for name, item in fields]) if is_whole else None
    return _CARRIERS.get(type_.this)


def why_not(type_: pa.DataType, native: str) -> str | None:
    """Why values of an Arrow type are not loaded into a column; None where they are."""
    to = carrier(native)
    if to is None:
        return "values are not written to that type as they are"
    if pa.types.is_string(to) or (is_number(type_) and is_number(to)) or carrier(databricks_type(type_) or "") == to:
        return None
    return "one is not made from the other by itself"


def sent(array: pa.Array, native: str) -> pa.Array:
    """A column's values in the Arrow type of its native one.

    Raises:
        ValueError: A value has no place there.

    >>> sent(pa.array([1, None], pa.uint8()), "smallint").type, sent(pa.array([1.5]), "decimal(2, 1)").to_pylist()
    (DataType(int16), [Decimal('1.5')])
    """
    to = carrier(native)
    assert to is not None, "it was asked before"
    found = exact(array, to)
    if pa.types.is_string(to):
        _require_length(found, native)
    return found


def _require_length(texts: pa.Array, native: str) -> None:
    found = parsed(native)
    if found is None or not found.expressions:
        return
    most = int(found.expressions[0].name)
    if (longest := pc.max(pc.utf8_length(texts)).as_py() or 0) > most:
        raise ValueError(f"a text of {longest} characters is longer than {most}")
