"""What of a column's values has a place in Redshift, how it goes there, and what is refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dvt.types.redshift_landing import redshift_type, sent
from dvt.types.vocabulary import DATE_INFINITY, JSON, MICROS, MICROS_UTC, TIME, TIMESTAMP_MINUS_INFINITY

FITS: list[tuple[pa.DataType, Any, str, pa.DataType, Any]] = [
    (pa.int8(), -128, "smallint", pa.int16(), -128),
    (pa.uint32(), 2**32 - 1, "bigint", pa.int64(), 2**32 - 1),
    (pa.uint64(), 2**64 - 1, "numeric(20, 0)", pa.decimal128(20, 0), Decimal(2**64 - 1)),
    (pa.int64(), 5, "integer", pa.int32(), 5),
    (pa.int64(), 5, "numeric(5,2)", pa.decimal128(5, 2), Decimal(5)),
    (pa.decimal128(10, 3), Decimal("1.230"), "decimal(4, 2)", pa.decimal128(4, 2), Decimal("1.23")),
    (pa.float64(), 0.5, "real", pa.float32(), 0.5),
    (pa.int64(), 5, "varchar(3)", pa.string(), "5"),
    (pa.string(), "ab ", "character varying(3)", pa.string(), "ab "),
    (pa.string(), "é", "varchar(2)", pa.string(), "é"),
    (pa.string(), "a" * 65_535, "varchar(max)", pa.string(), "a" * 65_535),
    (pa.string(), "ab", "char(2)", pa.string(), "ab"),
    (pa.binary(), b"\x00\xff", "varbyte(2)", pa.binary(), b"\x00\xff"),
    (TIME, dt.time(1, 2, 3, 4), "time", pa.string(), "01:02:03.000004"),
    (MICROS, dt.datetime(2026, 1, 1), "date", pa.date32(), dt.date(2026, 1, 1)),
    (pa.string(), '{"a": 1}', "SUPER", pa.string(), '{"a": 1}'),
    (pa.list_(pa.int32()), [1, None], "varchar(9)", pa.string(), "[1,null]"),
]


@pytest.mark.parametrize(("type_", "value", "native", "carrier", "expected"), FITS)
def test_what_fits(type_: pa.DataType, value: Any, native: str, carrier: pa.DataType, expected: Any) -> None:
    column = sent(native)
    assert column is not None
    assert column.type == carrier
    found = column.values(pa.array([value, None], type_))
    assert found.type == carrier
    assert found.to_pylist() == [expected, None]


REFUSED: list[tuple[pa.DataType, Any, str]] = [
    (pa.int64(), 2**31, "integer"),
    (pa.decimal128(10, 3), Decimal("1.234"), "numeric(10, 2)"),
    (pa.decimal128(10, 0), Decimal(1000), "numeric(3, 0)"),
    (pa.float64(), 0.1, "real"),
    (pa.float64(), 0.5, "integer"),
    (pa.string(), "é", "varchar(1)"),
    (pa.string(), "ab ", "char(5)"),
    (pa.string(), "é", "char(5)"),
    (pa.string(), "a\0b", "varchar(9)"),
    (pa.string(), "a" * 65_536, "varchar(65535)"),
    (pa.binary(), b"123", "varbyte(2)"),
    (pa.date32(), pa.scalar(DATE_INFINITY, pa.int32()).cast(pa.date32()), "date"),
    (MICROS, pa.scalar(TIMESTAMP_MINUS_INFINITY, MICROS), "timestamp"),
    (MICROS, dt.datetime(2026, 1, 1, 1), "date"),
    (MICROS_UTC, pa.scalar(TIMESTAMP_MINUS_INFINITY, MICROS_UTC), "timestamptz"),
]


@pytest.mark.parametrize(("type_", "value", "native"), REFUSED)
def test_what_would_change_is_refused(type_: pa.DataType, value: Any, native: str) -> None:
    column = sent(native)
    assert column is not None
    array = pa.array([value], type_) if not isinstance(value, pa.Scalar) else pa.repeat(value, 1)
    with pytest.raises(ValueError, match=r"."):
        column.values(array)


@pytest.mark.parametrize(
    "native", ["timetz", "geometry", "varchar(3); drop table t", "hllsketch", "numeric(39, 0)", ""]
)
def test_types_that_nothing_is_sent_to(native: str) -> None:
    assert sent(native) is None


def test_every_type_of_its_own_is_one_that_is_sent() -> None:
    for type_ in (pa.uint64(), pa.float32(), pa.string(), pa.binary(), TIME, MICROS, MICROS_UTC, JSON, pa.uuid()):
        native = redshift_type(type_)
        assert native is not None
        assert sent(native) is not None


def test_literals_of_an_insert() -> None:
    texts = sent("varchar(20)")
    digits = sent("varbyte(9)")
    number = sent("numeric(5, 2)")
    time = sent("time")
    assert texts is not None
    assert digits is not None
    assert number is not None
    assert time is not None
    assert texts.literals(pa.array(["it's \\ %s", "", None])).to_pylist() == [
        "'it''s \\\\ %s'",
        "''",
        "cast(null as varchar(20))",
    ]
    assert digits.literals(pa.array([b"\x00\xff"])).to_pylist() == ["from_hex('00ff')"]
    assert number.literals(pa.array([Decimal("-1.50")])).to_pylist() == ["cast('-1.50' as numeric(5, 2))"]
    assert time.literals(time.values(pa.array([dt.time(1)]))).to_pylist() == ["cast('01:00:00' as time)"]


def test_nan_is_the_same_in_a_shorter_float() -> None:
    column = sent("real")
    assert column is not None
    found = column.values(pa.array([float("nan"), float("-inf"), 1.5, None]))
    assert str(found.to_pylist()) == "[nan, -inf, 1.5, None]"
    with pytest.raises(ValueError, match="none of float"):
        column.values(pa.array([float("nan"), 0.1]))
