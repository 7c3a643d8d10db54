"""Runs dvt as a user does, in a copy of a project, and asks each engine for its own text of a result."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from servers import commands

_PATIENCE_S = 600


@dataclass
class Project:
    """A dbt project in a temporary folder and the environment that its profile reads."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def copied(cls, template: Path, folder: Path, env: dict[str, str]) -> Project:
        """A fresh copy of a template."""
        shutil.copytree(template, folder, dirs_exist_ok=True)
        return cls(folder, env)

    def dvt(self, *words: str, code: int = 0, env: dict[str, str] | None = None) -> str:
        """Run `dvt ...`; the exit code is asserted and stdout with stderr given back.

        It starts warm, but for what has to be there before its imports.
        """
        given = {**self.env, "DBT_PROFILES_DIR": str(self.folder), "NO_COLOR": "1", **(env or {})}
        run = self._cold if "PYTHONPATH" in given else self._warm
        ended, output = run(words, {**os.environ, **given})
        assert ended == code, f"dvt {' '.join(words)} ended with {ended}:\n{output}"
        return output

    def _warm(self, words: tuple[str, ...], env: dict[str, str]) -> tuple[int, str]:
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            command = commands.start("dvt", words, self.folder, env, output, errors)
            try:
                ended = command.wait(_PATIENCE_S)
            finally:
                command.kill()
            for file in (output, errors):
                file.seek(0)
            return ended, output.read() + errors.read()

    def _cold(self, words: tuple[str, ...], env: dict[str, str]) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "dvt", *words],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
        )
        return done.returncode, done.stdout + done.stderr

    def results(self) -> dict[str, dict]:
        """The last run's results by the last part of the node's id."""
        loaded = json.loads((self.folder / "target" / "run_results.json").read_text())
        return {result["unique_id"].split(".")[2]: result for result in loaded["results"]}

    def sqlite(self, path: str, sql: str) -> list[str]:
        """Rows of a SQLite file as text joined by `|`, NULL empty, sorted."""
        connection = sqlite3.connect(self.folder / path)
        try:
            return _lines(connection.execute(sql).fetchall())
        finally:
            connection.close()

    def duckdb(self, sql: str, path: str | None = None) -> list[str]:
        """Rows of a DuckDB file (or of a query over files) as text joined by `|`, NULL empty, sorted."""
        connection = duckdb.connect(str(self.folder / path) if path else ":memory:")
        try:
            connection.execute(f"set file_search_path = '{self.folder}'")
            return _lines(connection.sql(sql).fetchall())
        finally:
            connection.close()


def _lines(rows: list[tuple]) -> list[str]:
    return sorted("|".join("" if value is None else str(value) for value in row) for row in rows)


def sorted_lines(text: str) -> list[str]:
    """A client's output as sorted lines."""
    return sorted(line for line in text.splitlines() if line)
