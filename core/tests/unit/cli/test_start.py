"""Help, version and init start without dbt and without a driver."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dvt

_HEAVY = {"dbt", "duckdb", "pyarrow", "sqlglot", "psycopg", "pymysql", "mysql", "pandas", "numpy"}
_PROBE = """
import sys
from dvt.cli.main import main
try:
    main({words!r})
except SystemExit as ended:
    code = ended.code
print("\\0", code, *sorted({{name.split(".")[0] for name in sys.modules}}))
"""


def _run(words: list[str], folder: Path) -> tuple[str, str, set[str]]:
    """What a command prints, its exit code, and the top packages that it imported."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(words=words)], cwd=folder, capture_output=True, text=True, check=True
    )
    printed, _, tail = done.stdout.rpartition("\0")
    code, *modules = tail.split()
    return printed, code, set(modules)


@pytest.mark.parametrize("words", [["--help"], ["-h"], []])
def test_help_imports_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    printed, code, modules = _run(words, tmp_path)
    assert printed.startswith("Usage: dvt [OPTIONS] COMMAND")
    assert code == "0"
    assert not modules & _HEAVY


def test_version_imports_nothing_heavy(tmp_path: Path) -> None:
    printed, code, modules = _run(["--version"], tmp_path)
    assert (printed, code) == (f"dvt {dvt.__version__}\n", "0")
    assert not modules & _HEAVY


def test_init_needs_neither_dbt_nor_an_engine(tmp_path: Path) -> None:
    _, code, modules = _run(["init", "shop"], tmp_path)
    assert code == "0"
    assert not modules & (_HEAVY - {"pyarrow", "numpy", "pandas"})


@pytest.mark.parametrize("words", [["-v"], ["-V"], ["--version", "debug"]])
def test_each_spelling_of_version_is_ours(words: list[str], tmp_path: Path) -> None:
    printed, code, modules = _run(words, tmp_path)
    assert (printed, code) == (f"dvt {dvt.__version__}\n", "0")
    assert not modules & _HEAVY
