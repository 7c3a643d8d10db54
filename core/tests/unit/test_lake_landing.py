"""Types and texts under which values land on Trino, Spark and Hive, and values in declared types."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from dvt.types.fitted import Shape, fitted, shape
from dvt.types.hive_landing import hive_literals, hive_literals_in_orc, hive_value
from dvt.types.spark_landing import hive_type, spark_type, spark_values
from dvt.types.trino_landing import is_declarable, trino_literals, trino_type
from dvt.types.vocabulary import DATE_INFINITY, MICROS, TIMESTAMP_INFINITY


@pytest.mark.parametrize(
    ("to", "kept", "changed"),
    [
        (pa.int8(), pa.array([-128, 127, None]), pa.array([128])),
        (pa.int64(), pa.array([Decimal("2.0")]), pa.array([Decimal("2.5")])),
        (pa.int32(), pa.array(["-7"]), pa.array(["7.0"])),
        (pa.decimal128(3, 1), pa.array([Decimal("99.90")]), pa.array([Decimal("9.95")])),
        (pa.decimal128(3, 1), pa.array(["9.50"]), pa.array(["9.55"])),
        (pa.float64(), pa.array([2**53]), pa.array([2**53 + 1])),
        (pa.float32(), pa.array([0.5, float("nan"), None]), pa.array([0.1])),
        (MICROS, pa.array([dt.date(2024, 1, 1)]), pa.array([0], pa.timestamp("us", "UTC"))),
        (pa.date32(), pa.array(["2024-01-01"]), pa.array([0], MICROS)),
        (pa.bool_(), pa.array(["true"]), pa.array([1])),
    ],
)
def test_a_declared_type_gets_the_same_values(to: pa.DataType, kept: pa.Array, changed: pa.Array) -> None:
    assert fitted(kept, Shape(to)).type == to
    with pytest.raises(ValueError):
        fitted(changed, Shape(to))


@pytest.mark.parametrize(
    ("to", "kept", "changed"),
    [
        (Shape(MICROS, 3), [1_000, -1_000, None], [1]),
        (Shape(MICROS, 0), [-1_000_000], [-999_999]),
        (Shape(pa.timestamp("ns"), 6), [1_000], [999]),
        (Shape(pa.string(), characters=2), ["😀ä", ""], ["abc"]),
        (Shape(pa.string(), characters=2, is_padded=True), ["a", " a"], ["a "]),
    ],
)
def test_digits_and_lengths(to: Shape, kept: list[object], changed: list[object]) -> None:
    assert fitted(pa.array(kept, to.type), to).to_pylist() == pa.array(kept, to.type).to_pylist()
    with pytest.raises(ValueError):
        fitted(pa.array(changed, to.type), to)


def test_shapes_are_read_from_native_types() -> None:
    assert shape("timestamp(3) with time zone", "trino", digits=3) == Shape(pa.timestamp("us", "UTC"), 3)
    assert shape("timestamp", "trino", digits=3) == Shape(MICROS, 3)
    assert shape("timestamp", "spark", digits=6) == Shape(pa.timestamp("us", "UTC"), 6)
    assert shape("char", "trino", digits=3) == Shape(pa.string(), characters=1, is_padded=True)
    assert shape("decimal", "trino", digits=3) == Shape(pa.decimal128(38, 0))
    assert shape("nonsense(", "trino", digits=3) is None


def test_trino_has_types_by_its_connectors() -> None:
    person = pa.struct([("a b", pa.int8()), ("t", pa.time64("us"))])
    assert trino_type(person) == 'row("a b" tinyint, "t" time(6))'
    assert trino_type(person, "iceberg") == 'row("a b" integer, "t" time(6))'
    assert trino_type(person, "hive") == 'row("a b" tinyint, "t" varchar)'
    assert trino_type(pa.list_(pa.timestamp("us", "UTC")), "hive") is None
    assert not is_declarable("json")


def test_trino_literals() -> None:
    instants = pa.array([-1, None], pa.timestamp("us", "UTC"))
    assert trino_literals(instants, "timestamp(6) with time zone").to_pylist() == [
        "'1969-12-31 23:59:59.999999 UTC'",
        "null",
    ]
    numbers = pa.array([float("nan"), float("-inf"), -0.0])
    assert trino_literals(numbers, "double").to_pylist() == ["'NaN'", "'-Infinity'", "'-0'"]
    assert trino_literals(pa.array([b"", None]), "varbinary").to_pylist() == ["x''", "null"]
    with pytest.raises(ValueError, match="infinity"):
        trino_literals(pa.array([DATE_INFINITY], pa.date32()), "date")


def test_hive_literals() -> None:
    texts = pa.array(["\\N", "'", "${a}", "\0", None])
    assert hive_literals(texts, "string").to_pylist() == ["'\\\\N'", "'\\''", "'\\u0024{a}'", "'\\u0000'", "null"]
    assert hive_literals(pa.array([True]), "boolean").to_pylist() == ["'true'"]
    assert hive_value("c", "binary") == "unhex(c)"
    moments = pa.array([-1_000_000, 1], MICROS)
    assert hive_literals_in_orc(moments, "timestamp") == hive_literals(moments, "timestamp")
    with pytest.raises(ValueError, match="ORC"):
        hive_literals_in_orc(pa.array([-1], MICROS), "timestamp")


def test_spark_values_are_of_the_column() -> None:
    nested = pa.array([[{"n": 255}]], pa.list_(pa.struct([("n", pa.uint8())])))
    assert spark_type(nested.type) == "array<struct<`n`: smallint>>"
    assert spark_values(nested, "array<struct<`n`: smallint>>").to_pylist() == [[{"n": 255}]]
    assert spark_type(pa.list_(pa.uuid())) is None
    assert hive_type(nested.type) == "string"
    maps = pa.array([[("k", TIMESTAMP_INFINITY)]], pa.map_(pa.string(), MICROS))
    with pytest.raises(ValueError, match="infinity"):
        spark_values(maps, "map<string, timestamp_ntz>")
