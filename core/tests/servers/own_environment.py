"""Environments for servers whose pins do not go with dvt's: made once by uv, kept, and used by all tests."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_TIMEOUT_S = 300


class NotToBeHad(Exception):
    """The environment cannot be made; the text says why."""


def interpreter(name: str, packages: Sequence[str], python: str = "") -> str:
    """The Python of an environment with these packages.

    Args:
        name: What the environment is for.
        packages: Requirements, pinned.
        python: A Python version ("3.13"), when it must not be the tests' own.

    Returns:
        Path of its interpreter.

    Raises:
        NotToBeHad: There is no uv, no such Python on this machine, or the packages cannot be installed.
    """
    uv = _uv()
    wanted = python or f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256("\n".join([wanted, *packages]).encode()).hexdigest()[:12]
    folder = folder_of_servers() / f"{name}-{digest}"
    found = str(folder / "bin" / "python")
    with alone(folder.with_suffix(".lock")):
        if (folder / "ready").exists():
            return found
        shutil.rmtree(folder, ignore_errors=True)
        # Only an interpreter that is here already; none is downloaded.
        base = _python(uv, wanted) if python else sys.executable
        _run([uv, "venv", "-q", "--python", base, str(folder)])
        _run([uv, "pip", "install", "-q", "--python", found, *packages])
        (folder / "ready").touch()
    return found


def _uv() -> str:
    found = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    if not Path(found).exists():
        raise NotToBeHad("uv is not installed, and makes the server's own environment (pip install uv)")
    return found


def _python(uv: str, version: str) -> str:
    """The interpreter of a version."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for found in sorted(pyenv.glob(f"{version}*/bin/python"), reverse=True):
        return str(found)
    asked = [uv, "python", "find", "--no-python-downloads", version]
    answer = subprocess.run(asked, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if answer.returncode:
        raise NotToBeHad(f"there is no Python {version} on this machine")
    return answer.stdout.strip()


def _run(command: Sequence[str]) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if answer.returncode:
        raise NotToBeHad(f"{' '.join(command[1:3])} failed: {answer.stderr.strip()[-500:]}")


def folder_of_servers() -> Path:
    """Where environments are kept: beside the tests' own one."""
    folder = Path(sys.prefix) / "dvt-servers"
    folder.mkdir(exist_ok=True)
    return folder


@contextlib.contextmanager
def alone(file: Path) -> Iterator[None]:
    """One process at a time makes an environment."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
