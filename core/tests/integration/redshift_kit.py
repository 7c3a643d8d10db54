"""What the tests of Redshift share: a proxy with a table, an S3 for UNLOAD, and reading through them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from servers import s3
from servers.postgres import PostgresServer
from servers.redshift import RedshiftServer, running

from dvt.connections.connection import Connection
from dvt.connections.redshift import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.redshift import RedshiftExtractor
from dvt.identifiers import Relation


@contextmanager
def with_numbers(postgres: PostgresServer, database: str, s3_url: str) -> Iterator[RedshiftServer]:
    """A proxy whose database has 3000 numbers."""
    with running(postgres, database, s3_url) as server:
        server.postgres.psql(
            database,
            "create table numbers as select i as id, 'w' || i as word, nullif(i, 7)::numeric(10,2) / 8 as part,"
            " case when i > 2500 then i::double precision end as late, null::varchar(5) as never"
            " from generate_series(1, 3000) i; alter table numbers alter part type numeric(12,4);"
            " create table none (id bigint, word varchar(10));",
        )
        yield server


def connect(server: RedshiftServer, unloads: bool = False, **more: Any) -> Connection:
    options = more.pop("dvt", {})
    if unloads:
        options = {"unload_to": f"s3://{s3.BUCKET}/tmp", "unload_role": "arn:aws:iam::1:role/r'x", **options}
    return Connection.from_output("rs", server.output(dvt=options, **more), SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> tuple[pa.Table, str]:
    if name is not None:
        request["relation"] = Relation(name)
    with RedshiftExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table(), rows.method


def cursors(server: RedshiftServer) -> str:
    return server.postgres.psql(
        server.database,
        f"select count(*) from pg_stat_activity where application_name = 'dvt' and datname = '{server.database}'",
    )


def wait_for(server: RedshiftServer, sessions: int) -> None:
    deadline = time.monotonic() + 20
    while cursors(server) != str(sessions):
        assert time.monotonic() < deadline, cursors(server)
        time.sleep(0.05)
