"""Orders out of a SQLite file."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path

from benchmarks import tpch
from benchmarks.case import Case, Contender
from benchmarks.world import World

_REMARKS = (
    "sqlite3 makes a Python value of each cell, which dvt does too before it makes Arrow of them.",
    "dvt gives the declared types and stops at a value that is of another; ADBC goes by the first rows' values and "
    "gives floats and texts.",
)


def extract(world: World) -> Case:
    """SQLite orders -> Arrow batches, against the plain driver's tuples, ADBC, connectorx and DuckDB's scanner."""
    path = str(_loaded(world))
    output = {"type": "sqlite", "path": path}
    details = {"table": "orders", "key": "o_orderkey"}
    contenders = [
        Contender("dvt", world.dvt("scan", profile=world.profile(output), **details)),
        Contender("sqlite3 fetchmany", world.own("sqlite_worker.py", "rows", path=path, table="orders")),
    ]
    peers = {
        "ADBC SQLite": "adbc.py",
        "connectorx": "connectorx_worker.py",
        "DuckDB ATTACH, SQLite": "duckdb_attach.py",
    }
    for name, script in peers.items():
        if name in world.peers.versions:
            contenders.append(Contender(name, world.peer(script, "sqlite", path=path, **details)))
    title, missing = "SQLite orders, as Arrow batches and as tuples", world.peers.missing(*peers)
    return Case("extract-sqlite", title, tuple(contenders), missing, remarks=_REMARKS)


def _loaded(world: World) -> Path:
    path = world.folder / "orders.sqlite"
    database = sqlite3.connect(path)
    with database, world.orders_csv.open(newline="") as lines:
        database.execute(f"create table orders ({tpch.TABLES['orders']})")
        rows = csv.reader(lines)
        places = ", ".join("?" * len(next(rows)))
        database.executemany(f"insert into orders values ({places})", rows)
    database.close()
    return path
