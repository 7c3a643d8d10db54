"""Loads into a real Spark, over Spark Connect and as Hive over its HiveServer2; HiveServer2's own client is asked."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from servers.spark import SparkServer

from dvt.errors import DataError
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.registry import loader_class, open_connection
from dvt.identifiers import Relation
from dvt.testing.streams import stream_of
from dvt.types.vocabulary import TIMESTAMP_INFINITY

pytestmark = [pytest.mark.spark, pytest.mark.slow]

_TYPES = ("spark", "hive")
_MOMENTS = [-62135596800000000, -12219292800000001, -1, 1709168523456789, None]


@pytest.fixture(scope="module")
def schema(spark_server: SparkServer) -> str:
    pytest.importorskip("pyspark")
    return spark_server.database("dvt_spark_load")


def _load(server: SparkServer, type_: str, table: pa.Table, target: Relation, **more: Any) -> None:
    settings = more.pop("settings", {})
    output = server.output(**settings) if type_ == "spark" else server.hive_output(**settings)
    with loader_class(type_)(open_connection("lake", output)) as loader:
        loader.load(stream_of(table), LoadConfig(target, **more))


def _asked(server: SparkServer, table: str, columns: str) -> list[tuple[Any, ...]]:
    server.execute(f"refresh table {table}")
    return server.query(f"select {columns} from {table} order by 1")


@pytest.mark.parametrize("type_", _TYPES)
def test_no_zone_and_no_calendar_moves_a_value(spark_server: SparkServer, schema: str, type_: str) -> None:
    """The session that asks is in another zone than the one that wrote."""
    columns = {
        "id": pa.array(range(5)),
        "local": pa.array(_MOMENTS, pa.timestamp("us")),
        "day": pa.array([dt.date(1, 1, 1), dt.date(1582, 10, 10), dt.date(1969, 12, 31), dt.date(9999, 12, 31), None]),
    }
    if type_ == "spark":
        columns["instant"] = pa.array(_MOMENTS, pa.timestamp("us", "UTC"))
    _load(spark_server, type_, pa.table(columns), Relation(f"moments_{type_}", schema))
    asking = spark_server if type_ == "spark" else spark_server.in_utc()
    found = _asked(asking, f"{schema}.moments_{type_}", "id, cast(local as string), cast(day as string)")
    assert [row[1:] for row in found] == [
        ("0001-01-01 00:00:00", "0001-01-01"),
        ("1582-10-14 23:59:59.999999", "1582-10-10"),
        ("1969-12-31 23:59:59.999999", "1969-12-31"),
        ("2024-02-29 01:02:03.456789", "9999-12-31"),
        (None, None),
    ]
    if type_ == "spark":
        found = _asked(spark_server, f"{schema}.moments_{type_}", "id, unix_micros(instant)")
        assert [micros for _, micros in found] == _MOMENTS


@pytest.mark.parametrize("type_", _TYPES)
def test_texts_and_numbers_come_letter_for_letter(spark_server: SparkServer, schema: str, type_: str) -> None:
    texts = ["", "NULL", "\\N", "it's \\' ${x} $", "a\tb\r\nc\x01\x00", " ", "😀%_", None]
    numbers = [float("nan"), float("inf"), -0.0, 5e-324, 0.1, 1.7976931348623157e308, -1.5, None]
    table = pa.table({"id": range(8), "text": texts, "number": numbers, "a ${x} `name": [True, False] * 4})
    settings = (
        {"settings": {"server_side_parameters": {"spark.sql.sources.default": "csv"}}} if type_ == "spark" else {}
    )
    target = Relation(f"texts_{type_}", schema)
    _load(spark_server, type_, table, target, **settings)
    own = f"{schema}.texts_{type_}"
    found = _asked(spark_server, own, "id, hex(encode(text, 'UTF-8')), cast(number as string)")
    assert [row[1] for row in found] == [None if text is None else text.encode().hex().upper() for text in texts]
    expected = ["NaN", "Infinity", "-0.0", "4.9E-324", "0.1", "1.7976931348623157E308", "-1.5", None]
    assert [row[2] for row in found] == expected
    provider = [row[1] for row in spark_server.query(f"describe extended {own}") if row[0] == "Provider"]
    assert provider == ["parquet"]


def test_what_is_nested_lands_as_it_is(spark_server: SparkServer, schema: str) -> None:
    person = pa.struct([("a name", pa.string()), ("n", pa.uint8())])
    table = pa.table(
        {
            "people": pa.array([[{"a name": "x", "n": 255}, None], [], None], pa.list_(person)),
            "sums": pa.array([[("a", Decimal("0.10"))], [], None], pa.map_(pa.string(), pa.decimal128(9, 2))),
        }
    )
    _load(spark_server, "spark", table, Relation("nested", schema))
    found = _asked(spark_server, f"{schema}.nested", "to_json(people), to_json(sums), typeof(people), typeof(sums)")
    types = ("array<struct<a name:smallint>>",)
    assert sorted((row[:2] for row in found), key=repr) == [
        ('[]', "{}"), ('[{"a name":"x","n":255},null]', '{"a":0.10}'), (None, None),
    ]  # fmt: skip
    assert {row[2] for row in found} == {"array<struct<a name:string,n:smallint>>"}, types
    assert {row[3] for row in found} == {"map<string,decimal(9,2)>"}


@pytest.mark.parametrize("type_", _TYPES)
def test_a_table_made_anew_keeps_its_shape(spark_server: SparkServer, schema: str, type_: str) -> None:
    """merge and delete+insert of tables whose rows cannot be changed."""
    own = f"{schema}.parts_{type_}"
    spark_server.execute(
        f"create table {own} (id bigint, note string, part string) using parquet partitioned by (part)",
        f"insert into {own} values (1, 'a', 'x'), (2, 'b', 'y'), (null, 'n', 'x')",
    )
    target = Relation(f"parts_{type_}", schema)
    delta = pa.table({"part": ["z", "x"], "id": [2, 3], "note": ["B", "c"]})
    _load(spark_server, type_, delta, target, mode="merge", unique_key=("id",))
    with pytest.raises(DataError) as raised:
        _load(spark_server, type_, delta.drop_columns("note"), target, mode="merge", unique_key=("id",))
    assert raised.value.column == "note"
    _load(spark_server, type_, pa.table({"id": [3], "part": ["w"]}), target, mode="delete+insert", unique_key=("id",))
    assert _asked(spark_server, own, "id, note, part") == [
        (None, "n", "x"), (1, "a", "x"), (2, "B", "z"), (3, None, "w"),
    ]  # fmt: skip
    assert [row[0] for row in spark_server.query(f"show partitions {own}")] == ["part=w", "part=x", "part=z"]
    left = [row[1] for row in spark_server.query(f"show tables in {schema}") if "dvt" in row[1]]
    assert left == []


@pytest.mark.parametrize(
    ("type_", "declared", "column"),
    [
        ("spark", "", pa.array([TIMESTAMP_INFINITY], pa.timestamp("us"))),
        ("spark", "", pa.array([[TIMESTAMP_INFINITY]], pa.list_(pa.timestamp("us", "UTC")))),
        ("spark", "", pa.array([0], pa.timestamp("ns"))),
        ("spark", "", pa.array([(1, 2, 3)], pa.month_day_nano_interval())),
        ("spark", "timestamp", pa.array([0], pa.timestamp("us"))),
        ("spark", "decimal(5, 1)", pa.array([Decimal("1.25")])),
        ("spark", "char(3)", pa.array(["a"])),
        ("spark", "varchar(2)", pa.array(["abc"])),
        ("spark", "array<decimal(3, 1)>", pa.array([[Decimal("1.25")]])),
        ("hive", "", pa.array([0], pa.timestamp("us", "UTC"))),
        ("hive", "", pa.array([TIMESTAMP_INFINITY], pa.timestamp("us"))),
        ("hive", "float", pa.array([0.1])),
        ("hive", "array<int>", pa.array(["[1]"])),
    ],
)
def test_what_has_no_place_is_refused(
    spark_server: SparkServer, schema: str, type_: str, declared: str, column: pa.Array
) -> None:
    types = {"declared": {"v": declared}} if declared else {}
    with pytest.raises(DataError) as raised:
        _load(spark_server, type_, pa.table({"v": column}), Relation("refused", schema), **types)
    assert raised.value.column == "v"
    assert "refused" not in {row[1] for row in spark_server.query(f"show tables in {schema}")}


def test_a_column_that_pads_is_refused(spark_server: SparkServer, schema: str) -> None:
    spark_server.execute(f"create table {schema}.padded (v char(3)) using parquet")
    with pytest.raises(DataError, match=r"char\(3\)") as raised:
        _load(spark_server, "spark", pa.table({"v": ["a"]}), Relation("padded", schema), mode="append")
    assert raised.value.column == "v"
