"""dbt's global options with the commands of our own: before the command's name and after it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dvt.cli.main import main


def _dvt(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return ended.value.code


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert _dvt("init", "shop") == 0
    return folder / "shop"


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)


@pytest.mark.parametrize(
    "words",
    [
        ("--quiet", "init", "shop"),
        ("init", "-q", "shop"),
        ("-q", "--no-use-colors", "init", "shop", "--log-level", "debug"),
    ],
)
def test_init(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert _dvt(*words) == 0
    assert capsys.readouterr().out == ""
    assert Path("shop/dbt_project.yml").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ("--profiles-dir", "{folder}", "debug", "--json"),
        ("debug", "--json", "--profiles-dir={folder}", "--no-use-colors"),
        ("--no-use-colors", "--log-level", "debug", "--profiles-dir", "{folder}", "debug", "--json"),
        ("--quiet", "debug", "--json", "--profiles-dir", "{folder}", "--log-format", "text"),
    ],
)
def test_debug(words: tuple[str, ...], project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _dvt(*(word.replace("{folder}", str(project)) for word in words), "--project-dir", str(project)) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["profiles"] == str(project / "profiles.yml")
    assert shown["native_codec"] == "ok" or "C compiler" in shown["native_codec"]
    assert [check["ok"] for check in shown["connections"]] == [True] * 3


@pytest.mark.parametrize("words", [("--quiet", "debug"), ("debug", "-q")])
def test_a_quiet_debug_shows_failures_only(
    words: tuple[str, ...], project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    assert _dvt(*words) == 0
    assert capsys.readouterr().out == ""
    profile = (project / "profiles.yml").read_text()
    Path("faulty").mkdir(exist_ok=True)
    Path("faulty/profiles.yml").write_text(profile.replace("data/erp.db", "data/no.db"))
    assert _dvt(*words, "--profiles-dir", "faulty") == 1
    assert [line.split("  ")[:2] for line in capsys.readouterr().out.splitlines()] == [["FAIL", "erp (sqlite)"]]


@pytest.mark.parametrize(
    "words",
    [
        ("--no-use-colors", "plan", "--select", "countries"),
        ("--quiet", "plan", "--select", "countries", "--no-use-colors"),
        ("--show-resource-report", "--project-dir", ".", "--profiles-dir", ".", "plan", "-s", "countries"),
    ],
)
def test_plan(
    words: tuple[str, ...], project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    assert _dvt(*words) == 0
    assert capsys.readouterr().out.startswith("seed.shop.countries\n  lane     native\n")


@pytest.mark.parametrize("name", ["init", "debug", "plan"])
@pytest.mark.parametrize("is_before", [True, False])
def test_an_unknown_option_is_a_usage_error(name: str, is_before: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert _dvt(*(("--quite", name) if is_before else (name, "--quite"))) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"Usage: dvt {'[OPTIONS] ' if is_before else name}")
    assert "No such option" in shown
    assert "--quite" in shown
    assert list(Path().iterdir()) == []


def test_a_value_that_is_called_like_a_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--target plan` names a target; the command is `debug`, which finds it in the profile."""
    assert _dvt("--target", "plan", "debug", "--project-dir", str(project), "--profiles-dir", str(project)) == 1
    assert "unknown connection 'plan'" in capsys.readouterr().out
