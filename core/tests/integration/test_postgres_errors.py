"""Every way in which a connection fails is one error of the right family, without the password."""

from __future__ import annotations

import os
import signal
import socket
import traceback

import pytest
from integration.postgres_kit import connection
from servers.process import free_port

from dvt.errors import (
    AuthenticationError,
    ConnectionFailedError,
    ConnectionLostError,
    DvtError,
    PrivilegeError,
    QueryError,
)
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.postgres import PostgresExtractor
from dvt.federation.loaders.postgres import PostgresLoader
from dvt.federation.registry import open_connection
from dvt.identifiers import Relation

pytestmark = pytest.mark.postgres

SECRET = "wr0ng-s3cret/pa:ss%"


def ping(server, **changes) -> str:
    output = server.output(retries=0) | changes
    with PostgresExtractor(open_connection("crm", output)) as extractor:
        return extractor.ping()


def test_ping_gives_the_version(postgres_server):
    assert ping(postgres_server).startswith("PostgreSQL 1")


@pytest.mark.parametrize(
    ("changes", "family", "words"),
    [
        ({"password": SECRET}, AuthenticationError, "password"),
        ({"user": "nobody_here", "password": SECRET}, AuthenticationError, "nobody_here"),
        ({"dbname": "nowhere"}, ConnectionFailedError, "nowhere"),
        ({"sslmode": "require"}, ConnectionFailedError, "TLS"),
        ({"sslmode": "verify-full", "sslrootcert": "/nonexistent"}, ConnectionFailedError, "TLS"),
        ({"sslmode": "bogus"}, ConnectionFailedError, "sslmode"),
        ({"host": "host.invalid"}, ConnectionFailedError, "host"),
        ({"role": "no_such_role"}, DvtError, "no_such_role"),
    ],
)
def test_refused_connections(postgres_server, changes, family, words):
    with pytest.raises(family, match=words) as caught:
        ping(postgres_server, **changes)
    assert caught.value.connection == "crm"
    assert caught.value.remedy
    for secret in (SECRET, postgres_server.password):
        assert secret not in str(caught.value)
        assert secret not in repr(caught.value)
        assert secret not in "".join(traceback.format_exception(caught.value))


def test_nobody_listens(postgres_server):
    with pytest.raises(ConnectionFailedError, match="refused"):
        ping(postgres_server, port=free_port())


def test_connect_timeout(postgres_server):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        with pytest.raises(ConnectionFailedError, match="connect_timeout_s"):
            ping(postgres_server, port=deaf.getsockname()[1], dvt={"connect_timeout_s": 2})


def test_a_missing_right(postgres_server):
    database = postgres_server.create_database("rights")
    postgres_server.psql(database, "create table closed as select 1 as a")
    postgres_server.psql(database, "drop role if exists beggar; create role beggar login password 'b3ggar-pass'")
    try:
        output = postgres_server.output(database) | {"user": "beggar", "password": "b3ggar-pass"}
        with PostgresExtractor(open_connection("crm", output)) as extractor:
            request = ExtractionConfig(relation=Relation("closed", "public"))
            with pytest.raises(PrivilegeError, match="closed") as caught:
                extractor.scan(request).to_table()
        assert caught.value.relation == "public.closed"
    finally:
        postgres_server.psql(database, "drop role beggar")


def test_a_syntax_error(postgres_server):
    with PostgresExtractor(connection(postgres_server, "postgres")) as extractor:
        with pytest.raises(QueryError, match="syntax"):
            extractor.extract_stream("select from where")


@pytest.mark.parametrize("method", ["auto", "copy", "cursor"])
def test_a_server_that_goes_away_in_the_middle(postgres_server, method):
    with PostgresExtractor(connection(postgres_server, "postgres", method=method, batch_rows=100)) as extractor:
        stream = extractor.extract_stream("select repeat('x', 1000) as gone, generate_series(1, 100000000) as i")
        stream.read_batch(10)
        pid = postgres_server.psql(
            "postgres",
            "select pid from pg_stat_activity where query like '%as gone%' and pid <> pg_backend_pid()"
            " or query like 'fetch forward%'",
        )
        os.kill(int(pid.split()[0]), signal.SIGTERM)
        with pytest.raises(ConnectionLostError):
            for _ in stream.batches():
                pass
        with extractor.extract_stream("select 1 as a") as again:
            assert list(again) == [{"a": 1}]


def test_a_loader_whose_server_goes_away(postgres_server):
    with PostgresLoader(connection(postgres_server, "postgres")) as loader:
        loader.ensure_schema(Relation("x", "public"))
        postgres_server.psql(
            "postgres",
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'dvt'",
        )
        with pytest.raises(ConnectionLostError):
            loader.ensure_schema(Relation("x", "public"))
        loader.ensure_schema(Relation("x", "public"))
