"""A project whose model joins SQL Server (wire fake) with DuckDB, run as a user does; SQL Server is only read."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from fault.kit import PROJECT, Faulty
from servers.sqlserver import SqlServerFake

pytestmark = [pytest.mark.slow]

SOURCES = """\
sources:
  - name: erp
    config: {meta: {connection: erp}}
    schema: dbo
    tables:
      - name: orders
        columns:
          - {name: id, data_tests: [not_null, unique]}
          - {name: customer, data_tests: [{accepted_values: {arguments: {values: [1], quote: false}}}]}
"""
MODEL = """\
select o.id, o.word, c.name
from {{ source('erp', 'orders') }} o join {{ ref('names') }} c on c.id = o.customer
where o.at >= timestamp '2024-01-01 00:00:00.5' and o.word = 'été' and o.done
"""
NAMES = "select * from (values (1, 'one'), (2, 'two')) as v(id, name)"


def test_a_join_with_sqlserver(sqlserver_fake: SqlServerFake, tmp_path: Path) -> None:
    sqlserver_fake.execute(
        "create table orders (id int not null, customer int, word varchar(10), at datetime2(7), done bit)",
        "insert into orders values (1, 1, 'été', '2024-01-02 00:00:00.0000000', 1),"
        " (2, 1, 'été', '2023-01-02 00:00:00.0000000', 1), (3, 2, 'other', '2024-01-02 00:00:00.0000000', 1),"
        " (4, 2, 'ÉTÉ', '2024-01-02 00:00:00.0000000', 1), (5, 2, 'été', '2024-01-02 00:00:00.0000000', 0),"
        " (6, 2, 'été', '2024-01-02 00:00:00.0000000', 1)",
    )
    outputs = {
        "warehouse": {"type": "duckdb", "path": str(tmp_path / "warehouse.duckdb")},
        "erp": sqlserver_fake.output(),
    }
    project = Faulty(tmp_path, outputs)
    project.write(
        dbt_project__yml=PROJECT, models__sources__yml=SOURCES, models__m__sql=MODEL, models__names__sql=NAMES
    )
    project.write_profile()
    sqlserver_fake.statements()
    project.run("run", code=0)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as warehouse:
        assert warehouse.sql("select * from m order by id").fetchall() == [(1, "été", "one"), (6, "été", "two")]
    sent = [sql for sql in sqlserver_fake.statements() if "AS [dvt_rows]" in sql]
    assert len(sent) == 1
    for condition in (
        "[at] >= CAST('2024-01-01 00:00:00.5' AS DATETIME2(7))",
        "[word] = N'été'",
        "[done] = 1",
    ):
        assert condition in sent[0]
    tested = project.run("test", code=1).output  # of the source, on SQL Server itself
    assert ("PASS=2" in tested, "Got 1 result" in tested) == (True, True)
    asked = [sql for sql in sqlserver_fake.statements() if "dbt_internal_test" in sql]
    assert sum("case when" in sql.lower() for sql in asked) == 3
    assert all(sql.lower().count("(with ") == 0 for sql in asked)
    project.run("docs", "generate", code=0)
    catalog = json.loads((project.folder / "target" / "catalog.json").read_text())
    columns = catalog["sources"]["source.faults.erp.orders"]["columns"]
    assert columns["at"]["type"] == "datetime2(7)"
    assert "SQL Server 16.0" in project.run("debug", code=0).output
