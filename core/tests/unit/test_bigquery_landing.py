"""Values as they go into files for BigQuery, and those that have no place there."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dvt.types.bigquery_landing import bigquery_type, sent
from dvt.types.vocabulary import JSON, MICROS

_NOON = datetime.datetime(2026, 1, 1, 12, 0, 0, 250_000)


def _json(*texts: str) -> pa.Array:
    return pa.ExtensionArray.from_storage(JSON, pa.array(texts, pa.string()))


@pytest.mark.parametrize(
    ("type_", "native"),
    [
        (pa.uint32(), "int64"),
        (pa.uint64(), "numeric(20, 0)"),
        (pa.decimal128(38, 9), "numeric(38, 9)"),
        (pa.decimal128(29, 0), "numeric(29, 0)"),
        (pa.decimal128(30, 0), "bignumeric(30, 0)"),
        (pa.decimal128(38, 38), "bignumeric(38, 38)"),
        (pa.decimal128(5, -2), None),
        (pa.list_(pa.struct([("a", pa.int8())])), "array<struct<`a` int64>>"),
        (pa.list_(pa.list_(pa.int8())), None),
        (pa.map_(pa.string(), pa.int8()), None),
        (pa.month_day_nano_interval(), None),
    ],
)
def test_types(type_: pa.DataType, native: str | None) -> None:
    assert bigquery_type(type_) == native


@pytest.mark.parametrize(
    ("array", "native", "expected"),
    [
        (pa.array([7, None], pa.uint8()), "int64", [7, None]),
        (pa.array([7], pa.int32()), "decimal(5,2)", [Decimal("7.00")]),
        (pa.array([0.5, float("nan")], pa.float32()), "float64", [0.5, "nan"]),
        (pa.array([b"\x00\xff", None]), "bytes(2)", [b"\x00\xff", None]),
        (pa.array([1000], pa.timestamp("ns")), "datetime", [datetime.datetime(1970, 1, 1, 0, 0, 0, 1)]),
        (pa.array([_NOON], MICROS), "datetime", [_NOON]),
        (pa.array([[1, 2], []], pa.list_(pa.int8())), "array<int64>", [[1, 2], []]),
        (pa.array([{"a": 1, "b": None}, None]), "struct<`a` int64, `b` int64>", None),
        (_json('{"a": [1e2, 0.1, 18446744073709551615]}'), "json", ['{"a": [1e2, 0.1, 18446744073709551615]}']),
    ],
)
def test_values_as_they_are_sent(array: pa.Array, native: str, expected: list[Any] | None) -> None:
    if expected is None:
        expected = [{"a": 1, "b": None}, None]
        array = array.cast(pa.struct([("a", pa.int64()), ("b", pa.int64())]))
    found = [str(v) if isinstance(v, float) and v != v else v for v in sent(array, native).to_pylist()]
    assert found == expected
    sliced = pa.concat_arrays([array, array]).slice(len(array))
    assert [str(v) if isinstance(v, float) and v != v else v for v in sent(sliced, native).to_pylist()] == expected


@pytest.mark.parametrize(
    ("array", "native"),
    [
        (pa.array([2**63], pa.uint64()), "int64"),
        (pa.array([Decimal("1.239")]), "numeric(10, 2)"),
        (pa.array([1000], pa.int16()), "numeric(3)"),
        (pa.array([0.1]), "numeric"),
        (pa.array([Decimal("0.1")]), "float64"),
        (pa.array([2**53 + 1]), "float64"),
        (pa.array(["four"]), "string(3)"),
        (pa.array([b"ab"]), "bytes(1)"),
        (pa.array([b"ab"]), "string"),
        (pa.array([2**31 - 1], pa.date32()), "date"),
        (pa.array([2**63 - 1], MICROS), "datetime"),
        (pa.array([1], pa.timestamp("ns")), "datetime"),
        (pa.array([86_400_000_000], pa.time64("us")), "time"),
        (pa.array([_NOON], MICROS), "timestamp"),
        (pa.array([_NOON], pa.timestamp("us", "UTC")), "datetime"),
        (pa.array([_NOON], MICROS), "date"),
        (pa.array([[1], None]), "array<int64>"),
        (pa.array([[1, None]]), "array<int64>"),
        (pa.array([{"a": [1]}, None]), "struct<`a` array<int64>>"),
        (_json('{"a": 1, "a": 2}'), "json"),
        (_json("[1.2345678901234567890]"), "json"),
        (_json("[18446744073709551617]"), "json"),
        (pa.array(["POINT(1 2)"]), "geography"),
    ],
)
def test_values_that_have_no_place(array: pa.Array, native: str) -> None:
    with pytest.raises(ValueError):
        sent(array, native)
