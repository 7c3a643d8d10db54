"""The functional tests in the source packages of dbt-postgres and dbt-duckdb, as their authors run them."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from results import Outcome, read_outcomes

# Relative to the package: what runs, and what needs a network or another service.
_SUITES = {
    "dbt-postgres": ("tests/functional", ()),
    "dbt-duckdb": ("tests/functional/adapter", ("tests/functional/adapter/test_community_extensions.py",)),
}


@dataclass(frozen=True)
class Suite:
    """An unpacked source package.

    Args:
        name: Name of the adapter's distribution.
        root: Its folder.
        paths: Arguments for pytest.
    """

    name: str
    root: Path
    paths: tuple[str, ...]


def suites(work: Path) -> Iterator[Suite]:
    """Fetch the source packages of the installed adapters' versions.

    Args:
        work: Folder to unpack into.
    """
    for name, (tests, ignored) in _SUITES.items():
        # No build: only the archive is wanted.
        wanted = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation", f"{name}=={version(name)}"]
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "-d", str(work), *wanted], check=True)
        archive = next(work.glob(f"{name.replace('-', '_')}-*.tar.gz"))
        with tarfile.open(archive) as packed:
            packed.extractall(work, filter="data")
        root = work / archive.name.removesuffix(".tar.gz")
        yield Suite(name, root, (tests, *(f"--ignore={path}" for path in ignored)))


def run(suite: Suite, xml: Path, options: list[str]) -> dict[str, Outcome]:
    """Run an adapter's suite once, from its folder, with the plugin beside it.

    Args:
        suite: The suite.
        xml: File for the results.
        options: Options of pytest.
    """
    started = time.monotonic()
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(here), str(suite.root)))}
    with _services(suite) as more:
        command = [sys.executable, "-m", "pytest", "-p", "dvt_tasks", "-p", "no:cacheprovider", "-q", "--tb=line"]
        command += ["--show-capture=no", "-n", "2", "--dist", "loadscope", f"--junitxml={xml}", *options, *suite.paths]
        done = subprocess.run(command, cwd=suite.root, env={**environment, **more}, check=False)
    print(f"{xml.stem}: {time.monotonic() - started:.0f} s", flush=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"pytest ended with {done.returncode}")
    return read_outcomes(xml)


@contextmanager
def _services(suite: Suite) -> Iterator[dict[str, str]]:
    """The environment that a suite reads, with a server behind it."""
    if suite.name != "dbt-postgres":
        yield {}
        return
    sys.path.append(str(Path(__file__).parents[1]))  # the servers of the other tests
    from postgres_database import environment, prepared_server

    with prepared_server() as server:
        yield environment(server)
