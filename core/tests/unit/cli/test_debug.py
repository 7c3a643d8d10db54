"""`dvt debug`: database files that are not there yet."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml

from dvt.cli.main import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path))
    sqlite3.connect("erp.db").executescript("create table t (x)").close()
    return tmp_path


def _debug(outputs: dict[str, Any], *words: str, target: str = "erp") -> int | str | None:
    Path("profiles.yml").write_text(yaml.safe_dump({"shop": {"target": target, "outputs": outputs}}))
    with pytest.raises(SystemExit) as ended:
        main(["debug", *words])
    return ended.value.code


ERP = {"erp": {"type": "sqlite", "path": "erp.db"}}
LAKE = {"lake": {"type": "duckdb", "path": "lake.duckdb"}}


@pytest.mark.parametrize("target", ["erp", "lake"])
def test_a_duckdb_file_that_can_be_created(folder: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _debug({**ERP, **LAKE}, target=target) == 0
    assert f"ok    lake (duckdb)  {folder / 'lake.duckdb'} will be created\n" in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == ["erp.db", "profiles.yml"], "and debug does not create it"
    assert _debug({**ERP, **LAKE}, "--json", target=target) == 0
    lake = json.loads(capsys.readouterr().out)["connections"][1]
    assert (lake["ok"], lake["can_create"], lake["to_come"]) == (True, True, str(folder / "lake.duckdb"))


@pytest.mark.parametrize("target", ["erp", "lake"])
def test_a_missing_folder_is_a_failure(folder: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _debug({**ERP, "lake": {"type": "duckdb", "path": "no/lake.duckdb"}}, target=target) == 1
    shown = capsys.readouterr().out
    assert "FAIL  lake (duckdb)" in shown
    assert f"there is no folder {folder / 'no'}" in shown
    assert not (folder / "no").exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_is_not_writable(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "shut").mkdir(mode=0o500)
    assert _debug({**ERP, "lake": {"type": "duckdb", "path": "shut/lake.duckdb"}}) == 1
    assert "is not writable" in capsys.readouterr().out


def test_a_sqlite_target_is_not_created_either(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _debug({"new": {"type": "sqlite", "path": "new.db"}}, target="new") == 0
    assert f"{folder / 'new.db'} will be created" in capsys.readouterr().out
    assert not (folder / "new.db").exists()


def test_a_sqlite_source_that_is_missing_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert _debug({**ERP, "crm": {"type": "sqlite", "path": "crm.db"}}) == 1
    assert "FAIL  crm (sqlite)  DVT200" in capsys.readouterr().out


def test_a_database_that_is_there_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    import duckdb

    duckdb.connect("lake.duckdb").close()
    assert _debug({**ERP, **LAKE}) == 0
    shown = capsys.readouterr().out
    assert "will be created" not in shown
    assert shown.count("may create tables") == 2
