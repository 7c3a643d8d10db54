"""The conformance kit against the stand-ins of Redshift, Vertica, Firebolt and Athena, under their real clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from servers import athena, firebolt, firebolt_copy, redshift, s3, vertica
from servers.postgres import PostgresServer

from dvt.testing import ExtractorContract, LoaderContract, Place, Tag

pytestmark = pytest.mark.slow


def _settled(running: Callable[[], int]) -> int:
    """How many statements run, once those that were told to end have had the time."""
    deadline = time.monotonic() + 5
    while running() and time.monotonic() < deadline:
        time.sleep(0.02)
    return running()


class TestRedshift(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, postgres_server: PostgresServer) -> Iterator[Place]:
        pytest.importorskip("redshift_connector")
        name = "dvt_contract_redshift"
        own = f"datname = '{name}' and application_name = 'dvt' and state = 'active'"
        with redshift.running(postgres_server, name) as server:
            yield Place(
                "redshift",
                Tag.FAKE,
                server.output(),
                lambda sql: postgres_server.psql(name, sql),
                server.statements,
                schema="public",
                refused=server.output(password="wr0ng-pass"),
                running=lambda: int(
                    postgres_server.psql("postgres", f"select count(*) from pg_stat_activity where {own}")
                ),
            )


@contextmanager
def _written_redshift(server: PostgresServer, name: str, s3_url: str | None, **options: str) -> Iterator[Place]:
    with redshift.running(server, name, s3_url) as running:
        own = f"datname = '{name}' and application_name = 'dvt' and state = 'active'"
        listed = "select coalesce(string_agg(tablename, chr(1)), '') from pg_tables where schemaname = 'public'"
        yield Place(
            "redshift",
            Tag.FAKE,
            running.output(dvt=options),
            lambda sql: server.psql(name, sql),
            running.statements,
            schema="public",
            refused=running.output(password="wr0ng-pass"),
            running=lambda: int(server.psql("postgres", f"select count(*) from pg_stat_activity where {own}")),
            ask=lambda sql: server.psql(name, sql).splitlines(),
            tables=lambda: list(filter(None, server.psql(name, listed).split(chr(1)))),
        )


class TestLoadingRedshift(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, postgres_server: PostgresServer) -> Iterator[Place]:
        pytest.importorskip("redshift_connector")
        with s3.running() as url:
            options = {"load_through": f"s3://{s3.BUCKET}/loads", "load_role": "arn:aws:iam::1:role/loads"}
            with _written_redshift(postgres_server, "dvt_loading_redshift", url, **options) as place:
                yield place
            assert s3.keys() == []


class TestVertica(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        pytest.importorskip("vertica_python")
        with vertica.running() as server:
            yield Place(
                "vertica",
                Tag.FAKE,
                server.output(),
                server.sql.run,
                server.taken,
                schema="main",
                refused=server.output(password="wr0ng-pass"),
                running=lambda: _settled(lambda: len(server.running)),
            )


class TestLoadingVertica(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        pytest.importorskip("vertica_python")
        with vertica.running() as server:

            def ask(sql: str) -> list[str]:
                return [str(row[0]) for row in server.sql.run(sql).fetchmany(1000)]

            yield Place(
                "vertica",
                Tag.FAKE,
                server.output(),
                server.sql.run,
                server.taken,
                schema="main",
                refused=server.output(password="wr0ng-pass"),
                running=lambda: _settled(lambda: len(server.running)),
                ask=ask,
                tables=lambda: ask("select table_name from v_catalog.tables"),
            )


def _firebolt_place(server: firebolt.FireboltServer) -> Place:
    def ask(sql: str) -> list[str]:
        return [str(row[0]) for row in server.sql.run(sql).fetchmany(1000)]

    return Place(
        "firebolt",
        Tag.FAKE,
        server.output(),
        server.sql.run,
        server.taken,
        schema="main",
        closed=server.output(url="http://127.0.0.1:1"),
        running=lambda: _settled(lambda: len(server.running)),
        ask=ask,
        tables=lambda: ask("select table_name from information_schema.tables"),
    )


class TestFirebolt(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        pytest.importorskip("firebolt.db")
        with firebolt.running() as server:
            yield _firebolt_place(server)


class TestLoadingFirebolt(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        pytest.importorskip("firebolt.db")
        with firebolt.running() as server:
            yield _firebolt_place(server)
            assert server.transactions.begun, "nothing was landed in a transaction"


class TestLoadingFireboltByFiles(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        pytest.importorskip("firebolt.db")
        options = {"load_through": f"s3://{s3.BUCKET}/in", "load_role": firebolt_copy.ROLE}
        with s3.running(), firebolt.running() as server:
            own = server.output(dvt=options)
            yield replace(_firebolt_place(server), output=own, words="firebolt-files", name="firebolt (files)")
            left = s3.keys()  # with the empty object that stands for the folder above
            assert not [key for key in left if not key.endswith("/")]


class TestAthena(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        pytest.importorskip("moto")
        with s3.running(), athena.running(s3.BUCKET) as server:
            yield Place(
                "athena",
                Tag.FAKE,
                server.output(),
                server.sql.run,
                server.taken,
                schema="main",
                refused=server.output(aws_access_key_id="stranger"),
            )


class TestLoadingAthena(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        pytest.importorskip("moto")
        with athena.with_glue() as server:
            yield Place(
                "athena",
                Tag.FAKE,
                server.output(s3_data_dir=f"s3://{s3.BUCKET}/tables", dvt={"keep_files_s": 60}),
                lambda sql: server.hive.ddl(sql.replace('"', "`")),
                server.taken,
                schema="main",
                refused=server.output(aws_access_key_id="stranger"),
                tables=server.hive.names,
            )
