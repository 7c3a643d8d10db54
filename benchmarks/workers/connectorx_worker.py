"""connectorx: a whole result in memory, as Arrow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote

import connectorx
import pyarrow.compute as pc  # noqa: F401 imports are not timed, for anyone
import pyarrow.parquet as pq
from stopwatch import count, main


def extract_parquet(database: str, table: str, path: str):
    """A table into a Parquet file."""
    pq.write_table(_postgres(database, table), path, compression="zstd")
    return {}, ""


def extract_arrow(database: str, table: str):
    """A table as one Arrow table."""
    found = _postgres(database, table)
    return count(found.to_batches()), f"l_extendedprice as {found.schema.field('l_extendedprice').type}"


def mysql(profile: str, table: str, key: str):
    """A table of MariaDB as one Arrow table."""
    output = json.loads(Path(profile).read_text())
    place = _address("mysql", output["username"], output["password"], f"{output['server']}:{output['port']}")
    found = connectorx.read_sql(f"{place}/{output['schema']}", f"select * from {table}", return_type="arrow")
    return count(found.to_batches(), key), ""


def sqlite(path: str, table: str, key: str):
    """A table of SQLite as one Arrow table."""
    found = connectorx.read_sql(f"sqlite://{path}", f"select * from {table}", return_type="arrow")
    return count(found.to_batches(), key), ""


def _postgres(database: str, table: str):
    host = f"{os.environ['PGHOST']}:{os.environ['PGPORT']}"
    place = _address("postgresql", os.environ["PGUSER"], os.environ["PGPASSWORD"], host)
    return connectorx.read_sql(f"{place}/{database}", f"select * from public.{table}", return_type="arrow")


def _address(kind: str, user: str, password: str, host: str) -> str:
    return f"{kind}://{quote(user, safe='')}:{quote(password, safe='')}@{host}"


if __name__ == "__main__":
    main({"extract_parquet": extract_parquet, "extract_arrow": extract_arrow, "mysql": mysql, "sqlite": sqlite})
