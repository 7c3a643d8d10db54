"""How a column of Hive's goes through a Parquet file."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from dvt.federation.loaders.through_files import Carried
from dvt.types.file_carriers import carrier
from dvt.types.hive_landing import hive_value, hive_values, require_orc_moments
from dvt.types.landing_texts import plain_texts
from dvt.types.spark_landing import spark_shape

_OWN = {pa.bool_(): "boolean", pa.int32(): "int", pa.int64(): "bigint", pa.float32(): "float", pa.float64(): "double"}


def hive_carried(native: str, *, is_orc: bool) -> Carried | None:
    """How a column goes through a file, None for a type that none fills.

    Args:
        native: The table's type.
        is_orc: Whether the table is of ORC files, which move some moments.

    >>> hive_carried("tinyint", is_orc=True).made_by, hive_carried("date", is_orc=True).native
    ('cast({} as tinyint)', 'string')
    """
    to = spark_shape(native, "hive")
    if to is None:
        return None
    found = None if pa.types.is_date(to.type) else carrier(to.type)
    if found is None:
        return Carried("string", pa.string(), partial(_texts, native=native, is_orc=is_orc), hive_value("{}", native))
    word = "binary" if pa.types.is_binary(found) else _OWN.get(found, native)
    made_by = "{}" if word == native.lower() else f"cast({{}} as {native})"
    return Carried(word, found, partial(_values, native=native, type_=found), made_by)


def _values(array: pa.Array, native: str, type_: pa.DataType) -> pa.Array:
    return hive_values(array, native).cast(type_)


def _texts(array: pa.Array, native: str, is_orc: bool) -> pa.Array:
    if is_orc:
        require_orc_moments(array)
    return plain_texts(hive_values(array, native))
