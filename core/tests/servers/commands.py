"""Commands of `dvt` and `dbt` that start warm: `command_server` has imported everything, and forks for each of them."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

_lock = threading.Lock()
_servers: dict[str, _Server] = {}


@dataclass
class Command:
    """A command that runs or has ended, with as much of `subprocess.Popen` as tests use.

    Args:
        pid: The process's id; it leads a session and a process group.
        args: The command.
        returncode: How it ended; None while nobody has looked, or while it runs.
    """

    pid: int
    args: Sequence[str]
    returncode: int | None = None
    _answers: socket.socket | None = field(default=None, repr=False)

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        """How it ended.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        code = self._ended_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
        return code

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _ended_within(self, timeout_s: float | None) -> int | None:
        if self._answers is not None and select.select([self._answers], [], [], timeout_s)[0]:
            self.returncode = int(_line(self._answers))
            self._answers.close()
            self._answers = None
        return self.returncode


def start(
    program: str, words: Sequence[str], folder: Path, env: dict[str, str], output: IO[Any], errors: IO[Any]
) -> Command:
    """Start a command.

    Args:
        program: "dvt" or "dbt".
        words: Its arguments.
        folder: Where it runs.
        env: All of its environment.
        output: An open file for its output.
        errors: Another for its errors, or the same.
    """
    with _lock:  # one server of each program for a test process
        if program not in _servers:
            _servers[program] = _Server(program)
    client = socket.socket(socket.AF_UNIX)
    client.connect(_servers[program].address)
    text = json.dumps({"words": list(words), "cwd": str(folder), "env": env}).encode() + b"\n"
    sent = socket.send_fds(client, [text], [output.fileno(), errors.fileno()])
    client.sendall(text[sent:])
    return Command(int(_line(client)), [program, *words], _answers=client)


class _Server:
    """The interpreter that forks; it ends when this process does, also when that is killed."""

    def __init__(self, program: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dvt-commands-")
        self.address = f"{self._folder.name}/socket"
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("command_server.py")), program, self.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the tests
        )
        atexit.register(self._stop)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n", "the command server did not start"

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


def _line(client: socket.socket) -> str:
    """One line; a byte at a time, as the next one may be there already."""
    text = b""
    while not text.endswith(b"\n"):
        byte = client.recv(1)
        assert byte, "the command server is gone"
        text += byte
    return text.decode()
