"""What a dbt user sees of another attempt: a warning on the terminal and in dbt's log, and a run that is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
from e2e.harness import Project

_PROFILE = """\
shop:
  target: warehouse
  outputs:
    warehouse: {type: duckdb, path: warehouse.duckdb, threads: 1}
    crm: {type: duckdb, path: crm.duckdb, retries: {connect_attempts: 6}}
"""
_SOURCES = "sources: [{name: crm, schema: main, config: {meta: {connection: crm}}, tables: [{name: customers}]}]"
_HOLD = "import duckdb, sys; db = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.readline()"
_LINE = "connection crm: attempt 1 of 6 to connect failed, again in 1 s: another process has the file open: "


def _project(folder: Path) -> Project:
    (folder / "models").mkdir()
    (folder / "profiles.yml").write_text(_PROFILE)
    (folder / "dbt_project.yml").write_text("{name: shop, version: '1.0', profile: shop, model-paths: [models]}")
    (folder / "models" / "sources.yml").write_text(_SOURCES)
    (folder / "models" / "known.sql").write_text("select id, name from {{ source('crm', 'customers') }}")
    with duckdb.connect(str(folder / "crm.duckdb")) as crm:
        crm.execute("create table customers as select 7 as id, 'Ada' as name")
    return Project(folder)


def test_an_attempt_that_failed_is_a_warning_of_the_run(tmp_path: Path) -> None:
    project = _project(tmp_path)
    words = [sys.executable, "-m", "dvt", "run", "--log-format", "json"]
    env = {**os.environ, "DBT_PROFILES_DIR": str(tmp_path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "crm.duckdb")], stdin=pipe, stdout=pipe, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with subprocess.Popen(words, cwd=tmp_path, env=env, stdout=pipe, stderr=pipe, text=True) as run:
            assert run.stdout is not None
            told = []
            for line in run.stdout:  # the file is let go when the first line says that it is waited for
                if "attempt" in line:
                    told.append(json.loads(line)["info"])
                    if len(told) == 1:
                        holder.communicate("\n")
            assert run.wait() == 0
            assert run.stderr is not None
            assert "attempt" not in run.stderr.read()
    assert [info["level"] for info in told] == ["warn"] * len(told)
    assert _LINE in told[0]["msg"]
    # A process that ends takes its time to let go.
    assert len({info["msg"] for info in told}) == len(told) < 6
    log = (tmp_path / "logs" / "dbt.log").read_text().splitlines()
    assert len([line for line in log if " to connect failed, again in " in line]) == len(told)
    assert project.duckdb("select id, name from known", "warehouse.duckdb") == ["7|Ada"]
