"""The canonical texts of days, moments and times of day: PostgreSQL's, also for infinity and years before Christ."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.postgres_dates import date_text, time_text, timestamp_text

# How Arrow's text begins of what it writes in another way: infinities and the end of a day, and years before the first.
_ODD = "^(<|-|0000-)"


def moment_texts(array: pa.Array) -> pa.Array:
    """ISO texts, with six digits of a second, or nine where there are nanoseconds; instants are UTC's.

    >>> moment_texts(pa.array([-719163, 0], pa.int32()).cast(pa.date32())).to_pylist()
    ['0001-12-31 BC', '1970-01-01']
    """
    is_nanos = pa.types.is_timestamp(array.type) and array.type.unit == "ns"
    if pa.types.is_timestamp(array.type):
        unit = "ns" if is_nanos else "us"
        array = array.cast(pa.timestamp(unit, array.type.tz)).cast(pa.timestamp(unit))  # UTC's wall time
    texts = array.cast(pa.string())
    if is_nanos:  # of the years 1677 to 2262
        return pc.replace_substring_regex(texts, "000$", "")
    if not pc.any(pc.match_substring_regex(texts, _ODD)).as_py():
        return texts
    numbers = array.view(pa.int32() if pa.types.is_date32(array.type) else pa.int64()).to_pylist()
    return pa.array([None if number is None else _text(array.type, number) for number in numbers], pa.string())


def _text(type_: pa.DataType, number: int) -> str:
    if pa.types.is_date32(type_):
        return date_text(number)
    return timestamp_text(number) if pa.types.is_timestamp(type_) else time_text(number)
