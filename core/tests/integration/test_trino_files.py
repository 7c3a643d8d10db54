"""Loads into Trino (a fake, moto's S3) by files in a bucket: the values of INSERTs, and nothing left behind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from servers import s3
from servers.trino import TrinoServer, running

from dvt.errors import ConfigurationError, DataError, InterruptedRunError, QueryError
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.loaders.trino import TrinoLoader
from dvt.federation.registry import open_connection
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation
from dvt.testing.landing import cancelled_from_aside
from dvt.testing.streams import NUMBERED, numbered, stream, stream_of
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID

FILES = {"load_through": f"s3://{s3.BUCKET}/in", "load_catalog": "files", "load_schema": "landing"}
ROWS = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        "text": ["it's \\ a\tb\n 漢字", "", None],
        "bytes": [b"\x00\xff", b"", None],
        "yes": [True, False, None],
        "tiny": pa.array([-128, 127, None], pa.int8()),
        "huge": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "amount": pa.array([Decimal("-0.01"), Decimal("99999999.99"), None], pa.decimal128(10, 2)),
        "part": [5e-324, 0.1, None],
        "short": pa.array([0.5, float("-inf"), None], pa.float32()),
        "day": [dt.date(1, 1, 1), dt.date(1582, 10, 10), None],
        "time": pa.array([dt.time(23, 59, 59, 999999), dt.time(0), None], TIME),
        "wall": pa.array([dt.datetime(1969, 12, 31, 23, 59, 59, 999999), dt.datetime(1500, 1, 1), None], MICROS),
        "moment": pa.array([-1, 1, None], MICROS_UTC),
        "key": pa.array([b"\x01" * 16, b"\xff" * 16, None], UUID),
        "doc": pa.array(['{"a": 1.10}', "null", None], JSON),
    }
)


@pytest.fixture
def server() -> Iterator[TrinoServer]:
    with s3.running(), running() as server:
        yield server
        assert server.external.names() == []
        left = s3.keys()  # with the empty object that stands for the folder above
        assert not [key for key in left if not key.endswith("/")]


def _loader(server: TrinoServer, **options: Any) -> TrinoLoader:
    return TrinoLoader(open_connection("web", server.output(dvt=options)))


def _load(loader: TrinoLoader, rows: RowStream, name: str = "t") -> LoadResult:
    with loader:
        return loader.load(rows, LoadConfig(Relation(name, "main")))


def _rows(server: TrinoServer, sql: str) -> list[tuple[object, ...]]:
    return server.engine.run(sql).fetchmany(1000)


def test_files_leave_what_inserts_leave(server: TrinoServer) -> None:
    assert _load(_loader(server, **FILES), stream_of(ROWS), "filed").method == "external_parquet"
    assert _load(_loader(server), stream_of(ROWS), "inserted").method == "insert"
    found = [_rows(server, f"select * from {name} order by id") for name in ("filed", "inserted")]
    assert found[0] == found[1]
    assert len(found[0]) == 3
    filed, inserted = (server.engine.native_columns("main", name) for name in ("filed", "inserted"))
    assert {name: kind.sql() for name, kind in filed.items()} == {name: kind.sql() for name, kind in inserted.items()}


def test_what_fails_leaves_the_old_table_alone(server: TrinoServer) -> None:
    _load(_loader(server, **FILES), stream(NUMBERED, numbered([7])))

    def broken() -> Iterator[pa.RecordBatch]:
        yield from numbered(range(5_000))
        raise DataError("the source broke", connection="crm")

    with pytest.raises(DataError, match="the source broke"):
        _load(_loader(server, **FILES), stream(NUMBERED, broken()))
    cancelled = _loader(server, **FILES)
    with pytest.raises(InterruptedRunError):
        _load(cancelled, stream(NUMBERED, cancelled_from_aside(cancelled)))
    server.behaviour.fails = "insert into"
    with pytest.raises(QueryError):
        _load(_loader(server, **FILES), stream(NUMBERED, numbered([1])))
    assert _rows(server, "select id from t") == [(7,)]
    assert _rows(server, "select table_name from information_schema.tables") == [("t",)]


def test_what_cannot_go_by_files_goes_by_inserts_and_says_why(server: TrinoServer) -> None:
    result = _load(_loader(server, **FILES), stream_of(pa.table({"id": [1], "many": [[1, 2]]})))
    assert result.method == "insert"
    assert "column 'many'" in result.passed_over[0].why
    result = _load(_loader(server, **{**FILES, "load_catalog": ""}), stream(NUMBERED, numbered([1])))
    assert "lake is memory's" in result.passed_over[0].why
    with _loader(server) as loader:
        assert loader.planned().passed_over == ()
    for wrong in ("file:///tmp/x", "az://box/x", "/tmp/x"):
        with pytest.raises(ConfigurationError, match="load_through"):
            _load(_loader(server, **{**FILES, "load_through": wrong}), stream(NUMBERED, numbered([1])))
