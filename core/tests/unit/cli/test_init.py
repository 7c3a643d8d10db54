"""`dvt init`: what it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dvt.cli.main import main


def _init(name: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(["init", name])
    return ended.value.code


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_name_is_the_projects_and_the_profiles() -> None:
    assert _init("my_shop2") == 0
    project = yaml.safe_load(Path("my_shop2/dbt_project.yml").read_text())
    profiles = yaml.safe_load(Path("my_shop2/profiles.yml").read_text())
    assert (project["name"], project["profile"], list(profiles)) == ("my_shop2", "my_shop2", ["my_shop2"])
    assert "my_shop2" in project["models"]
    assert "shop_name" not in "".join(path.read_text() for path in Path("my_shop2").rglob("*.*ml"))


def test_everything_is_there() -> None:
    assert _init("shop") == 0
    found = {str(path.relative_to("shop")) for path in Path("shop").rglob("*") if path.is_file()}
    assert {"README.md", ".gitignore", "profiles.yml", "data/erp.db", "models/sources.yml"} <= found
    assert sum(name.startswith("data/web/page_views/2026-") for name in found) == 6


@pytest.mark.parametrize(
    "name", ["2shop", "my-shop", "my shop", "../shop", "/tmp/shop", "", "shöp", "a" * 64, "shop\n"]
)
def test_a_name_that_dbt_would_refuse_is_refused(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert _init(name) == 2
    assert "DVT130" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("shop").mkdir()
    Path("shop/notes.txt").write_text("mine")
    assert _init("shop") == 2
    assert "DVT131" in capsys.readouterr().err
    assert [path.name for path in Path("shop").iterdir()] == ["notes.txt"]


def test_a_file_of_that_name_is_left_alone() -> None:
    Path("shop").write_text("mine")
    assert _init("shop") == 2
    assert Path("shop").read_text() == "mine"


def test_an_empty_folder_is_filled() -> None:
    Path("shop").mkdir()
    assert _init("shop") == 0
    assert Path("shop/dbt_project.yml").is_file()
