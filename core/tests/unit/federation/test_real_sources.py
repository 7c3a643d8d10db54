"""One query over SQLite, DuckDB and CSV files through the registry's own extractors, side by side in threads."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import pytest

from dvt.federation.engines.base import Handle
from dvt.federation.plan.model import Input
from dvt.federation.registry import open_connection
from dvt.federation.session import RunSession
from dvt.identifiers import Relation

SQL = """
with c as (select * from a.main.customers), o as (select * from b.main.orders)
select c.city, f.rate, sum(o.amount) as amount, bool_and(o.paid) as paid
from c join o on o.customer = c.id join f.main.rates f on f.city = c.city
group by all order by c.city
"""


@pytest.fixture
def inputs(tmp_path: Path) -> list[Input]:
    with sqlite3.connect(tmp_path / "a.sqlite") as a:
        a.execute("create table customers (id integer, city text, note text)")
        a.executemany(
            "insert into customers values (?, ?, ?)", [(i, f"city {i % 3}", "x" * 100) for i in range(30_000)]
        )
    a.close()
    with duckdb.connect(str(tmp_path / "b.duckdb")) as b:
        b.execute("create table orders as select i as id, i % 30000 as customer, (i % 7)::decimal(9, 2) as amount,"
                  " i % 2 = 0 or i > 4 as paid from range(90000) t(i)")  # fmt: skip
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "rates.csv").write_text("city,rate\ncity 0,007\ncity 1,1.50\ncity 2,\n")
    outputs = {
        "a": {"type": "sqlite", "path": str(tmp_path / "a.sqlite")},
        "b": {"type": "duckdb", "path": str(tmp_path / "b.duckdb")},
        "f": {"type": "files", "path": str(tmp_path / "files")},
    }
    made = {name: open_connection(name, output, tmp_path) for name, output in outputs.items()}
    return [
        Input(Handle("a", "main", "customers"), made["a"], Relation("customers")),
        Input(Handle("b", "main", "orders"), made["b"], Relation("orders", "main")),
        Input(Handle("f", "main", "rates"), made["f"], Relation("rates"), file_options={"path": "rates.csv"}),
    ]


@pytest.mark.parametrize("announced", [0, 2])
def test_a_join_over_three_kinds_of_source(inputs: list[Input], tmp_path: Path, announced: int) -> None:
    with RunSession(tmp_path / "w", memory_bytes=256 << 20, threads=2, parallel_queries=1, run_id="1") as session:
        for _ in range(announced):
            session.announce(session.plan(SQL, inputs))
        for _ in range(2):
            with session.query(SQL, inputs) as run:
                rows = [tuple(map(str, row.values())) for row in run.stream]
                assert [scan.shared for scan in run.scans] == [announced == 2] * 3
            # 30,000 orders per city; i % 7 over i = city, city + 3, ...
            expected = [
                (f"city {city}", rate, f"{sum(i % 7 for i in range(city, 90_000, 3))}.00", paid)
                for city, rate, paid in ((0, "007", "False"), (1, "1.50", "False"), (2, "", "True"))
            ]
            assert [(c, r.replace("None", ""), a, p) for c, r, a, p in rows] == expected
