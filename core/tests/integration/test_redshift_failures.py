"""What goes wrong with Redshift: slow, broken and expired replies of the stand-in, and of the S3 of its UNLOADs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from integration.redshift_kit import connect, read, wait_for, with_numbers
from servers import s3
from servers.cut_off import cut_off
from servers.postgres import PostgresServer
from servers.process import free_port
from servers.redshift import RedshiftServer

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.redshift import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.redshift import RedshiftExtractor
from dvt.identifiers import Relation

pytest.importorskip("redshift_connector")
pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    pytest.importorskip("moto")
    with s3.running() as address:
        yield address


@pytest.fixture(scope="module")
def server(postgres_server: PostgresServer, bucket: str) -> Iterator[RedshiftServer]:
    with with_numbers(postgres_server, "redshift_failing", bucket) as server:
        yield server


def test_a_cluster_of_one_node_gives_smaller_portions(server: RedshiftServer) -> None:
    server.is_single_node = True
    try:
        server.statements()
        table, _ = read(connect(server), "numbers", columns=("id",))
        assert table.num_rows == 3000
        assert [s for s in server.statements() if s.startswith("fetch")][:2] == [
            "fetch forward 50000 from dvt_1",
            "fetch forward 1000 from dvt_1_single",
        ]
    finally:
        server.is_single_node = False


def test_an_unload_that_lost_rows_is_no_result(server: RedshiftServer) -> None:
    server.loses_a_row = True
    try:
        with pytest.raises(errors.DataError, match="unloaded 3001 rows, 3000 were found"):
            read(connect(server, True), "numbers")
    finally:
        server.loses_a_row = False
    assert s3.keys() == []


@pytest.mark.parametrize(
    ("fault", "family", "words"),
    [
        ("loses_a_file", errors.DataError, "unloaded 3000 rows, 2000 were found"),
        ("breaks_a_file", errors.ConnectionLostError, "0001_part_00.parquet"),
    ],
)
def test_an_unload_with_a_file_too_few_is_no_result(
    server: RedshiftServer, monkeypatch: pytest.MonkeyPatch, fault: str, family: type[Exception], words: str
) -> None:
    monkeypatch.setattr(server, fault, True)
    with pytest.raises(family, match=words):
        read(connect(server, True), "numbers")
    assert s3.keys() == []
    monkeypatch.setattr(server, fault, False)
    assert read(connect(server, True), "numbers")[0].num_rows == 3000


def test_a_file_that_breaks_off(server: RedshiftServer, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = "select id, repeat(md5(id::text) || md5((id + 1)::text), 2) as x from numbers"
    with cut_off(int(bucket.rpartition(":")[2]), 40_000, of_the_client=False) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
        with pytest.raises(errors.ConnectionLostError, match=r"part_00\.parquet"):
            read(connect(server, True), query=wide)
    monkeypatch.undo()
    assert s3.keys() == []


def test_a_cluster_whose_credentials_have_ended(server: RedshiftServer, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "The provided token has expired.,Status 400,Error ExpiredToken,Rid R,CanRetry 1"
    monkeypatch.setattr(server, "refuses_unload", words)
    with pytest.raises(errors.AuthenticationError, match="ExpiredToken"):
        read(connect(server, True), "numbers")
    assert s3.keys() == []


def test_credentials_that_end_before_the_files_are_read(
    server: RedshiftServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3.expired() as address, monkeypatch.context() as changed:
        changed.setenv("AWS_ENDPOINT_URL_S3", address)
        extractor = RedshiftExtractor(connect(server, True))
        rows = extractor.scan(ExtractionConfig(relation=Relation("numbers")))
        for step in (rows.to_table, rows.close, extractor.close):  # what was written cannot be removed either
            with pytest.raises(errors.AuthenticationError, match="ExpiredToken") as caught:
                step()
            assert caught.value.connection == "rs"
    assert s3.keys()
    s3.clear()


def test_a_log_in_by_credentials_that_have_ended(server: RedshiftServer, monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"method": "iam", "cluster_id": "c", "region": "us-east-1", "sslmode": "require", "retries": 0}
    with s3.expired() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT", address)
        with pytest.raises(errors.AuthenticationError, match="ExpiredToken") as caught:
            read(connect(server, **login), "numbers")
    assert caught.value.phase == "connect"


@pytest.mark.parametrize(
    ("change", "family"),
    [
        ({"password": "wr0ng-secret"}, errors.AuthenticationError),
        ({"user": "nobody"}, errors.AuthenticationError),
        ({"dbname": "nowhere"}, errors.ConnectionFailedError),
        ({"host": "no-such-host.invalid"}, errors.ConnectionFailedError),
        ({"port": free_port()}, errors.ConnectionFailedError),
        ({"sslmode": "prefer"}, errors.ConnectionFailedError),
        ({"method": "browser_identity_center"}, errors.UnsupportedError),
        ({"method": "iam"}, errors.ConfigurationError),
        ({"method": "magic"}, errors.ConfigurationError),
    ],
)
def test_who_cannot_connect_is_told_why(
    server: RedshiftServer, change: dict[str, Any], family: type[Exception]
) -> None:
    connection = connect(server, retries=0, **change)
    with pytest.raises(family) as caught:
        RedshiftExtractor(connection).ping()
    assert type(caught.value) is family
    for text in (str(caught.value), repr(caught.value), repr(connection), str(caught.value.__cause__)):
        assert server.postgres.password not in text
        assert "wr0ng-secret" not in text


@pytest.mark.parametrize("unloads", [False, True])
@pytest.mark.parametrize(
    ("request_", "family"),
    [
        ({"query": "select * from nowhere"}, errors.RelationNotFoundError),
        ({"query": "select nothing from numbers"}, errors.RelationNotFoundError),
        ({"query": "selec 1"}, errors.QueryError),
        ({"query": "delete from numbers returning id"}, errors.QueryError),
    ],
)
def test_errors_of_queries(
    server: RedshiftServer, unloads: bool, request_: dict[str, Any], family: type[Exception]
) -> None:
    with RedshiftExtractor(connect(server, unloads)) as extractor:
        with pytest.raises(family):
            extractor.scan(ExtractionConfig(**request_)).to_table()
        # An error leaves the session usable.
        assert extractor.get_row_count(Relation("numbers")) == 3000


def test_an_error_on_the_way(server: RedshiftServer) -> None:
    query = "select 1 / (2500 - id) as x from numbers order by id"
    with RedshiftExtractor(connect(server, dvt={"batch_rows": 500})) as extractor:
        with pytest.raises(errors.DataError, match="division by zero"):
            extractor.scan(ExtractionConfig(query=query)).to_table()
        assert extractor.get_row_count(Relation("numbers")) == 3000


def test_a_statement_may_run_for_so_long(server: RedshiftServer) -> None:
    with pytest.raises(errors.TimeoutExceededError):
        read(connect(server, dvt={"statement_timeout_s": 1}), query="select pg_sleep(20)")


def test_cancelling_from_another_thread(server: RedshiftServer) -> None:
    extractor = RedshiftExtractor(connect(server))
    threading.Timer(1, extractor.cancel).start()
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(query="select pg_sleep(60)")).to_table()
    extractor.close()
    wait_for(server, 0)


def test_a_connection_that_breaks(server: RedshiftServer) -> None:
    with cut_off(server.port, 60_000, of_the_client=False) as port:
        broken = Connection.from_output("rs", {**server.output(dvt={"batch_rows": 1000}), "port": port}, SPEC)
        with pytest.raises(errors.ConnectionLostError):
            read(broken, query="select repeat('x', 100) as x from numbers")
    assert read(connect(server), "none")[0].num_rows == 0
