"""What is Exasol's own in loading it: its transactions, the column of a refused row, targets that change values."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from dvt.errors import DataError, RelationNotFoundError
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.exasol import ExasolLoader
from dvt.federation.registry import open_connection
from dvt.identifiers import Relation
from dvt.testing.streams import stream_of

pytest.importorskip("pyexasol")

from servers.exasol import ExasolServer, running

_TARGET = Relation("target", "main")


@pytest.fixture(scope="module")
def server() -> Iterator[ExasolServer]:
    with running() as server:
        yield server


@pytest.fixture
def loader(server: ExasolServer) -> Iterator[ExasolLoader]:
    server.execute('drop table if exists main."target"')
    with ExasolLoader(open_connection("exa", server.output())) as loader:
        yield loader
    assert server.engine.run("select TABLE_NAME from EXA_ALL_TABLES where TABLE_NAME like '%dvt%'").fetchmany(9) == []


def _rows(server: ExasolServer) -> list[tuple[object, ...]]:
    return server.engine.run('select * from main."target"').fetchmany(9)


def test_statements_are_undone_together(server: ExasolServer, loader: ExasolLoader) -> None:
    server.execute('create table main."target" ("v" varchar(9))', "insert into main.\"target\" values ('old')")
    with pytest.raises(RelationNotFoundError):
        loader.execute(['drop table "main"."target"', 'rename table "main"."nothing" to "target"'])
    assert _rows(server) == [("old",)]
    loader.execute(['insert into "main"."target" values (\'new\')'])  # it commits by itself again, and for others
    assert _rows(server) == [("old",), ("new",)]


def test_a_row_that_the_server_refuses_is_named_by_its_column(server: ExasolServer, loader: ExasolLoader) -> None:
    config = LoadConfig(_TARGET, "table", run_id="0c0ffee0", declared={"v": "varchar(3)"})
    with pytest.raises(DataError, match="string data, right truncation") as raised:
        loader.load(stream_of(pa.table({"id": [1, 2], "v": ["abc", "abcd"]})), config)
    assert (raised.value.column, raised.value.connection) == ("v", "exa")


_MOMENT, _TEXT = pa.array([1], pa.timestamp("us")), pa.array(["a "])


@pytest.mark.parametrize(("native", "values"), [("timestamp(3)", _MOMENT), ("char(9)", _TEXT)])
def test_a_target_that_would_change_values(
    server: ExasolServer, loader: ExasolLoader, native: str, values: pa.Array
) -> None:
    server.execute(f'create table main."target" ("v" {native})')
    with pytest.raises(DataError, match="values could change") as raised:
        loader.load(stream_of(pa.table({"v": values})), LoadConfig(_TARGET, "append", run_id="0c0ffee0"))
    assert raised.value.column == "v"
    assert _rows(server) == []


@pytest.mark.parametrize(("native", "values"), [("timestamp(6)", _MOMENT), ("varchar(9)", _TEXT)])
def test_a_target_that_holds_them(server: ExasolServer, loader: ExasolLoader, native: str, values: pa.Array) -> None:
    server.execute(f'create table main."target" ("v" {native})')
    loader.load(stream_of(pa.table({"v": values})), LoadConfig(_TARGET, "append", run_id="0c0ffee0"))
    assert _rows(server) == [(values[0].as_py(),)]
