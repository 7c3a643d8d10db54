"""PostgreSQL's text output as Arrow: vectorised for what is usual, value by value for what is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.decimal_text import DecimalUnfitError, decimals_from_text
from dvt.types.hexadecimal import binary_from_hex, offsets_of, uuid_storage_from_text
from dvt.types.postgres import Carrier
from dvt.types.postgres_dates import date_days, time_micros, timestamp_micros
from dvt.types.vocabulary import INTERVAL, TIME, is_json, is_uuid

_QUOTED = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_INTERVAL = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d+))?S)?)?"
)
_INT64_MAX = 2**63 - 1
LOWER_BOUNDS = "an array with other lower bounds than 1 cannot be carried"
SEVERAL_DIMENSIONS = "an array of several dimensions cannot be carried"


class ValueRefusedError(Exception):
    """A value that Arrow's type cannot carry; whoever knows the column turns it into a `DataError`.

    Args:
        value: The source's text.
        why: What is in the way.
    """

    def __init__(self, value: str, why: str) -> None:
        super().__init__(f"{value}: {why}")
        self.value = value
        self.why = why


def decode(texts: pa.Array, carrier: Carrier) -> pa.Array:
    """A column of text output (nulls are SQL NULLs) as an array of the carrier's type.

    Raises:
        ValueRefusedError: A value does not fit; it is named.
    """
    type_ = carrier.type
    if carrier.element is not None:
        return _lists(texts, carrier, carrier.element)
    if carrier.is_padded:
        return pc.ascii_rtrim(texts, characters=" ")
    if pa.types.is_string(type_):
        return texts
    if is_json(type_):
        return pa.ExtensionArray.from_storage(type_, texts)
    if is_uuid(type_):
        return pa.ExtensionArray.from_storage(type_, uuid_storage_from_text(texts))
    if pa.types.is_binary(type_):
        return binary_from_hex(pc.utf8_slice_codeunits(texts, 2))
    if pa.types.is_boolean(type_):
        return pc.equal(texts, "t")
    if pa.types.is_decimal(type_):
        return _decimals(texts, type_)
    if type_ == INTERVAL:
        return _by_value(texts, type_, _interval)
    try:
        return pc.cast(texts, type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:  # no cast from text to time
        return _slowly(texts, type_, error)


def _decimals(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    try:
        return decimals_from_text(texts, type_)
    except DecimalUnfitError as error:
        raise ValueRefusedError(error.value, error.why) from None


def _slowly(texts: pa.Array, type_: pa.DataType, error: pa.ArrowException) -> pa.Array:
    if pa.types.is_timestamp(type_):
        return _by_value(texts, pa.int64(), timestamp_micros).view(type_)
    if pa.types.is_date(type_):
        return _by_value(texts, pa.int32(), date_days).view(type_)
    if type_ == TIME:
        return _by_value(texts, pa.int64(), time_micros).view(type_)
    for text in texts:
        try:
            pc.cast(pa.array([text.as_py()], pa.string()), type_)
        except pa.ArrowInvalid:
            raise ValueRefusedError(str(text.as_py()), f"it does not fit {type_}") from None
    raise error


def _by_value(texts: pa.Array, type_: pa.DataType, parse: Callable[[str], Any]) -> pa.Array:
    values = []
    for text in texts.to_pylist():
        try:
            values.append(None if text is None else parse(text))
        except ValueError as error:
            raise ValueRefusedError(text, str(error)) from None
    return pa.array(values, type_)


def _interval(text: str) -> pa.MonthDayNano:
    found = _INTERVAL.fullmatch(text)
    if found is None:
        raise ValueError("an interval cannot carry it")
    years, months, weeks, days, hours, minutes = (int(part or 0) for part in found.groups()[:6])
    sign, seconds, fraction = found.groups()[6:]
    micros = int(seconds or 0) * 1_000_000 + int((fraction or "").ljust(6, "0"))
    micros = -micros if sign else micros
    nanos = (micros + (hours * 60 + minutes) * 60_000_000) * 1000
    if abs(nanos) > _INT64_MAX:
        raise ValueError("an interval carries at most 292 years of hours")
    return pa.MonthDayNano([years * 12 + months, weeks * 7 + days, nanos])


def _lists(texts: pa.Array, carrier: Carrier, element: Carrier) -> pa.Array:
    present = pc.fill_null(texts, "{}")
    for pattern, why in (
        (r"^\[", LOWER_BOUNDS),
        (r"^\{\{", SEVERAL_DIMENSIONS),
    ):
        refused = present.filter(pc.match_substring_regex(present, pattern))
        if len(refused):
            raise ValueRefusedError(refused[0].as_py(), why)
    if pc.any(pc.match_substring(present, '"')).as_py():
        parts = [_elements(text, carrier.delimiter) for text in present.to_pylist()]
        lengths = pa.array([len(part) for part in parts], pa.int32())
        flat = pa.array([value for part in parts for value in part], pa.string())
    else:
        is_empty = pc.equal(present, "{}")
        inner = pc.utf8_slice_codeunits(present.filter(pc.invert(is_empty)), 1, -1)
        split = pc.split_pattern(inner, carrier.delimiter)
        flat = pc.list_flatten(split)
        flat = pc.if_else(pc.equal(flat, "NULL"), pa.scalar(None, pa.string()), flat)
        lengths = pc.replace_with_mask(
            pa.array([0] * len(present), pa.int32()), pc.invert(is_empty), pc.list_value_length(split)
        )
    values = decode(flat, element)
    mask = pc.is_null(texts) if texts.null_count else None
    return pa.ListArray.from_arrays(offsets_of(lengths), values, type=carrier.type, mask=mask)


def _elements(text: str, delimiter: str) -> list[str | None]:
    """The elements of one array text, which is of one dimension."""
    found: list[str | None] = []
    position, end = 1, len(text) - 1
    while position < end:
        if text[position] == '"':
            match = _QUOTED.match(text, position)
            assert match is not None, "the server closes every quote"
            found.append(_ESCAPE.sub(r"\1", match.group(1)))
            position = match.end() + 1
        else:
            stop = text.find(delimiter, position, end)
            stop = end if stop < 0 else stop
            bare = text[position:stop]
            found.append(None if bare == "NULL" else bare)
            position = stop + 1
    return found
