"""Statements that change a target's rows: every form does the same to the same rows, in a database that has it."""

from __future__ import annotations

from typing import Literal

import duckdb
import pyarrow as pa
import pytest
import sqlglot

from dvt.connections.landing_ways import Way
from dvt.errors import DataError
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import Mode
from dvt.federation.loaders.fitting import common_columns, holds
from dvt.federation.loaders.landing import Words, replacing
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation

_NEW, _OLD = Relation("new rows", "main"), Relation('t"able', "main")
_AFTER = [(1, "a", 7), (2, "B", 8), (3, "c", None), (None, "n", 9), (None, "x", 1)]
_NULL_LAST = sorted(_AFTER, key=repr)


def _changed(
    words: ChangeWords, mode: Mode, columns: tuple[str, ...] = ("id", "na me", "n")
) -> list[tuple[object, ...]]:
    with duckdb.connect() as db:
        db.execute(
            'create table "t""able" (id int, "na me" text, n int);'
            'create table "new rows" (n int, id int, "na me" text);'
            """insert into "t""able" values (1, 'a', 7), (2, 'b', 5), (null, 'n', 9);"""
            """insert into "new rows" values (8, 2, 'B'), (null, 3, 'c'), (1, null, 'x')"""
        )
        changes = Changes(words, "duckdb", _NEW, _OLD, dict.fromkeys(columns), ("id",), ("id", "na me", "n"))
        for statement in changes.statements(mode):
            db.execute(statement)
        return sorted(db.sql('from "t""able"').fetchall(), key=repr)


@pytest.mark.parametrize("merge", ["merge", "update", "replace"])
@pytest.mark.parametrize("delete", ["using", "exists", "in", "merge"])
@pytest.mark.parametrize("mode", ["merge", "delete+insert"])
def test_every_form_does_the_same(
    mode: Mode, delete: Literal["using", "exists", "in", "merge"], merge: Literal["merge", "update", "replace"]
) -> None:
    assert _changed(ChangeWords(delete=delete, merge=merge), mode) == _NULL_LAST


@pytest.mark.parametrize("merge", ["merge", "update"])
def test_columns_that_do_not_come_stay(merge: Literal["merge", "update"]) -> None:
    expected = [(1, "a", 7), (2, "B", 5), (3, "c", None), (None, "n", 9), (None, "x", None)]
    assert _changed(ChangeWords(merge=merge), "merge", ("id", "na me")) == sorted(expected, key=repr)


def test_a_merge_that_replaces_rows_wants_all_columns() -> None:
    with pytest.raises(DataError) as raised:
        _changed(ChangeWords(merge="replace"), "merge", ("id", "na me"))
    assert raised.value.column == "n"


@pytest.mark.parametrize("merge", ["merge", "update"])
def test_nothing_but_keys(merge: Literal["merge", "update"]) -> None:
    assert len(_changed(ChangeWords(merge=merge), "merge", ("id",))) == 5


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        ("tsql", ChangeWords(delete="join", merge="merge", ends=";")),
        ("oracle", ChangeWords(delete="exists", merge="merge", alias="")),
        ("snowflake", ChangeWords(delete="using", merge="merge")),
        ("bigquery", ChangeWords(delete="exists", merge="merge")),
    ],
)
@pytest.mark.parametrize("mode", ["append", "merge", "delete+insert"])
def test_other_dialects_read_them(dialect: str, words: ChangeWords, mode: Mode) -> None:
    changes = Changes(words, dialect, _NEW, _OLD, {"id": None, "name": None}, ("id",))
    for statement in changes.statements(mode):
        (parsed,) = [found for found in sqlglot.parse(statement, dialect=dialect) if found is not None]
        assert {table.name for table in parsed.find_all(sqlglot.exp.Table)} >= {_NEW.name, _OLD.name}


@pytest.mark.parametrize(
    ("way", "kind", "columns", "expected", "is_atomic"),
    [
        (Way.TRANSACTION, "table", None, ["drop table t", "rename p t"], True),
        (Way.TRANSACTION, "view", None, ["drop view t", "rename p t"], True),
        (Way.STATEMENT, "table", None, ["swap p t"], True),
        (Way.STATEMENT, None, None, ["rename p t"], True),
        (Way.STATEMENT, "view", None, ["drop view t", "rename p t"], False),
        (Way.ROWS, "table", ["a"], ["delete from t", 'insert into t ( "a" ) select "a" from p'], True),
        (Way.ROWS, "table", None, ["drop table t", "rename p t"], False),
        (Way.STEPS, "table", ["a"], ["drop table t", "rename p t"], False),
    ],
)
def test_ways(way: Way, kind: str | None, columns: list[str] | None, expected: list[str], is_atomic: bool) -> None:
    words = Words(rename="rename {private} {target}", exchange="swap {private} {target}")
    private, target = Relation("p"), Relation("t")
    landing = replacing(words, way, "postgres", private, target, kind=kind, columns=columns)
    assert [text.replace('"p"', "p").replace('"t"', "t") for text in landing.statements] == expected
    assert landing.is_atomic is is_atomic


def test_cautions() -> None:
    assert [bool(way.caution("x")) for way in Way] == [False, False, True, True]
    assert "not atomic on trino: readers may see" in Way.STEPS.caution("trino")


@pytest.mark.parametrize(
    ("there", "new", "is_held"),
    [
        (pa.int64(), pa.uint32(), True),
        (pa.int64(), pa.uint64(), False),
        (pa.uint64(), pa.int8(), False),
        (pa.uint8(), pa.int8(), False),
        (pa.float64(), pa.int32(), True),
        (pa.float64(), pa.int64(), False),
        (pa.float32(), pa.float64(), False),
        (pa.float32(), pa.int32(), False),
        (pa.decimal128(20, 0), pa.int64(), True),
        (pa.decimal128(12, 2), pa.decimal128(12, 3), False),
        (pa.decimal128(12, 2), pa.decimal128(11, 1), True),
        (pa.string(), pa.int8(), False),
    ],
)
def test_what_a_type_holds(there: pa.DataType, new: pa.DataType, is_held: bool) -> None:
    assert holds(there, new) is is_held


def test_columns_come_by_the_target_s_names() -> None:
    old = [ColumnSchema("ID", pa.int64()), ColumnSchema("n", pa.int8())]
    assert common_columns([ColumnSchema("id", pa.int32())], old) == ["ID"]
    for wrong in (ColumnSchema("n", pa.int16()), ColumnSchema("extra", pa.int8())):
        with pytest.raises(DataError) as raised:
            common_columns([wrong], old)
        assert raised.value.column == wrong.name
