"""Writing Databricks through its connector, against a stand-in (tag: fake): files, refusals, single statements."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("databricks.sql")

from integration.databricks_kit import connect, read
from servers.databricks import VOLUME, running
from servers.databricks_service import Warehouse

from dvt.errors import ConfigurationError, ConnectionLostError, DataError, RelationNotFoundError, UnsupportedError
from dvt.federation.loaders import databricks, databricks_fill
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.loaders.databricks import DatabricksLoader
from dvt.identifiers import Relation
from dvt.testing.streams import stream_of

T = Relation("t", "sales")


@pytest.fixture
def lake() -> Iterator[Warehouse]:
    with running() as warehouse:
        warehouse.execute("create schema lake.sales")
        yield warehouse


def load(lake: Warehouse, rows: pa.Table, volume: str = VOLUME, **config: Any) -> LoadResult:
    with DatabricksLoader(connect(lake, {"volume": volume})) as loader:
        return loader.load(stream_of(rows, 100), LoadConfig(T, run_id="0a0b0c0d", **config))


def found(lake: Warehouse, sql: str) -> list[tuple[Any, ...]]:
    return lake.engine.run(sql).fetchmany(1000)


def check_nothing_is_there(lake: Warehouse) -> None:
    assert found(lake, "select table_name from information_schema.tables where table_schema = 'sales'") == []
    assert lake.volumes.files == {}
    assert lake.left_open == []


def test_many_files_in_several_copies(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databricks_fill, "_FILE_BYTES", 1)  # each batch is a file
    monkeypatch.setattr(databricks, "_FILES", 4)
    rows = pa.table({"id": range(1000), "name": [f"row {n}" for n in range(1000)]})
    result = load(lake, rows, streaming_batch_size=100)
    assert (result.rows, result.method) == (1000, "copy_into")
    assert [len(copy["files"]) for copy in lake.writing.copies] == [4, 4, 2]
    assert [copy["lying"] for copy in lake.writing.copies] == [4, 4, 2]  # what was copied is taken away at once
    assert len(set(lake.volumes.put)) == 10
    assert found(lake, "select count(distinct id), sum(id), min(name) from sales.t") == [(1000, 499500, "row 0")]
    assert lake.volumes.files == {}


def test_what_is_nested_comes_back(lake: Warehouse) -> None:
    struct = pa.struct([("a b", pa.uint8()), ("x", pa.list_(pa.float64()))])
    rows = pa.table(
        {
            "id": [1, 2],
            "s": pa.array([{"a b": 255, "x": [float("inf"), None, 0.1]}, None], struct),
            "m": pa.array([[("k", Decimal("1.125")), ("ä", None)], []], pa.map_(pa.string(), pa.decimal128(9, 3))),
        }
    )
    load(lake, rows)
    back = read(connect(lake), "t")
    assert [str(type_) for type_ in back.schema.types[2:]] == ["map<string, decimal128(9, 3)>"]
    for name in rows.column_names:
        assert back[name].to_pylist() == rows[name].to_pylist()


def test_a_file_that_cannot_be_put(lake: Warehouse) -> None:
    lake.volumes.faults = [403]
    with pytest.raises(ConnectionLostError, match=r"403.*AccessDenied") as raised:
        load(lake, pa.table({"id": [1]}))
    assert raised.value.remedy
    assert "dvt.volume" in raised.value.remedy
    check_nothing_is_there(lake)


@pytest.mark.parametrize(
    ("volume", "family"),
    [("/Volumes/lake/sales/gone", RelationNotFoundError), ("s3://bucket/folder", ConfigurationError)],
)
def test_a_volume_that_is_not_there(lake: Warehouse, volume: str, family: type[Exception]) -> None:
    with pytest.raises(family):
        load(lake, pa.table({"id": [1]}), volume)
    check_nothing_is_there(lake)


def test_a_folder_of_a_volume(lake: Warehouse) -> None:
    load(lake, pa.table({"id": [1]}), VOLUME + "/it's/")
    assert all(path.startswith(VOLUME + "/it's/dvt_") for path in lake.volumes.put)
    assert found(lake, "select id from sales.t") == [(1,)]


@pytest.mark.parametrize("volume", [VOLUME, ""])
@pytest.mark.parametrize(
    ("declared", "value"),
    [("varchar(3)", "abcd"), ("char(9)", "abc"), ("variant", "{}"), ("decimal(3, 1)", Decimal("1.25")), ("date", "x")],
)
def test_declared_types_that_would_change_a_value(lake: Warehouse, volume: str, declared: str, value: Any) -> None:
    with pytest.raises(DataError) as raised:
        load(lake, pa.table({"id": [1], "v": [value]}), volume, declared={"v": declared})
    assert raised.value.column == "v"
    check_nothing_is_there(lake)


def test_a_declared_length_lands(lake: Warehouse) -> None:
    load(lake, pa.table({"v": ["abc", None, ""]}), declared={"v": "varchar(3)"})
    assert found(lake, "select v from sales.t order by v nulls last") == [("",), ("abc",), (None,)]
    assert lake.engine.native_columns("sales", "t")["v"].sql("databricks") == "VARCHAR(3)"


@pytest.mark.parametrize("declared", ["char(3)", "variant", "interval day to second"])
def test_a_target_that_would_change_a_value(lake: Warehouse, declared: str) -> None:
    lake.execute(f"create table lake.sales.t (id bigint, v {declared})")
    with pytest.raises(DataError, match="as they are") as raised:
        load(lake, pa.table({"id": [1], "v": ["a"]}), mode="append")
    assert raised.value.column == "v"
    assert found(lake, "select * from sales.t") == []
    load(lake, pa.table({"id": [1]}), mode="append")  # the other columns are as good as any
    assert found(lake, "select * from sales.t") == [(1, None)]


@pytest.mark.parametrize("mode", ["append", "merge", "delete+insert"])
def test_a_column_that_takes_no_null(lake: Warehouse, mode: Any) -> None:
    lake.execute("create table lake.sales.t (id bigint, v string not null)", "insert into lake.sales.t values (1, 'a')")
    with pytest.raises(DataError) as raised:
        load(lake, pa.table({"id": [1], "v": pa.array([None], pa.string())}), mode=mode, unique_key=("id",))
    assert raised.value.column == "v"
    assert found(lake, "select * from sales.t") == [(1, "a")]


def test_delete_and_insert_is_one_statement(lake: Warehouse) -> None:
    lake.execute(
        "create table lake.sales.t (id bigint, dvt_side string, more string)",
        "insert into lake.sales.t values (1, 'a', 'x'), (1, 'b', 'x'), (2, 'c', 'x'), (null, 'd', 'x')",
    )
    rows = pa.table({"ID": [1, 3, None], "DVT_side": ["new", None, "n"]})
    lake.taken()
    load(lake, rows, mode="delete+insert", unique_key=("id",))
    there = found(lake, "select * from sales.t order by id nulls last, dvt_side")
    assert there == [(1, "new", None), (2, "c", "x"), (3, None, None), (None, "d", "x"), (None, "n", None)]
    changing = [sql for sql in lake.taken() if "`sales`.`t`" in sql and sql.split()[0] in ("merge", "insert", "delete")]
    assert [sql.split()[0] for sql in changing] == ["merge"]


def test_a_name_that_holds_a_variable(lake: Warehouse) -> None:
    with pytest.raises(UnsupportedError, match="variable"):
        load(lake, pa.table({"a${b}": [1]}))
    check_nothing_is_there(lake)


def test_a_view_is_replaced_by_a_table(lake: Warehouse) -> None:
    lake.execute("create view lake.sales.t as select 1 as id")
    with pytest.raises(DataError, match="view"):
        load(lake, pa.table({"id": [2]}), mode="append")
    load(lake, pa.table({"id": [2]}))
    assert found(lake, "select id from sales.t") == [(2,)]
    assert found(lake, "select table_type from information_schema.tables where table_name = 't'") == [("BASE TABLE",)]
