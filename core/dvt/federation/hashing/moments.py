"""The canonical texts of days, moments and times of day: PostgreSQL's, also for infinity and years before Christ."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.vocabulary import DATE_INFINITY, DATE_MINUS_INFINITY, TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY

# What Arrow writes for an infinity as the vocabulary carries it, and for the end of a day.
_NAMED = {
    **{f"<value out of range: {end}>": "infinity" for end in (DATE_INFINITY, TIMESTAMP_INFINITY)},
    **{f"<value out of range: {end}>": "-infinity" for end in (DATE_MINUS_INFINITY, TIMESTAMP_MINUS_INFINITY)},
    "<value out of range: 86400000000>": "24:00:00.000000",
}
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
    if is_nanos:
        texts = pc.replace_substring_regex(texts, "000$", "")
    if not pc.any(pc.match_substring_regex(texts, _ODD)).as_py():
        return texts
    said = [_said(text) if text is not None and re.match(_ODD, text) else text for text in texts.to_pylist()]
    return pa.array(said, pa.string())


def _said(text: str) -> str:
    if text.startswith("<"):
        return _NAMED.get(text, text)
    year, _, rest = text.removeprefix("-").partition("-")
    number = -int(year) if text.startswith("-") else int(year)
    return text if number > 0 else f"{1 - number:04}-{rest} BC"
