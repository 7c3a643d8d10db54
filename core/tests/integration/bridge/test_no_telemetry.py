"""No usage statistics leave a dvt invocation, from Python neither, unless the user asks dbt for its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_SCRIPT = """
import os
from dbt.flags import get_flags
from dvt import dvtRunner
seen = []
dvtRunner(callbacks=[lambda event: seen.append(get_flags().SEND_ANONYMOUS_USAGE_STATS)]).invoke(["parse"])
print("seen", sorted(set(seen)), "left", "DBT_SEND_ANONYMOUS_USAGE_STATS" in os.environ)
"""


@pytest.mark.parametrize(("asked", "expected"), [(None, "seen [False] left False"), ("true", "seen [True] left True")])
def test_usage_statistics_are_off_unless_asked_for(tmp_path, asked, expected) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: quiet\nversion: '1'\nprofile: quiet\n")
    (tmp_path / "profiles.yml").write_text("quiet: {target: a, outputs: {a: {type: duckdb, path: a.duckdb}}}\n")
    env = {key: value for key, value in os.environ.items() if not key.startswith("DBT_")}
    # Where dbt would send to is out of reach here, whatever the answer.
    env |= {"DBT_PROFILES_DIR": str(tmp_path), "HOME": str(tmp_path), "DO_NOT_TRACK": ""}
    if asked:
        env["DBT_SEND_ANONYMOUS_USAGE_STATS"] = asked
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert expected in done.stdout, done.stdout + done.stderr
