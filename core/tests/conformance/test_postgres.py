"""dbt's own adapter tests on dbt-postgres."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from base_classes import classes_for
from postgres_database import DATABASE, USER, environment, prepare
from servers.postgres import PostgresServer


@pytest.fixture(scope="session")
def server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """The fixtures' server, prepared."""
    prepare(postgres_server)
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment(postgres_server).items():
            patch.setenv(variable, value)
        yield postgres_server


@pytest.fixture(scope="class")
def dbt_profile_target(server: PostgresServer) -> dict[str, Any]:
    """The output that all projects of the tests use."""
    return {**server.output(DATABASE), "user": USER, "threads": 4}


globals().update(classes_for(__name__))
