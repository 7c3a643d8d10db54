"""The vendors' clients, logged in as dvt logs in, each read in the quickest way that its documentation names."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from itertools import islice
from typing import Any

from profiles import connection_of
from profiles import log_in_once as _prepare
from stopwatch import count, count_rows, main

from dvt.connections.connection import Connection
from dvt.identifiers import Relation

_ROWS = 50_000
_Answer = dict[str, int]


def drain(profile: str, schema: str, table: str, key: str):
    """A table; nothing is made of the rows but their count and the sum of the first column."""
    connection = connection_of(profile)
    sql = " ".join(["select * from", Relation(table, schema).sql(connection.dialect)])
    if connection.type in _ARROW:
        cursor = _executed(connection, sql)
        fetch = getattr(cursor, _ARROW[connection.type])
        batches = (batch for portion in _until_empty(lambda: fetch(_ROWS)) for batch in _batches(portion))
        return count(batches, key), "Arrow batches"
    return _ROWWISE.get(connection.type, _cursor)(connection, sql), "rows as Python values"


def _executed(connection: Connection, sql: str) -> Any:
    cursor = import_module(f"dvt.connections.{connection.type}").connect(connection).cursor()
    cursor.execute(sql)
    return cursor


def _until_empty(fetch: Callable[[], Any]) -> Iterator[Any]:
    while len(portion := fetch()):
        yield portion


def _batches(portion: Any) -> Any:
    return portion.to_batches() if hasattr(portion, "to_batches") else [portion]


def _cursor(connection: Connection, sql: str) -> _Answer:
    cursor = _executed(connection, sql)
    return count_rows(_until_empty(lambda: cursor.fetchmany(_ROWS)))


def _trino(connection: Connection, sql: str) -> _Answer:
    from trino.dbapi import connect

    given = connection.settings
    place = {"catalog": given["database"], "schema": given["schema"], "encoding": ["json+zstd", "json+lz4", "json"]}
    cursor = connect(host=given["host"], port=given["port"], user=given["user"], **place).cursor()
    cursor.execute(sql)
    return count_rows(_until_empty(lambda: cursor.fetchmany(_ROWS)))


def _firebolt(connection: Connection, sql: str) -> _Answer:
    from dvt.connections.firebolt import connect

    cursor = connect(connection).cursor()
    cursor.execute_stream(sql)
    rows = iter(cursor)
    return count_rows(_until_empty(lambda: list(islice(rows, _ROWS))))


def _exasol(connection: Connection, sql: str) -> _Answer:
    from dvt.connections.exasol import connect

    def read(pipe: Any, target: None, **_: Any) -> _Answer:
        rows = csv.reader(io.TextIOWrapper(pipe, "utf-8", newline=""))
        return count_rows(_until_empty(lambda: list(islice(rows, _ROWS))))

    found: _Answer = connect(connection).export_to_callback(read, None, sql)
    return found


def _athena(connection: Connection, sql: str) -> _Answer:
    from dvt.connections.athena import connect

    client, given = connect(connection), connection.settings
    started = client.start_query_execution(
        QueryString=sql,
        ResultConfiguration={"OutputLocation": given["s3_staging_dir"]},
        QueryExecutionContext={"Database": given["schema"]},
    )
    name = {"QueryExecutionId": started["QueryExecutionId"]}
    while client.get_query_execution(**name)["QueryExecution"]["Status"]["State"] in ("QUEUED", "RUNNING"):
        time.sleep(0.05)

    def pages() -> Iterator[list[list[Any]]]:
        for number, page in enumerate(client.get_paginator("get_query_results").paginate(**name)):
            rows = [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"]]
            yield rows[1:] if number == 0 else rows  # the first row are the names

    return count_rows(pages())


# What gives Arrow, and by which method of its cursor; what is no DB-API cursor's `fetchmany`.
_ARROW: Mapping[str, str] = {"databricks": "fetchmany_arrow", "sqlserver": "arrow_batch"}
_ROWWISE: Mapping[str, Callable[[Connection, str], _Answer]] = {
    "athena": _athena,
    "exasol": _exasol,
    "firebolt": _firebolt,
    "trino": _trino,
}

if __name__ == "__main__":
    main({"drain": drain}, _prepare)
