"""How a column of Trino's goes through a Parquet file that the Hive connector reads."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from dvt.federation.loaders.through_files import Carried
from dvt.types.file_carriers import carrier, trino_word
from dvt.types.fitted import fitted
from dvt.types.landing_texts import plain_texts
from dvt.types.text_values import check_range
from dvt.types.trino_landing import is_uncast, trino_shape, trino_texts


def trino_carried(type_: pa.DataType, native: str) -> Carried | None:
    """How a column goes through a file, None for what is nested.

    >>> trino_carried(pa.int8(), "tinyint").native, trino_carried(pa.timestamp("us"), "timestamp(6)").made_by
    ('integer', 'cast({} as timestamp(6))')
    """
    to = trino_shape(native)
    if to is None:
        return None
    found = carrier(to.type)
    word = trino_word(found or pa.string())
    made_by = "{}" if is_uncast(native) or word == native else f"cast({{}} as {native})"
    return Carried(word, found or pa.string(), partial(_values, native=native, type_=found), made_by)


def _values(array: pa.Array, native: str, type_: pa.DataType | None) -> pa.Array:
    to = trino_shape(native)
    own = plain_texts(array) if pa.types.is_nested(array.type) else array
    values = fitted(own, to) if to else own
    if type_ is None:
        return trino_texts(values)
    if pa.types.is_date(values.type):
        check_range(values)
    return values.cast(type_)
