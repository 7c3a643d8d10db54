"""SQL Server types as data: what carries each of them, and as what the server is asked for it.

Facts are those of the Transact-SQL reference ("Data types", "CAST and CONVERT") and of what mssql-python makes of
them: its Arrow batches cut the seventh digit of a fraction off, and its driver guesses at bytes that a code page does
not have; so the server is asked for those as text in UTF-16. Types whose text would not be exact are refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID, carried_decimal


@dataclass(frozen=True)
class Reading:
    """How the values of a type are read.

    Args:
        type: The Arrow type that carries them.
        sent: The type as SQL Server sends it.
        style: The style of a CONVERT to `sent`; empty for a plain CAST.
        is_implicit: Whether the server makes it of the type without being told how: a result set can be declared so.
        width_bytes: What a row of it takes while it is fetched; 0 where values have no limit and are fetched singly.
        refused: Why no value of the type can be read; empty when they can.
    """

    type: pa.DataType
    sent: str
    style: str = ""
    is_implicit: bool = True
    width_bytes: int = 16
    refused: str = ""


_MAX = "nvarchar(max)"
_LONGEST_NVARCHAR = 4000
_PLAIN: dict[str, pa.DataType] = {
    "bit": pa.bool_(),
    "tinyint": pa.uint8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "float": pa.float64(),
    "money": pa.decimal128(19, 4),
    "smallmoney": pa.decimal128(10, 4),
    "date": pa.date32(),
    "datetime": MICROS,  # its milliseconds, as the server prints them
    "smalldatetime": MICROS,
    "uniqueidentifier": UUID,
}
# Made anew by the server: the carrying type, what it is asked for, and whether it does so unasked.
_CAST: dict[str, tuple[pa.DataType, str, bool]] = {
    "text": (pa.string(), _MAX, True),
    "ntext": (pa.string(), _MAX, True),
    "image": (pa.binary(), "varbinary(max)", True),
    "rowversion": (pa.binary(), "binary(8)", True),
    "timestamp": (pa.binary(), "binary(8)", True),
    "xml": (pa.string(), _MAX, False),
    "json": (JSON, _MAX, False),
    "hierarchyid": (pa.string(), "nvarchar(4000)", False),
}
_NO_VALUES = {
    "sql_variant": "each of its values has a type of its own, and the text of some is not exact",
    "geometry": "read column.STAsBinary() and column.STSrid in a query or a view",
    "geography": "read column.STAsBinary() and column.STSrid in a query or a view",
    "vector": "the text of its numbers is not exact; read it in a query or a view",
}
_WITH_FRACTION = {"time": (TIME, 16), "datetime2": (MICROS, 27), "datetimeoffset": (MICROS_UTC, 34)}
_TYPE = re.compile(r"\s*(?:\[?sys\]?\.)?\[?([\w ]+?)\]?\s*(?:\(\s*([^)]*?)\s*\))?\s*", re.IGNORECASE)


def reading(native: str, *, fractions_as: str = "microseconds", offsets_as: str = "instant") -> Reading:
    """How a type is read.

    Args:
        native: The type as `sys.dm_exec_describe_first_result_set` names it: "decimal(10,2)".
        fractions_as: "text" reads times with seven digits as text; "microseconds" to six, and the seventh has to be 0.
        offsets_as: "text" keeps the offset that a datetimeoffset was written with, as text.

    >>> reading("datetime2(7)").sent
    'varchar(27)'
    >>> reading("char(3)")
    Reading(type=DataType(string), sent='nvarchar(3)', style='', is_implicit=True, width_bytes=8, refused='')
    >>> reading("geometry").refused
    'no type carries geometry: read column.STAsBinary() and column.STSrid in a query or a view'
    """
    found = _TYPE.fullmatch(native)
    base, arguments = (found.group(1).lower(), (found.group(2) or "").replace(" ", "")) if found else ("", "")
    if base in _PLAIN:
        return Reading(_PLAIN[base], native)
    if base in ("decimal", "numeric"):
        precision, _, scale = (arguments or "18").partition(",")
        return Reading(carried_decimal(int(precision), int(scale or 0)), native, width_bytes=24)
    if base in _WITH_FRACTION:
        return _fraction(base, native, int(arguments or 7), fractions_as == "text", offsets_as == "text")
    if base in ("nchar", "nvarchar", "sysname"):
        return _text(native if arguments else "nvarchar(128)", arguments or "128")
    if base in ("char", "varchar"):
        # The server knows its code pages; the driver puts a question mark for bytes that have no character.
        size = arguments or "1"
        is_long = size == "max" or int(size) > _LONGEST_NVARCHAR
        return _text(_MAX if is_long else f"nvarchar({size})", "max" if is_long else size)
    if base in ("binary", "varbinary"):
        return Reading(pa.binary(), native, width_bytes=0 if arguments == "max" else int(arguments or 1))
    if base in _CAST:
        type_, sent, is_implicit = _CAST[base]
        width_bytes = {"binary(8)": 8, "nvarchar(4000)": 2 * _LONGEST_NVARCHAR}.get(sent, 0)
        return Reading(type_, sent, "", is_implicit, width_bytes)
    why = _NO_VALUES.get(base, "it is a type of the database's own; read one of its parts, or a text, in a query")
    return Reading(pa.string(), native, refused=f"no type carries {native}: {why}")


def _text(sent: str, size: str) -> Reading:
    return Reading(pa.string(), sent, width_bytes=0 if size == "max" else 2 * (int(size) + 1))


def _fraction(base: str, native: str, digits: int, is_text: bool, keeps_offsets: bool) -> Reading:
    type_, length = _WITH_FRACTION[base]
    as_text = f"varchar({length})"
    if base == "datetimeoffset" and keeps_offsets:
        return Reading(pa.string(), as_text, "121", True, 2 * length + 2)
    if digits < 7:
        return Reading(type_, native)
    if is_text:
        return Reading(pa.string(), as_text, "121", True, 2 * length + 2)
    if base == "time":
        return Reading(type_, native)  # comes with all digits
    return Reading(type_, as_text, "121", True, 2 * length + 2)
