"""A million rows out of each wire fake of the tests, against the vendor's own client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.case import Case, Contender
from benchmarks.peers import ROOT
from benchmarks.world import World

# The drivers that are to be there, by the engine.
DRIVERS = {
    "athena": "boto3",
    "databricks": "databricks.sql",
    "exasol": "pyexasol",
    "firebolt": "firebolt.db",
    "redshift": "redshift_connector",
    "sqlserver": "mssql_python",
    "trino": "trino",
    "vertica": "vertica_python",
}
_REMARKS = (
    "CLIENT-SIDE COST ONLY. The servers are the tests' stand-ins, in Python and in processes of their own: wall times "
    "are mostly theirs and say nothing of the engines; CPU and memory are the clients'.",
    "Rows of four columns: bigint, decimal(15,2), date, varchar(40).",
    "The vendors' clients are drained in their quickest documented way: Arrow where they have it (Databricks, SQL "
    "Server), else rows of Python values, of which nothing is made.",
    "Athena: dvt reads the Parquet files of an UNLOAD, boto3 the pages of a result, 1,000 rows each (the service's "
    "limit). Redshift: dvt reads a cursor on the server in portions, the driver holds the whole result.",
)


def fakes(world: World) -> Case:
    """dvt's extractor and the vendor's client on each."""
    rows = world.million
    contenders: list[Contender] = []
    missing: list[str] = []
    for name in DRIVERS:
        if why := lacking(name):
            missing.append(f"{name} ({why})")
            continue
        details = start(world, name, rows)
        own = f"{name}: dvt"
        contenders.append(Contender(own, world.dvt("scan", **details), against=own))
        vendor = world.own("vendor_worker.py", "drain", **details)
        contenders.append(Contender(f"{name}: {DRIVERS[name].partition('.')[0]}", vendor, against=own))
    title = f"wire fakes, {rows:,} rows, client-side cost only"
    return Case("fakes", title, tuple(contenders), tuple(missing), remarks=_REMARKS)


def lacking(name: str) -> str:
    """Why a fake cannot be used; empty when it can."""
    probe = [sys.executable, "-c", f"import {DRIVERS[name]}{', moto' if name == 'athena' else ''}"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def start(world: World, name: str, rows: int) -> dict[str, Any]:
    """Start a fake with so many rows; what a worker needs to read them. It ends with the world."""
    world.say(f"  filling {name}")
    server = world.server
    given = {
        "postgres": {"bin": str(server.bin), "data": str(server.data), "host": server.host, "port": server.port},
        "database": f"redshift_{rows}",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fake_server", name, str(rows), json.dumps(given)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    world.at_end(lambda: _end(process))
    assert process.stdout is not None
    told = process.stdout.readline()
    if not told:
        raise RuntimeError(
            f"the stand-in of {name} did not start: run `python -m benchmarks.fake_server {name} 10 {{}}`"
        )
    found = json.loads(told)
    os.environ.update(found["environment"])
    return {"profile": world.profile(found["profile"]), "schema": found["schema"], "table": "lines", "key": "id"}


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
