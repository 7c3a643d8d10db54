"""A zero date that is read as NULL is a value to the server: its NULL tests and counts are others than the engine's."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration import mysql_kit
from servers.mariadb import MariaDBServer

from dvt.federation.engines.base import Handle
from dvt.federation.plan.model import Input
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.session import RunSession
from dvt.identifiers import Relation

pytestmark = pytest.mark.mysql

ROWS = "(1, '0000-00-00', '0000-00-00 00:00:00'), (2, '2024-02-29', '2024-02-29 12:00:00'), (3, null, null)"
CASES = [
    ("select id from {t} where d is not null", [(2,)]),
    ("select id from {t} where d is null", [(1,), (3,)]),
    ("select id, ts from {t} where ts is not null limit 5", [(2, "2024-02-29 12:00:00")]),
    ("select count(d) as n, count(ts) as m from {t}", [(1, 1)]),
    ("select min(d)::text as least, max(ts)::text as largest from {t}", [("2024-02-29", "2024-02-29 12:00:00")]),
    ("select d is null as is_null, count(*) as n from {t} group by 1", [(False, 1), (True, 2)]),
    ("select a.id, b.id as other from {t} a join {t} b on a.d = b.d", [(2, 2)]),
]


@pytest.mark.parametrize(("sql", "expected"), CASES)
def test_every_level_gives_the_engine_s_answer(
    mariadb_server: MariaDBServer, tmp_path: Path, sql: str, expected: list[tuple[object, ...]]
) -> None:
    mariadb_server.create_database("zero_dates")
    mariadb_server.execute(
        "set sql_mode = ''; drop table if exists t; create table t (id int, d date, ts datetime);"
        f"insert into t values {ROWS}",
        "zero_dates",
    )
    connection = mysql_kit.connect(mariadb_server, "zero_dates", zero_dates="null")
    inputs = [Input(Handle("my", "s", "t"), connection, Relation("t", "zero_dates"))]
    limits = {"memory_bytes": 256 << 20, "threads": 1, "parallel_queries": 1}
    with RunSession(tmp_path, **limits, run_id="1") as session:
        for level in Pushdown:
            with session.query(sql.format(t="my.s.t"), inputs, pushdown=level, direct=True) as run:
                rows = [tuple(v if isinstance(v, int) else str(v) for v in row.values()) for row in run.stream]
            assert sorted(rows) == sorted(expected), level
