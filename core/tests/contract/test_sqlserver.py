"""The conformance kit against SQL Server's stand-in: our own fake of its protocol under Microsoft's driver."""

from __future__ import annotations

import pytest
from servers.sqlserver import SqlServerFake

from dvt.testing import ExtractorContract, Place, Tag


class TestSqlServer(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, sqlserver_fake: SqlServerFake) -> Place:
        server = sqlserver_fake
        return Place(
            "sqlserver",
            Tag.FAKE,
            server.output(),
            server.execute,
            server.statements,
            schema="dbo",
            refused=server.output(password="wr0ng-pass"),
            closed=server.output(port=1, login_timeout=1),  # the driver tries it for all of that time
            running=lambda: server.running,
        )
