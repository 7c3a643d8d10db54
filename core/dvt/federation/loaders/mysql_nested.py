"""Lists, structs and maps as JSON text, intervals as ISO 8601 text, with the column's name in refusals."""

from __future__ import annotations

import pyarrow as pa

from dvt.federation.loaders.mysql_checks import refusal
from dvt.types.json_text import iso_interval, json_writer


def json_texts(values: pa.Array, column: str) -> pa.Array:
    """The JSON text of each value.

    Raises:
        DataError: A value has no JSON form: NaN, bytes, an infinite date, a key that occurs twice.
    """
    write = json_writer(values.type)
    try:
        return pa.array([None if value is None else write(value) for value in values.to_pylist()], pa.string())
    except (OverflowError, ValueError) as error:
        raise refusal(
            column, f"a nested value cannot be written as JSON: {error}", "Flatten it in the model"
        ) from error


def interval_texts(values: pa.Array) -> pa.Array:
    """ISO 8601 durations; parts of different sign stay apart.

    >>> interval_texts(pa.array([(14, 3, -1_500_000_000)], pa.month_day_nano_interval()))[0].as_py()
    'P1Y2M3DT-1.5S'
    """
    return pa.array([None if value is None else iso_interval(value) for value in values.to_pylist()], pa.string())
