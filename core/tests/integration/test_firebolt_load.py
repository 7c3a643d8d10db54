"""Writing Firebolt through its driver, against a stand-in (tag: fake): transactions, views, literals, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from servers import firebolt
from servers.firebolt import FireboltServer

pytest.importorskip("firebolt.db")

from dvt.connections.connection import Connection
from dvt.connections.firebolt import SPEC
from dvt.errors import DataError, QueryError, UnsupportedError
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.loaders.firebolt import FireboltLoader
from dvt.identifiers import Relation
from dvt.testing.streams import stream_of

T = Relation("t", "main")


@pytest.fixture
def server() -> Iterator[FireboltServer]:
    with firebolt.running() as server:
        yield server


def load(server: FireboltServer, rows: pa.Table, **config: Any) -> LoadResult:
    with FireboltLoader(Connection.from_output("fb", server.output(), SPEC)) as loader:
        return loader.load(stream_of(rows, 100), LoadConfig(T, run_id="0a0b0c0d", **config))


def found(server: FireboltServer, sql: str) -> list[tuple[Any, ...]]:
    return server.sql.run(sql).fetchmany(1000)


def tables(server: FireboltServer) -> list[tuple[Any, ...]]:
    return found(server, "select table_name from information_schema.tables order by 1")


def test_a_server_without_transactions_is_refused_before_the_table_is_touched(server: FireboltServer) -> None:
    load(server, pa.table({"id": [1]}))
    server.transactions.is_known = False
    with pytest.raises(UnsupportedError, match="did not open a transaction"):
        load(server, pa.table({"id": [2]}))
    assert found(server, "select id from t") == [(1,)]
    assert tables(server) == [("t",)]


def test_a_landing_that_fails_is_undone(server: FireboltServer) -> None:
    server.sql.run("create table t (id bigint, name text not null)")
    server.sql.run("insert into t values (1, 'a')")
    with pytest.raises(DataError):  # TRUNCATE has been done by then
        load(server, pa.table({"id": [2], "name": pa.array([None], pa.string())}))
    assert found(server, "select * from t") == [(1, "a")]
    assert tables(server) == [("t",)]
    assert len(server.transactions.begun) == 1


def test_a_view_stays_where_the_columns_do(server: FireboltServer) -> None:
    load(server, pa.table({"id": [1]}))
    server.sql.run('create view v as select id from "main"."t"')
    load(server, pa.table({"id": [2]}))
    assert found(server, "select id from v") == [(2,)]
    with pytest.raises(QueryError, match="depend") as raised:
        load(server, pa.table({"id": ["x"]}))
    assert raised.value.remedy
    assert "--full-refresh" in raised.value.remedy
    assert found(server, "select id from v") == [(2,)]
    load(server, pa.table({"id": ["x"]}), drop_dependents=True)
    assert found(server, "select id from t") == [("x",)]
    assert tables(server) == [("t",)]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("numeric(3, 1)", Decimal("1.25")),
        ("real", 0.1),
        ("integer", 2**31),
        ("geography", "POINT(1 1)"),
        ("date", "2026-01-01"),
        ("text", "a\0b"),
    ],
)
def test_values_that_would_change_are_refused(server: FireboltServer, declared: str, value: Any) -> None:
    with pytest.raises(DataError) as raised:
        load(server, pa.table({"id": [1], "v": [value]}), declared={"v": declared})
    assert raised.value.column == "v"
    assert tables(server) == []


def test_the_smallest_and_the_odd(server: FireboltServer) -> None:
    rows = pa.table({"n": [-(2**63), 2**63 - 1], "t": ["\\''\\\\ \n\t E'", ""], "b": [b"\\'\0", b""]})
    load(server, rows)
    assert found(server, "select n, t, b from t order by n") == [tuple(row.values()) for row in rows.to_pylist()]
