"""Databricks' types as its server sends them (given by the test, tag: fake), read by value."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("databricks.sql")

from integration.databricks_kit import connect, read, sent
from servers import databricks_service, databricks_words
from servers.databricks import running
from servers.databricks_service import Warehouse

from dvt import errors
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.databricks import DatabricksExtractor
from dvt.identifiers import Relation

BERLIN = pa.timestamp("us", "Europe/Berlin")
MOMENT = datetime(2024, 3, 31, 1, 30, 0, 123456)
ONE = Decimal("9" * 35 + ".999")

# Databricks' name, the Arrow type in which it comes, the values that the server sends, the carried type.
KINDS: list[tuple[str, pa.DataType, list[Any], pa.DataType]] = [
    ("BOOLEAN", pa.bool_(), [True, False, None], pa.bool_()),
    ("TINYINT", pa.int8(), [-128, 127, None], pa.int8()),
    ("SMALLINT", pa.int16(), [-32768, 32767, None], pa.int16()),
    ("INT", pa.int32(), [-(2**31), 2**31 - 1, None], pa.int32()),
    ("BIGINT", pa.int64(), [-(2**63), 2**63 - 1, None], pa.int64()),
    ("FLOAT", pa.float32(), [1.5, float("-inf"), None], pa.float32()),
    ("DOUBLE", pa.float64(), [0.1, float("inf"), None], pa.float64()),
    ("DECIMAL(38,3)", pa.decimal128(38, 3), [ONE, ONE.copy_negate(), None], pa.decimal128(38, 3)),
    ("DECIMAL(10,0)", pa.decimal128(10, 0), [Decimal(5), Decimal(-5), None], pa.decimal128(10, 0)),
    ("STRING", pa.string(), ["", "ä🙂\r\n\0", None], pa.string()),
    ("VARCHAR(5)", pa.string(), ["a", "ab   ", None], pa.string()),
    ("CHAR(5)", pa.string(), ["a    ", "abcde", None], pa.string()),
    ("BINARY", pa.binary(), [b"", bytes(range(256)), None], pa.binary()),
    ("DATE", pa.date32(), [date(1, 1, 1), date(9999, 12, 31), None], pa.date32()),
    ("TIMESTAMP_NTZ", pa.timestamp("us"), [MOMENT, datetime(1, 1, 1), None], pa.timestamp("us")),
    ("INTERVAL YEAR TO MONTH", pa.string(), ["1-2", "-0-1", None], pa.string()),
    ("INTERVAL DAY TO SECOND", pa.string(), ["1 02:03:04.000005000", "-0 00:00:01.000000000", None], pa.string()),
    ("VARIANT", pa.string(), ['{"a":[1,null]}', "null", None], pa.string()),
    ("GEOMETRY(4326)", pa.string(), ["SRID=4326;POINT(1 2)", "POINT(1 2)", None], pa.string()),
    ("ARRAY<INT>", pa.list_(pa.int32()), [[1, None], [], None], pa.list_(pa.int32())),
    ("VOID", pa.null(), [None, None, None], pa.int32()),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Warehouse]:
    with running() as warehouse:
        warehouse.execute("create schema lake.sales")
        yield warehouse


def give(warehouse: Warehouse, name: str, *columns: tuple[pa.Field, pa.Array]) -> None:
    schema = pa.schema([field for field, _ in columns])
    warehouse.given[name] = pa.Table.from_arrays([array for _, array in columns], schema=schema)


@pytest.mark.parametrize(("native", "type_", "values", "carried"), KINDS, ids=[kind[0] for kind in KINDS])
@pytest.mark.parametrize("is_named", [True, False])
def test_each_type_by_value(
    server: Warehouse, native: str, type_: pa.DataType, values: list[Any], carried: pa.DataType, is_named: bool
) -> None:
    field, array = sent("c", native, values, type_)
    give(server, "kinds", (field if is_named else field.remove_metadata(), array))
    with DatabricksExtractor(connect(server)) as extractor:
        described = extractor.describe(ExtractionConfig(relation=Relation("kinds")))
        with extractor.scan(ExtractionConfig(relation=Relation("kinds"))) as rows:
            assert rows.columns == described
            table = rows.to_table()
    assert table.schema.types == [carried]
    assert table["c"].to_pylist() == values
    if is_named:
        assert described[0].native_type == native.lower()


def test_the_types_of_a_table_are_told_by_their_names(server: Warehouse) -> None:
    """By the engine behind the stand-in, which keeps the types with which a table was created."""
    server.execute(
        "create or replace table lake.sales.told (t tinyint, v varchar(5), c char(3), p decimal(5, 2), f float,"
        " d double, b binary, day date, at timestamp, wall timestamp_ntz, i interval day to second, j variant,"
        " a array<string>, m map<int, decimal(5, 2)>, s struct<x: int, at: timestamp>)",
        "insert into lake.sales.told select 1, 'ab', 'c', 1.5, 0.5, 0.1, X'00ff', date '2024-02-29',"
        " timestamp '2024-01-01 02:00:00+02:00', timestamp_ntz '2024-01-01 02:00:00.000001', '1 02:03:04', '{}',"
        " array('x', null), map(1, cast(2.5 as decimal(5, 2))), null",
    )
    with DatabricksExtractor(connect(server)) as extractor:
        request = ExtractionConfig(relation=Relation("told"))
        assert [column.native_type for column in extractor.describe(request)] == [
            "tinyint", "string", "string", "decimal(5,2)", "float", "double", "binary", "date", "timestamp",
            "timestamp_ntz", "interval day to second", "variant", "array<string>", "map<int, decimal(5,2)>",
            "struct<x: int, at: timestamp>",
        ]  # fmt: skip
        with extractor.scan(request) as rows:
            (row,) = rows.to_table().to_pylist()
    assert list(row.values()) == [
        1, "ab", "c", Decimal("1.50"), 0.5, 0.1, b"\0\xff", date(2024, 2, 29),
        datetime(2024, 1, 1, tzinfo=timezone.utc), datetime(2024, 1, 1, 2, 0, 0, 1), "1 02:03:04", "{}",
        ["x", None], [("1", Decimal("2.50"))], None,
    ]  # fmt: skip


def test_a_nan_and_a_negative_zero_stay(server: Warehouse) -> None:
    give(server, "floats", sent("d", "DOUBLE", [float("nan"), -0.0], pa.float64()))
    assert [repr(v) for v in read(connect(server), "floats")["d"].to_pylist()] == ["nan", "-0.0"]


def test_an_instant_is_the_same_in_every_zone(server: Warehouse) -> None:
    instant = datetime(
        2024, 10, 27, 0, 30, tzinfo=timezone.utc
    )  # the second 02:30 of that day in Berlin comes an hour later
    give(server, "instants", sent("t", "TIMESTAMP", [instant, instant + timedelta(hours=1), None], BERLIN))
    table = read(connect(server), "instants")
    assert table.schema.types == [pa.timestamp("us", "UTC")]
    assert table["t"].to_pylist() == [instant, instant + timedelta(hours=1), None]


def test_what_is_nested_is_carried_as_it_is(server: Warehouse) -> None:
    inner = pa.struct([("n", pa.decimal128(5, 2)), ("t", BERLIN), ("list", pa.list_(pa.string()))])
    instant = datetime(2024, 1, 1, tzinfo=timezone.utc)
    value = {"n": Decimal("1.50"), "t": instant, "list": ["a", None]}
    give(
        server,
        "nested",
        sent("s", "STRUCT<n: DECIMAL(5,2), t: TIMESTAMP, list: ARRAY<STRING>>", [value, None], inner),
        sent("m", "MAP<INT, DOUBLE>", [[(1, 0.5), (2, None)], None], pa.map_(pa.int32(), pa.float64())),
    )
    table = read(connect(server), "nested")
    assert table.schema.field("s").type.field("t").type == pa.timestamp("us", "UTC")
    assert table.schema.field("m").type == pa.map_(pa.string(), pa.float64())
    assert table.to_pylist() == [{"s": value, "m": [("1", 0.5), ("2", None)]}, {"s": None, "m": None}]


def test_what_nothing_carries_is_refused_by_name(server: Warehouse) -> None:
    give(
        server,
        "odd",
        sent("id", "INT", [1], pa.int32()),
        sent("span", "ARRAY<INTERVAL SECOND>", [[timedelta(1)]], pa.list_(pa.duration("us"))),
    )
    with pytest.raises(errors.UnsupportedError) as caught:
        read(connect(server), "odd")
    assert (caught.value.column, caught.value.relation) == ("span", "odd")
    assert server.left_open == []
    assert "array<interval second>" in str(caught.value)


def test_a_server_without_arrow_types_is_refused(server: Warehouse) -> None:
    field = pa.field("price", pa.string())
    give(server, "old", (field, pa.array(["1.5"])))
    decimal = databricks_words.thrift_column(0, pa.field("price", pa.decimal128(3, 1)))
    plain = databricks_service.thrift_column
    databricks_service.thrift_column = lambda position, field: (
        decimal if field.name == "price" else plain(position, field)
    )
    try:
        with pytest.raises(errors.UnsupportedError, match="Arrow"):
            read(connect(server), "old")
    finally:
        databricks_service.thrift_column = plain


def test_two_columns_of_one_name_and_every_other_null(server: Warehouse) -> None:
    give(server, "twice", sent("a", "INT", [1], pa.int32()), sent("a", "STRING", ["x"], pa.string()))
    table = read(connect(server), "twice")
    assert [column.to_pylist() for column in table.columns] == [[1], ["x"]]
