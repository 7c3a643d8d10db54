"""`detect_primary_key`: the key's columns in the key's order, and none where nothing enforces one.

On real servers; SQL Server alone is our fake, whose catalogue views have what DuckDB knows of its tables.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import pytest
from integration.mysql_kit import connect
from integration.postgres_kit import connection
from local_engines import connection as local_connection
from servers.clickhouse import ClickHouseServer
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer
from servers.sqlserver import SqlServerFake

from dvt.federation.extractors.mysql import MySQLExtractor
from dvt.federation.extractors.postgres import PostgresExtractor
from dvt.federation.registry import new_extractor, open_connection
from dvt.identifiers import Relation

_PLAIN = ("create table two (b int not null, a int not null, c int, primary key (a, b))", "create table none (a int)")


@pytest.mark.postgres
def test_postgres(postgres_server: PostgresServer):
    name = postgres_server.create_database("dvt_keys")
    for sql in (
        *_PLAIN,
        'create table "Q""x" ("K""ey" bigint primary key, v text unique)',
        "create table parts (k int primary key, v text) partition by range (k)",
        "create table later (k int primary key deferrable initially deferred)",
        "create table wide (k int, v text, primary key (k) include (v))",
        "create view seen as select * from two",
    ):
        postgres_server.psql(name, sql)
    with PostgresExtractor(connection(postgres_server, name)) as extractor:
        found = {
            table: extractor.detect_primary_key(Relation(table, "public"))
            for table in ("two", "none", 'Q"x', "parts", "later", "wide", "seen", "nowhere")
        }
    assert found == {
        "two": ("a", "b"),
        "none": (),
        'Q"x': ('K"ey',),
        "parts": ("k",),
        "later": (),
        "wide": ("k",),
        "seen": (),
        "nowhere": (),
    }


@pytest.mark.mysql
def test_mariadb(mariadb_server: MariaDBServer):
    name = mariadb_server.create_database("dvt_keys")
    for sql in (
        *_PLAIN,
        "create table `q``x` (`k``ey` bigint primary key, v int not null unique)",
        "create view seen as select * from two",
    ):
        mariadb_server.execute(sql, name)
    with MySQLExtractor(connect(mariadb_server, name)) as extractor:
        tables = ("two", "none", "q`x", "seen", "nowhere")
        found = {table: extractor.detect_primary_key(Relation(table)) for table in tables}
        assert extractor.detect_primary_key(Relation("two", name)) == ("a", "b")
    assert found == {"two": ("a", "b"), "none": (), "q`x": ("k`ey",), "seen": (), "nowhere": ()}


def test_sqlserver(sqlserver_fake: SqlServerFake):
    sqlserver_fake.execute(
        *_PLAIN,
        "create table [q]]x] (v varchar(9) unique, [k]]'ey] bigint primary key)",
        "create table stopped (k int primary key, v int unique)",
        "alter index all on stopped disable",
        "create view seen as select * from two",
        "create schema keyed",
        "create table keyed.two (x int primary key)",
    )
    tables = ("two", "TWO", "none", "q]x", "stopped", "seen", "nowhere")
    with new_extractor(open_connection("erp", sqlserver_fake.output())) as extractor:
        found = {table: extractor.detect_primary_key(Relation(table)) for table in tables}
        assert extractor.detect_primary_key(Relation("two", "keyed")) == ("x",)
        assert extractor.detect_primary_key(Relation("two", "dbo", "shop")) == ("a", "b")
    expected = {"two": ("a", "b"), "TWO": ("a", "b"), "q]x": ("k]'ey",)}
    assert found == {**dict.fromkeys(tables, ()), **expected}


def test_synapse_enforces_no_key(sqlserver_fake: SqlServerFake):
    sqlserver_fake.execute("create table k (a int primary key)")
    with new_extractor(open_connection("erp", sqlserver_fake.output())) as extractor:
        for edition, key in (("6", ()), ("11", ()), ("5", ("a",))):
            sqlserver_fake.execute(f"update sys.properties set value = '{edition}' where name = 'engineedition'")
            assert extractor.detect_primary_key(Relation("k")) == key


@pytest.mark.clickhouse
def test_clickhouse_has_none_that_is_unique(clickhouse_server: ClickHouseServer):
    name = clickhouse_server.create_database("dvt_keys")
    clickhouse_server.query("create table t (k Int64) engine = MergeTree order by k primary key k", name)
    clickhouse_server.query("insert into t values (1), (1)", name)
    with new_extractor(open_connection("ch", clickhouse_server.output(name))) as extractor:
        assert extractor.detect_primary_key(Relation("t", name)) == ()
        assert extractor.get_row_count(Relation("t", name)) == 2


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("create table t (b int not null, a int not null, primary key (a, b))", ("a", "b")),
        ("create table t (id integer primary key, v text)", ("id",)),
        ("create table t (k text primary key)", ()),  # NULL may be in it, twice
        ("create table t (k text not null primary key)", ("k",)),
        ("create table t (a int, b int, primary key (b, a)) without rowid", ("b", "a")),
        ("create table t (a int unique not null)", ()),
    ],
)
def test_sqlite(tmp_path: Path, sql: str, expected: tuple[str, ...]):
    with sqlite3.connect(tmp_path / "k.sqlite") as db:
        db.execute(sql)
    db.close()
    with new_extractor(local_connection("sqlite", tmp_path, path=str(tmp_path / "k.sqlite"))) as extractor:
        assert extractor.detect_primary_key(Relation("t")) == expected


def test_duckdb(tmp_path: Path):
    path = tmp_path / "k.duckdb"
    with duckdb.connect(str(path)) as db:
        for sql in (*_PLAIN, "create schema s", "create table s.two (x int primary key)"):
            db.execute(sql)
    with new_extractor(local_connection("duckdb", tmp_path, path=str(path))) as extractor:
        assert extractor.detect_primary_key(Relation("two")) == ("a", "b")
        assert extractor.detect_primary_key(Relation("two", "s")) == ("x",)
        assert extractor.detect_primary_key(Relation("none")) == ()
