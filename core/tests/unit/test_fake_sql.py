"""The engine behind the stand-ins: results as Arrow, and what ends a statement at any time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pyarrow as pa
import pytest
from servers.fake_sql import FakeCursor, FakeSQL, FakeSQLError

SLOW = "select sum(a.i * b.i) as n from range(200000) as a(i), range(200000) as b(i)"
MANY = "select i from range(1000000) as t(i)"


@pytest.fixture(scope="module")
def engine() -> FakeSQL:
    return FakeSQL("postgres")


def test_a_result_as_arrow(engine: FakeSQL) -> None:
    result = engine.run("select i, cast(i as decimal(5, 2)) as d from range(25) as t(i)", batch_rows=10)
    assert result.reader is not None
    batches = list(result.reader)
    assert [batch.num_rows for batch in batches] == [10, 10, 5]
    assert batches[0].schema.types == [pa.int64(), pa.decimal128(5, 2)]
    assert [value for batch in batches for value in batch.column("i").to_pylist()] == list(range(25))


def test_columns_alone_are_told_without_running(engine: FakeSQL) -> None:
    result = engine.run(SLOW, batch_rows=0)
    assert ([column.name for column in result.columns], result.reader) == (["n"], None)


@pytest.mark.parametrize("batch_rows", [None, 1000])
def test_what_fails_on_the_way_says_so_in_one_form(engine: FakeSQL, batch_rows: int | None) -> None:
    sql = "select cast(case when i = 500000 then 'x' else '1' end as int) as n from range(1000000) as t(i)"
    with pytest.raises(FakeSQLError, match="Could not convert") as caught:
        _drained(engine, engine.cursor(), sql, batch_rows)
    assert caught.value.kind == "query"


@pytest.mark.parametrize("batch_rows", [None, 1000])
def test_a_cursor_that_was_interrupted_runs_nothing(engine: FakeSQL, batch_rows: int | None) -> None:
    cursor = engine.cursor()
    cursor.interrupt()
    _is_cancelled(lambda: engine.run("select 1 as a", cursor=cursor, batch_rows=batch_rows))


@pytest.mark.parametrize("batch_rows", [None, 1000])
def test_a_statement_is_interrupted_while_it_executes(engine: FakeSQL, batch_rows: int | None) -> None:
    cursor = engine.cursor()
    timer = threading.Timer(0.2, cursor.interrupt)
    timer.start()
    _is_cancelled(lambda: engine.run(SLOW, cursor=cursor, batch_rows=batch_rows))
    timer.join()


@pytest.mark.parametrize("batch_rows", [None, 1000])
def test_a_result_is_interrupted_while_it_is_read(engine: FakeSQL, batch_rows: int | None) -> None:
    result = engine.run(MANY, batch_rows=batch_rows)
    if result.reader is None:
        assert len(result.fetchmany(10)) == 10
        result.cursor.interrupt()
        _is_cancelled(lambda: result.fetchmany(10))
    else:
        assert result.reader.read_next_batch().num_rows == 1000
        result.cursor.interrupt()
        _is_cancelled(result.reader.read_all)


def _drained(engine: FakeSQL, cursor: FakeCursor, sql: str, batch_rows: int | None) -> None:
    result = engine.run(sql, cursor=cursor, batch_rows=batch_rows)
    if result.reader is not None:
        result.reader.read_all()
    while result.reader is None and result.fetchmany(10_000):
        pass


def _is_cancelled(act: Callable[[], object]) -> None:
    with pytest.raises(FakeSQLError) as caught:
        act()
    assert caught.value.kind == "cancelled"
