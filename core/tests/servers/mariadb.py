"""Stand-in until the server's own fixture lands."""

import pytest


@pytest.fixture(scope="session")
def mariadb_server() -> None:
    pytest.skip("not built yet")
