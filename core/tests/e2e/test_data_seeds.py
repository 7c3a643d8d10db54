"""Seeds in Parquet, JSON and JSON lines, on any connection; each engine's own client says what landed."""

from __future__ import annotations

import datetime
import sqlite3
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fault.kit import PROJECT, Faulty
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

pytestmark = [pytest.mark.postgres, pytest.mark.mysql]

_DAY = datetime.date(2024, 2, 29)
_AT = datetime.datetime(2024, 1, 1, 0, 0, 1, 500000)
PRICES = pa.table(
    {
        "id": pa.array([1, 2], pa.int64()),
        "Part": pa.array([Decimal("0.50"), None], pa.decimal128(12, 2)),
        "day": pa.array([_DAY, None]),
        "at": pa.array([_AT, None], pa.timestamp("us")),
        "flag": pa.array([True, None]),
        "word": pa.array(["", 'tab\t"quote" ü'], pa.string()),
    }
)
JSON = (
    '[ {"id": 1, "big": 12345678901234567890, "part": 0.10, "word": "a\\nb", "day": "2024-02-29"},\n'
    '  {"id": 2, "big": null, "part": 2,\n   "word": "[}", "day": null, "more": [1, {"k": 1.50}]} ]\n'
)
JSON_LINES = (
    '{"id": 1, "big": 12345678901234567890, "part": 0.10, "word": "a\\nb", "day": "2024-02-29"}',
    '{"id": 2, "big": null, "part": 2, "word": "[}", "day": null, "more": [1, {"k": 1.50}]}',
)
CONNECTIONS = ("warehouse", "shop", "erp", "duck", "lake")


@pytest.fixture
def project(postgres_server: PostgresServer, mariadb_server: MariaDBServer, tmp_path: Path) -> Faulty:
    postgres_server.psql(postgres_server.create_database("data_seeds"), "create schema analytics")
    mariadb_server.create_database("data_seeds")
    outputs = {
        "warehouse": {**postgres_server.output("data_seeds", "analytics"), "threads": 2},
        "shop": mariadb_server.output("data_seeds"),
        "erp": {"type": "sqlite", "path": "erp.db"},
        "duck": {"type": "duckdb", "path": "duck.duckdb"},
        "lake": {"type": "files", "path": "lake"},
    }
    made = Faulty(tmp_path, outputs)
    made.write(dbt_project__yml=PROJECT)
    made.write_profile("warehouse")
    (tmp_path / "seeds").mkdir(exist_ok=True)
    return made


def _everywhere(project: Faulty, ending: str, content: bytes, config: str = "") -> None:
    """One seed for each connection."""
    lines = ["seeds:"]
    for name in CONNECTIONS:
        (project.folder / "seeds" / f"s_{name}.{ending}").write_bytes(content)
        lines.append(f"  - {{name: s_{name}, config: {{meta: {{connection: {name}}}{config}}}}}")
    project.write(seeds__seeds__yml="\n".join(lines))


def _lite(project: Faulty, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(project.folder / "erp.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def _duck(project: Faulty, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(project.folder / "duck.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_parquet_on_every_connection(
    project: Faulty, postgres_server: PostgresServer, mariadb_server: MariaDBServer
) -> None:
    path = project.folder / "prices.parquet"
    pq.write_table(PRICES, path)
    _everywhere(project, "parquet", path.read_bytes())
    project.write(models__m__sql="select id, \"Part\" from {{ ref('s_duck') }} where flag")
    output = project.run("seed", "--show", code=0).output
    assert output.count("INSERT 2") == len(CONNECTIONS)
    assert "| 1  | 0.50 | 2024-02-29 |" in output
    project.run("run", code=0)
    assert postgres_server.psql("data_seeds", "table analytics.s_warehouse") == (
        '1|0.50|2024-02-29|2024-01-01 00:00:01.5|t|\n2|||||tab\t"quote" ü'
    )
    assert postgres_server.psql("data_seeds", "table analytics.m") == "1|0.50"
    assert postgres_server.psql(
        "data_seeds",
        "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'analytics.s_warehouse'::regclass"
        " and attnum > 0",
    ).split("\n") == ["bigint", "numeric(12,2)", "date", "timestamp without time zone", "boolean", "text"]
    assert mariadb_server.query("select concat_ws('|', id, Part, day, at, flag, word) from s_shop", "data_seeds") == (
        '1|0.50|2024-02-29|2024-01-01 00:00:01.500000|1|\n2|tab\t"quote" ü'
    )
    assert _lite(project, "select id, Part, day, at, flag, word from s_erp") == [
        (1, 0.5, "2024-02-29", "2024-01-01 00:00:01.5", 1, ""),
        (2, None, None, None, None, 'tab\t"quote" ü'),
    ]
    assert _duck(project, "from s_duck") == [tuple(row.values()) for row in PRICES.to_pylist()]
    landed = pq.read_table(next((project.folder / "lake").rglob("s_lake.parquet")))
    assert landed.cast(PRICES.schema) == PRICES


@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_json_keeps_its_digits(
    project: Faulty, postgres_server: PostgresServer, mariadb_server: MariaDBServer, ending: str
) -> None:
    text = JSON if ending == "json" else "".join(line + "\n" for line in JSON_LINES)
    _everywhere(project, ending, text.encode(), ', column_types: {day: date, part: "decimal(9, 2)"}')
    assert project.run("seed", code=0).output.count("INSERT 2") == len(CONNECTIONS)
    shown = "select id, big, part, word, day, more from"
    assert postgres_server.psql("data_seeds", f"{shown} analytics.s_warehouse") == (
        '1|12345678901234567890|0.10|a\nb|2024-02-29|\n2||2.00|[}||[1, {"k": 1.50}]'
    )
    assert mariadb_server.query(f"{shown} s_shop", "data_seeds") == (
        "1\t12345678901234567890\t0.10\ta\nb\t2024-02-29\tNULL\n" + '2\tNULL\t2.00\t[}\tNULL\t[1, {"k": 1.50}]'
    )
    assert _duck(project, "select id, big, part::varchar, word, day::varchar from s_duck") == [
        (1, "12345678901234567890", "0.10", "a\nb", "2024-02-29"),
        (2, None, "2.00", "[}", None),
    ]
    assert [row[:2] for row in _lite(project, "select word, day from s_erp")] == [("a\nb", "2024-02-29"), ("[}", None)]
    landed = pq.read_table(next((project.folder / "lake").rglob("s_lake.parquet")))
    assert landed.column("day").to_pylist() == [_DAY, None]


def test_bad_json_is_named(project: Faulty, postgres_server: PostgresServer) -> None:
    folder = project.folder / "seeds"
    for name, text, said in (
        ("open.json", '[{"a": 1},', "the array has no end"),
        ("comma.json", '[{"a": 1} {"a": 2}]', "a comma is missing between two elements"),
        ("behind.json", '[{"a": 1}] x', "something stands behind the array"),
        ("scalar.json", "[1]", "an element is no object"),
        ("broken.jsonl", '{"a": 1}\n{"a": \n', "line 2"),
        ("twice.json", '[{"a": 1, "a": 2}]', "twice.json"),
        ("none.json", "[]", "no rows"),
    ):
        (folder / name).write_text(text)
        ended = project.run("seed", code=1)
        assert said in " ".join(ended.output.split()), ended.output
        assert name in ended.output
        assert "dvt-seed" not in ended.output
        (folder / name).unlink()


def test_a_seed_again(project: Faulty, postgres_server: PostgresServer) -> None:
    """Its rows are exchanged; what hangs on the table stays; hooks, grants, docs and tests are dbt's."""
    path = project.folder / "seeds" / "prices.parquet"
    pq.write_table(PRICES, path)
    project.write(
        seeds__seeds__yml="seeds: [{name: prices, description: of things, columns: [{name: id, data_tests: [unique]}],"
        ' config: {column_types: {id: "numeric(20, 3)"}, persist_docs: {relation: true}, grants: {select: [public]},'
        ' post_hook: "insert into {{ this }} (id) values (99)"}}]'
    )
    project.run("build", code=0)
    postgres_server.psql("data_seeds", "create view analytics.v as select id from analytics.prices")
    pq.write_table(PRICES.slice(1), path)
    for words in (("seed",), ("build", "--select", "prices")):
        project.run(*words, code=0)
        assert postgres_server.psql("data_seeds", "select id from analytics.v order by 1") == "2.000\n99.000"
    told = "select obj_description('analytics.prices'::regclass)"
    asked = f"{told}, has_table_privilege('public', 'analytics.prices', 'select')"
    assert postgres_server.psql("data_seeds", asked) == "of things|t"
    assert postgres_server.psql("data_seeds", "select relname from pg_class where relname like '%\\_\\_dvt\\_%'") == ""


def test_what_is_refused(project: Faulty, postgres_server: PostgresServer) -> None:
    folder = project.folder / "seeds"
    pq.write_table(PRICES, folder / "prices.parquet")
    project.run("seed", code=0)
    (folder / "prices.parquet").write_bytes(b"no parquet")
    assert "prices.parquet" in project.run("seed", code=1).message()
    pq.write_table(PRICES, folder / "prices.parquet")
    project.write(seeds__seeds__yml="seeds: [{name: prices, config: {column_types: {idd: int}}}]")
    said = project.run("seed", code=1).message()
    assert "column idd" in said
    assert "it has id, Part, day" in said
    project.write(seeds__seeds__yml="seeds: [{name: prices, config: {column_types: {word: int}}}]")
    assert "column word" in project.run("seed", code=1).message()
    assert postgres_server.psql("data_seeds", "select count(*) from analytics.prices") == "2"
    project.write(seeds__seeds__yml="", seeds__prices__csv="id\n1\n")
    assert "prices" in project.run("seed", code=2).output
