"""The PostgreSQL database that dbt's own tests expect: its name, and the roles that the grant tests give rights to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.postgres import PostgresServer, start, stop

DATABASE = "dbt"
# The variables under which dbt's tests look the roles up.
USERS = {f"DBT_TEST_USER_{number}": f"dbt_test_user_{number}" for number in (1, 2, 3)}


def prepare(server: PostgresServer) -> None:
    """Make the roles and the database on a fresh server."""
    for user in USERS.values():
        server.psql("postgres", f"create role {user};")
    server.create_database(DATABASE)
    # A failed test may leave a transaction open; the tests after it must fail on its locks, not wait for them.
    server.psql("postgres", f"alter database {DATABASE} set lock_timeout to '20s';")


@contextmanager
def prepared_server() -> Iterator[PostgresServer]:
    """A server of its own with the database on it."""
    folder = Path(tempfile.mkdtemp(prefix="dvt-pg-", dir="/tmp"))
    server = start(folder)
    try:
        prepare(server)
        yield server
    finally:
        stop(server)
        shutil.rmtree(folder, ignore_errors=True)
