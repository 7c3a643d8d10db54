"""A filter that a source could not even read is not sent: databases of other encodings than UTF-8."""

from __future__ import annotations

from pathlib import Path

from servers.postgres import PostgresServer

from dvt.federation.engines.base import Handle
from dvt.federation.plan.model import Input
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.registry import open_connection
from dvt.federation.session import RunSession
from dvt.identifiers import Relation

_ROWS = "create table t(k int, s text); insert into t values (1, 'a'), (2, U&'\\00e4'), (3, 'b');"


def test_a_latin1_database_is_not_asked_for_texts(postgres_server: PostgresServer, tmp_path: Path) -> None:
    postgres_server.psql("postgres", "create database lat encoding 'LATIN1' template template0 locale 'C';")
    postgres_server.psql(
        "lat", "create table t(k int, s text); insert into t values (1, 'a'), (2, U&'\\00e4'), (3, 'b');"
    )
    output = {"type": "postgres", "host": postgres_server.host, "port": postgres_server.port, "dbname": "lat"}
    output |= {"user": postgres_server.user, "password": postgres_server.password, "schema": "public"}
    inputs = [Input(Handle("pg", "public", "t"), open_connection("pg", output), Relation("t", "public"))]
    limits = {"memory_bytes": 1 << 30, "threads": 1, "parallel_queries": 1, "run_id": "1"}
    with RunSession(tmp_path, **limits) as session:
        for condition, expected in (("s <> '日本'", [1, 2, 3]), ("s in ('ä', '😀')", [2]), ("s = 'ä' and k > 1", [2])):
            for level in Pushdown:
                sql = f"select k from pg.public.t where {condition} order by k"
                with session.query(sql, inputs, pushdown=level) as run:
                    assert [row["k"] for row in run.stream] == expected, (condition, level)
