"""A MariaDB server for the tests: Debian's mariadbd, in a temporary folder, on a free loopback port."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest

from servers.process import free_port, is_root

PASSWORD = "pa55 w'or\"d`%"
_START_S = 60
_INSTALL_S = 120
_PROGRAMS = ("mariadbd", "mariadb-install-db", "mariadb")


@dataclass(frozen=True)
class MariaDBServer:
    """A running server and a user that logs in with a password.

    Args:
        host: Loopback address.
        port: Its port.
        user: Name of a user with all privileges.
        password: That user's password.
        folder: Where data directory, socket and log lie, and `ca.pem` where the server has TLS.
        pid: Process id of the server.
    """

    host: str
    port: int
    user: str
    password: str
    folder: Path
    pid: int

    is_mariadb: ClassVar[bool] = True

    def create_database(self, name: str) -> str:
        """Create an empty database, dropping one of that name."""
        quoted = "`" + name.replace("`", "``") + "`"
        self.execute(f"drop database if exists {quoted}; create database {quoted} character set utf8mb4")
        return name

    def output(self, database: str, **more: Any) -> dict[str, Any]:
        """A profile output for a database of this server."""
        return {
            "type": "mysql",
            "server": self.host,
            "port": self.port,
            "username": self.user,
            "password": self.password,
            "schema": database,
            **more,
        }

    def query(self, sql: str, database: str = "") -> str:
        """What the command line client prints: columns apart by tabs, rows by newlines, nothing escaped."""
        command = ["mariadb", "--no-defaults", "--batch", "--raw", "--skip-column-names", "--binary-mode"]
        command += ["--default-character-set=utf8mb4", "--host", self.host, "--port", str(self.port)]
        command += ["--user", self.user, *([f"--database={database}"] if database else [])]
        done = subprocess.run(
            command,
            input=sql.encode(),
            capture_output=True,
            check=False,
            env={**os.environ, "MYSQL_PWD": self.password},
        )
        if done.returncode:
            raise AssertionError(f"{sql}\n{done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="surrogateescape").removesuffix("\n")

    def execute(self, sql: str, database: str = "") -> None:
        """Run statements, apart by semicolons."""
        self.query(sql, database)


ServerT = TypeVar("ServerT", bound=MariaDBServer)


def numbers(most: int) -> str:
    """A table expression of MariaDB's and MySQL's with the column `seq`, from 1 on."""
    return f"json_table(concat('[0', repeat(',0', {most} - 1), ']'), '$[*]' columns (seq for ordinality)) as numbers"


@pytest.fixture(scope="session")
def mariadb_server(request: pytest.FixtureRequest) -> Iterator[MariaDBServer]:
    """A server of its own for this test process; MySQL 9 where DVT_TEST_MYSQL=mysql9 asks for it."""
    if os.environ.get("DVT_TEST_MYSQL") == "mysql9":
        yield request.getfixturevalue("mysql9_server")
        return
    missing = missing_programs()
    if missing:
        pytest.skip(f"MariaDB is not installed: {', '.join(missing)} not found (Debian: mariadb-server)")
    with running() as server:
        yield server


def missing_programs() -> list[str]:
    """The server's programs that are not installed."""
    return [name for name in _PROGRAMS if _found(name) is None]


@contextmanager
def running() -> Iterator[MariaDBServer]:
    """Start a server in a temporary folder, and remove both at the end."""
    programs = {name: str(_found(name)) for name in _PROGRAMS}
    account = "mysql" if is_root() else ""
    options = ["--no-defaults", *([f"--user={account}"] if account else [])]
    install = [programs["mariadb-install-db"], *options, "--auth-root-authentication-method=normal", "--skip-test-db"]
    serve = [programs["mariadbd"], *options]
    with started(MariaDBServer, account, install, serve) as server:
        create_user(server, "delete from mysql.global_priv where user = ''")
        yield server


@contextmanager
def started(kind: type[ServerT], account: str, install: Sequence[str], serve: Sequence[str]) -> Iterator[ServerT]:
    """A server whose only user is root, in a temporary folder, on a free port; both are gone at the end.

    Args:
        kind: What the server is.
        account: Whom it runs as, where that is not this process' own user.
        install: Makes a data directory; its place is added.
        serve: The server with what is its own; place, port and log are added.
    """
    folder = Path(tempfile.mkdtemp(prefix="dvt-mysql-"))
    if account:
        shutil.chown(folder, account)
    place = f"--datadir={folder / 'data'}"
    subprocess.run([*install, place], check=True, capture_output=True, timeout=_INSTALL_S)
    tls = tls_options(folder, account)
    port, log = free_port(), folder / "log"
    # A name that other machines resolve would only cost time; a small redo log and no sync make the suite quick.
    process = subprocess.Popen(
        [
            *(*serve, place, f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'sock'}"),
            *(f"--pid-file={folder / 'pid'}", "--local-infile=1", "--skip-name-resolve"),
            *("--innodb-flush-log-at-trx-commit=0", f"--log-error={log}", "--max-allowed-packet=64M", *tls),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with ended(process, folder):
        wait_until_up(process, folder, log)
        yield kind("127.0.0.1", port, "dvt", PASSWORD, folder, process.pid)


@contextmanager
def ended(process: subprocess.Popen[bytes], folder: Path) -> Iterator[None]:
    """At the end of the body the server is stopped and its folder removed."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def tls_options(folder: Path, account: str) -> list[str]:
    """A certificate for the loopback address, its own authority; none where openssl is missing.

    Args:
        folder: Where it is made.
        account: Who has to read its key, where that is not this process' own user.
    """
    if shutil.which("openssl") is None:
        return []
    key, certificate = folder / "key.pem", folder / "ca.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    if account:
        shutil.chown(key, account)
    return [f"--ssl-ca={certificate}", f"--ssl-cert={certificate}", f"--ssl-key={key}"]


def _found(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")


def _as_root(folder: Path, sql: str) -> subprocess.CompletedProcess[bytes]:
    command = ["mariadb", "--no-defaults", "--user=root", f"--socket={folder / 'sock'}"]
    return subprocess.run(command, input=sql.encode(), capture_output=True, check=False)


def wait_until_up(process: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    """Until root can log in.

    Raises:
        Failed: The server ended, or takes too long; with the end of its log.
    """
    deadline = time.monotonic() + _START_S
    while _as_root(folder, "select 1").returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the server did not start: {log.read_text(errors='replace')[-2000:] if log.exists() else ''}")
        time.sleep(0.1)


def create_user(server: MariaDBServer, *more: str) -> None:
    """The user that the tests log in as; `more` are statements for root."""
    password = server.password.replace("\\", "\\\\").replace("'", "''")
    statements = []
    for host in ("localhost", "127.0.0.1"):
        statements.append(f"create user '{server.user}'@'{host}' identified by '{password}'")
        statements.append(f"grant all on *.* to '{server.user}'@'{host}' with grant option")
    done = _as_root(server.folder, ";\n".join([*statements, *more, "flush privileges"]))
    assert done.returncode == 0, done.stderr
