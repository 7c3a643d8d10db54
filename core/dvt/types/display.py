"""Batches as Python values that a person or a macro can read, infinities and odd types included."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.vocabulary import (
    DATE_INFINITY,
    DATE_MINUS_INFINITY,
    TIMESTAMP_INFINITY,
    TIMESTAMP_MINUS_INFINITY,
    is_uuid,
)

_FIRST_YEAR, _LAST_YEAR = 1, 9999


def displayable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with the columns that Python's own types cannot hold turned into text."""
    columns = [_displayable(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _displayable(column: pa.Array) -> pa.Array:
    if is_uuid(column.type):
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_interval(column.type):
        return pa.array([None if v is None else _interval(v) for v in column.to_pylist()], pa.string())
    if pa.types.is_timestamp(column.type) and _exceeds(column, _bounds(column.type), pa.int64()):
        return pa.array([_instant(v, column.type) for v in column.cast(pa.int64()).to_pylist()], pa.string())
    if pa.types.is_date32(column.type):
        lowest = dt.date(_FIRST_YEAR, 1, 1).toordinal() - dt.date(1970, 1, 1).toordinal()
        highest = dt.date(_LAST_YEAR, 12, 31).toordinal() - dt.date(1970, 1, 1).toordinal()
        if _exceeds(column, (lowest, highest), pa.int32()):
            return pa.array([_day(v) for v in column.cast(pa.int32()).to_pylist()], pa.string())
    return column


def _exceeds(column: pa.Array, bounds: tuple[int, int], storage: pa.DataType) -> bool:
    values = column.cast(storage)
    found = pc.min_max(values).as_py()
    return found["min"] is not None and (found["min"] < bounds[0] or found["max"] > bounds[1])


def _bounds(type_: pa.TimestampType) -> tuple[int, int]:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[type_.unit]
    epoch = dt.datetime(1970, 1, 1)
    seconds = [int((bound - epoch).total_seconds()) for bound in (dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))]
    return seconds[0] * per_second, seconds[1] * per_second


def _instant(value: int | None, type_: pa.TimestampType) -> str | None:
    named = {TIMESTAMP_INFINITY: "infinity", TIMESTAMP_MINUS_INFINITY: "-infinity"}
    if value is None or value in named:
        return named.get(value) if value is not None else None
    low, high = _bounds(type_)
    if low <= value <= high:
        return str(pa.scalar(value, pa.int64()).cast(type_).as_py())
    return f"{value} {type_.unit} since 1970-01-01"


def _day(value: int | None) -> str | None:
    named = {DATE_INFINITY: "infinity", DATE_MINUS_INFINITY: "-infinity"}
    if value is None or value in named:
        return named.get(value) if value is not None else None
    try:
        return str(dt.date(1970, 1, 1) + dt.timedelta(days=value))
    except OverflowError:
        return f"{value} days since 1970-01-01"


def _interval(value: pa.MonthDayNano) -> str:
    return f"{value.months} months {value.days} days {value.nanoseconds / 1e9:g} seconds"
