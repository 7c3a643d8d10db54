"""ClickHouse's type names, and in which type each is asked for."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dvt.types.clickhouse import parse_type, reading
from dvt.types.vocabulary import JSON, MICROS_UTC

_STRING = pa.string()
CASES = (
    ("Int64", pa.int64(), "Int64", False),
    ("Nullable(Int64)", pa.int64(), "Nullable(Int64)", True),
    ("LowCardinality(Nullable(String))", _STRING, "LowCardinality(Nullable(String))", True),
    ("LowCardinality(FixedString(3))", _STRING, "String", False),
    ("Nullable(Int256)", pa.decimal128(38, 0), "Nullable(String)", True),
    ("Array(UInt128)", pa.list_(_STRING), "Array(String)", False),
    ("DateTime('Asia/Kolkata')", MICROS_UTC, "DateTime64(0, 'UTC')", False),
    ("DateTime64(3, 'Asia/Kolkata')", MICROS_UTC, "DateTime64(3, 'Asia/Kolkata')", False),
    ("Decimal(76, 50)", pa.decimal128(38, 38), "Decimal(76, 50)", False),
    ("Enum8('a,b' = 1, 'c)' = 2, 'it\\'s' = 3)", _STRING, "String", False),
    ("JSON(max_dynamic_paths=8, a.b UInt32)", JSON, "String", False),
    ("Array(JSON)", pa.list_(_STRING), "Array(String)", False),
    ("Variant(Array(Int8), String)", _STRING, "Nullable(String)", True),
    ("Array(Dynamic)", pa.list_(_STRING), "Array(Nullable(String))", False),
    ("Nullable(Nothing)", pa.int32(), "Nullable(Int32)", True),
    ("Map(LowCardinality(String), Array(IPv6))", pa.map_(_STRING, pa.list_(_STRING)), None, False),
    ("Nested(a Int8, b Enum8('x' = 1))", pa.list_(pa.struct([("a", pa.int8()), ("b", _STRING)])), None, False),
    (
        "Tuple(Int8, Array(Tuple(x UUID, `odd, ``name` Bool)))",
        pa.struct([("1", pa.int8()), ("2", pa.list_(pa.struct([("x", pa.uuid()), ("odd, `name", pa.bool_())])))]),
        "Tuple(Int8, Array(Tuple(x UUID, `odd, ``name` Bool)))",
        False,
    ),
    ("Tuple()", _STRING, "String", False),
    ("SimpleAggregateFunction(anyLast, Nullable(Date))", pa.date32(), "Nullable(Date)", True),
    ("SomethingNew(1, 'x')", _STRING, "Nullable(String)", True),
)


@pytest.mark.parametrize(("text", "type_", "wire", "nullable"), CASES)
def test_types(text: str, type_: pa.DataType, wire: str | None, nullable: bool) -> None:
    found = reading(parse_type(text))
    assert (found.type, found.nullable, found.refused) == (type_, nullable, "")
    if wire is not None:
        assert found.wire == wire


def test_nested_wire_types() -> None:
    assert reading(parse_type(CASES[15][0])).wire == "Map(LowCardinality(String), Array(String))"
    assert reading(parse_type(CASES[16][0])).wire == "Array(Tuple(a Int8, b String))"
    assert reading(parse_type("Map(Int8, DateTime)")).wire == "Map(String, DateTime64(0, 'UTC'))"


@pytest.mark.parametrize("text", ["AggregateFunction(sum, UInt8)", "IntervalDay", "Array(Tuple(a IntervalHour))"])
def test_what_has_no_values_is_refused(text: str) -> None:
    assert "no type carries" in reading(parse_type(text)).refused


def test_options() -> None:
    assert reading(parse_type("FixedString(3)"), strings_as="binary").type == pa.binary()
    assert reading(parse_type("Array(String)"), strings_as="binary").type == pa.list_(pa.binary())
    assert reading(parse_type("Nullable(Time64(3))"), time_as="text").type == _STRING
