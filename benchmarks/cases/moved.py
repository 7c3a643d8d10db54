"""Rows and bytes that leave the sources for the 22 queries of TPC-H, against what the queries need."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.case import Case
from benchmarks.needed import measured, needed
from benchmarks.table import markdown
from benchmarks.tpch_queries import QUERIES
from benchmarks.tpch_split import DATABASE, SPLITS, inputs, load, oracle, query
from benchmarks.wire import CountedServer
from benchmarks.world import World

_SPLIT = "apart"
_LEVELS = ("off", "safe", "full")
_TITLE = "what leaves the sources for the 22 queries: PostgreSQL, MariaDB and a DuckDB file"
_REMARKS = (
    "customer, orders, nation and region in PostgreSQL, lineitem and supplier in MariaDB (its default collation, which "
    "ignores case), part and partsupp in a DuckDB file.",
    "needed: rows that pass the query's own conditions on one table, in the columns that it uses (see `needed.py`); "
    "what follows from other conditions, or from the keys of a join, can make it less. MB are of Arrow.",
    "sent: bytes from PostgreSQL and MariaDB on the wire, with the protocol and the catalogue queries; what is read of "
    "the DuckDB file is not in it. dvt reads text from both, DuckDB ATTACH reads PostgreSQL's binary COPY.",
)


@dataclass(frozen=True)
class Moved:
    """What one query moved at one level."""

    rows: int
    bytes: int
    sent: int


def moved(world: World) -> Case:
    """A table of its own: nothing is timed here."""
    from servers.mariadb import missing_programs, running

    missing = missing_programs()
    if missing:
        return Case("bytes", _TITLE, (), (f"MariaDB ({', '.join(missing)} not found)",))
    context = running()
    mariadb = context.__enter__()
    world.at_end(lambda: context.__exit__(None, None, None))
    folder = world.folder / "moved"
    folder.mkdir()
    world.say(f"TPC-H at scale {world.scale} on three engines")
    load(world.server, mariadb, folder, world.scale)
    proxies = (CountedServer(world.server.port), CountedServer(mariadb.port))
    for proxy in proxies:
        world.at_end(proxy.close)
    return _measured(world, mariadb, folder, proxies)


def _measured(world: World, mariadb: Any, folder: Path, proxies: tuple[CountedServer, CountedServer]) -> Case:
    from dvt.federation.registry import open_connection
    from dvt.federation.session import RunSession

    postgres, maria = proxies
    connections = {
        "pg": open_connection("pg", world.server.output(DATABASE, port=postgres.port)),
        "my": open_connection("my", mariadb.output(DATABASE, port=maria.port)),
        "dk": open_connection("dk", {"type": "duckdb", "path": str(folder / "tpch.duckdb")}, folder),
    }

    def sent() -> int:
        return postgres.bytes_sent + maria.bytes_sent

    attach = _attach(world, mariadb, folder, proxies)
    rows: list[tuple[str, ...]] = []
    with oracle(folder) as database:
        tables = _columns(database)
        for number in QUERIES:
            with RunSession(
                folder / "work", memory_bytes=1 << 30, threads=2, parallel_queries=1, run_id=f"q{number}"
            ) as session:
                found = {level: _run(session, number, connections, level, sent) for level in _LEVELS}
            least = measured(database, needed(query(number, None), tables))
            world.say(f"  Q{number}")
            rows.append(_row(f"Q{number}", least, found, attach(number, sent)))
    head = ("", "rows needed", *_LEVELS, "MB needed", *_LEVELS, *(f"sent MB {level}" for level in _LEVELS), "ATTACH")
    total = ("all", *(_sum(rows, column) for column in range(1, len(head))))
    reasons = () if attach(0, sent) is not None else (f"DuckDB ATTACH ({_ATTACH_NEEDS})",)
    return Case("bytes", _TITLE, (), reasons, remarks=_REMARKS, table=tuple(markdown([head, *rows, total])))


def _run(session: Any, number: int, connections: Mapping[str, Any], level: str, sent: Callable[[], int]) -> Moved:
    from dvt.federation.plan.pushdown import Pushdown

    before = sent()
    split = SPLITS[_SPLIT]
    with session.query(query(number, split), inputs(split, connections), pushdown=Pushdown(level)) as run:
        run.stream.to_table()
        return Moved(sum(s.rows for s in run.scans), sum(s.bytes for s in run.scans), sent() - before)


_ATTACH_NEEDS = "the peers' environment has no duckdb-extension-postgres-scanner with duckdb-extension-mysql-scanner"


def _attach(
    world: World, mariadb: Any, folder: Path, proxies: tuple[CountedServer, CountedServer]
) -> Callable[[int, Callable[[], int]], int | None]:
    """What DuckDB's own ATTACH has the servers send for a query; None when it is not there. Query 0 only asks."""
    probe = "import duckdb_extension_postgres_scanner, duckdb_extension_mysql_scanner"
    python = world.peers.python
    is_there = python is not None and subprocess.run([python, "-c", probe], capture_output=True).returncode == 0
    split = SPLITS[_SPLIT]
    files = {table: str(folder / f"{table}.parquet") for table, place in split.items() if place == "dk"}
    # Passwords go by the environment, as everywhere here.
    env = {**os.environ, **world.env, "PGPORT": str(proxies[0].port), "PGDATABASE": DATABASE}
    env |= {"MYSQL_HOST": "127.0.0.1", "MYSQL_TCP_PORT": str(proxies[1].port), "MYSQL_USER": mariadb.user}
    env |= {"MYSQL_PWD": mariadb.password, "MYSQL_DATABASE": DATABASE}

    def run(number: int, sent: Callable[[], int]) -> int | None:
        if not is_there or number == 0:
            return 0 if is_there else None
        before = sent()
        command = world.peer("duckdb_attach.py", "moved", sql=query(number, split), files=files, mysql=DATABASE)
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        if done.returncode:
            world.say(f"  DuckDB ATTACH, Q{number}: {done.stderr.strip().splitlines()[-1][:200]}")
            return -1
        json.loads(done.stdout.splitlines()[-1])
        return sent() - before

    return run


def _columns(database: Any) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table in SPLITS[_SPLIT]:
        relation = database.table(table)
        found[table] = dict(zip(relation.columns, map(str, relation.types), strict=True))
    return found


def _row(name: str, least: tuple[int, int], found: Mapping[str, Moved], attach: int | None) -> tuple[str, ...]:
    cells = [str(least[0]), *(str(found[level].rows) for level in _LEVELS)]
    cells += [_mb(least[1]), *(_mb(found[level].bytes) for level in _LEVELS)]
    cells += [*(_mb(found[level].sent) for level in _LEVELS)]
    return (name, *cells, {None: "-", -1: "failed"}.get(attach) or _mb(attach or 0))


def _mb(count: int) -> str:
    return f"{count / 1e6:.3f}"


def _sum(rows: list[tuple[str, ...]], column: int) -> str:
    cells = [row[column] for row in rows]
    if any(not cell.replace(".", "").isdigit() for cell in cells):
        return "-"
    if "." in cells[0]:
        return f"{sum(map(float, cells)):.3f}"
    return str(sum(map(int, cells)))
