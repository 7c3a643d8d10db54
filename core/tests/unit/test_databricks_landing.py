"""Values for Databricks' column types: in the type's own Arrow type, or refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dvt.types.databricks_landing import carrier, databricks_type, sent, why_not
from dvt.types.vocabulary import DATE_INFINITY, MICROS, MICROS_UTC, TIMESTAMP_MINUS_INFINITY

_STRUCT = pa.struct([("a b", pa.uint8()), ("m", pa.map_(pa.string(), pa.list_(pa.decimal128(9, 3))))])


@pytest.mark.parametrize(
    ("type_", "native"),
    [
        (_STRUCT, "struct<`a b`: smallint, `m`: map<string, array<decimal(9, 3)>>>"),
        (pa.month_day_nano_interval(), None),
        (pa.struct([]), None),
        (pa.list_(pa.time64("us")), None),
        (pa.list_(pa.uuid()), None),
        (pa.map_(pa.int32(), pa.int32()), None),
        (pa.decimal128(5, -2), None),
        (pa.timestamp("ms"), None),
    ],
)
def test_types(type_: pa.DataType, native: str | None) -> None:
    assert databricks_type(type_) == native
    if native:
        assert why_not(type_, native) is None
        value = [{"a b": 255, "m": [("k", [Decimal("1.125"), None])]}, None]
        found = sent(pa.array(value, type_), native)
        assert found.type == carrier(native)
        assert found.to_pylist() == value


@pytest.mark.parametrize(
    ("value", "type_", "native", "expected"),
    [
        (300, pa.int64(), "smallint", 300),
        (300, pa.int64(), "decimal(3, 0)", Decimal(300)),
        (Decimal("7.00"), pa.decimal128(12, 2), "bigint", 7),
        (Decimal("1.50"), pa.decimal128(38, 10), "decimal(2, 1)", Decimal("1.5")),
        (0.5, pa.float64(), "float", 0.5),
        (float("inf"), pa.float64(), "float", float("inf")),
        (2**53, pa.int64(), "double", 2.0**53),
        (7, pa.int32(), "string", "7"),
        ("größe", pa.string(), "varchar(5)", "größe"),
        (dt.datetime(1, 1, 1), pa.timestamp("us"), "timestamp_ntz", dt.datetime(1, 1, 1)),
        (dt.date(9999, 12, 31), pa.date32(), "date", dt.date(9999, 12, 31)),
    ],
)
def test_what_is_exact(value: Any, type_: pa.DataType, native: str, expected: Any) -> None:
    assert why_not(type_, native) is None
    found = sent(pa.array([value, None], type_), native)
    assert found.type == carrier(native)
    assert found.to_pylist() == [expected, None]


def test_not_a_number_is_one() -> None:
    assert sent(pa.array([float("nan")]), "float").to_pylist()[0] != 0


@pytest.mark.parametrize(
    ("value", "type_", "native"),
    [
        (300, pa.int64(), "tinyint"),
        (300, pa.int64(), "decimal(2, 0)"),
        (2**53 + 1, pa.int64(), "double"),
        (16_777_217, pa.int32(), "float"),
        (0.1, pa.float64(), "float"),
        (1.5, pa.float64(), "int"),
        (float("nan"), pa.float64(), "bigint"),
        (0.125, pa.float64(), "decimal(9, 2)"),
        (Decimal("1.25"), pa.decimal128(12, 2), "decimal(5, 1)"),
        ("abcd", pa.string(), "varchar(3)"),
        (1, pa.timestamp("ns"), "timestamp_ntz"),
        (DATE_INFINITY, pa.date32(), "date"),
        (2_932_897, pa.date32(), "date"),
        (TIMESTAMP_MINUS_INFINITY, MICROS, "timestamp_ntz"),
        (TIMESTAMP_MINUS_INFINITY, MICROS_UTC, "timestamp"),
    ],
)
def test_what_is_not_exact_is_refused(value: Any, type_: pa.DataType, native: str) -> None:
    assert why_not(type_, native) is None
    array = pa.array([value], pa.int32() if type_ == pa.date32() else pa.int64()).view(type_) if (
        pa.types.is_temporal(type_)
    ) else pa.array([value], type_)  # fmt: skip
    with pytest.raises(ValueError, match=r"."):
        sent(array, native)


def test_an_infinite_day_within_a_list() -> None:
    days = pa.ListArray.from_arrays([0, 1], pa.array([DATE_INFINITY], pa.int32()).view(pa.date32()))
    with pytest.raises(ValueError, match="infinite"):
        sent(days, "array<date>")


@pytest.mark.parametrize(
    ("type_", "native"),
    [
        (MICROS, "timestamp"),
        (MICROS_UTC, "timestamp_ntz"),
        (MICROS, "date"),
        (pa.string(), "int"),
        (pa.bool_(), "int"),
        (pa.binary(), "variant"),
        (pa.string(), "char(3)"),
        (pa.string(), "interval day to second"),
        (pa.string(), "not a type ("),
    ],
)
def test_what_is_not_made_from_the_other(type_: pa.DataType, native: str) -> None:
    assert why_not(type_, native)
