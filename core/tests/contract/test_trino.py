"""The conformance kit against Trino's stand-in: our own fake of its protocol under the vendor's client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from servers import s3
from servers.trino import TrinoServer, running

from dvt.testing import ExtractorContract, LoaderContract, Place, Tag


class TestTrino(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        with running(tls_folder=tmp_path_factory.mktemp("trino")) as server:
            yield Place(
                "trino",
                Tag.FAKE,
                server.output(),
                server.execute,
                server.statements,
                schema="main",
                refused=server.output(password="wr0ng-pass"),
                running=lambda: len(server.unfinished()),
            )


class TestLoadingTrino(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        with running(tls_folder=tmp_path_factory.mktemp("trino")) as server:
            yield _landing_place(server)


class TestLoadingTrinoByFiles(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        options = {"load_through": f"s3://{s3.BUCKET}/in", "load_catalog": "files", "load_schema": "landing"}
        with s3.running(), running(tls_folder=tmp_path_factory.mktemp("trino")) as server:
            yield replace(
                _landing_place(server),
                output=server.output(dvt=options),
                words="trino-files",
                name="trino (files)",
            )
            assert server.external.names() == []
            left = s3.keys()  # with the empty object that stands for the folder above
            assert not [key for key in left if not key.endswith("/")]


def _landing_place(server: TrinoServer) -> Place:
    def ask(sql: str) -> list[str]:
        return [str(row[0]) for row in server.engine.run(sql).fetchmany(1000)]

    return Place(
        "trino",
        Tag.FAKE,
        server.output(),
        server.execute,
        server.statements,
        schema="main",
        refused=server.output(password="wr0ng-pass"),
        running=lambda: len(server.unfinished()),
        ask=ask,
        tables=lambda: ask("select table_name from information_schema.tables"),
    )
