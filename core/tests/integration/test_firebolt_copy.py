"""Loads into Firebolt (a fake, moto's S3) by COPY of files in a bucket: the values of INSERTs, and nothing left."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from servers import firebolt, s3
from servers.firebolt import FireboltServer
from servers.firebolt_copy import EXTERNAL_ID, ROLE

pytest.importorskip("firebolt.db")

from dvt.connections.connection import Connection
from dvt.connections.firebolt import SPEC
from dvt.errors import ConfigurationError, DataError, InterruptedRunError, PrivilegeError, QueryError
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.loaders.firebolt import FireboltLoader
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation
from dvt.testing.landing import cancelled_from_aside
from dvt.testing.streams import NUMBERED, numbered, stream, stream_of
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID

BUCKET = {"load_through": f"s3://{s3.BUCKET}/in", "load_role": ROLE}
KEYS = {**BUCKET, "load_role": "environment"}
CLIENT = ("dvt", "firebolt", "httpx", "httpcore")
ROWS = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        'it\'s "odd"': ["it's \\ a\tb\n 漢字", "", None],
        "bytes": [b"\x00\xff\\x", b"", None],
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
        "many": [[1, None], [], None],
    }
)


@pytest.fixture
def server() -> Iterator[FireboltServer]:
    with s3.running(), firebolt.running() as server:
        yield server
        left = s3.keys()  # with the empty object that stands for the folder above
        assert not [key for key in left if not key.endswith("/")]


def _loader(server: FireboltServer, **options: Any) -> FireboltLoader:
    return FireboltLoader(Connection.from_output("fb", server.output(dvt=options), SPEC))


def _load(loader: FireboltLoader, rows: RowStream, name: str = "t") -> LoadResult:
    with loader:
        return loader.load(rows, LoadConfig(Relation(name, "main")))


def _rows(server: FireboltServer, sql: str) -> list[tuple[Any, ...]]:
    return server.sql.run(sql).fetchmany(1000)


def _tables(server: FireboltServer) -> list[tuple[Any, ...]]:
    return _rows(server, "select table_name from information_schema.tables order by 1")


@pytest.mark.parametrize("options", [BUCKET, {**BUCKET, "load_external_id": EXTERNAL_ID}, KEYS])
def test_files_leave_what_inserts_leave(server: FireboltServer, options: dict[str, str]) -> None:
    assert _load(_loader(server, **options), stream_of(ROWS), "copied").method == "copy_parquet"
    assert _load(_loader(server), stream_of(ROWS), "inserted").method == "insert"
    found = [_rows(server, f"select * from {name} order by id") for name in ("copied", "inserted")]
    assert found[0] == found[1]
    assert len(found[0]) == 3
    kinds = [server.sql.native_columns("main", name) for name in ("copied", "inserted")]
    assert [*kinds[0].values()] == [*kinds[1].values()]
    assert _tables(server) == [("copied",), ("inserted",)]


def test_what_needs_no_cast_is_copied_into_the_private_table_itself(server: FireboltServer) -> None:
    rows = pa.table({"id": [1, 2], "f": pa.array([0.1, None], pa.float32()), "t": ["\\x41'", None], "b": [True, None]})
    server.taken()
    _load(_loader(server, **BUCKET), stream_of(rows))
    said = [sql for sql in server.taken() if sql.startswith(("create", "copy", "insert"))]
    assert [sql.split(" ")[0] for sql in said] == ["create", "copy"]
    assert said[1].startswith('copy into "main"."t__dvt_')
    assert f'( "id" c0, "f" c1, "t" c2, "b" c3 ) from \'s3://{s3.BUCKET}/in/dvt-' in said[1]
    assert f"credentials = ( AWS_ROLE_ARN = '{ROLE}' )" in said[1]
    assert _rows(server, "select id, t, b from t order by id") == [(1, "\\x41'", True), (2, None, None)]


def test_no_rows_are_no_copy(server: FireboltServer) -> None:
    assert _load(_loader(server, **BUCKET), stream_of(ROWS.slice(0, 0))).rows == 0
    assert not [sql for sql in server.taken() if sql.startswith("copy")]
    assert _rows(server, "select count(*) from t") == [(0,)]


@pytest.mark.parametrize("options", [BUCKET, KEYS])
def test_what_fails_leaves_the_old_table_alone(server: FireboltServer, options: dict[str, str]) -> None:
    _load(_loader(server, **options), stream(NUMBERED, numbered([7])))

    def broken() -> Iterator[pa.RecordBatch]:
        yield from numbered(range(5_000))
        raise DataError("the source broke", connection="crm")

    with pytest.raises(DataError, match="the source broke"):
        _load(_loader(server, **options), stream(NUMBERED, broken()))
    cancelled = _loader(server, **options)
    with pytest.raises(InterruptedRunError):
        _load(cancelled, stream(NUMBERED, cancelled_from_aside(cancelled)))
    with pytest.raises(DataError) as raised:
        _load(_loader(server, **options), stream_of(pa.table({"id": [1, 2], "v": ["a", "b\0"]})))
    assert raised.value.column == "v"
    assert _rows(server, "select id from t") == [(7,)]
    assert _tables(server) == [("t",)]


def test_an_insert_from_the_copied_rows_that_fails_leaves_nothing(
    server: FireboltServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = _loader(server, **BUCKET)
    copied = loader.make_external

    def changed(external: Relation, columns: Any, url: str) -> None:
        copied(external, columns, url)
        server.sql.run(f"update {external.sql('postgres')} set c1 = 'no day'")

    monkeypatch.setattr(loader, "make_external", changed)
    with pytest.raises(DataError):
        _load(loader, stream_of(pa.table({"id": [1], "day": [dt.date(2024, 1, 1)]})))
    assert _tables(server) == []


def test_what_the_server_says_of_a_copy_tells_no_secret(
    server: FireboltServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret, token = os.environ["AWS_SECRET_ACCESS_KEY"], "a-token-of-a-session"
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    loader = _loader(server, **KEYS)
    monkeypatch.setattr(loader, "carried", lambda field, native: _as_text(field))
    with pytest.raises(QueryError, match="is not read into") as raised:
        _load(loader, stream_of(pa.table({"id": [1]})))
    logged = [record.getMessage() for record in caplog.records if record.name.split(".")[0] in CLIENT]
    told = "\n".join([str(raised.value), *logged])
    assert f"AWS_SECRET_ACCESS_KEY = '{secret}' AWS_SESSION_TOKEN = '{token}'" in "".join(server.taken())
    assert "***" in told
    assert secret not in told
    assert token not in told


def _as_text(field: pa.Field) -> Any:
    from dvt.federation.loaders.through_files import Carried

    return Carried("text null", pa.string(), lambda array: array.cast(pa.string()))


def test_who_reads_the_bucket_has_to_be_said(server: FireboltServer, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pa.table({"id": [1]})
    with pytest.raises(ConfigurationError, match=r"without dvt\.load_role") as raised:
        _load(_loader(server, load_through=BUCKET["load_through"]), stream_of(rows))
    assert raised.value.remedy
    for wrong in ("file:///tmp/x", "gs://box/x", "/tmp/x", "s3a://box/x"):
        with pytest.raises(ConfigurationError, match="load_through"):
            _load(_loader(server, **{**BUCKET, "load_through": wrong}), stream_of(rows))
    with pytest.raises(PrivilegeError, match="Access Denied"):
        _load(_loader(server, **{**BUCKET, "load_role": ROLE + "-of-another"}), stream_of(rows))
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigurationError, match="no keys"):
        _load(_loader(server, **KEYS), stream_of(rows))
    monkeypatch.undo()
    assert _tables(server) == []
    with _loader(server) as loader:
        assert loader.planned().passed_over == ()
    with _loader(server, load_by="streaming") as loader, pytest.raises(ConfigurationError, match="load_through"):
        loader.load(stream_of(rows), LoadConfig(Relation("t", "main")))
