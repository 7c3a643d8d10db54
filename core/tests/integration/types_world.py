"""The six engines of the type matrix as sources or as targets, and tables that hold every case."""

from __future__ import annotations

from pathlib import Path

from integration.types_cases import CS, DK, MY, PG, PQ, SETUP, SL, Case
from integration.types_sides import Csv, DuckDB, MariaDB, Parquet, Postgres, Side, SQLite


def sides(postgres: object, mariadb: object, folder: Path, name: str) -> dict[str, Side]:
    """A side on each engine.

    Args:
        postgres: The PostgreSQL server.
        mariadb: The MariaDB server.
        folder: Where files lie.
        name: Of databases and files; no other test's.
    """
    return {
        PG: Postgres(postgres, name),
        MY: MariaDB(mariadb, name),
        SL: SQLite(folder / f"{name}.sqlite"),
        DK: DuckDB(folder / f"{name}.duckdb"),
        PQ: Parquet(folder / f"{name}_parquet"),
        CS: Csv(folder / f"{name}_csv"),
    }


def sources(postgres: object, mariadb: object, folder: Path, name: str) -> dict[str, Side]:
    """A side on each engine, with the types that the cases need."""
    found = sides(postgres, mariadb, folder, name)
    for engine, side in found.items():
        side.execute(list(SETUP[engine]))
    return found


def wide_table(side: Side, cases: tuple[Case, ...], table: str, accepted_by: str) -> None:
    """A column for each case, a row for each number of a value; a row of NULLs."""
    columns = ", ".join(side.column(case.name, case.declared) for case in cases)
    statements = [f"create table {table} (id integer, {columns})", f"insert into {table} (id) values (-1)"]
    kept = {case.name: [v.literal for v in case.values if accepted_by not in v.refused_by] for case in cases}
    for row in range(max(map(len, kept.values()))):
        filled = {name: literals[row] for name, literals in kept.items() if row < len(literals)}
        statements.append(f"insert into {table} (id, {', '.join(filled)}) values ({row}, {', '.join(filled.values())})")
    side.execute(statements)
