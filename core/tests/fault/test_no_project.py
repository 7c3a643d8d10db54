"""Commands outside of a project, without a profile, or on another dbt: one sentence and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fault.kit import PROJECT, Ended, Faulty
from fault.shop import Shop


@pytest.fixture
def bare(tmp_path: Path) -> Faulty:
    """An empty folder."""
    return Faulty(tmp_path, {"warehouse": {"type": "duckdb", "path": "lake.duckdb"}})


def check(ended: Ended, *words: str) -> None:
    assert "Traceback" not in ended.output, ended.output
    for word in words:
        assert word in ended.output, ended.output


@pytest.mark.parametrize("command", [("run",), ("plan",)])
def test_no_project(bare: Faulty, command: tuple[str, ...]) -> None:
    check(bare.run(*command, code=2), "dbt_project.yml")


@pytest.mark.parametrize("command", [("run",), ("plan",), ("debug",)])
def test_no_profiles_file(bare: Faulty, command: tuple[str, ...]) -> None:
    bare.write(dbt_project__yml=PROJECT)
    check(bare.run(*command, code=2), "profiles.yml", "dvt init")


@pytest.mark.parametrize("command", [("run",), ("plan",), ("debug",)])
def test_another_profile(bare: Faulty, command: tuple[str, ...]) -> None:
    bare.write(dbt_project__yml=PROJECT.replace("profile: faults", "profile: fault"))
    bare.write_profile()
    check(bare.run(*command, code=2), "fault", "did you mean 'faults'?")


def test_a_project_without_a_profile(bare: Faulty) -> None:
    bare.write(dbt_project__yml=PROJECT.replace("profile: faults\n", ""))
    bare.write_profile()
    check(bare.run("run", code=2), "profile")


@pytest.mark.parametrize("command", [("run",), ("debug",)])
def test_a_broken_profiles_file(bare: Faulty, command: tuple[str, ...]) -> None:
    bare.write(dbt_project__yml=PROJECT, profiles__yml="faults: {outputs: [\n")
    check(bare.run(*command, code=2), "profiles.yml")


@pytest.mark.parametrize("command", [("run",), ("debug",)])
def test_an_unknown_target(bare: Faulty, command: tuple[str, ...]) -> None:
    bare.write(dbt_project__yml=PROJECT)
    bare.write_profile()
    check(bare.run(*command, "--target", "warehose", code=2 if command == ("run",) else 1), "warehose", "warehouse")


@pytest.mark.parametrize("version", [None, "1.5.0", "2.0.0"])
@pytest.mark.parametrize("command", ["run", "debug", "plan"])
def test_another_dbt(bare: Faulty, version: str | None, command: str) -> None:
    folder = bare.folder / "blocker"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import importlib.metadata as m\n"
        "old = m.version\n"
        "def version(name):\n"
        "    if name != 'dbt-core': return old(name)\n"
        + ("    raise m.PackageNotFoundError(name)\n" if version is None else f"    return {version!r}\n")
        + "m.version = version\n"
    )
    bare.env["PYTHONPATH"] = str(folder)
    ended = bare.run(command, code=2)
    assert "DVT101" in ended.message()
    assert "pip install" in ended.message()
    assert ended.output.count("\n") == 1


def test_dbt_cannot_be_imported(bare: Faulty) -> None:
    folder = bare.folder / "blocker"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import sys, importlib.metadata as m\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('dbt', 'dbt_common'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "old = m.version\n"
        "def version(name):\n"
        "    if name == 'dbt-core': raise m.PackageNotFoundError(name)\n"
        "    return old(name)\n"
        "m.version = version\n"
    )
    bare.env["PYTHONPATH"] = str(folder)
    for command in ("run", "plan", "debug"):
        ended = bare.run(command, code=2)
        assert "DVT101 no dbt-core is installed" in ended.message()


@pytest.mark.parametrize("words", [("rnu",), ("run", "--selekt", "x")])
def test_wrong_usage(bare: Faulty, words: tuple[str, ...]) -> None:
    check(bare.run(*words, code=2), words[-1] if len(words) == 1 else "--selekt")


@pytest.mark.postgres
def test_debug(shop: Shop) -> None:
    shop.project.outputs["erp"]["path"] = "missing.db"
    shop.project.outputs["crm"]["password"] = "{{ env_var('WRONG_PASSWORD') }}"
    shop.project.env["WRONG_PASSWORD"] = "wr0ng s3cret/%"
    shop.project.secrets.append("wr0ng s3cret/%")
    shop.project.write_profile()
    ended = shop.project.run("debug", code=1)
    check(ended, "DVT210", "Check user and password", "ok    warehouse (postgres)", "FAIL  crm (postgres)")
    checks = json.loads(shop.project.run("debug", "--json", code=1).output)["connections"]
    found = {check["connection"]: check["ok"] for check in checks}
    assert found["warehouse"]
    assert not found["crm"]


@pytest.mark.postgres
def test_debug_of_one(shop: Shop) -> None:
    shop.project.outputs["crm"]["port"] = 1
    shop.project.write_profile()
    shop.project.run("debug", "--target", "warehouse", code=0)
    assert "refused" in shop.project.run("debug", "--target", "crm", code=1).message()
