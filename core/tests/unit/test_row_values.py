"""Python values of drivers as Arrow: what is taken, and what is refused because it would change."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dvt.errors import DataError
from dvt.federation.extractors.row_batches import cursor_batches, record_batch
from dvt.federation.stream import ColumnSchema
from dvt.types.row_values import column_array
from dvt.types.vocabulary import INTERVAL, JSON, MICROS, MICROS_UTC, TIME, UUID

PLUS_TWO = dt.timezone(dt.timedelta(hours=2))
NIL = uuid.UUID("00000000-0000-0000-0000-0000000000ff")

TAKEN: list[tuple[pa.DataType, list[Any], list[Any]]] = [
    (pa.bool_(), [True, None, False], [True, None, False]),
    (pa.bool_(), ["true", "f"], [True, False]),
    (pa.int8(), [127, -128], [127, -128]),
    (pa.uint64(), [2**64 - 1], [2**64 - 1]),
    (pa.float64(), [1.5, 2, float("inf")], [1.5, 2.0, float("inf")]),
    (pa.decimal128(5, 2), [Decimal("1.5"), 2, "-3.25", None], [Decimal("1.50"), Decimal(2), Decimal("-3.25"), None]),
    (pa.string(), ["", None, "ß"], ["", None, "ß"]),
    (pa.binary(), [b"", b"\0", bytearray(b"a"), memoryview(b"b")], [b"", b"\0", b"a", b"b"]),
    (pa.date32(), [dt.date(1, 1, 1), None], [dt.date(1, 1, 1), None]),
    (pa.date32(), ["2026-02-28"], [dt.date(2026, 2, 28)]),
    (MICROS, [dt.datetime(2026, 1, 2, 3, 4, 5, 6)], [dt.datetime(2026, 1, 2, 3, 4, 5, 6)]),
    (MICROS_UTC, [dt.datetime(2026, 1, 2, 1, tzinfo=PLUS_TWO)], [dt.datetime(2026, 1, 1, 23, tzinfo=dt.timezone.utc)]),
    (TIME, [dt.time(23, 59, 59, 999_999), None], [dt.time(23, 59, 59, 999_999), None]),
    (TIME, ["01:02:03.5"], [dt.time(1, 2, 3, 500_000)]),
    (INTERVAL, [dt.timedelta(days=-1, seconds=5)], [pa.MonthDayNano((0, -1, 5_000_000_000))]),
    (UUID, [NIL, str(NIL).upper(), None], [NIL, NIL, None]),
    (JSON, ['{"a": 1}', None], ['{"a": 1}', None]),
    (JSON, [{"a": [1, "ß"]}, None], ['{"a": [1, "ß"]}', None]),
    (pa.list_(pa.int32()), [[1, None], [], None], [[1, None], [], None]),
    (pa.list_(pa.date32()), [["2026-01-01"]], [[dt.date(2026, 1, 1)]]),
    (pa.struct([("a", pa.int8()), ("b", pa.string())]), [{"a": 1, "b": "x"}, None], [{"a": 1, "b": "x"}, None]),
    (pa.struct([("a", pa.int8())]), [(1,), [None]], [{"a": 1}, {"a": None}]),
    (pa.map_(pa.string(), pa.int8()), [{"a": 1}, None, {}], [[("a", 1)], None, []]),
]

REFUSED: list[tuple[pa.DataType, Any]] = [
    (pa.bool_(), 1),
    (pa.bool_(), "yes"),
    (pa.int8(), 128),
    (pa.int8(), -129),
    (pa.uint8(), -1),
    (pa.int64(), 1.0),
    (pa.int64(), True),
    (pa.int64(), "1"),
    (pa.float64(), 2**53 + 1),
    (pa.float64(), Decimal("0.1")),
    (pa.decimal128(5, 2), Decimal("1.005")),
    (pa.decimal128(5, 2), Decimal("1000")),
    (pa.decimal128(5, 2), Decimal("NaN")),
    (pa.decimal128(5, 2), 0.1),
    (pa.string(), b"a"),
    (pa.string(), "\ud800"),
    (pa.binary(), "a"),
    (pa.date32(), dt.datetime(2026, 1, 1, 1)),
    (pa.date32(), "2026-02-29"),
    (MICROS, dt.date(2026, 1, 1)),
    (MICROS, dt.datetime(2026, 1, 1, tzinfo=PLUS_TWO)),
    (MICROS_UTC, dt.datetime(2026, 1, 1)),
    (TIME, dt.time(1, tzinfo=PLUS_TWO)),
    (TIME, dt.timedelta(hours=1)),
    (UUID, "ff"),
    (JSON, "{"),
    (JSON, {"a": float("nan")}),
    (pa.list_(pa.int8()), [300]),
    (pa.list_(pa.int8()), "ab"),
    (pa.struct([("a", pa.int8())]), {"b": 1}),
    (pa.struct([("a", pa.int8())]), (1, 2)),
    (pa.map_(pa.string(), pa.int8()), {1: 1}),
]


@pytest.mark.parametrize(
    ("type_", "values", "expected"), TAKEN, ids=[f"{type_}-{n}" for n, (type_, *_) in enumerate(TAKEN)]
)
def test_values_are_taken_as_they_are(type_: pa.DataType, values: list[Any], expected: list[Any]) -> None:
    found = column_array(values, type_)
    assert found.type == type_
    found.validate(full=True)
    assert found.to_pylist() == expected
    assert column_array([], type_).type == type_
    assert column_array([None, None], type_).null_count == 2


@pytest.mark.parametrize(("type_", "value"), REFUSED, ids=[f"{type_}-{n}" for n, (type_, _) in enumerate(REFUSED)])
def test_what_would_change_is_refused(type_: pa.DataType, value: Any) -> None:
    with pytest.raises(ValueError):
        column_array([value], type_)
    with pytest.raises(ValueError):
        column_array([None, value], type_)


def test_a_refused_value_is_named_with_its_column() -> None:
    columns = [ColumnSchema("id", pa.int64()), ColumnSchema("day", pa.date32(), native_type="DATETIME")]
    rows = [(1, dt.date(2026, 1, 1)), (2, dt.datetime(2026, 1, 1, 5))]
    with pytest.raises(DataError) as raised:
        record_batch(rows, columns)
    assert raised.value.column == "day"
    assert "datetime.datetime(2026, 1, 1, 5, 0) of type DATETIME" in str(raised.value)
    batch = record_batch(rows[:1], columns)
    assert batch.to_pylist() == [{"id": 1, "day": dt.date(2026, 1, 1)}]
    assert record_batch([], columns).num_rows == 0


def test_a_cursor_is_read_in_batches() -> None:
    import sqlite3

    with sqlite3.connect(":memory:") as db:
        cursor = db.execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 7) select i from n"
        )
        batches = list(cursor_batches(cursor, [ColumnSchema("i", pa.int32())], 3))
    db.close()
    assert [batch.column(0).to_pylist() for batch in batches] == [[1, 2, 3], [4, 5, 6], [7]]
