"""Two copies of one project, one for stock dbt and one for dvt, and what of their outputs has to be equal."""

from __future__ import annotations

import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

import duckdb
from servers import commands

# What differs between two runs of the same command, in any artifact.
_VOLATILE = {
    "created_at",
    "elapsed_time",
    "execution_time",
    "generated_at",
    "invocation_id",
    "invocation_started_at",
    "run_started_at",
    "max_loaded_at_time_ago_in_s",
    "snapshotted_at",
    "thread_id",
    "timing",
    "user_id",
}
_NOISE = (
    (re.compile(r"^\d\d:\d\d:\d\d(\.\d+)? +"), ""),
    (re.compile(r"\b\d+\.\d+s\b"), "<seconds>"),
    (re.compile(r"\b\d+\.\d+ seconds\b"), "<seconds>"),
    (re.compile(r"\b\d+ hours \d+ minutes and <seconds>"), "<duration>"),
    (re.compile(r"Try 'd[bv]t "), "Try '"),
    (re.compile(r"Usage: d[bv]t "), "Usage: "),
)
# Lines that stand or not by chance: advice about slow parsing, and connections of finished threads that a later
# thread with the same id has taken over or not.
_BY_CHANCE = re.compile(r"^\[HINT\] Your parse is taking a long time|^CANCEL query ")


@dataclass(frozen=True)
class Ended:
    """How one command ended on one side.

    Args:
        code: Exit code.
        lines: Its output without times and paths.
    """

    code: int
    lines: list[str]


class Twins:
    """A project twice.

    Args:
        template: The project.
        folder: Where the copies go.
    """

    def __init__(self, template: Path, folder: Path) -> None:
        self.stock = folder / "stock"
        self.dvt = folder / "dvt"
        for copy in (self.stock, self.dvt):
            shutil.copytree(template, copy)

    def run(self, *words: str) -> Ended:
        """Run a command on both sides; exit code and output must be equal.

        Returns:
            The command's end, the same on both sides.
        """
        sides = ((self.stock, "dbt"), (self.dvt, "dvt"))
        with ThreadPoolExecutor(2) as pool:
            stock, dvt = pool.map(lambda side: _run(*side, words), sides)
        difference = "\n".join(unified_diff(stock.lines, dvt.lines, "dbt", "dvt", lineterm=""))
        assert not difference, f"{' '.join(words)}:\n{difference}"
        assert dvt.code == stock.code, f"{' '.join(words)}: {dvt.code}, and {stock.code} of dbt"
        return stock

    def artifact(self, name: str) -> Any:
        """An artifact that is equal on both sides, without ids, times and paths."""
        stock, dvt = (_artifact(folder, name) for folder in (self.stock, self.dvt))
        for key in {*stock, *dvt}:  # a smaller difference to read when it fails
            assert dvt.get(key) == stock.get(key), f"{name}: {key}"
        return stock

    def statuses(self) -> dict[str, str]:
        """Status by node of the last run, after run_results.json was found equal."""
        return {r["unique_id"].split(".")[2]: r["status"] for r in self.artifact("run_results.json")["results"]}

    def tables(self) -> dict[str, list[str]]:
        """Every relation's type, columns and rows as text, equal on both sides."""
        stock, dvt = (_tables(folder / "shop.duckdb") for folder in (self.stock, self.dvt))
        assert dvt == stock
        return stock

    def edit(self, path: str, text: str | None) -> None:
        """Write a file on both sides; None deletes it."""
        for folder in (self.stock, self.dvt):
            if text is None:
                (folder / path).unlink()
            else:
                (folder / path).write_text(text)

    def keep_state(self) -> None:
        """Copy the artifacts for `--state`."""
        for folder in (self.stock, self.dvt):
            shutil.copytree(folder / "target", folder / "state", dirs_exist_ok=True)


def _run(folder: Path, program: str, words: tuple[str, ...]) -> Ended:
    env = {"DBT_PROFILES_DIR": str(folder), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "NO_COLOR": "1"}
    with (folder.parent / f"{folder.name}.out").open("w+") as output:
        code = commands.start(program, words, folder, {**os.environ, **env}, output, output).wait()
        output.seek(0)
        lines = [_plain(line, folder) for line in output.read().splitlines()]
    return Ended(code, [line for line in lines if not _BY_CHANCE.search(line)])


def _plain(text: str, folder: Path) -> str:
    text = text.replace(str(folder), "<project>")
    for pattern, substitute in _NOISE:
        text = pattern.sub(substitute, text)
    return text.rstrip()


def _artifact(folder: Path, name: str) -> dict[str, Any]:
    loaded = json.loads((folder / "target" / name).read_text().replace(str(folder), "<project>"))
    plain = _without_volatile(loaded)
    assert isinstance(plain, dict)
    plain.get("args", {}).pop("invocation_command", None)
    if isinstance(plain.get("results"), list):
        plain["results"].sort(key=lambda result: result["unique_id"])
    return plain


def _without_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_volatile(inner) for key, inner in value.items() if key not in _VOLATILE}
    return [_without_volatile(inner) for inner in value] if isinstance(value, list) else value


def _tables(path: Path) -> dict[str, list[str]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        listed = connection.execute(
            "select table_schema, table_name, table_type from information_schema.tables order by all"
        ).fetchall()
        found: dict[str, list[str]] = {}
        for schema, name, kind in listed:
            rows = connection.execute(f'select t::varchar from "{schema}"."{name}" t order by 1').fetchall()
            columns = connection.execute(f'describe "{schema}"."{name}"').fetchall()
            found[f"{schema}.{name}"] = [kind, *(f"{c[0]} {c[1]}" for c in columns), *(row[0] for row in rows)]
    return found
