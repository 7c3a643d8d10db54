"""Writing Oracle over a double of its driver (tag: driver), and, where `DVT_LIVE_ORACLE_URL` is set, a real server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from servers import live
from servers.oracle_driver import oracle_double, output
from servers.oracle_sql import SCHEMA
from servers.oracle_writing import OracleWritingDouble

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.oracle import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.oracle import OracleExtractor
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.loaders.oracle import OracleLoader
from dvt.identifiers import Relation
from dvt.testing.streams import stream_of

oracledb = pytest.importorskip("oracledb")
ROWS = pa.table({"id": pa.array([1, 2]), "word": ["ä", None]})
EVERY = pa.table(
    {
        "i": pa.array([-(2**63), None]),
        "u": pa.array([2**64 - 1, None], pa.uint64()),
        "d": pa.array([Decimal("-0.0000000001"), None], pa.decimal128(38, 10)),
        "f": pa.array([0.1, None]),
        "t": ["größe 漢字 😀", None],
        "b": pa.array([b"\0\xff", None]),
        "day": pa.array([dt.date(1, 1, 1), None]),
        "m": pa.array([dt.datetime(9999, 12, 31, 23, 59, 59, 999999), None], pa.timestamp("us")),
        "z": pa.array(
            [dt.datetime(1969, 12, 31, 23, 59, 59, 999999, dt.timezone.utc), None], pa.timestamp("us", "UTC")
        ),
        "l": pa.array([[1, None], None]),
    }
)


@pytest.fixture
def double() -> Iterator[OracleWritingDouble]:
    made = OracleWritingDouble()
    with oracle_double(made):
        yield made


def connect(**options: Any) -> Connection:
    return Connection.from_output("erp", output(schema=SCHEMA, dvt=options), SPEC)


def load(rows: pa.Table, connection: Connection | None = None, name: str = "t", **more: Any) -> LoadResult:
    with OracleLoader(connection or connect()) as loader:
        return loader.load(stream_of(rows), LoadConfig(Relation(name), run_id="0c0ffee0", **more))


def read(connection: Connection | None = None, name: str = "t") -> pa.Table:
    with OracleExtractor(connection or connect()) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation(name))) as rows:
            return rows.to_table()


def test_a_direct_path_load_takes_every_type_that_needs_no_conversion(double: OracleWritingDouble) -> None:
    result = load(EVERY)
    assert (result.method, result.rows, result.passed_over) == ("direct_path", 2, ())
    sent = [sql for sql in double.statements() if "DIRECT PATH" in sql]
    assert sent == [f"DIRECT PATH LOAD {SCHEMA}.T__DVT_0C0FFEE0"]
    assert _read_back() == read(connect()).to_pylist()
    # The same by the other method.
    assert load(EVERY, connect(load_by="buffered")).method == "executemany"
    assert _read_back() == read(connect()).to_pylist()


def _read_back() -> list[dict[str, Any]]:
    first: dict[str, Any] = {
        name.upper(): column[0].as_py() for name, column in zip(EVERY.column_names, EVERY.columns, strict=True)
    }
    first |= {"DAY": dt.datetime(1, 1, 1), "L": "[1,null]"}
    return [first, dict.fromkeys(first)]


@pytest.mark.parametrize(
    ("rows", "more", "options", "why"),
    [
        (ROWS, {}, {"load_by": "buffered"}, "dvt.load_by is buffered"),
        (ROWS, {}, {"names_as": "exact"}, 'the name "t__dvt_0c0ffee0" needs quotes'),
        (ROWS.rename_columns(["id", "level"]), {}, {}, 'the name "LEVEL" needs quotes'),
        (ROWS.rename_columns(["id", "a b"]), {}, {}, 'the name "a b" needs quotes'),
        (ROWS, {"declared": {"word": "varchar2(10)"}}, {}, "column WORD is converted"),
        (pa.table({"n": pa.array([1], pa.timestamp("ns"))}), {}, {}, "column N is converted"),
        (pa.table({"b": [True]}), {}, {}, "column B is converted"),
    ],
)
def test_what_a_direct_path_load_does_not_take_goes_by_arrays(
    double: OracleWritingDouble, rows: pa.Table, more: Any, options: Any, why: str
) -> None:
    if options.get("names_as"):
        double.users.append(SCHEMA)
    result = load(rows, connect(**options), **more)
    assert result.method == "executemany"
    assert why in result.passed_over[0].why
    assert not [sql for sql in double.statements() if "DIRECT PATH" in sql]


def test_another_character_set_gets_no_bytes_of_utf8(double: OracleWritingDouble) -> None:
    double.charset = "WE8MSWIN1252"
    result = load(pa.table({"word": ["plain"]}))
    assert result.method == "executemany"
    assert "WE8MSWIN1252" in result.passed_over[0].why
    # What the character set may not have would become another character without a word.
    with pytest.raises(errors.DataError, match="not ASCII") as raised:
        load(ROWS)
    assert raised.value.column == "word"
    assert read().to_pylist() == [{"WORD": "plain"}]


def test_thick_mode_has_no_direct_path(double: OracleWritingDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servers.oracle_driver._Session.thin", False)
    assert "thin mode" in load(ROWS).passed_over[0].why


@pytest.mark.parametrize("load_by", ["auto", "buffered"])
@pytest.mark.parametrize(
    ("column", "values", "declared", "message"),
    [
        ("word", [None, ""], "", "no empty texts"),
        ("word", ["ok", ""], "clob", "no empty texts"),
        ("word", ["x", "ä" * 2001], "", "4002 long, and 4000"),
        ("word", ["x", "ä" * 3], "varchar2(5)", "6 long, and 5"),
        ("raw", [b"x", b""], "", "no empty bytes"),
        ("raw", [b"x", b"abc"], "raw(2)", "3 long, and 2"),
        ("n", [Decimal("1.5"), Decimal("1.25")], "number(5, 1)", "no place"),
        ("n", [1, 12], "number(1)", "no place"),
        ("n", [0.1, 0.5], "binary_float", "none of float"),
        ("n", [0.1, 0.5], "number", "not all exact"),
        ("m", [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 0, 0, 0, 1)], "date", "more than 0 digits"),
        ("m", [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 0, 0, 0, 1)], "timestamp(3)", "more than 3 digits"),
        ("m", [dt.datetime(2024, 1, 1)], "timestamp with time zone", "time zone"),
    ],
)
def test_a_value_that_would_change_is_refused_with_its_column(
    double: OracleWritingDouble, column: str, values: list[Any], declared: str, message: str, load_by: str
) -> None:
    load(ROWS)
    more = {"declared": {column: declared}} if declared else {}
    with pytest.raises(errors.DataError, match=message) as raised:
        load(pa.table({column: values}), connect(load_by=load_by), **more)
    assert (raised.value.column, raised.value.connection) == (column, "erp")
    assert read().num_rows == 2
    assert double.names == {(SCHEMA, "T")}


@pytest.mark.parametrize("type_", ["char(3)", "nchar(3)", "float", "number(5, -2)", "long", "varchar2(9) default 'x'"])
def test_types_that_change_values_cannot_be_declared(double: OracleWritingDouble, type_: str) -> None:
    with pytest.raises(errors.DataError, match="keeps every value") as raised:
        load(ROWS, declared={"word": type_})
    assert raised.value.column == "word"


def test_nanoseconds_and_declared_types_arrive(double: OracleWritingDouble) -> None:
    nanos = pa.array([1_704_067_200_123_456_789, None], pa.timestamp("ns"))
    load(pa.table({"m": nanos, "n": [5, None], "b": pa.array([b"a", None])}), declared={"n": "number", "b": "raw(4)"})
    found = read(connect(moments_as="text")).to_pylist()
    assert found == [
        {"M": " 2024-01-01 00:00:00.123456789", "N": Decimal(5), "B": b"a"},
        {"M": None, "N": None, "B": None},
    ]


def test_zeros_have_no_sign_and_there_is_one_nan(double: OracleWritingDouble) -> None:
    load(pa.table({"f": [-0.0, float("nan"), float("-inf")]}))
    assert [str(row["F"]) for row in read().to_pylist()] == ["0.0", "nan", "-inf"]


def test_the_rows_of_a_table_whose_columns_stay_change_in_one_transaction(double: OracleWritingDouble) -> None:
    load(ROWS)
    double.statements()
    load(ROWS)
    said = [sql for sql in double.statements() if not sql.startswith(("select", "SELECT", "ALTER SESSION", "SET TRAN"))]
    private = f'"{SCHEMA}"."T__DVT_0C0FFEE0"'
    assert said == [
        f'create table {private} ( "ID" number(19, 0), "WORD" varchar2(4000 byte) )',
        f"DIRECT PATH LOAD {SCHEMA}.T__DVT_0C0FFEE0",
        f'delete from "{SCHEMA}"."T"',
        f'insert into "{SCHEMA}"."T" ( "ID", "WORD" ) select "ID", "WORD" from {private}',
        "COMMIT",
        "ROLLBACK",  # nothing is open any more: DDL would commit it
        f"drop table {private} purge",
    ]


def test_a_landing_that_breaks_leaves_the_old_rows(double: OracleWritingDouble) -> None:
    load(ROWS)
    double.fails_at = "insert into"
    with pytest.raises(errors.PrivilegeError):
        load(pa.table({"id": [7], "word": ["new"]}))
    double.fails_at = ""
    assert read().to_pylist() == [{"ID": 1, "WORD": "ä"}, {"ID": 2, "WORD": None}]
    assert double.names == {(SCHEMA, "T")}
    assert double.sessions == 0


def test_where_the_rollback_fails_the_next_ddl_commits_nothing(
    double: OracleWritingDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DROP of the private table would commit the DELETE: the session is ended first."""
    load(ROWS)
    monkeypatch.setattr("servers.oracle_driver._Session.rollback", _refused)
    double.fails_at = "insert into"
    with pytest.raises(errors.PrivilegeError):
        load(pa.table({"id": [7], "word": ["new"]}))
    double.fails_at = ""
    assert read().num_rows == 2
    assert double.names == {(SCHEMA, "T")}  # it is dropped on a session anew


def _refused(session: Any) -> None:
    from servers.oracle_driver import failure

    if not session.autocommit:
        raise failure("ORA-00604: error occurred at recursive SQL level 1")


def test_other_columns_take_the_place_by_two_renames(double: OracleWritingDouble) -> None:
    load(ROWS)
    double.statements()
    load(pa.table({"other": ["x"]}))
    ddl = [sql for sql in double.statements() if sql.startswith(("alter table", "drop"))]
    private, old = f'"{SCHEMA}"."T__DVT_0C0FFEE0"', '"T__DVT_0C0FFEE0__dvt_old"'
    assert ddl == [
        f'alter table "{SCHEMA}"."T" rename to {old}',
        f'alter table {private} rename to "T"',
        f'drop table "{SCHEMA}".{old}',
        f"drop table {private} purge",
    ]
    assert read().to_pylist() == [{"OTHER": "x"}]
    assert double.names == {(SCHEMA, "T")}


def test_a_rename_that_fails_gives_the_old_table_back(double: OracleWritingDouble) -> None:
    load(ROWS)
    double.fails_at = 'rename to "T"'
    with OracleLoader(connect()) as loader:
        real = loader.put_back

        def back(private: Relation) -> None:
            double.fails_at = ""
            real(private)

        loader.put_back = back  # type: ignore[method-assign]
        with pytest.raises(errors.PrivilegeError):
            loader.load(stream_of(pa.table({"other": ["x"]})), LoadConfig(Relation("t"), run_id="0c0ffee0"))
    assert read().num_rows == 2
    assert double.names == {(SCHEMA, "T")}


@pytest.mark.parametrize(
    ("native", "rows"),
    [
        ("CHAR(5)", pa.table({"v": ["a"]})),
        ("DATE", pa.table({"v": pa.array([0], pa.timestamp("us"))})),
        ("TIMESTAMP(3)", pa.table({"v": pa.array([0], pa.timestamp("us"))})),
        ("NUMBER(5,-2)", pa.table({"v": pa.array([1], pa.int8())})),
        ("BINARY_FLOAT", pa.table({"v": [0.1]})),
        ("NUMBER(5,0)", pa.table({"v": pa.array([1])})),
        ("INTERVAL DAY(2) TO SECOND(6)", pa.table({"v": ["a"]})),
    ],
)
def test_an_append_is_refused_where_the_target_would_change_values(
    double: OracleWritingDouble, native: str, rows: pa.Table
) -> None:
    double.execute(f'create table "{SCHEMA}"."T" ("V" {native})')
    with pytest.raises(errors.DataError, match="values could change") as raised:
        load(rows, mode="append")
    assert raised.value.column == "V"
    assert double.names == {(SCHEMA, "T")}


def test_a_table_of_other_digits_is_not_filled_by_its_rows(double: OracleWritingDouble) -> None:
    """A description says TIMESTAMP of both."""
    double.execute(f'create table "{SCHEMA}"."T" ("V" TIMESTAMP(0))')
    moment = dt.datetime(2024, 1, 1, 0, 0, 0, 999999)
    load(pa.table({"v": [moment]}))
    assert read().to_pylist() == [{"V": moment}]


def test_keys_are_meant_as_columns_are(double: OracleWritingDouble) -> None:
    load(ROWS)
    load(pa.table({"id": [2, 3], "word": ["two", "three"]}), mode="merge", unique_key=("id",))
    assert sorted(row["WORD"] for row in read().to_pylist()) == ["three", "two", "ä"]
    with pytest.raises(errors.DuplicateKeyError, match="ID = 4"):
        load(pa.table({"id": [4, 4], "word": ["a", "b"]}), mode="delete+insert", unique_key=("id",))


def test_a_text_that_is_too_long_for_the_target_leaves_it_as_it_was(double: OracleWritingDouble) -> None:
    double.execute(f'create table "{SCHEMA}"."T" ("ID" NUMBER(19,0), "WORD" VARCHAR2(3))')
    with pytest.raises(errors.DataError) as raised:
        load(pa.table({"id": [1], "word": ["long"]}), mode="append")
    assert raised.value.column == "WORD"
    assert read().num_rows == 0


def test_a_schema_is_a_user(double: OracleWritingDouble) -> None:
    with OracleLoader(connect()) as loader, pytest.raises(errors.RelationNotFoundError, match="CREATE USER") as raised:
        loader.ensure_schema(Relation("t", "nobody"))
    assert "NOBODY" in str(raised.value)


@live.ORACLE.needed
@pytest.mark.parametrize(("load_by", "method"), [("streaming", "direct_path"), ("buffered", "executemany")])
def test_a_live_server_takes_every_type(load_by: str, method: str) -> None:
    connection = Connection.from_output("live", {**live.ORACLE.output(), "dvt": {"load_by": load_by}}, SPEC)
    try:
        for _ in range(2):  # the second time by DELETE and INSERT
            assert load(EVERY, connection, "dvt_live_load").method == method
            assert read(connection, "dvt_live_load").to_pylist() == _read_back()
        merged = EVERY.slice(0, 1)
        load(merged, connection, "dvt_live_load", mode="append")
        load(merged, connection, "dvt_live_load", mode="delete+insert", unique_key=("i",))
        assert read(connection, "dvt_live_load").num_rows == 2
        load(ROWS, connection, "dvt_live_load")
        assert read(connection, "dvt_live_load").num_rows == 2
        with pytest.raises(errors.DataError, match="no empty texts"):
            load(pa.table({"word": [""]}), connection, "dvt_live_load")
    finally:
        with OracleLoader(connection) as loader:
            loader.drop(Relation("dvt_live_load"))
