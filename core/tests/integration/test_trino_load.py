"""Loads into Trino (a fake): what its connectors do not hold, statements that are cut, and how a table is replaced."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from servers.trino import Behaviour, TrinoServer, running

from dvt.connections.landing_ways import Way
from dvt.errors import DataError, DvtError, QueryError
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.trino import TrinoLoader
from dvt.federation.registry import open_connection
from dvt.identifiers import Relation
from dvt.testing.streams import stream_of

TARGET = Relation("t", "main")


def _load(server: TrinoServer, table: pa.Table, options: dict[str, int] | None = None, **more: object) -> None:
    connection = open_connection("web", {**server.output(), **({"dvt": options} if options else {})})
    with TrinoLoader(connection) as loader:
        loader.load(stream_of(table), LoadConfig(TARGET, **more))  # type: ignore[arg-type]


def _rows(server: TrinoServer, sql: str) -> list[tuple[object, ...]]:
    return server.engine.run(sql).fetchmany(1000)


def test_what_is_nested_lands_as_it_is() -> None:
    moment = dt.datetime(2024, 2, 29, 1, 2, 3, 456789)
    person = pa.struct([("a name", pa.string()), ("seen", pa.timestamp("us")), ("raw", pa.binary())])
    table = pa.table(
        {
            "people": pa.array([[{"a name": "it's", "seen": moment, "raw": b"\0'"}, None], [], None], pa.list_(person)),
            "sums": pa.array(
                [[("a", Decimal("0.10")), ("b", None)], [], None], pa.map_(pa.string(), pa.decimal128(9, 2))
            ),
        }
    )
    with running() as server:
        _load(server, table)
        found = _rows(server, "select people, sums from t")
        assert found[0] == (
            [{"a name": "it's", "seen": moment, "raw": b"\0'"}, None],
            {"a": Decimal("0.10"), "b": None},
        )
        assert found[1:] == [([], {}), (None, None)]
        (created,) = (sql for sql in server.statements() if sql.startswith("create table"))
        assert 'array(row("a name" varchar, "seen" timestamp(6), "raw" varbinary))' in created
        assert "map(varchar, decimal(9, 2))" in created


def test_statements_are_no_longer_than_the_server_takes() -> None:
    texts = ["😀" * 3_000, "x" * 9_000, None, "'" * 4_000] * 20
    with running(Behaviour(most_characters=20_000)) as server:
        _load(server, pa.table({"v": texts}), {"statement_characters": 20_000})
        assert [text for (text,) in _rows(server, "select v from t")] == texts
        inserts = [sql for sql in server.statements() if sql.startswith("insert")]
        assert 20 < len(inserts) <= 60
        with pytest.raises(DataError, match=r"takes \d+ characters") as raised:
            _load(server, pa.table({"id": [1], "v": ["😀" * 10_000]}), {"statement_characters": 20_000})
        assert raised.value.column == "v"
        assert [text for (text,) in _rows(server, "select v from t")] == texts


@pytest.mark.parametrize(
    ("connector", "column", "found"),
    [
        ("iceberg", pa.array([-128], pa.int8()), "integer"),
        ("iceberg", pa.array([0], pa.timestamp("ns")), None),
        ("hive", pa.array([0], pa.timestamp("us", "UTC")), None),
        ("hive", pa.array([1], pa.time64("us")), "varchar"),
        ("delta_lake", pa.array([b"\0" * 16], pa.uuid()), "varchar"),
        ("memory", pa.array([0], pa.timestamp("ns")), "timestamp(9)"),
        ("memory", pa.array([(1, 2, 3)], pa.month_day_nano_interval()), None),
    ],
)
def test_types_are_those_of_the_connector(connector: str, column: pa.Array, found: str | None) -> None:
    with running(Behaviour(connector=connector)) as server:
        if found is None:
            with pytest.raises(DataError) as raised:
                _load(server, pa.table({"v": column}))
            assert raised.value.column == "v"
            return
        _load(server, pa.table({"v": column}))
        assert server.engine.native_columns("main", "t")["v"].sql("trino").lower() == found


@pytest.mark.parametrize(
    ("declared", "column"),
    [
        ("varchar(2)", pa.array(["abc"])),
        ("char(4)", pa.array(["abc "])),
        ("decimal(5, 1)", pa.array([Decimal("1.25")])),
        ("decimal(5, 1)", pa.array(["1.25"])),
        ("timestamp(3)", pa.array([1], pa.timestamp("us"))),
        ("timestamp", pa.array([1], pa.timestamp("us"))),
        ("real", pa.array([0.1])),
        ("bigint", pa.array([0.5])),
        ("date", pa.array([1], pa.timestamp("us"))),
        ("timestamp(6) with time zone", pa.array([1], pa.timestamp("us"))),
        ("json", pa.array(["[1]"])),
        ("array(decimal(3, 1))", pa.array([[Decimal("1.25")]])),
    ],
)
def test_a_declared_type_changes_no_value(declared: str, column: pa.Array) -> None:
    with running() as server:
        with pytest.raises(DataError) as raised:
            _load(server, pa.table({"v": column}), declared={"v": declared})
        assert raised.value.column == "v"
        assert _rows(server, "select table_name from information_schema.tables") == []


def test_a_lesser_column_of_the_target_is_refused() -> None:
    with running() as server:
        server.execute("create table t (v timestamp(3))")
        with pytest.raises(DataError, match=r"timestamp\(3\)"):
            _load(server, pa.table({"v": pa.array([1], pa.timestamp("us"))}), mode="append")


def test_a_table_format_replaces_in_one_statement() -> None:
    with running(Behaviour(connector="iceberg")) as server:
        _load(server, pa.table({"a": [1]}))
        server.statements()
        _load(server, pa.table({"b": ["x"]}))
        (swap,) = (sql for sql in server.statements() if sql.startswith("create or replace"))
        assert swap.startswith('create or replace table "lake"."main"."t" as select * from "lake"."main"."t')
        assert _rows(server, "select b from t") == [("x",)]
        with TrinoLoader(open_connection("web", server.output())) as loader:
            private = loader.private_relation(LoadConfig(TARGET))
            assert loader.landing(private, LoadConfig(TARGET)).way is Way.STATEMENT


@pytest.mark.parametrize(
    "fails", [r'alter table "lake"."main"."t" rename', r'alter table "lake"."main"."t__dvt_00000000" rename']
)
def test_a_table_that_cannot_be_renamed_is_not_lost(fails: str) -> None:
    with running() as server:
        _load(server, pa.table({"a": [1]}))
        server.behaviour.fails = fails
        with pytest.raises(QueryError, match="does not support renaming"):
            _load(server, pa.table({"a": [2]}))
        server.behaviour.fails = ""
        assert _rows(server, "select a from t") == [(1,)]
        assert _rows(server, "select table_name from information_schema.tables") == [("t",)]


def test_a_connector_that_changes_no_rows_refuses() -> None:
    with running(Behaviour(connector="hive")) as server:
        _load(server, pa.table({"a": [1], "b": ["x"]}))
        for mode in ("merge", "delete+insert"):
            with pytest.raises(QueryError, match="only supported for transactional tables"):
                _load(server, pa.table({"a": [1], "b": ["y"]}), mode=mode, unique_key=("a",))
        assert _rows(server, "select a, b from t") == [(1, "x")]
        _load(server, pa.table({"a": [1], "b": ["y"]}), mode="append")
        assert _rows(server, "select a, b from t order by b") == [(1, "x"), (1, "y")]


def test_what_writes_is_sent_once() -> None:
    """A proxy that answers 502 may have passed the statement on."""
    with running() as server, TrinoLoader(open_connection("web", server.output())) as loader:
        loader.execute(["create table t (a integer)"])
        server.behaviour.post_failures = [502]
        with pytest.raises(DvtError, match="502"):
            loader.execute(["insert into t values (1)"])
        sent = [sql for sql in server.statements() if sql.startswith("insert")]
        assert len(sent) == 1
