"""The Redshift types under which Arrow types land, and a column's values as COPY's Parquet or as texts of an INSERT.

COPY of Parquet converts nothing: each native type is read from one physical type, by the column's place. So a column is
brought into its native type's own Arrow type here, where a value that would change is found; Redshift would round
numbers and cut texts. TIME and SUPER have no such form: their texts are copied, and read by a query on the cluster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.exact_cast import exactly
from dvt.types.hexadecimal import hex_from_binary
from dvt.types.landing_texts import plain_texts
from dvt.types.vocabulary import (
    DATE_INFINITY,
    DATE_MINUS_INFINITY,
    MICROS,
    MICROS_UTC,
    TIME,
    TIMESTAMP_INFINITY,
    TIMESTAMP_MINUS_INFINITY,
    is_json,
    is_uuid,
)

TEXT_BYTES = 65_535
_TEXT = f"varchar({TEXT_BYTES})"
_BYTES = "varbyte(1024000)"
_PLAIN = {
    pa.bool_(): "boolean",
    **dict.fromkeys((pa.int8(), pa.uint8(), pa.int16()), "smallint"),
    **dict.fromkeys((pa.uint16(), pa.int32()), "integer"),
    **dict.fromkeys((pa.uint32(), pa.int64()), "bigint"),
    pa.uint64(): "numeric(20, 0)",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): _TEXT,
    pa.binary(): _BYTES,
    pa.date32(): "date",
    TIME: "time",
    MICROS: "timestamp",
    MICROS_UTC: "timestamptz",
}
# Names that a contract may declare, and what Redshift makes of them.
_DECLARED = re.compile(
    r"(?i)\s*(?:(?P<plain>boolean|bool|smallint|int2|integer|int|int4|bigint|int8|real|float4|double\s+precision|float8"
    r"|float|date|time|time\s+without\s+time\s+zone|timestamp|timestamp\s+without\s+time\s+zone|timestamptz"
    r"|timestamp\s+with\s+time\s+zone|super|text|bpchar)"
    r"|(?:numeric|decimal)\s*(?:\(\s*(?P<precision>\d+)\s*(?:,\s*(?P<scale>\d+)\s*)?\))?"
    r"|(?P<text>char|character|nchar|varchar|character\s+varying|nvarchar)\s*(?:\(\s*(?P<size>\d+|max)\s*\))?"
    r"|(?:varbyte|varbinary|binary\s+varying)\s*(?:\(\s*(?P<bytes>\d+)\s*\))?)\s*"
)
_ARROW = {
    **dict.fromkeys(("boolean", "bool"), pa.bool_()),
    **dict.fromkeys(("smallint", "int2"), pa.int16()),
    **dict.fromkeys(("integer", "int", "int4"), pa.int32()),
    **dict.fromkeys(("bigint", "int8"), pa.int64()),
    **dict.fromkeys(("real", "float4"), pa.float32()),
    **dict.fromkeys(("double precision", "float8", "float"), pa.float64()),
    "date": pa.date32(),
    **dict.fromkeys(("time", "time without time zone"), TIME),
    **dict.fromkeys(("timestamp", "timestamp without time zone"), MICROS),
    **dict.fromkeys(("timestamptz", "timestamp with time zone"), MICROS_UTC),
    **dict.fromkeys(("super", "text", "bpchar"), pa.string()),
}
_SIZES = {"text": 256, "bpchar": 256}
_ENDS = {
    pa.date32(): (pa.int32(), (DATE_INFINITY, DATE_MINUS_INFINITY)),
    MICROS: (pa.int64(), (TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY)),
    MICROS_UTC: (pa.int64(), (TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY)),
}


def redshift_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none. What is nested, and JSON, is its text.

    >>> redshift_type(pa.uint8()), redshift_type(pa.decimal128(38, 2)), redshift_type(pa.month_day_nano_interval())
    ('smallint', 'numeric(38, 2)', None)
    """
    if is_uuid(type_):
        return "varchar(36)"
    if is_json(type_) or pa.types.is_nested(type_):
        return _TEXT
    if pa.types.is_decimal(type_):
        fits = 0 <= type_.scale <= min(37, type_.precision) and type_.precision <= 38
        return f"numeric({type_.precision}, {type_.scale})" if fits else None
    return _PLAIN.get(type_)


@dataclass(frozen=True)
class Sent:
    """How a column goes to Redshift.

    Args:
        native: Its type, as CREATE TABLE has it.
        type: The Arrow type whose Parquet form COPY reads into that type, or into a varchar where it needs a query.
        most_bytes: Of a text or of bytes.
        is_padded: Whether blanks at the end of a text would be lost.
        made_by: The query's words that make a value of its text, with `{}`; empty where COPY does it.
    """

    native: str
    type: pa.DataType
    most_bytes: int = 0
    is_padded: bool = False
    made_by: str = ""

    def values(self, array: pa.Array) -> pa.Array:
        """The column as Parquet has it.

        Raises:
            ValueError: Redshift has no place for a value, or would change it.
        """
        if array.type in _ENDS:
            number, ends = _ENDS[array.type]
            if pc.any(pc.is_in(array.view(number), pa.array(ends, number))).as_py():
                raise ValueError("it is infinite")
        wanted = TIME if self.made_by == _TIME else self.type
        values = array.storage if is_json(array.type) else array
        if is_uuid(values.type) or pa.types.is_nested(values.type):
            values = plain_texts(values)
        if values.type != wanted:
            values = exactly(values, wanted)
        if self.made_by == _TIME:
            return plain_texts(values)
        if pa.types.is_string(self.type) or pa.types.is_binary(self.type):
            self._check_size(values)
        return values

    def _check_size(self, values: pa.Array) -> None:
        longest = pc.max(pc.binary_length(values)).as_py() or 0
        if longest > self.most_bytes:
            raise ValueError(f"it has {longest} bytes, and {self.native} has room for {self.most_bytes}")
        if pa.types.is_binary(values.type):
            return
        if pc.any(pc.match_substring(values, "\0")).as_py():
            raise ValueError("a text with the character U+0000")
        if self.is_padded and not pc.all(pc.string_is_ascii(values)).as_py() and len(values) > values.null_count:
            raise ValueError(f"a text that is not ASCII, which {self.native} does not take")
        if self.is_padded and pc.any(pc.ends_with(values, " ")).as_py():
            raise ValueError(f"a text that ends with a blank, which {self.native} does not keep")

    def literals(self, array: pa.Array) -> pa.Array:
        """The column's values, as `values` gives them, as texts of SQL. Each has its type: Redshift makes one type of
        the rows of a VALUES list before it looks at the table."""
        if pa.types.is_binary(self.type):
            texts, made = hex_from_binary(array), "from_hex({})"
        else:
            texts = plain_texts(array)
            made = self.made_by or ("{}" if pa.types.is_string(self.type) else "cast({} as " + self.native + ")")
        if pa.types.is_string(self.type):  # Redshift takes a backslash for the beginning of an escape
            texts = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), "'", "''")
        before, after = made.split("{}")
        return pc.coalesce(
            pc.binary_join_element_wise(before + "'", texts, "'" + after, ""), f"cast(null as {self.native})"
        )


_TIME, _SUPER = "cast({} as time)", "json_parse({})"


def sent(native: str) -> Sent | None:
    """How a column of a native type is sent; None for a type that nothing is sent to.

    >>> sent("varchar(10)").most_bytes, sent("DECIMAL(10,2)").type, sent("timetz")
    (10, Decimal128Type(decimal128(10, 2)), None)
    """
    found = _DECLARED.fullmatch(native)
    if found is None:
        return None
    if found["plain"]:
        name = " ".join(found["plain"].lower().split())
        type_ = _ARROW[name]
        if name == "super":
            return Sent(native, pa.string(), TEXT_BYTES, made_by=_SUPER)
        if type_ == TIME:
            return Sent(native, pa.string(), made_by=_TIME)
        return Sent(native, type_, _SIZES.get(name, 0), is_padded=name == "bpchar")
    if found["text"]:
        is_char = found["text"].lower() in ("char", "character", "nchar")
        size = found["size"] or ("1" if is_char else "256")
        most = (4096 if is_char else TEXT_BYTES) if size.lower() == "max" else int(size)
        return Sent(native, pa.string(), most, is_padded=is_char)
    if re.match(r"(?i)\s*(numeric|decimal)", native):
        precision, scale = int(found["precision"] or 18), int(found["scale"] or 0)
        return Sent(native, pa.decimal128(precision, scale)) if 0 < precision <= 38 and scale <= 37 else None
    return Sent(native, pa.binary(), int(found["bytes"] or 64_000))
