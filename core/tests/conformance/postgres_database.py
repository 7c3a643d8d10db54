"""The PostgreSQL database that dbt's own tests expect: its name, and the roles that the grant tests give rights to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.postgres import PostgresServer, start, stop

DATABASE = "dbt"
USER = "root"  # the hook tests compare with this very name
_MIXED_CASE = "dbtMixedCase"
_USERS = {f"DBT_TEST_USER_{number}": f"dbt_test_user_{number}" for number in (1, 2, 3)}


def environment(server: PostgresServer) -> dict[str, str]:
    """The variables under which dbt's tests look up the server and the roles."""
    place = {"HOST": server.host, "PORT": str(server.port), "USER": USER, "PASS": server.password}
    return {**{f"POSTGRES_TEST_{key}": value for key, value in {**place, "DATABASE": DATABASE}.items()}, **_USERS}


def prepare(server: PostgresServer) -> None:
    """Make the roles and the databases on a fresh server."""
    for user in _USERS.values():
        server.psql("postgres", f"create role {user};")
    server.psql("postgres", f"create role {USER} superuser login password $password${server.password}$password$;")
    server.create_database(DATABASE)
    server.create_database(_MIXED_CASE)
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
