"""What is ClickHouse's own in a load; the conformance kit has the rest (core/tests/contract/test_loaders.py)."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from servers.clickhouse import ClickHouseServer

from dvt.errors import DataError, QueryError
from dvt.federation.loaders.clickhouse import ClickHouseLoader
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.registry import open_connection
from dvt.identifiers import Relation
from dvt.testing.streams import stream_of

pytestmark = pytest.mark.clickhouse

_DATABASE = "dvt_load"


@pytest.fixture
def server(clickhouse_server: ClickHouseServer) -> ClickHouseServer:
    clickhouse_server.create_database(_DATABASE)
    return clickhouse_server


def _load(server: ClickHouseServer, rows: pa.Table, **more: Any) -> None:
    connection = open_connection("web", server.output(_DATABASE))
    with ClickHouseLoader(connection) as loader:
        loader.load(stream_of(rows), LoadConfig(Relation("t"), **more))


def _asked(server: ClickHouseServer, sql: str) -> list[str]:
    return server.query(sql, _DATABASE).split("\n")


def _delta() -> pa.Table:
    return pa.table({"id": pa.array([2, 3], pa.int32()), "n": pa.array([20, 30], pa.int32())})


def test_bytes_land_as_they_are(server: ClickHouseServer) -> None:
    _load(server, pa.table({"id": [1, 2, 3], "v": pa.array([b"\x00\xff\n\t", b"", None])}))
    assert _asked(server, "select hex(v) from t order by id") == ["00FF0A09", "", "\\N"]


def test_nested_values_and_their_nulls(server: ClickHouseServer) -> None:
    inner = pa.struct([("a b", pa.list_(pa.int8())), ("m", pa.map_(pa.string(), pa.float64()))])
    rows = [{"a b": [1, None], "m": [("k", 0.5), ("l", None)]}, {"a b": [], "m": []}]
    _load(server, pa.table({"id": [1, 2], "v": pa.array(rows, inner)}))
    assert _asked(server, "select v from t order by id") == ["([1,NULL],{'k':0.5,'l':NULL})", "([],{})"]
    for wrong in ([None], [{"a b": None, "m": []}], [{"a b": [], "m": None}]):
        with pytest.raises(DataError, match="cannot be NULL") as raised:
            _load(server, pa.table({"id": [1], "v": pa.array(wrong, inner)}))
        assert raised.value.column == "v"
    assert _asked(server, "select count() from t") == ["2"]


@pytest.mark.parametrize("engine", ["MergeTree order by id partition by id % 2", "Memory"])
@pytest.mark.parametrize("mode", ["merge", "delete+insert"])
def test_a_target_keeps_what_it_is(server: ClickHouseServer, engine: str, mode: str) -> None:
    server.execute(
        f"create table t (id Int32, n Nullable(Int64)) engine = {engine}",
        "insert into t values (1, 1), (2, 2)",
        database=_DATABASE,
    )
    made = _asked(server, "show create table t")
    _load(server, _delta(), mode=mode, unique_key=("id",))
    assert _asked(server, "select * from t order by id") == ["1\t1", "2\t20", "3\t30"]
    assert _asked(server, "show create table t") == made
    assert _asked(server, "show tables") == ["t"]


def test_a_change_that_fails_leaves_no_clone(server: ClickHouseServer) -> None:
    server.execute(
        "create table t (id Int32, n Nullable(Int32), constraint small check n < 25) engine = MergeTree order by id",
        "insert into t values (1, 1), (2, 2)",
        database=_DATABASE,
    )
    with pytest.raises(QueryError, match="small"):
        _load(server, _delta(), mode="merge", unique_key=("id",))
    assert _asked(server, "select * from t order by id") == ["1\t1", "2\t2"]
    assert _asked(server, "show tables") == ["t"]


@pytest.mark.parametrize("type_", ["DateTime('UTC')", "DateTime64(3, 'UTC')"])
def test_moments_are_not_cut(server: ClickHouseServer, type_: str) -> None:
    server.execute(f"create table t (id Int32, at {type_}) engine = MergeTree order by id", database=_DATABASE)
    moments = pa.table({"id": pa.array([1], pa.int32()), "at": pa.array([1], pa.timestamp("us", tz="UTC"))})
    with pytest.raises(DataError, match="DateTime64\\(6") as raised:
        _load(server, moments, mode="append")
    assert raised.value.column == "at"
    assert _asked(server, "select count() from t") == ["0"]


def test_a_table_takes_the_place_of_a_view(server: ClickHouseServer) -> None:
    server.execute("create view t as select 1 as id", database=_DATABASE)
    with pytest.raises(DataError, match="view"):
        _load(server, _delta(), mode="append")
    _load(server, _delta())
    assert _asked(server, "select id from t order by id") == ["2", "3"]
    assert _asked(server, "show tables") == ["t"]


def test_a_null_has_no_place_in_a_column_that_takes_none(server: ClickHouseServer) -> None:
    server.execute("create table t (id Int32, n Int32) engine = MergeTree order by id", database=_DATABASE)
    nulls = pa.table({"id": pa.array([1], pa.int32()), "n": pa.array([None], pa.int32())})
    with pytest.raises(DataError):
        _load(server, nulls, mode="append")
    assert _asked(server, "select count() from t") == ["0"]
