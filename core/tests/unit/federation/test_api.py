"""`dvt.read` on a real profile and a real SQLite file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

import dvt
from dvt.errors import ConfigurationError, DvtError


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "crm.sqlite") as database:
        database.execute("create table customers (id integer, city text)")
        database.executemany("insert into customers values (?, ?)", [(1, "Ulm"), (2, None), (3, "")])
    database.close()
    (tmp_path / "profiles.yml").write_text(
        f"shop:\n  target: crm\n  outputs:\n    crm: {{type: sqlite, path: {tmp_path / 'crm.sqlite'}}}\n"
    )
    return tmp_path


def test_read_streams_a_query(profiles: Path) -> None:
    with dvt.read("crm", "select id, city from customers order by id", profiles_dir=profiles, profile="shop") as stream:
        assert list(stream) == [{"id": 1, "city": "Ulm"}, {"id": 2, "city": None}, {"id": 3, "city": ""}]


def test_a_stream_that_is_not_read_closes_its_session(profiles: Path) -> None:
    stream = dvt.read("crm", "select id from customers", profiles_dir=profiles, profile="shop")
    stream.close()
    with sqlite3.connect(profiles / "crm.sqlite", timeout=0.1) as database:
        database.execute("drop table customers")
    database.close()


def test_errors(profiles: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'crm'"):
        dvt.read("cmr", "select 1", profiles_dir=profiles, profile="shop")
    with pytest.raises(DvtError, match="nope"):
        dvt.read("crm", "select * from nope", profiles_dir=profiles, profile="shop").to_table()
