"""Oracle types as data: what carries each of them, and the words in which the server is asked for it.

Facts are those of Oracle's SQL reference ("Data Types", "Format Models"). Numbers and moments are asked for as text,
which the server writes exactly: python-oracledb makes its Arrow numbers and moments through floats, `atoi` and local
time in releases that it still supports, and there is no server here to show which of them is right. National texts
pass through the database's character set, so that they are read only where that is Unicode.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, carried_decimal

_LONGEST_INT64 = 18
_MOMENT = "SYYYY-MM-DD HH24:MI:SS"
# What stands for the column in a wire expression.
COLUMN = "{column}"


@dataclass(frozen=True)
class Reading:
    """How the values of a type are read.

    Args:
        type: The Arrow type that carries them.
        asked: SQL with `COLUMN` for the column; just that where it is read as it stands.
        is_text: Whether they come as text.
        refused: Why no value of the type can be read; empty when they can.
    """

    type: pa.DataType
    asked: str = COLUMN
    is_text: bool = False
    refused: str = ""


def _text_of(type_: pa.DataType, asked: str) -> Reading:
    return Reading(type_, asked, True)


_UTC = f"TO_CHAR(SYS_EXTRACT_UTC({COLUMN}), '{_MOMENT}.FF9')"
_TABLE: dict[str, Reading] = {
    "DB_TYPE_BINARY_FLOAT": Reading(pa.float32()),
    "DB_TYPE_BINARY_DOUBLE": Reading(pa.float64()),
    "DB_TYPE_BOOLEAN": _text_of(pa.bool_(), f"CASE WHEN {COLUMN} THEN 'true' WHEN NOT {COLUMN} THEN 'false' END"),
    "DB_TYPE_CHAR": Reading(pa.string(), is_text=True),
    "DB_TYPE_VARCHAR": Reading(pa.string(), is_text=True),
    "DB_TYPE_CLOB": Reading(pa.string(), is_text=True),
    "DB_TYPE_NCHAR": _text_of(pa.string(), f"TO_CHAR({COLUMN})"),
    "DB_TYPE_NVARCHAR": _text_of(pa.string(), f"TO_CHAR({COLUMN})"),
    "DB_TYPE_NCLOB": _text_of(pa.string(), f"TO_CLOB({COLUMN})"),
    "DB_TYPE_RAW": Reading(pa.binary()),
    "DB_TYPE_BLOB": Reading(pa.binary()),
    "DB_TYPE_ROWID": _text_of(pa.string(), f"ROWIDTOCHAR({COLUMN})"),
    "DB_TYPE_DATE": _text_of(MICROS, f"TO_CHAR({COLUMN}, '{_MOMENT}')"),  # it has a time of day
    "DB_TYPE_TIMESTAMP": _text_of(MICROS, f"TO_CHAR({COLUMN}, '{_MOMENT}.FF9')"),
    "DB_TYPE_TIMESTAMP_TZ": _text_of(MICROS_UTC, _UTC),
    "DB_TYPE_TIMESTAMP_LTZ": _text_of(MICROS_UTC, f"TO_CHAR({COLUMN}, '{_MOMENT}.FF9')"),  # sessions are in UTC
    "DB_TYPE_INTERVAL_DS": _text_of(pa.string(), f"TO_CHAR({COLUMN})"),
    "DB_TYPE_INTERVAL_YM": _text_of(pa.string(), f"TO_CHAR({COLUMN})"),
    "DB_TYPE_XMLTYPE": _text_of(pa.string(), f"XMLSERIALIZE(CONTENT {COLUMN} AS CLOB)"),
    "DB_TYPE_JSON": _text_of(JSON, f"JSON_SERIALIZE({COLUMN} RETURNING CLOB)"),
}
_KEPT_AS_TEXT = {
    "DB_TYPE_TIMESTAMP": f"TO_CHAR({COLUMN}, '{_MOMENT}.FF9')",
    "DB_TYPE_TIMESTAMP_TZ": f"TO_CHAR({COLUMN}, '{_MOMENT}.FF9 TZR')",
    "DB_TYPE_TIMESTAMP_LTZ": f"TO_CHAR({COLUMN}, '{_MOMENT}.FF9')",
}
_NATIONAL = frozenset({"DB_TYPE_NCHAR", "DB_TYPE_NVARCHAR", "DB_TYPE_NCLOB"})
_NO_VALUES = {
    "DB_TYPE_LONG": "no expression takes a LONG; copy it with TO_LOB",
    "DB_TYPE_LONG_RAW": "no expression takes a LONG RAW; copy it with TO_LOB",
    "DB_TYPE_BFILE": "it is a file of the server's; read it with DBMS_LOB",
    "DB_TYPE_VECTOR": "the text of its numbers is not exact; read it in a query or a view",
    "DB_TYPE_OBJECT": "it is an object; read its attributes in a query or a view",
    "DB_TYPE_CURSOR": "it is a cursor",
}
UNICODE = frozenset({"AL32UTF8", "UTF8"})


def reading(
    kind: str,
    precision: int | None = None,
    scale: int | None = None,
    *,
    number_as: str = "decimal",
    number_scale: int = 9,
    moments_as: str = "microseconds",
    charset: str = "AL32UTF8",
) -> Reading:
    """How a type is read.

    Args:
        kind: python-oracledb's name of the type.
        precision: Digits of a NUMBER; None where it has none.
        scale: Of a NUMBER.
        number_as: "text" reads numbers without precision as text.
        number_scale: Digits after the point of numbers without precision.
        moments_as: "text" reads timestamps as text, with nine digits and the time zone that they were written with.
        charset: The database's character set.

    >>> reading("DB_TYPE_NUMBER", 9, 0).type
    DataType(int64)
    >>> reading("DB_TYPE_NUMBER", 5, -2).type
    Decimal128Type(decimal128(7, 0))
    >>> reading("DB_TYPE_NUMBER").type
    Decimal128Type(decimal128(38, 9))
    """
    if kind == "DB_TYPE_NUMBER":
        number = f"TO_CHAR({COLUMN}, 'TM9')"
        if not precision or scale is None or scale == -127:  # the second is FLOAT, whose precision is binary
            text = number_as == "text"
            return _text_of(pa.string() if text else pa.decimal128(38, number_scale), number)
        is_small = scale == 0 and precision <= _LONGEST_INT64
        return _text_of(pa.int64() if is_small else carried_decimal(precision, scale), number)
    if kind in _NATIONAL and charset not in UNICODE:
        why = f"a national text does not pass through the database's character set {charset}"
        return Reading(pa.string(), refused=f"no value is read exactly: {why}")
    if moments_as == "text" and kind in _KEPT_AS_TEXT:
        return _text_of(pa.string(), _KEPT_AS_TEXT[kind])
    found = _TABLE.get(kind)
    if found is None:
        name = kind.removeprefix("DB_TYPE_").replace("_", " ")
        return Reading(pa.string(), refused=f"no type carries {name}: {_NO_VALUES.get(kind, 'it is not known')}")
    return found


def native_name(kind: str, precision: int | None, scale: int | None, size: int | None) -> str:
    """The type's name as messages and plans have it.

    >>> native_name("DB_TYPE_NUMBER", 10, 2, None), native_name("DB_TYPE_VARCHAR", None, None, 20)
    ('NUMBER(10,2)', 'VARCHAR2(20)')
    """
    name = {"VARCHAR": "VARCHAR2", "NVARCHAR": "NVARCHAR2"}.get(kind.removeprefix("DB_TYPE_"), kind[8:])
    if name == "NUMBER":
        if not precision or scale is None:
            return name
        return f"FLOAT({precision})" if scale == -127 else f"NUMBER({precision},{scale})"
    words = {"TIMESTAMP_TZ": "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_LTZ": "TIMESTAMP WITH LOCAL TIME ZONE"}
    has_size = name in ("CHAR", "NCHAR", "VARCHAR2", "NVARCHAR2", "RAW") and size
    return f"{name}({size})" if has_size else words.get(name, name)
