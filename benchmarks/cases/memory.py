"""Peak resident memory of dvt's reading of one and of ten million rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.case import Case
from benchmarks.cases import fakes
from benchmarks.measure import Measurement, measure
from benchmarks.table import markdown, ratio
from benchmarks.world import World

_TIMES = 10
_HEAD = ("", "rows", "peak MB", "rows", "peak MB", "more/less")
_REMARK = (
    "Peak resident memory of the reading process, with the interpreter and its imports; the batches are dropped as "
    "they come. 1.00x: ten times the rows need no more."
)


# Rows that the server makes as it sends them. In PostgreSQL's FROM they would all be written down first.
_QUERIES = {
    "postgres": "select id, (id % 1000)::decimal(15,2) as price, {text} || id as note"
    " from (select generate_series(1::bigint, {rows}) as id) g",
    "mysql": "select seq as id, cast(seq % 1000 as decimal(15,2)) as price, concat({text}, seq) as note"
    " from seq_1_to_{rows}",
    "sqlite": "with recursive g(id) as (select 1 union all select id + 1 from g where id < {rows})"
    " select cast(id as integer) as id, cast(id % 1000 as real) as price, cast({text} || id as text) as note from g",
    "duckdb": "select range as id, (range % 1000)::decimal(15,2) as price, {text} || range as note"
    " from range(1, {rows} + 1)",
    "clickhouse": "select toInt64(number + 1) as id, toDecimal64(number % 1000, 2) as price,"
    " concat({text}, toString(number)) as note from numbers({rows})",
}


def generator_query(type_: str, rows: int, width: int) -> str:
    """A query of columns id (from 1 on), price and note, a text of a few letters more than `width`."""
    return _QUERIES[type_].format(rows=rows, text="'" + "x" * width + "'")


@dataclass(frozen=True)
class Source:
    """What is read.

    Args:
        name: How the table calls it.
        details: What the worker needs for so many rows, with keys from 1 on.
    """

    name: str
    details: Callable[[int], dict[str, Any]]


def memory(world: World) -> Case:
    """The engines that run here; they make the rows as they are read."""
    sources = [_postgres(world), _sqlite(world), _duckdb(world)]
    missing = []
    for name, found in (("MariaDB", _mariadb(world)), ("ClickHouse", _clickhouse(world))):
        if isinstance(found, str):
            missing.append(f"{name} ({found})")
        else:
            sources.append(found)
    return _case(world, "memory", "dvt's peak memory, real engines", sources, missing)


def of_fakes(world: World) -> Case:
    """The wire fakes of the tests, which are slow."""

    def source(name: str) -> Source:
        return Source(name, lambda rows: fakes.start(world, name, rows))

    reasons = {name: fakes.lacking(name) for name in fakes.DRIVERS}
    sources = [source(name) for name, reason in reasons.items() if not reason]
    missing = [f"{name} ({reason})" for name, reason in reasons.items() if reason]
    return _case(world, "memory-fakes", "dvt's peak memory, wire fakes", sources, missing)


def _case(world: World, name: str, title: str, sources: Iterable[Source], missing: Iterable[str]) -> Case:
    lines: list[tuple[str, ...]] = [_HEAD]
    failures: list[str] = []
    for source in sources:
        world.say(f"  {source.name}")
        runs = [(rows, _read(world, source, rows)) for rows in (world.million, _TIMES * world.million)]
        failures += [f"{source.name}, {rows:,} rows: {why}" for rows, run in runs if (why := _wrong(run, rows))]
        cells = [cell for rows, run in runs for cell in (f"{rows:,}", f"{run.peak_bytes / 1e6:.0f}")]
        lines.append((source.name, *cells, ratio(runs[1][1].peak_bytes, runs[0][1].peak_bytes)))
    table = tuple(markdown(lines))
    return Case(name, title, (), tuple(missing), remarks=(_REMARK,), table=table, failures=tuple(failures))


def _read(world: World, source: Source, rows: int) -> Measurement:
    return measure(world.dvt("scan", **source.details(rows)), world.env)


def _wrong(run: Measurement, rows: int) -> str:
    if run.error:
        return run.error.splitlines()[-1]
    expected = {"rows": str(rows), "keys": str(rows * (rows + 1) // 2)}
    return "" if run.answer == expected else f"it read {dict(run.answer)}"


def _postgres(world: World) -> Source:
    return _source("PostgreSQL", world, world.server.output("postgres"))


def _mariadb(world: World) -> Source | str:
    from servers.mariadb import missing_programs, running

    if missing := missing_programs():
        return f"{', '.join(missing)} not found"
    server = world.enter(running())
    server.create_database("bench")
    return _source("MariaDB", world, server.output("bench"))


def _sqlite(world: World) -> Source:
    path = world.folder / "memory.sqlite"
    path.touch()
    return _source("SQLite", world, {"type": "sqlite", "path": str(path)})


def _duckdb(world: World) -> Source:
    import duckdb

    path = str(world.folder / "memory.duckdb")
    duckdb.connect(path).close()
    return _source("DuckDB", world, {"type": "duckdb", "path": path})


def _clickhouse(world: World) -> Source | str:
    from servers.clickhouse import missing, running

    if why := missing():
        return why
    server = world.enter(running())
    server.create_database("bench")
    return _source("ClickHouse", world, server.output("bench"))


def _source(name: str, world: World, output: Mapping[str, Any]) -> Source:
    profile = world.profile(output)

    def details(rows: int) -> dict[str, Any]:
        return {"profile": profile, "query": generator_query(output["type"], rows, 60), "key": "id"}

    return Source(name, details)
