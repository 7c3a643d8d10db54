"""The start-up check on real interpreters: an unsupported dbt-core is named in one line, with exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import dvt
from dvt.dbt_bridge.contract import check_dbt
from dvt.errors import ConfigurationError

_REMEDY = "Run: pip install 'dbt-core>=1.10,<1.12'"


def _distribution(folder: Path, name: str, version: str) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def _dbt_without_tasks(folder: Path) -> None:
    """What dbt 2 puts into site-packages: the runner under its old import path, and no tasks."""
    (folder / "dbt" / "cli").mkdir(parents=True)
    (folder / "dbt" / "__init__.py").write_text("")
    (folder / "dbt" / "cli" / "__init__.py").write_text("")
    (folder / "dbt" / "cli" / "main.py").write_text("class dbtRunner: ...\n")


def _dvt(first_on_path: Path, *words: str, only: bool = False) -> subprocess.CompletedProcess[str]:
    """Run dvt with a folder before (or instead of) site-packages."""
    root = Path(dvt.__file__).parents[1]
    flags = ["-S"] if only else []  # without site-packages
    path = os.pathsep.join((str(first_on_path), str(root)))
    return subprocess.run(
        [sys.executable, *flags, "-m", "dvt", *words],
        env={**os.environ, "PYTHONPATH": path},
        cwd=first_on_path,
        capture_output=True,
        text=True,
        check=False,
    )


def _assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    for word in ("DVT101", f"dvt {dvt.__version__}", "1.10 to 1.12", _REMEDY, *words):
        assert word in lines[0]


@pytest.mark.parametrize("command", ["run", "plan", "debug", "build"])
def test_an_old_dbt_core_is_refused_by_every_command(tmp_path: Path, command: str) -> None:
    _distribution(tmp_path, "dbt-core", "1.9.11")
    _assert_refused(_dvt(tmp_path, command), "dbt-core 1.9.11 is installed")


@pytest.mark.parametrize("command", ["run", "plan", "debug"])
def test_a_dbt_core_2_is_refused(tmp_path: Path, command: str) -> None:
    _distribution(tmp_path, "dbt-core", "2.0.0rc9")
    _dbt_without_tasks(tmp_path)
    _assert_refused(_dvt(tmp_path, command), "dbt-core 2.0.0rc9 is installed")


@pytest.mark.parametrize(("name", "version"), [("dbt", "2.0.9"), ("dbt-oss", "2.0.8")])
def test_a_dbt_2_that_lies_over_a_dbt_core_is_named(tmp_path: Path, name: str, version: str) -> None:
    _distribution(tmp_path, name, version)
    _dbt_without_tasks(tmp_path)
    _assert_refused(_dvt(tmp_path, "run"), "has no Python tasks", f"{name} {version}")


def test_a_dbt_2_without_a_dbt_core_is_named(tmp_path: Path) -> None:
    _distribution(tmp_path, "dbt", "2.0.9")
    _dbt_without_tasks(tmp_path)
    (tmp_path / "click").symlink_to(Path(click.__file__).parent)
    _assert_refused(_dvt(tmp_path, "run", only=True), "dbt 2.0.9 is installed")


def test_no_dbt_at_all_is_said(tmp_path: Path) -> None:
    (tmp_path / "click").symlink_to(Path(click.__file__).parent)
    _assert_refused(_dvt(tmp_path, "run", only=True), "no dbt-core is installed")


def test_a_missing_method_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from dbt.task.run import ModelRunner

    monkeypatch.delattr(ModelRunner, "execute")
    # CompileRunner, which it inherits from, has one with other parameters.
    with pytest.raises(ConfigurationError, match=r"ModelRunner\.execute of dbt-core .* other arguments"):
        check_dbt.__wrapped__()


@pytest.mark.parametrize(
    "changed",
    [lambda self, model: None, lambda self, model, manifest, catalog: None, lambda self, manifest, model: None],
    ids=["one fewer", "one more", "another order"],
)
def test_a_changed_signature_is_named(monkeypatch: pytest.MonkeyPatch, changed: object) -> None:
    from dbt.task.run import ModelRunner

    monkeypatch.setattr(ModelRunner, "execute", changed)
    with pytest.raises(ConfigurationError, match=r"DVT101.*dbt\.task\.run\.ModelRunner\.execute"):
        check_dbt.__wrapped__()


def test_the_installed_dbt_core_is_supported() -> None:
    check_dbt.__wrapped__()
