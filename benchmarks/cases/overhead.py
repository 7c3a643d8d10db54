"""The fixed cost of a run: one tiny model, through stock dbt, through dvt, and federated."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from benchmarks.case import Case, Contender
from benchmarks.peers import ROOT
from benchmarks.world import World

_PROJECT = """
name: tiny
profile: tiny
version: "1.0"
models: {+materialized: table}
flags: {send_anonymous_usage_stats: false}
"""
_PROFILE = """
tiny:
  target: warehouse
  outputs:
    warehouse: {type: postgres, host: "{{ env_var('PGHOST') }}", port: "{{ env_var('PGPORT') | int }}",
                user: "{{ env_var('PGUSER') }}", password: "{{ env_var('PGPASSWORD') }}",
                dbname: tiny, schema: public, threads: 1}
"""
_SQLITE = "    erp: {type: sqlite, path: erp.db}\n"
_NATIVE = "select id, 'name ' || id as name from public.numbers"
_SOURCES = """
sources:
  - {name: erp, schema: main, config: {meta: {connection: erp}}, tables: [{name: names}]}
  - {name: warehouse, schema: public, tables: [{name: numbers}]}
"""
_FEDERATED = """
select n.id, e.name
from {{ source('warehouse', 'numbers') }} n join {{ source('erp', 'names') }} e using (id)
"""
_ROWS = 10


def overhead(world: World) -> Case:
    """Three projects with one model each; parsed once before, as they are in daily work."""
    world.server.create_database("tiny")
    world.server.psql("tiny", f"create table numbers as select generate_series(1, {_ROWS}) as id;")
    programs, kind = _programs()
    run = ("run", "--quiet")
    return Case(
        "overhead",
        "one tiny model, from the start of the process to its end",
        (
            _contender(world, "dvt run, federated", (str(programs / "dvt"), *run), is_federated=True),
            _contender(world, "dvt run, native", (str(programs / "dvt"), *run)),
            _contender(world, "dbt run (stock)", (str(programs / "dbt"), *run)),
        ),
        differences=(("dvt run, native", "dbt run (stock)"), ("dvt run, federated", "dbt run (stock)")),
        remarks=(
            "Federated: PostgreSQL x SQLite -> PostgreSQL. Projects are parsed beforehand (partial parsing).",
            kind,
        ),
        warm_ups=1,
    )


def _programs() -> tuple[Path, str]:
    """The folder of `dvt` and `dbt`, and what kind of installation it is."""
    plain = ROOT / ".hatch" / "plain" / "bin"
    if (plain / "dvt").exists():
        return plain, "Installed as `pip install 'dvt[postgres]'`."
    kind = "With pandas and numpy, which pyarrow imports where they are; `hatch run plain:versions` makes one without."
    return Path(sys.executable).parent, kind


def _contender(world: World, name: str, command: tuple[str, ...], is_federated: bool = False) -> Contender:
    folder = world.folder / "".join(letter if letter.isalnum() else "_" for letter in name)
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(_PROJECT)
    (folder / "profiles.yml").write_text(_PROFILE + (_SQLITE if is_federated else ""))
    (folder / "models" / "tiny_model.sql").write_text(_FEDERATED if is_federated else _NATIVE)
    if is_federated:
        (folder / "models" / "sources.yml").write_text(_SOURCES)
        _make_sqlite(folder / "erp.db")

    def answer() -> dict[str, str]:
        text = world.server.psql("tiny", "select count(*), sum(id), string_agg(name, ',' order by id) from tiny_model")
        return {"figures": text}

    fresh = "drop table if exists tiny_model"
    return Contender(name, command, folder=folder, prepare=lambda: world.server.psql("tiny", fresh), answer=answer)


def _make_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("create table names (id integer, name text)")
        rows = [(number, f"name {number}") for number in range(1, _ROWS + 1)]
        connection.executemany("insert into names values (?, ?)", rows)
    connection.close()
