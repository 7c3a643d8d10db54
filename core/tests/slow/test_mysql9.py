"""The conformance kit against a real MySQL 9. The tests of MySQL run against it too: `hatch run slow-tests`."""

from __future__ import annotations

import pytest
from servers.mysql9 import MySQLServer

from dvt.testing import ExtractorContract, Place, Tag

pytestmark = [pytest.mark.mysql, pytest.mark.slow]


class TestMySQL9(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, mysql9_server: MySQLServer) -> Place:
        server = mysql9_server
        name = server.create_database("dvt_contract")
        own = f"db = '{name}' and command = 'Query'"
        return Place(
            "mysql",
            Tag.REAL,
            server.output(name),
            lambda sql: server.execute(sql, name),
            schema=name,
            refused=server.output(name, password="wr0ng-pass"),
            running=lambda: int(server.query(f"select count(*) from information_schema.processlist where {own}")),
            name="mysql (MySQL 9)",
        )
