"""The shop of each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fault.kit import Shop, make_shop
from servers.postgres import PostgresServer


@pytest.fixture
def shop(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Shop]:
    """A project with databases of its own."""
    made = make_shop(postgres_server, tmp_path)
    yield made
    for name in (made.dw, made.crm):
        postgres_server.psql("postgres", f'drop database if exists "{name}" (force);')
