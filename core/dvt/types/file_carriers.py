"""What carries a column through a Parquet file that Hive, Spark or Trino's Hive connector reads.

Numbers, truth values and bytes are Parquet's own. Whole numbers of few bits are INT32. All that readers take for
another calendar, zone or number of digits (moments, days for Hive) is the text that an INSERT would send, for its cast.
"""

from __future__ import annotations

import pyarrow as pa

_SMALL = (pa.int8(), pa.int16())
_OWN = {
    pa.bool_(): "boolean",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double",
    pa.binary(): "varbinary",
    pa.date32(): "date",
}


def carrier(held: pa.DataType) -> pa.DataType | None:
    """The file's type for what a column holds, None where it is to be a text.

    >>> carrier(pa.int8()), carrier(pa.timestamp("us"))
    (DataType(int32), None)
    """
    if held in _SMALL:
        return pa.int32()
    return held if held in _OWN or pa.types.is_decimal(held) else None


def trino_word(type_: pa.DataType) -> str:
    """Trino's word for a file's type."""
    if pa.types.is_decimal(type_):
        return f"decimal({type_.precision}, {type_.scale})"
    return _OWN.get(type_, "varchar")
