"""What projects share that join a source which is only read with customers who lie elsewhere."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml
from fault.kit import PROJECT, Faulty
from servers.postgres import PostgresServer


def sources(**tables: tuple[Mapping[str, Any], Mapping[str, Any]]) -> str:
    """A project's sources by their names: each its place (connection, schema, database) and its only table."""
    found = []
    for name, (place, table) in tables.items():
        connection = {"config": {"meta": {"connection": place["connection"]}}} if "connection" in place else {}
        named = {key: place[key] for key in ("database", "schema") if key in place}
        found.append({"name": name, **connection, **named, "tables": [table]})
    return str(yaml.safe_dump({"sources": found}))


def plain(name: str) -> dict[str, Any]:
    """A table without tests."""
    return {"name": name}


def filled(name: str) -> dict[str, Any]:
    """A table whose customers are never NULL."""
    return {"name": name, "columns": [{"name": "customer", "data_tests": ["not_null"]}]}


def checked(name: str, loaded_at: str = "seen") -> dict[str, Any]:
    """A table whose customers, 0 to 6, are never NULL but not all 1, and which is old."""
    only_one = {"accepted_values": {"arguments": {"values": [1], "quote": False}}}
    freshness = {"warn_after": {"count": 1, "period": "hour"}}
    return {
        "name": name,
        "columns": [{"name": "customer", "data_tests": ["not_null", only_one]}],
        "config": {"loaded_at_field": loaded_at, "freshness": freshness},
    }


def source_says_what_it_should(project: Faulty, table: str) -> None:
    """The tests of a `checked` table (`source.table`), and its freshness, run on the source itself."""
    tested = project.run("test", code=1).output
    assert "PASS not_null" in tested.replace("source_", "")
    assert "Got 6 results" in tested
    assert f"WARN freshness of {table}" in project.run("source", "freshness", code=0).output


def catalogued(project: Faulty, table: str) -> Mapping[str, str]:
    """The types that the catalogue gives the columns of a source's table (`source.table`)."""
    project.run("docs", "generate", code=0)
    catalog = json.loads((project.folder / "target" / "catalog.json").read_text())
    columns = catalog["sources"][f"source.faults.{table}"]["columns"]
    return {name: column["type"] for name, column in columns.items()}


def made(folder: Path, outputs: Mapping[str, Mapping[str, Any]], **files: str) -> Faulty:
    """A project with its profile."""
    project = Faulty(folder, {name: dict(output) for name, output in outputs.items()})
    project.write(dbt_project__yml=PROJECT, **files)
    project.write_profile()
    return project


def customers_in_sqlite(folder: Path, count: int) -> dict[str, dict[str, Any]]:
    """The output `crm` with customers c0, c1... in `main.customers`, and a DuckDB file to land in."""
    with closing(sqlite3.connect(folder / "crm.db")) as crm, crm:
        crm.execute("create table customers (id integer, name text)")
        crm.executemany("insert into customers values (?, ?)", [(n, f"c{n}") for n in range(count)])
    return {
        "warehouse": {"type": "duckdb", "path": str(folder / "warehouse.duckdb"), "schema": "analytics"},
        "crm": {"type": "sqlite", "path": str(folder / "crm.db"), "schema": "main", "database": "crm"},
    }


def customers_in_postgres(server: PostgresServer, database: str) -> dict[str, dict[str, Any]]:
    """A database to land in, with customers c0 to c4 in `crm.customers`."""
    server.create_database(database)
    server.psql(
        database,
        "create schema analytics; create schema crm; create table crm.customers (id int, name text);"
        "insert into crm.customers select n, 'c' || n from generate_series(0, 4) n",
    )
    return {"warehouse": server.output(database, "analytics")}
