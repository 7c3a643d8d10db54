"""Writing Teradata over a double of its driver (tag: driver), and, where `DVT_LIVE_TERADATA_URL` is set, a real one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from servers import live
from servers.teradata_driver import HOST, PASSWORD, PORT, SCHEMA, USER, teradata_double
from servers.teradata_writing import TeradataWritingDouble

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.teradata import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.teradata import TeradataExtractor
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.loaders.teradata import TeradataLoader
from dvt.identifiers import Relation
from dvt.testing.streams import stream_of

OUTPUT = {"type": "teradata", "host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "schema": SCHEMA}
ROWS = pa.table({"id": pa.array([1, 1]), "word": ["ä ", "ä "]})  # a row twice
EVERY = pa.table(
    {
        "id": pa.array([1, 2]),
        "u": pa.array([2**64 - 1, None], pa.uint64()),
        "d": pa.array([Decimal("-0.0000000001"), None], pa.decimal128(38, 10)),
        "f": pa.array([0.1, None]),
        "t": ["größe 漢字 ", ""],
        "b": pa.array([b"\0\xff", b""]),
        "n": pa.array([None, None], pa.binary()),
        "day": pa.array([dt.date(1, 1, 1), None]),
        "m": pa.array([dt.datetime(9999, 12, 31, 23, 59, 59, 999999), None], pa.timestamp("us")),
        "z": pa.array(
            [dt.datetime(1969, 12, 31, 23, 59, 59, 999999, dt.timezone.utc), None], pa.timestamp("us", "UTC")
        ),
        "c": pa.array([dt.time(23, 59, 59, 999999), None], pa.time64("us")),
    }
)


@pytest.fixture
def double() -> Iterator[TeradataWritingDouble]:
    with teradata_double(TeradataWritingDouble()) as made:
        yield made


def connect() -> Connection:
    return Connection.from_output("edw", OUTPUT, SPEC)


def load(rows: pa.Table, connection: Connection | None = None, name: str = "t", **more: Any) -> LoadResult:
    with TeradataLoader(connection or connect()) as loader:
        return loader.load(stream_of(rows), LoadConfig(Relation(name), run_id="0c0ffee0", **more))


def read(connection: Connection | None = None, name: str = "t") -> list[dict[str, Any]]:
    with TeradataExtractor(connection or connect()) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation(name))) as rows:
            return sorted(rows.to_table().to_pylist(), key=str)


def test_rows_that_are_there_twice_arrive_twice(double: TeradataWritingDouble) -> None:
    for _ in range(2):
        double.statements.clear()
        assert load(ROWS).method == "batch_insert"
        assert read() == ROWS.to_pylist()
    said = [sql for sql in double.statements if not sql.startswith("select") and "rpo" not in sql]
    private = f'"{SCHEMA}"."t__dvt_0c0ffee0"'
    assert said[0].startswith(f"create multiset table {private} (")
    assert not any("fastload" in sql for sql in said)
    off, on = ("{fn teradata_nativesql}{fn teradata_autocommit_" + word + "}" for word in ("off", "on"))
    begun = said.index(off)
    assert said[begun : begun + 6] == [
        off,
        f'delete from "{SCHEMA}"."t"',
        f'insert into "{SCHEMA}"."t" ( "id", "word" ) select "id", "word" from {private}',
        "COMMIT",
        on,
        f"drop table {private}",
    ]


def test_every_type_arrives(double: TeradataWritingDouble) -> None:
    load(EVERY)
    assert read() == sorted(EVERY.to_pylist(), key=str)
    inserted = next(sql for sql in double.statements if "insert into" in sql)
    assert inserted.startswith("{fn teradata_parameter(6,varbyte(32000))}{fn teradata_parameter(7,varbyte(32000))}")


def test_a_landing_that_breaks_leaves_the_old_rows(double: TeradataWritingDouble) -> None:
    load(ROWS)
    double.fails_at = f'insert into "{SCHEMA}"."t" '
    with pytest.raises(errors.PrivilegeError):
        load(pa.table({"id": [7], "word": ["new"]}))
    double.fails_at = ""
    assert read() == ROWS.to_pylist()
    assert double.listed() == ["t"]


def test_a_rename_that_fails_gives_the_old_table_back(
    double: TeradataWritingDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(ROWS)
    double.fails_at = 'rename table "kit"."t__dvt_0c0ffee0"'
    with pytest.raises(errors.PrivilegeError):
        load(pa.table({"other": [1]}))
    double.fails_at = ""
    assert read() == ROWS.to_pylist()
    assert double.listed() == ["t"]
    load(pa.table({"other": [1]}))
    assert read() == [{"other": 1}]
    assert double.listed() == ["t"]


@pytest.mark.parametrize(
    ("values", "declared", "message"),
    [
        (["ok", "😀"], "", "basic plane"),
        (["ok", "ä" * 32_001], "", "32001 long, and 32000"),
        (["ok", "äää"], "varchar(2) character set unicode", "3 long, and 2"),
        ([0.1, float("inf")], "", "infinite"),
        ([0.1, -5e-324], "", "nearer to zero"),
        ([Decimal("1.5"), Decimal("1.25")], "decimal(5, 1)", "no place"),
        ([1, 128], "byteint", "no place"),
        ([dt.datetime(2024, 1, 1, 0, 0, 0, 1)], "timestamp(3)", "more than 3 digits"),
        ([b"ok", b"x" * 32_001], "", "32001 long"),
        (["ok"], "varbyte(9)", "not bytes"),
    ],
)
def test_a_value_that_would_change_is_refused_with_its_column(
    double: TeradataWritingDouble, values: list[Any], declared: str, message: str
) -> None:
    load(ROWS)
    with pytest.raises(errors.DataError, match=message) as raised:
        load(pa.table({"v": values}), **({"declared": {"v": declared}} if declared else {}))
    assert (raised.value.column, raised.value.connection) == ("v", "edw")
    assert read() == ROWS.to_pylist()
    assert double.listed() == ["t"]


def test_nanoseconds_are_refused_and_microseconds_of_that_type_are_not(double: TeradataWritingDouble) -> None:
    load(pa.table({"m": pa.array([1_000], pa.timestamp("ns"))}))
    assert read() == [{"m": dt.datetime(1970, 1, 1, 0, 0, 0, 1)}]
    with pytest.raises(errors.DataError) as raised:
        load(pa.table({"m": pa.array([1], pa.timestamp("ns"))}))
    assert raised.value.column == "m"


@pytest.mark.parametrize("type_", ["char(3)", "varchar(9)", "varchar(9) character set latin", "clob", "number"])
def test_types_that_change_values_cannot_be_declared(double: TeradataWritingDouble, type_: str) -> None:
    with pytest.raises(errors.DataError, match="keeps every value") as raised:
        load(ROWS, declared={"word": type_})
    assert raised.value.column == "word"


def test_nothing_is_appended_to_a_set_table(double: TeradataWritingDouble) -> None:
    double.execute(f'create set table "{SCHEMA}"."t" ("id" BIGINT, "word" VARCHAR(32000))')
    with pytest.raises(errors.DataError, match="SET table"):
        load(ROWS, mode="append")
    assert read() == []
    load(ROWS)  # another table takes its place, in which a row may be twice
    assert read() == ROWS.to_pylist()


@pytest.mark.parametrize(
    ("native", "rows", "message"),
    [
        ("CHAR(5)", pa.table({"v": ["a"]}), "values could change"),
        ("VARCHAR(3)", pa.table({"v": ["ab   "]}), "5 long, and the target takes 3"),
        ("TIMESTAMP(3)", pa.table({"v": pa.array([0], pa.timestamp("us"))}), "values could change"),
        ("INTEGER", pa.table({"v": pa.array([1])}), "values could change"),
    ],
)
def test_an_append_is_refused_where_the_target_would_change_values(
    double: TeradataWritingDouble, native: str, rows: pa.Table, message: str
) -> None:
    double.execute(f'create multiset table "{SCHEMA}"."t" ("v" {native})')
    with pytest.raises(errors.DataError, match=message) as raised:
        load(rows, mode="append")
    assert raised.value.column == "v"
    assert double.listed() == ["t"]


def test_a_schema_is_a_database(double: TeradataWritingDouble) -> None:
    with TeradataLoader(connect()) as loader:
        with pytest.raises(errors.RelationNotFoundError, match="CREATE DATABASE"):
            loader.ensure_schema(Relation("t", "nobody"))


@live.TERADATA.needed
@pytest.mark.parametrize("way", ["insert", "fastload"])
def test_a_live_system_takes_every_type(way: str) -> None:
    connection = Connection.from_output("live", {**live.TERADATA.output(), "dvt": {"load_with": way}}, SPEC)
    name = "dvt_live_load"
    try:
        for _ in range(2):
            load(EVERY, connection, name)
            assert read(connection, name) == sorted(EVERY.to_pylist(), key=str)
        load(EVERY.slice(0, 1), connection, name, mode="append")
        load(EVERY.slice(0, 1), connection, name, mode="delete+insert", unique_key=("id",))
        load(EVERY.slice(1, 1), connection, name, mode="merge", unique_key=("id",))
        assert read(connection, name) == sorted(EVERY.to_pylist(), key=str)
        for _ in range(2):
            load(ROWS, connection, name)
            assert read(connection, name) == ROWS.to_pylist()
    finally:
        with TeradataLoader(connection) as loader:
            loader.drop(Relation(name))
