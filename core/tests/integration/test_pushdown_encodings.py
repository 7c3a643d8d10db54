"""A filter that a source could not even read is not sent: databases and columns of other encodings than UTF-8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from integration import mysql_kit
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

from dvt.federation.engines.base import Handle
from dvt.federation.plan.model import Input
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.registry import open_connection
from dvt.federation.session import RunSession
from dvt.identifiers import Relation

_LIMITS: dict[str, Any] = {"memory_bytes": 1 << 30, "threads": 1, "parallel_queries": 1, "run_id": "1"}
_CASES = (
    ("s <> '日本'", [1, 2, 3]),
    ("s in ('ä', '😀')", [2]),
    ("s = 'ä' and k > 1", [2]),
    ("s = 'a'", [1]),
    ("s in ('a', 'b')", [1, 3]),
    ("s like '日%' or s like 'a%'", [1]),
    ("s in (select * from (values ('b'), ('日本'), ('😀')) as v(x))", [3]),
)


def _check(session: RunSession, inputs: list[Input], where: tuple[tuple[str, list[int]], ...] = _CASES) -> None:
    table = ".".join((inputs[0].handle.catalog, inputs[0].handle.schema, "t"))
    for condition, expected in where:
        for level in Pushdown:
            sql = f"select k from {table} where {condition} order by k"
            with session.query(sql, inputs, pushdown=level) as run:
                assert [row["k"] for row in run.stream] == expected, (condition, level)


def test_a_latin1_database_is_not_asked_for_other_texts(postgres_server: PostgresServer, tmp_path: Path) -> None:
    postgres_server.psql("postgres", "create database lat encoding 'LATIN1' template template0 locale 'C';")
    postgres_server.psql(
        "lat", "create table t(k int, s text); insert into t values (1, 'a'), (2, U&'\\00e4'), (3, 'b');"
    )
    output = {"type": "postgres", "host": postgres_server.host, "port": postgres_server.port, "dbname": "lat"}
    output |= {"user": postgres_server.user, "password": postgres_server.password, "schema": "public"}
    inputs = [Input(Handle("pg", "public", "t"), open_connection("pg", output), Relation("t", "public"))]
    with RunSession(tmp_path, **_LIMITS) as session:
        _check(session, inputs)


@pytest.mark.parametrize("charset", ["latin1", "utf8mb3", "ucs2", "utf8mb4", "utf16"])
def test_a_column_of_fewer_characters(mariadb_server: MariaDBServer, tmp_path: Path, charset: str) -> None:
    name = mariadb_server.create_database(f"fewer_{charset}") or f"fewer_{charset}"
    mariadb_server.execute(f"create table t (k int, s varchar(20) character set {charset})", name)
    mariadb_server.execute("insert into t values (1, 'a'), (2, 'ä'), (3, 'b')", name)
    keys = "create table keys_ (x varchar(20)); insert into keys_ values ('b'), ('日本'), ('😀')"
    mariadb_server.execute(keys, name)
    connection = mysql_kit.connect(mariadb_server, name)
    inputs = [Input(Handle("my", "s", n), connection, Relation(n, name)) for n in ("t", "keys_")]
    with _Sized(tmp_path, **_LIMITS) as session:
        # In MariaDB's collations `ä` equals `a`, in the engine it does not.
        _check(session, inputs)
        _check(session, inputs, (("s in (select x from my.s.keys_)", [3]),))


class _Sized(RunSession):
    """The larger relation waits for the keys of the smaller one."""

    def estimated_rows(self, inp: Input) -> int | None:
        return 1_000_000 if inp.relation.name == "t" else 3
