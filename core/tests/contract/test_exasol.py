"""The conformance kit against Exasol's stand-in: our own fake of its protocol under the vendor's driver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dvt.testing import ExtractorContract, LoaderContract, Place, Tag

pytest.importorskip("pyexasol")

from servers.exasol import ExasolServer, running


def _place(server: ExasolServer) -> Place:
    def ask(sql: str) -> list[str]:
        return [str(row[0]) for row in server.engine.run(sql).fetchmany(1000)]

    return Place(
        "exasol",
        Tag.FAKE,
        server.output(),
        server.execute,
        server.statements,
        schema="main",
        refused=server.output(password="wr0ng-pass"),
        closed=server.output(dsn="127.0.0.1:1"),
        running=lambda: len(server.running),
        ask=ask,
        tables=lambda: ask("select TABLE_NAME from EXA_ALL_TABLES"),
    )


class TestExasol(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with running() as server:
            yield _place(server)


class TestLoadingExasol(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with running() as server:
            yield _place(server)
