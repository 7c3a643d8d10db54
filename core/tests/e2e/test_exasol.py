"""A project whose model joins Exasol (a fake) with SQLite, run as a user does; Exasol is only read."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from e2e.joining import customers_in_sqlite, filled, made, plain, sources
from servers.exasol import running

pytest.importorskip("pyexasol")
pytestmark = pytest.mark.slow

SOURCES = sources(
    erp=({"connection": "erp", "schema": "main"}, filled("orders")),
    crm=({"connection": "crm", "schema": "main"}, plain("customers")),
)
MODEL = """\
select c.name, count(*) as n, sum(o.amount) as amount
from {{ source('erp', 'orders') }} o join {{ source('crm', 'customers') }} c on c.id = o.customer
where o.day >= date '2024-01-02' and o.kind = 'buy'
group by 1
"""


def test_a_join_of_exasol_with_sqlite(tmp_path: Path) -> None:
    with running() as server:
        server.execute(
            'create table "orders" ("customer" decimal(9,0), "day" date, "kind" varchar(9), "amount" decimal(18,2))',
            "insert into \"orders\" select i % 3, date '2024-01-01' + cast(i % 3 as integer),"
            " case i % 2 when 0 then 'buy' else '' end, i / 8.0 from range(3000) as r(i)",
        )
        outputs = {**customers_in_sqlite(tmp_path, 3), "erp": server.output()}
        project = made(tmp_path, outputs, models__sources__yml=SOURCES, models__m__sql=MODEL)
        project.run("run", code=0)
        assert "\"day\" >= CAST('2024-01-02' AS DATE)" in server.exports[-1]
        expected = server.engine.run(
            'select \'c\' || cast("customer" as integer), count(*), cast(sum("amount") as varchar) from "orders"'
            " where \"day\" >= date '2024-01-02' and \"kind\" = 'buy' group by 1 order by 1"
        ).fetchmany(9)
        with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as warehouse:
            found = warehouse.execute("select name, n, amount::varchar from analytics.m order by 1").fetchall()
        assert found == expected
        assert len(found) == 2
        assert "PASS=1" in project.run("test", code=0).output
        assert "ok    erp (exasol)  Exasol 8.32.0" in project.run("debug", code=0).output
        assert server.sessions == 0
