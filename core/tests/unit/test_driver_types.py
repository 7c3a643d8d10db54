"""The type tables of engines that are read by a driver's rows: Db2 and Teradata."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dvt.types import db2, teradata
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME

PLUS_TWO = dt.timezone(dt.timedelta(hours=2))
FF6 = "VARCHAR_FORMAT({c}, 'YYYY-MM-DD HH24:MI:SS.FF6')"
FF12 = "VARCHAR_FORMAT({c}, 'YYYY-MM-DD HH24:MI:SS.FF12')"

# Native type, what carries it, how it is asked for, a value of the driver's, and what becomes of it.
DB2: list[tuple[str, pa.DataType, str, Any, Any]] = [
    ("SMALLINT", pa.int16(), "{c}", -32768, -32768),
    ("INTEGER", pa.int32(), "{c}", 2**31 - 1, 2**31 - 1),
    ("BIGINT", pa.int64(), "{c}", -(2**63), -(2**63)),
    ("REAL", pa.float32(), "{c}", 1.5, 1.5),
    ("DOUBLE", pa.float64(), "{c}", -0.1, -0.1),
    ("DECIMAL(31,31)", pa.decimal128(31, 31), "{c}", "0." + "9" * 31, Decimal("0." + "9" * 31)),
    ("DECIMAL(5,2)", pa.decimal128(5, 2), "{c}", Decimal("-1.50"), Decimal("-1.50")),
    ("DECFLOAT", pa.string(), "CAST({c} AS VARCHAR(42))", "sNaN", "sNaN"),
    ("BOOLEAN", pa.bool_(), "{c}", 1, True),
    ("BOOLEAN", pa.bool_(), "{c}", False, False),
    ("CHARACTER(5)", pa.string(), "{c}", " a   ", " a"),
    ("CHARACTER(5)", pa.string(), "{c}", "a\t   ", "a\t"),
    ("VARCHAR(5)", pa.string(), "{c}", "a ", "a "),
    ("CHARACTER(2) FOR BIT DATA", pa.binary(), "{c}", b"\0 ", b"\0 "),
    ("VARCHAR(2) FOR BIT DATA", pa.binary(), "{c}", b"", b""),
    ("GRAPHIC(3)", pa.string(), "{c}", "漢  ", "漢"),
    ("VARGRAPHIC(3)", pa.string(), "{c}", "漢\u3000", "漢\u3000"),
    ("LONG VARCHAR(32700)", pa.string(), "CAST({c} AS CLOB(32700))", "a", "a"),
    ("CLOB", pa.string(), "{c}", "", ""),
    ("DBCLOB", pa.string(), "{c}", "漢", "漢"),
    ("BINARY(2)", pa.binary(), "{c}", b"\0\0", b"\0\0"),
    ("VARBINARY(2)", pa.binary(), "{c}", b"\0", b"\0"),
    ("BLOB", pa.binary(), "{c}", memoryview(b"\0\xff"), b"\0\xff"),
    ("DATE", pa.date32(), "{c}", dt.date(9999, 12, 31), dt.date(9999, 12, 31)),
    ("TIME", TIME, "CHAR({c}, JIS)", "23:59:59", dt.time(23, 59, 59)),
    ("TIMESTAMP(0)", MICROS, FF6, "0001-01-01 00:00:00.000000", dt.datetime(1, 1, 1)),
    ("TIMESTAMP(6)", MICROS, FF6, "2026-01-31 23:59:59.000001", dt.datetime(2026, 1, 31, 23, 59, 59, 1)),
    ("TIMESTAMP(12)", pa.string(), FF12, "2026-01-31 23:59:59.000000000001", "2026-01-31 23:59:59.000000000001"),
    (
        *("XML", pa.string(), "XMLSERIALIZE({c} AS CLOB(2147483647) EXCLUDING XMLDECLARATION)"),
        *("<a/>", "<a/>"),
    ),
    ("ROWID", pa.string(), "HEX({c})", "00FF", "00FF"),
]
TERADATA: list[tuple[str, pa.DataType, str, Any, Any]] = [
    ("BYTEINT", pa.int8(), "{c}", -128, -128),
    ("BIGINT", pa.int64(), "{c}", 2**63 - 1, 2**63 - 1),
    ("FLOAT", pa.float64(), "{c}", 1.5, 1.5),
    ("DECIMAL(38,2)", pa.decimal128(38, 2), "{c}", Decimal("9" * 36 + ".99"), Decimal("9" * 36 + ".99")),
    ("NUMBER(10,0)", pa.decimal128(10, 0), "{c}", Decimal(7), Decimal(7)),
    ("NUMBER", pa.string(), "{c}", Decimal("1E-10"), "0.0000000001"),
    ("CHAR", pa.string(), "{c}", " a           ", " a"),
    ("VARCHAR", pa.string(), "{c}", "a ", "a "),
    ("BYTE", pa.binary(), "{c}", b"\0 ", b"\0 "),
    ("DATE", pa.date32(), "{c}", dt.date(1, 1, 1), dt.date(1, 1, 1)),
    ("TIME", TIME, "{c}", dt.time(23, 59, 59, 999999), dt.time(23, 59, 59, 999999)),
    ("TIME WITH TIME ZONE", pa.string(), "{c}", dt.time(1, 2, 3, tzinfo=PLUS_TWO), "01:02:03+02:00"),
    ("TIMESTAMP", MICROS, "{c}", dt.datetime(2026, 1, 31, 0, 0, 0, 1), dt.datetime(2026, 1, 31, 0, 0, 0, 1)),
    (
        *("TIMESTAMP WITH TIME ZONE", MICROS_UTC, "{c}", dt.datetime(2026, 1, 1, 1, tzinfo=PLUS_TWO)),
        dt.datetime(2025, 12, 31, 23, tzinfo=dt.timezone.utc),
    ),
    ("INTERVAL DAY TO SECOND", pa.string(), "{c}", " 1 02:03:04.000000", " 1 02:03:04.000000"),
    ("PERIOD(DATE)", pa.string(), "{c}", "(2026-01-01, 2026-02-01)", "(2026-01-01, 2026-02-01)"),
    ("JSON", pa.string(), "{c}", "{}", "{}"),
]


@pytest.mark.parametrize(
    ("native", "type_", "sent", "value", "carried"), DB2, ids=lambda part: str(part).partition(" at 0x")[0][:30]
)
def test_db2(native: str, type_: pa.DataType, sent: str, value: Any, carried: Any) -> None:
    found = db2.reading(native)
    assert (found.type, found.sent, found.refused) == (type_, sent, "")
    assert found.array([None, value]).to_pylist() == [None, carried]


@pytest.mark.parametrize(
    ("native", "type_", "sent", "value", "carried"), TERADATA, ids=lambda part: str(part).partition(" at 0x")[0][:30]
)
def test_teradata(native: str, type_: pa.DataType, sent: str, value: Any, carried: Any) -> None:
    found = teradata.reading(native)
    assert (found.type, found.sent, found.refused) == (type_, sent, "")
    assert found.array([None, value]).to_pylist() == [None, carried]


@pytest.mark.parametrize(
    ("native", "value"),
    [
        ("INTEGER", "1"),
        ("SMALLINT", 32768),
        ("DOUBLE", "1.5"),  # what a DECFLOAT would be
        ("DECIMAL(5,2)", "1.555"),
        ("DECIMAL(5,2)", "1,55"),
        ("DECIMAL(5,2)", "NaN"),
        ("BOOLEAN", 2),
        ("BOOLEAN", "yes"),
        ("VARCHAR(5)", b"a"),
        ("BLOB", "a"),
        ("DATE", dt.datetime(2026, 1, 1, 1)),
        ("TIME", "24:00:00"),
        ("TIMESTAMP(6)", "2026-01-31 24:00:00.000000"),
        ("TIMESTAMP(6)", dt.datetime(2026, 1, 31, tzinfo=PLUS_TWO)),
    ],
)
def test_db2_refuses(native: str, value: Any) -> None:
    with pytest.raises(ValueError):
        db2.reading(native).array([value])


@pytest.mark.parametrize(
    ("native", "value"),
    [
        ("BYTEINT", 128),
        ("DECIMAL(5,2)", Decimal("1.555")),
        ("NUMBER", 1.5),
        ("NUMBER", "1.5"),
        ("TIMESTAMP", dt.datetime(2026, 1, 31, tzinfo=PLUS_TWO)),
        ("TIMESTAMP WITH TIME ZONE", dt.datetime(2026, 1, 31)),
        ("TIME", dt.time(1, tzinfo=PLUS_TWO)),
        ("TIME WITH TIME ZONE", "01:02:03"),
        ("DATE", 1260131),
    ],
)
def test_teradata_refuses(native: str, value: Any) -> None:
    with pytest.raises(ValueError):
        teradata.reading(native).array([value])


def test_types_without_a_carrier_say_so() -> None:
    for table, native in ((db2, "ST_POINT"), (db2, "ROW_TYPE(3)"), (teradata, "ST_GEOMETRY"), (teradata, "DATASET")):
        assert native in table.reading(native).refused  # type: ignore[attr-defined]


def test_times_as_text() -> None:
    assert db2.reading("TIME", time_as="text").array(["24:00:00"]).to_pylist() == ["24:00:00"]


def test_names_in_the_catalogue() -> None:
    assert db2.native_type("VARCHAR", 20, 0, 1208) == "VARCHAR(20)"
    assert db2.native_type("VARCHAR", 20, 0, 0) == "VARCHAR(20) FOR BIT DATA"
    assert db2.native_type("LONG VARCHAR", 32700, 0, 1208) == "LONG VARCHAR(32700)"
    assert db2.native_type("LONG VARCHAR", 32700, 0, 0) == "LONG VARCHAR(32700) FOR BIT DATA"
    assert db2.native_type("BLOB", 1000, 0, 0) == "BLOB"
    for native in ("LONG VARCHAR(32700)", "LONG VARCHAR(32700) FOR BIT DATA"):
        assert not db2.reading(native).refused


def test_a_name_is_put_in_whole() -> None:
    assert db2.reading("TIME").sql('"a{c}b"') == 'CHAR("a{c}b", JIS)'
