"""The shop of each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fault.shop import Shop, make_shop
from servers.postgres import PostgresServer


@pytest.fixture
def shop(request: pytest.FixtureRequest, postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Shop]:
    """A project with databases of its own; parametrized with "mariadb", its source and `mart` are there."""
    is_on_maria = getattr(request, "param", "postgres") == "mariadb"
    made = make_shop(postgres_server, tmp_path, request.getfixturevalue("mariadb_server") if is_on_maria else None)
    yield made
    for side in (made.dw, made.crm, made.mart):
        side.drop()
