"""One of the tests' wire fakes in a process of its own: `python -m benchmarks.fake_server trino 1000000`.

It makes a table of generated rows, says in one line of JSON how it is reached, and serves until its input ends.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "core" / "tests"))

TABLE = "lines"
_Execute = Callable[[str], object]
_Running = AbstractContextManager[tuple[dict[str, Any], str, _Execute]]
_INSERT = (
    f"insert into {{schema}}.{TABLE} select i, cast(i % 100000 as decimal(15,2)) / 100,"
    " cast('2020-01-01' as date) + cast(i % 1000 as smallint), concat('a comment on line ', cast(i as varchar(20)))"
    " from range(1, {end}) as t(i)"
)
# The columns in each dialect. The values are DuckDB's, behind the fake.
_COLUMNS = "id bigint, price decimal(15,2), day date, note varchar(40)"


def main() -> None:
    """Serve one fake."""
    name, rows, given = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    with FAKES[name](given) as (output, schema, execute):
        execute(f"create table {schema}.{TABLE} ({_COLUMNS})")
        if name == "redshift":
            execute(_POSTGRES_INSERT.format(rows=rows))
        else:
            execute(_INSERT.format(schema=schema, end=rows + 1))
        # An S3 is found by the environment.
        environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        print(json.dumps({"profile": output, "schema": schema, "environment": environment}), flush=True)
        sys.stdin.read()


_POSTGRES_INSERT = (
    f"insert into public.{TABLE} select i, (i % 100000)::decimal / 100, date '2020-01-01' + (i % 1000)::int,"
    " 'a comment on line ' || i from generate_series(1::bigint, {rows}) i"
)


@contextmanager
def _athena(given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, _Execute]]:
    from servers import athena, s3

    # Files of a size that Athena writes: the fake's own are small, so that tests have several.
    athena._PAGE = 100_000
    with s3.running(), athena.running(s3.BUCKET) as server:
        yield server.output(), "main", server.sql.run


@contextmanager
def _databricks(given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, _Execute]]:
    from servers import databricks

    with databricks.running() as warehouse:
        warehouse.rows_of_a_link = 100_000
        warehouse.execute("create schema lake.sales")
        yield databricks.output(warehouse), "sales", warehouse.execute


@contextmanager
def _exasol(given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, _Execute]]:
    from servers.exasol import Behaviour, running

    with running(Behaviour(chunk_rows=10_000)) as server:
        yield server.output(), "main", server.execute


@contextmanager
def _firebolt(given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, _Execute]]:
    from servers.firebolt import running

    with running() as server:
        yield server.output(), "main", server.sql.run


@contextmanager
def _redshift(given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, _Execute]]:
    from servers.postgres import PostgresServer
    from servers.redshift import running

    own = given["postgres"]
    postgres = PostgresServer(Path(own["bin"]), Path(own["data"]), own["host"], own["port"])
    with running(postgres, given["database"]) as server:
        yield server.output(), "public", lambda sql: postgres.psql(given["database"], sql)


@contextmanager
def _sqlserver(given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, _Execute]]:
    from servers.sqlserver import SqlServerFake

    with closing(SqlServerFake()) as fake:
        yield fake.output(), "dbo", fake.execute


@contextmanager
def _trino(given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, _Execute]]:
    from servers.trino import Behaviour, running

    with running(Behaviour(page_rows=20_000)) as server:
        yield server.output(), "main", server.execute


@contextmanager
def _vertica(given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, _Execute]]:
    from servers.vertica import running

    with running() as server:
        yield server.output(), "main", server.sql.run


FAKES: dict[str, Callable[[dict[str, Any]], _Running]] = {
    "athena": _athena,
    "databricks": _databricks,
    "exasol": _exasol,
    "firebolt": _firebolt,
    "redshift": _redshift,
    "sqlserver": _sqlserver,
    "trino": _trino,
    "vertica": _vertica,
}

if __name__ == "__main__":
    main()
