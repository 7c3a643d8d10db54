"""Addresses of users' own servers, by which the live tests of Oracle, Db2 and Teradata reach them."""

from __future__ import annotations

from typing import Any

import pytest
from servers.live import DB2, ORACLE, TERADATA, LiveServer

from dvt.federation.registry import open_connection


@pytest.mark.parametrize(
    ("server", "address", "settings"),
    [
        (ORACLE, "oracle://scott:ti%40ger@db.local:1600/shop", {"port": 1600, "service": "shop"}),
        (DB2, "db2://scott:ti%40ger@db.local/SAMPLE", {"port": 50000, "database": "SAMPLE"}),
        (TERADATA, "teradata://scott:ti%40ger@db.local", {"port": 1025}),
    ],
)
def test_an_address_is_an_output_that_its_engine_takes(
    server: LiveServer, address: str, settings: dict[str, Any]
) -> None:
    expected = {"type": server.type, "host": "db.local", "user": "scott", "password": "ti@ger", **settings}
    assert server.output(address) == expected
    connection = open_connection("live", server.output(address))
    assert connection.secret("password") == "ti@ger"


@pytest.mark.parametrize("address", ['{"type": "oracle"}', "db2://scott:tiger@db/x", "oracle:///shop"])
def test_another_address_is_no_server(address: str) -> None:
    with pytest.raises(ValueError, match="DVT_LIVE_ORACLE_URL is not oracle://user:password@host:port/service"):
        ORACLE.output(address)


def test_the_reason_of_a_skip_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for server in (ORACLE, DB2, TERADATA):
        monkeypatch.delenv(server.variable, raising=False)
        assert server.needed.args == (True,)
        assert server.variable in server.needed.kwargs["reason"]
        monkeypatch.setenv(server.variable, "somewhere")
        assert server.needed.args == (False,)
