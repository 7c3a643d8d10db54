"""The conformance kit against Exasol's stand-in: our own fake of its protocol under the vendor's driver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dvt.testing import ExtractorContract, Place, Tag

pytest.importorskip("pyexasol")


class TestExasol(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        from servers.exasol import running

        with running() as server:
            yield Place(
                "exasol",
                Tag.FAKE,
                server.output(),
                server.execute,
                server.statements,
                schema="main",
                refused=server.output(password="wr0ng-pass"),
                closed=server.output(dsn="127.0.0.1:1"),
                running=lambda: len(server.running),
            )
