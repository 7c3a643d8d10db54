"""FastLoad into Teradata over a double of its driver (tag: driver): nothing is dropped, nothing is left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from integration.test_teradata_load import EVERY, OUTPUT, ROWS, load, read
from servers.teradata_driver import SCHEMA, teradata_double
from servers.teradata_writing import TeradataWritingDouble

from dvt.connections.connection import Connection
from dvt.connections.teradata import SPEC
from dvt.errors import ConnectionLostError, DataError, InterruptedRunError, PrivilegeError
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.teradata import TeradataLoader
from dvt.identifiers import Relation
from dvt.testing.streams import NUMBERED, numbered, stream, stream_of

PRIVATE = f'"{SCHEMA}"."t__dvt_0c0ffee0"'


@pytest.fixture
def double() -> Iterator[TeradataWritingDouble]:
    with teradata_double(TeradataWritingDouble()) as made:
        yield made


def fast(**more: Any) -> Connection:
    return Connection.from_output("edw", {**OUTPUT, "dvt": {"load_with": "fastload"}, **more}, SPEC)


def test_rows_that_are_there_twice_arrive_twice(double: TeradataWritingDouble) -> None:
    load(ROWS)
    assert load(ROWS, fast()).method == "fastload"
    assert read() == ROWS.to_pylist()
    assert double.listed() == ["t"]


def test_it_goes_by_a_staging_table_and_says_what_the_driver_wants_to_hear(double: TeradataWritingDouble) -> None:
    load(ROWS, fast(), streaming_batch_size=1)
    said = [sql for sql in double.statements if "fastload" in sql or "_fl" in sql]
    assert len(said) == 8
    staging = said[0].split(" ")[3]
    assert staging.startswith(f'"{SCHEMA}"."t__dvt_0c0ffee0_')
    assert said[0].startswith(
        f'create multiset table {staging} ( "dvt_row" bigint not null, "dvt_c0" bigint, "dvt_c1" '
    )
    assert said[0].endswith(') primary index ( "dvt_row" )')
    insert = f'insert into {staging} ( "dvt_row", "dvt_c0", "dvt_c1" ) values ( ?, ?, ? )'
    assert said[1:3] == ["{fn teradata_require_fastload}" + insert] * 2
    assert said[3].startswith(f"select count(*) from {staging}")
    moved = f'insert into {PRIVATE} ( "id", "word" ) select "dvt_c0", "dvt_c1" from {staging} where "dvt_row" > 0'
    assert said[4:] == [moved, *(f"drop table {staging[:-1]}{end}" for end in ('"', '_ERR_1"', '_ERR_2"'))]


@pytest.mark.parametrize("batch", [1, 100])
def test_every_type_arrives_wherever_its_nulls_are(double: TeradataWritingDouble, batch: int) -> None:
    more = pa.table({"yes": [None, True], "big": pa.array([None, Decimal("1E-30")], pa.decimal128(38, 30))})
    for rows in (EVERY, EVERY.take([1, 0]), more):
        assert load(rows, fast(), streaming_batch_size=batch).method == "fastload"
        truth = {None: None, True: 1}  # a BYTEINT
        given = [{**row, "yes": truth[row["yes"]]} if "yes" in row else row for row in rows.to_pylist()]
        assert read() == sorted(given, key=str)
    assert double.listed() == ["t"]


def test_names_of_all_kinds_and_no_rows(double: TeradataWritingDouble) -> None:
    rows = pa.table({"dvt_row": [1], "dvt_c1": [2], 'a "b?{c}': [3]})
    load(rows, fast(), 'odd "?{fn x}')
    assert read(name='odd "?{fn x}') == rows.to_pylist()
    assert load(rows.slice(0, 0), fast(), "none").rows == 0
    assert read(name="none") == []


def test_what_is_not_for_it_goes_by_inserts_and_says_why(double: TeradataWritingDouble) -> None:
    assert load(ROWS, fast(sip_support="false")).passed_over[0].why.startswith("FastLoad needs sip_support")
    rows = pa.table({"c": pa.array([1], pa.time64("us"))})
    result = load(rows, fast(), declared={"c": "time(6) with time zone"})
    assert result.method == "batch_insert"
    assert result.passed_over[0].why == "column c: time(6) with time zone is not for FastLoad"


@pytest.mark.parametrize("is_late", [False, True])
def test_rows_that_the_database_does_not_take_stop_the_load(double: TeradataWritingDouble, is_late: bool) -> None:
    load(ROWS)
    double.fastloading.misfit, double.fastloading.misfits_when_applied = "bad", is_late
    rows = pa.table({"id": [1, 2, 3], "word": ["a", "bad", "c"]})
    with pytest.raises(DataError, match="1 rows do not fit") as raised:
        load(rows, fast(), streaming_batch_size=2)
    told = raised.value
    assert (told.connection, told.column, told.rows) == ("edw", "word", None if is_late else "rows 1-2")
    assert told.remedy
    assert "load_with" in told.remedy
    assert read() == ROWS.to_pylist()
    assert double.listed() == ["t"]


def test_what_fastload_drops_is_told_with_its_warnings(double: TeradataWritingDouble) -> None:
    load(ROWS)
    double.fastloading.drops = 1
    with pytest.raises(DataError, match=r"kept 2 of 3 rows: .*1 rows were dropped"):
        load(pa.table({"id": [1, 2, 3], "word": ["a", "b", "c"]}), fast())
    assert read() == ROWS.to_pylist()
    assert double.listed() == ["t"]


def test_a_value_without_a_place_is_named_before_it_is_sent(double: TeradataWritingDouble) -> None:
    with pytest.raises(DataError, match="infinite") as raised:
        load(pa.table({"v": [0.5, float("nan")]}), fast())
    assert raised.value.column == "v"
    assert double.listed() == []


def test_what_breaks_leaves_the_old_table_alone(double: TeradataWritingDouble) -> None:
    load(ROWS)

    def broken() -> Iterator[pa.RecordBatch]:
        yield from numbered(range(5_000))
        raise DataError("the source broke", connection="crm")

    with pytest.raises(DataError, match="the source broke"), TeradataLoader(fast()) as loader:
        loader.load(stream(NUMBERED, broken()), LoadConfig(Relation("t")))
    double.fastloading.breaks_after = 2_000
    with pytest.raises(ConnectionLostError), TeradataLoader(fast()) as loader:
        loader.load(stream(NUMBERED, numbered(range(5_000))), LoadConfig(Relation("t"), streaming_batch_size=1_000))
    double.fastloading.breaks_after = None
    double.fails_at = " select "
    with pytest.raises(PrivilegeError):
        load(ROWS, fast())
    double.fails_at = ""
    assert read() == ROWS.to_pylist()
    assert double.listed() == ["t"]


def test_a_table_that_is_not_empty_is_the_databases_to_refuse(double: TeradataWritingDouble) -> None:
    """Of the double: what dvt relies on, that a FastLoad has one transaction."""
    with TeradataLoader(fast()) as loader:
        loader.begin = lambda: None  # type: ignore[method-assign]
        with pytest.raises(Exception, match="must be empty for Fast Loading"):
            loader.load(stream_of(ROWS, 1), LoadConfig(Relation("t"), streaming_batch_size=1))
    assert double.listed() == []


def test_a_cancel_ends_it_and_leaves_nothing(double: TeradataWritingDouble) -> None:
    load(ROWS)
    double.hangs.set()
    raised: list[BaseException] = []

    def run(loader: TeradataLoader) -> None:
        try:
            loader.load(stream_of(ROWS), LoadConfig(Relation("t")))
        except BaseException as error:
            raised.append(error)

    with TeradataLoader(fast()) as loader:
        thread = threading.Thread(target=run, args=(loader,))
        thread.start()
        assert double.is_hanging.wait(30)
        loader.cancel()
        double.hangs.clear()
        thread.join(30)
    assert [type(error) for error in raised] == [InterruptedRunError]
    assert read() == ROWS.to_pylist()
    assert double.listed() == ["t"]
