"""What is SQL Server's own of its loader: the statements of a landing, what fails in it, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pyarrow as pa
import pytest
from integration.sqlserver_kit import connect
from servers.sqlserver import SqlServerFake, missing

from dvt.errors import AuthenticationError, DataError, RelationNotFoundError
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.sqlserver import SqlServerLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

_TARGET = Relation("it's [a] t", "dbo")


@pytest.fixture(scope="module")
def server() -> Iterator[SqlServerFake]:
    if why := missing():
        pytest.skip(why)
    with closing(SqlServerFake()) as fake:
        yield fake


@pytest.fixture
def loader(server: SqlServerFake) -> Iterator[SqlServerLoader]:
    with SqlServerLoader(connect(server)) as made:
        yield made


def _rows(*values: str) -> RowStream:
    batch = pa.record_batch({"id": pa.array(range(len(values))), "v": pa.array(values, pa.string())})
    return RowStream([ColumnSchema(f.name, f.type) for f in batch.schema], iter([batch]))


def _load(loader: SqlServerLoader, *values: str, relation: Relation = _TARGET, **more: object) -> None:
    loader.load(_rows(*values), LoadConfig(relation=relation, run_id="1a2b3c4d", **more))  # type: ignore[arg-type]


def _there(server: SqlServerFake) -> list[str]:
    return server.ask(f"select [v] from {_TARGET.sql('tsql')} order by [id]")


def test_a_landing_is_one_transaction(server: SqlServerFake, loader: SqlServerLoader) -> None:
    _load(loader, "old")
    server.statements()
    _load(loader, "new", "newer")
    sent = [sql for sql in server.statements() if not sql.startswith(("SELECT", "select", "SET", "set"))]
    private = "it's [a] t__dvt_1a2b3c4d"
    bracketed = "[dbo].[" + private.replace("]", "]]") + "]"
    literal = "N'" + bracketed.replace("'", "''") + "'"
    assert [sql.split(" (")[0] for sql in sent if "bulk" not in sql.lower()] == [
        f'create table "dbo"."{private}"',
        "begin transaction",
        '''drop table "dbo"."it's [a] t"''',
        f"exec sys.sp_rename {literal}, N'it''s [a] t', 'OBJECT'",
        "commit transaction",
        f'drop table if exists "dbo"."{private}"',
    ]
    assert [sql for sql in sent if sql.startswith(f"INSERT BULK {bracketed}")]
    assert _there(server) == ["new", "newer"]


def test_a_landing_that_fails_is_undone(server: SqlServerFake, loader: SqlServerLoader) -> None:
    _load(loader, "old")
    config = LoadConfig(relation=_TARGET, run_id="1a2b3c4d")
    private = loader.private_relation(config)
    loader.stage(_rows("new"), private)
    with pytest.raises(RelationNotFoundError):
        loader.execute([*loader.landing_sql(private, config), "select * from dbo.there_is_no_such_table"])
    assert _there(server) == ["old"]
    loader.publish(private, config)  # the session goes on, and has no transaction open
    assert _there(server) == ["new"]


def test_a_merge_replaces_whole_rows(server: SqlServerFake, loader: SqlServerLoader) -> None:
    _load(loader, "a", "b")
    _load(loader, "B", mode="merge", unique_key=("id",))
    assert _there(server) == ["B", "b"]
    with pytest.raises(DataError, match="replaces whole rows") as raised:
        loader.load(
            RowStream([ColumnSchema("id", pa.int64())], iter([pa.record_batch({"id": [1]})])),
            LoadConfig(relation=_TARGET, run_id="1a2b3c4d", mode="merge", unique_key=("id",)),
        )
    assert raised.value.column == "v"


def test_a_declared_type_that_changes_values_is_refused(server: SqlServerFake, loader: SqlServerLoader) -> None:
    for declared, values in (("char(9)", ["a"]), ("varchar(9)", ["naïve"]), ("nvarchar(3)", ["long"])):
        with pytest.raises(DataError) as raised:
            _load(loader, *values, relation=Relation("declared", "dbo"), declared={"v": declared})
        assert raised.value.column == "v"
    assert "declared" not in " ".join(server.tables())


def test_the_drivers_own_session_is_refused_like_ours(server: SqlServerFake, loader: SqlServerLoader) -> None:
    loader.session()
    with server.changed(password="an0ther"), pytest.raises(AuthenticationError) as raised:
        _load(loader, "x", relation=Relation("refused", "dbo"))
    assert raised.value.connection == "shop"
    assert "Pa55" not in str(raised.value)
    assert "refused" not in " ".join(server.tables())
