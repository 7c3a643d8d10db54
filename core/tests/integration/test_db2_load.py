"""Writing Db2 over a double of its driver (tag: driver), and, where `DVT_LIVE_DB2_URL` is set, a real server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from servers import live
from servers.db2_driver import DATABASE, HOST, PASSWORD, PORT, SCHEMA, USER, db2_double
from servers.db2_writing import Db2WritingDouble

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.db2 import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.db2 import Db2Extractor
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.loaders.db2 import Db2Loader
from dvt.identifiers import Relation
from dvt.testing.streams import stream_of

OUTPUT = {
    "type": "db2",
    "host": HOST,
    "port": PORT,
    "database": DATABASE,
    "user": USER,
    "password": PASSWORD,
    "schema": SCHEMA,
}
ROWS = pa.table({"ID": pa.array([1, 2]), "WORD": ["ä ", None]})
EVERY = pa.table(
    {
        "ID": pa.array([1, 2]),
        "U": pa.array([2**64 - 1, None], pa.uint64()),
        "D": pa.array([Decimal("-0.0000000001"), None], pa.decimal128(31, 10)),
        "F": pa.array([0.1, None]),
        "T": ["größe 漢字 😀 ", ""],
        "B": pa.array([b"\0\xff", b""]),
        "DAY": pa.array([dt.date(1, 1, 1), None]),
        "M": pa.array([dt.datetime(9999, 12, 31, 23, 59, 59, 999999), None], pa.timestamp("us")),
        "L": pa.array([True, None]),
    }
)


@pytest.fixture
def double() -> Iterator[Db2WritingDouble]:
    with db2_double(Db2WritingDouble()) as made:
        yield made


def connect() -> Connection:
    return Connection.from_output("erp", OUTPUT, SPEC)


def load(rows: pa.Table, connection: Connection | None = None, name: str = "T", **more: Any) -> LoadResult:
    with Db2Loader(connection or connect()) as loader:
        return loader.load(stream_of(rows), LoadConfig(Relation(name), run_id="0c0ffee0", **more))


def read(connection: Connection | None = None, name: str = "T") -> list[dict[str, Any]]:
    with Db2Extractor(connection or connect()) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation(name))) as rows:
            return sorted(rows.to_table().to_pylist(), key=str)


def test_a_table_is_replaced_in_one_transaction(double: Db2WritingDouble) -> None:
    for _ in range(2):
        double.statements.clear()
        assert load(EVERY).method == "executemany"
        assert read() == sorted(EVERY.to_pylist(), key=str)
    private = f'"{SCHEMA}"."T__dvt_0c0ffee0"'
    said = [sql for sql in double.statements if sql.lower().startswith(("drop", "rename", "commit", "rollback"))]
    assert said == [f'drop table "{SCHEMA}"."T"', f'rename table {private} to "T"', "COMMIT", f"drop table {private}"]
    assert double.listed() == ["T"]


@pytest.mark.parametrize("fails", ["rename table", "drop table"])
def test_a_landing_that_breaks_leaves_the_old_table(double: Db2WritingDouble, fails: str) -> None:
    load(ROWS)
    double.fails_at = f'{fails} "{SCHEMA}"."T'
    with pytest.raises(errors.PrivilegeError):
        load(pa.table({"OTHER": [1]}))
    double.fails_at = ""
    assert read() == sorted(ROWS.to_pylist(), key=str)


@pytest.mark.parametrize(
    ("values", "declared", "message"),
    [
        (["ok", "x\0y"], "", "NUL character"),
        (["ok", "ä" * 16_337], "", "32674 long, and 32672"),
        (["ok", "ä" * 3], "varchar(5)", "6 long, and 5"),
        ([0.1, float("nan")], "", "NaN"),
        ([0.5, 0.1], "real", "none of float"),
        ([Decimal("1.5"), Decimal("1.25")], "decimal(5, 1)", "no place"),
        ([1, 40_000], "smallint", "no place"),
        ([dt.datetime(2024, 1, 1, 0, 0, 0, 1)], "timestamp(3)", "more than 3 digits"),
        ([dt.datetime(2024, 1, 1, 0, 0, 0, 1)], "date", "no place"),
        ([b"ok", b"abc"], "varbinary(2)", "3 long, and 2"),
    ],
)
def test_a_value_that_would_change_is_refused_with_its_column(
    double: Db2WritingDouble, values: list[Any], declared: str, message: str
) -> None:
    load(ROWS)
    with pytest.raises(errors.DataError, match=message) as raised:
        load(pa.table({"V": values}), **({"declared": {"V": declared}} if declared else {}))
    assert (raised.value.column, raised.value.connection) == ("V", "erp")
    assert len(read()) == 2
    assert double.listed() == ["T"]


def test_a_database_that_takes_empty_texts_for_null_gets_none(double: Db2WritingDouble) -> None:
    load(pa.table({"V": [""]}))
    assert read() == [{"V": ""}]
    double.empty_is_null = True
    with pytest.raises(errors.DataError, match="empty text for NULL") as raised:
        load(pa.table({"V": ["x", ""]}))
    assert raised.value.column == "V"


def test_another_code_page_gets_ascii_alone(double: Db2WritingDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servers.db2_driver.described", lambda native: ("VARCHAR", 32_672, 0, 819))
    with pytest.raises(errors.DataError, match="not ASCII") as raised:
        load(pa.table({"WORD": ["ä"]}))
    assert raised.value.column == "WORD"
    assert load(pa.table({"WORD": ["a"]})).rows == 1


@pytest.mark.parametrize("type_", ["char(3)", "decfloat(16)", "graphic(3)", "varchar(9) default 'x'"])
def test_types_that_change_values_cannot_be_declared(double: Db2WritingDouble, type_: str) -> None:
    with pytest.raises(errors.DataError, match="keeps every value") as raised:
        load(ROWS, declared={"WORD": type_})
    assert raised.value.column == "WORD"


@pytest.mark.parametrize(
    ("native", "rows", "message"),
    [
        ("CHAR(5)", pa.table({"V": ["a"]}), "values could change"),
        ("VARCHAR(3)", pa.table({"V": ["ab   "]}), "5 long, and the target takes 3"),
        ("TIMESTAMP(3)", pa.table({"V": pa.array([0], pa.timestamp("us"))}), "values could change"),
        ("DECFLOAT(16)", pa.table({"V": ["a"]}), "values could change"),
        ("INTEGER", pa.table({"V": pa.array([1])}), "values could change"),
    ],
)
def test_an_append_is_refused_where_the_target_would_change_values(
    double: Db2WritingDouble, native: str, rows: pa.Table, message: str
) -> None:
    double.execute(f'create table "{SCHEMA}"."T" ("V" {native})')
    with pytest.raises(errors.DataError, match=message) as raised:
        load(rows, mode="append")
    assert raised.value.column == "V"
    assert double.listed() == ["T"]


def test_texts_that_fit_a_shorter_column_are_appended(double: Db2WritingDouble) -> None:
    double.execute(f'create table "{SCHEMA}"."T" ("V" VARCHAR(3))')
    load(pa.table({"V": ["a  ", None]}), mode="append")
    assert read() == [{"V": "a  "}, {"V": None}]


@live.DB2.needed
def test_a_live_server_takes_every_type() -> None:
    connection = Connection.from_output("live", live.DB2.output(), SPEC)
    try:
        for _ in range(2):
            load(EVERY, connection, "DVT_LIVE_LOAD")
            assert read(connection, "DVT_LIVE_LOAD") == sorted(EVERY.to_pylist(), key=str)
        load(EVERY.slice(0, 1), connection, "DVT_LIVE_LOAD", mode="append")
        load(EVERY.slice(0, 1), connection, "DVT_LIVE_LOAD", mode="delete+insert", unique_key=("ID",))
        load(EVERY.slice(1, 1), connection, "DVT_LIVE_LOAD", mode="merge", unique_key=("ID",))
        assert read(connection, "DVT_LIVE_LOAD") == sorted(EVERY.to_pylist(), key=str)
    finally:
        with Db2Loader(connection) as loader:
            loader.drop(Relation("DVT_LIVE_LOAD"))
