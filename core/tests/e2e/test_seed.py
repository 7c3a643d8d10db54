"""`dvt seed` makes the very table that `dbt seed` makes: stock dbt on a database of its own is the oracle."""

from __future__ import annotations

import datetime
import os
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from fault.kit import PROJECT, Faulty
from servers.postgres import PostgresServer

pytestmark = pytest.mark.postgres

ROWS = 2_500  # more than what is left to dbt's own inserts
SEEDS = """\
seeds:
  - name: typed
    config: {column_types: {code: varchar(12), amount: "numeric(10, 3)", serial_no: bigint}}
  - {name: quoted, config: {quote_columns: true}}
  - {name: split, config: {delimiter: "|"}}
  - name: few
    columns: [{name: id, data_tests: [unique, not_null]}]
"""
SHAPE = """
select table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, ordinal_position
from information_schema.columns where table_schema = 'analytics' order by table_name, ordinal_position
"""


def seeds() -> dict[str, str]:
    numbers = range(ROWS)
    inferred = "\ufeffId,lead,whole,part,day,At,iso,flag,Text Of It,nothing,big\n" + "".join(
        f"{n},00{n},{-n},{n / 8},2024-02-{n % 28 + 1:02},2024-01-01 {n % 24:02}:00:01,2024-01-01T00:00:{n % 60:02}.5,"
        f'{("true", "False", "")[n % 3]},"t""{n}, ü\n{chr(9)}\\N",,{n}1e3\n'
        for n in numbers
    )
    zoned = "id,at\n" + "".join(f"{n},2024-07-01T00:00:{n % 60:02}+02:00\n" for n in numbers)
    return {
        "inferred": inferred,
        "typed": "code,amount,serial_no\n"
        + "".join(f"00{n},{n}.1239,{'' if n % 9 else 10**12 + n}\n" for n in numbers),
        "quoted": "Id,select\n" + "".join(f"{n},null\n" for n in numbers),
        "split": "a|b\n" + "".join(f"x,{n}| padded {n} \n" for n in numbers),
        "zoned": zoned,
        "few": "id,name\n1,one\n2,\n3, \n",
        "none": "id,name\n",
    }


class Pair:
    """One project, seeded into two databases: by dbt, and by dvt."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self.server = server
        self.project = Faulty(folder, {})
        self.project.write(dbt_project__yml=PROJECT, seeds__seeds__yml=SEEDS)
        for name, text in seeds().items():
            (folder / "seeds" / f"{name}.csv").write_text(text, encoding="utf-8")
        for name in ("seed_dbt", "seed_dvt"):
            server.psql(server.create_database(name, timezone="Asia/Kolkata"), "create schema analytics")
            self.project.outputs[name] = {**server.output(name, "analytics"), "threads": 2}
        self.project.write_profile("seed_dvt")

    def dbt(self, *words: str) -> None:
        """Stock dbt, in a process in which there is no dvt."""
        code = "import sys; from dbt.cli.main import cli; sys.argv[0] = 'dbt'; cli()"
        done = subprocess.run(
            [sys.executable, "-c", code, *words, "--target", "seed_dbt", "--target-path", "target_dbt"],
            cwd=self.project.folder,
            env={**os.environ, "DBT_PROFILES_DIR": str(self.project.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    def both(self, *words: str) -> str:
        """Run a command by both, compare every table, and give what dvt printed."""
        self.dbt(*words)
        output = self.project.run(*words, code=0).output
        self.compare()
        return output

    def compare(self) -> None:
        shape = self.server.psql("seed_dbt", SHAPE)
        assert self.server.psql("seed_dvt", SHAPE) == shape
        for name in sorted({line.split("|")[0] for line in shape.splitlines()}):
            rows = f"select t::text from analytics.{name} t order by 1"
            assert self.server.psql("seed_dvt", rows) == self.server.psql("seed_dbt", rows), name

    def sql(self, text: str) -> None:
        for name in ("seed_dbt", "seed_dvt"):
            self.server.psql(name, text)


def test_the_same_tables(postgres_server: PostgresServer, tmp_path: Path) -> None:
    pair = Pair(postgres_server, tmp_path)
    output = pair.both("seed", "--show", "--full-refresh")
    assert "Random sample of table: analytics.typed" in output
    assert f"INSERT {ROWS}" in output or f"CREATE {ROWS}" in output
    # By COPY, where no value needs dbt's own statement: the log has the one, or the other.
    log = (tmp_path / "logs" / "dbt.log").read_text()
    for name, is_bulk in (("inferred", True), ("typed", True), ("quoted", True), ("split", True), ("zoned", False)):
        staged = f'from "seed_dvt"."analytics"."{name}__dvt_'
        assert (staged in log) is is_bulk, name
    # The same again into the tables that are there, of which one has another type now: what dbt makes of it counts.
    pair.sql("alter table analytics.inferred alter part type int using 7")
    pair.sql("create view analytics.v as select * from analytics.typed")
    pair.both("build")
    assert postgres_server.psql("seed_dvt", "select count(*) from analytics.v") == str(ROWS)
    assert postgres_server.psql("seed_dvt", "select relname from pg_class where relname like '%\\_\\_dvt\\_%'") == ""


def test_seeds_elsewhere(tmp_path: Path) -> None:
    """Seeds on a folder of files, on SQLite and on DuckDB: dbt's types, and each engine's own text of the rows."""
    outputs = {
        "warehouse": {"type": "duckdb", "path": "warehouse.duckdb"},
        "erp": {"type": "sqlite", "path": "erp.db"},
        "lake": {"type": "files", "path": "lake"},
    }
    project = Faulty(tmp_path, outputs)
    text = "id,code,part,day,at,flag\n1,007,0.50,2024-02-29,2024-01-01 00:00:01,true\n2,,,,,\n"
    zoned = "id,at\n1,2024-01-01T00:00:00+02:00\n"
    config = "config: {{meta: {{connection: {}}}, column_types: {{code: text}}}}"
    project.write(
        dbt_project__yml=PROJECT,
        **{f"seeds__s_{name}__csv": text for name in ("warehouse", "erp", "lake")},
        seeds__zoned__csv=zoned,
        seeds__s__yml="seeds:\n"
        + "".join(f"  - {{name: s_{name}, {config.format(name)}}}\n" for name in outputs)
        + f"  - {{name: zoned, {config.format('lake')}}}\n",
    )
    project.write_profile()
    failed = project.run("seed", code=1).output
    assert "column at: an instant with a zone" in " ".join(failed.split())
    project.write(seeds__zoned__yml="", seeds__zoned__csv="id\n1\n")
    project.run("seed", code=0)
    (tmp_path / "lake" / "main" / "zoned.parquet").unlink()
    path = str(tmp_path / "lake" / "main" / "s_lake.parquet")
    shape = duckdb.execute("describe from read_parquet(?)", [path]).fetchall()
    assert [row[1] for row in shape] == ["BIGINT", "VARCHAR", "DECIMAL(38,10)", "DATE", "TIMESTAMP", "BOOLEAN"]
    rows = duckdb.execute("select * from read_parquet(?)", [path]).fetchall()
    day, at = datetime.date(2024, 2, 29), datetime.datetime(2024, 1, 1, 0, 0, 1)
    assert rows == [(1, "007", Decimal("0.5"), day, at, True), (2, None, None, None, None, None)]
    erp = sqlite3.connect(tmp_path / "erp.db")
    try:
        assert erp.execute("select * from s_erp").fetchall() == [
            (1, "007", 0.5, "2024-02-29", "2024-01-01 00:00:01", 1),
            (2, None, None, None, None, None),
        ]
    finally:
        erp.close()


def test_a_bad_value_leaves_the_old_rows(postgres_server: PostgresServer, tmp_path: Path) -> None:
    pair = Pair(postgres_server, tmp_path)
    pair.project.run("seed", "--select", "typed", code=0)
    path = tmp_path / "seeds" / "typed.csv"
    path.write_text(path.read_text() + "much too long a code,1,1\n")
    output = pair.project.run("seed", "--select", "typed", code=1).output
    assert "value too long for type character varying(12)" in output
    assert "relation analytics.typed, column code (load)" in output
    assert postgres_server.psql("seed_dvt", "select count(*) from analytics.typed") == str(ROWS)
    assert postgres_server.psql("seed_dvt", "select relname from pg_class where relname like '%\\_\\_dvt\\_%'") == ""
