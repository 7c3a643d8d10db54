"""The shop of each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fault.shop import Shop, make_shop
from servers.postgres import PostgresServer


@pytest.fixture
def shop(request: pytest.FixtureRequest, postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Shop]:
    """A project with databases of its own; the parameter names a part that is on MariaDB."""
    part = str(getattr(request, "param", "")).removesuffix("_on_mariadb")
    made = make_shop(postgres_server, tmp_path, request.getfixturevalue("mariadb_server") if part else None, part)
    yield made
    for side in (made.dw, made.crm, made.mart):
        side.drop()
