"""The warm start of commands in tests is that of a process: its own end, output, errors, folder and environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from servers import commands

from dvt import __version__

_PROJECT = "name: p\nversion: '1.0'\nprofile: p\nflags: {send_anonymous_usage_stats: false}\n"
_PROFILE = "p: {target: d, outputs: {d: {type: duckdb, path: \"{{ env_var('PLACE') }}\"}}}\n"


@pytest.mark.parametrize(
    ("words", "code", "output", "errors"),
    [
        (["--version"], 0, f"dvt {__version__}\n", ""),
        (["plan", "--no-such-option"], 2, "", "no-such-option"),
    ],
)
def test_how_it_ends_and_what_it_prints(words: list[str], code: int, output: str, errors: str, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+") as out, (tmp_path / "err").open("w+") as err:
        command = commands.start("dvt", words, tmp_path, dict(os.environ), out, err)
        assert command.wait(60) == command.poll() == code
    assert (tmp_path / "out").read_text() == output
    assert errors in (tmp_path / "err").read_text()


def test_two_at_a_time_in_folders_and_environments_of_their_own(tmp_path: Path) -> None:
    started = []
    for place in ("one", "two"):
        folder = tmp_path / place
        folder.mkdir()
        (folder / "dbt_project.yml").write_text(_PROJECT)
        (folder / "profiles.yml").write_text(_PROFILE)
        env = {**os.environ, "DBT_PROFILES_DIR": str(folder), "PLACE": f"{place}.duckdb", "NO_COLOR": "1"}
        with (folder / "out").open("w+") as out:
            # Which profile it looks for stands in the project of its folder.
            started.append(commands.start("dvt", ["debug"], folder, env, out, out))
    assert len({os.getpid(), *(command.pid for command in started)}) == 3
    assert [command.wait(120) for command in started] == [0, 0]
    for place in ("one", "two"):
        assert f"{place}.duckdb" in (tmp_path / place / "out").read_text()
