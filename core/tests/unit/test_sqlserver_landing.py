"""What SQL Server has no place for is refused by its column before it is sent; all else stays as it is."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from dvt.connections.connection import Connection
from dvt.connections.sqlserver import SPEC
from dvt.errors import DataError
from dvt.federation.loaders.sqlserver import SqlServerLoader
from dvt.types.sqlserver_landing import Sending, is_declarable, sqlserver_type
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID

_UTF8 = "varchar(4) collate Latin1_General_100_CI_AS_SC_UTF8"
_SECOND = dt.datetime(2024, 2, 29, 23, 59, 59)


@pytest.mark.parametrize(
    ("native", "values"),
    [
        ("nvarchar(4)", pa.array(["äöüß", "😀😀", "", None])),
        ("varchar(4)", pa.array(["abcd", None])),
        ("varchar(max)", pa.array(["abcd" * 3000])),
        (_UTF8, pa.array(["abcd"])),
        ("varbinary(2)", pa.array([b"\x00\xff", None])),
        ("datetime2(0)", pa.array([_SECOND, None], MICROS)),
        ("datetime2(3)", pa.array([_SECOND.replace(microsecond=123_000)], MICROS)),
        ("time(0)", pa.array([dt.time(23, 59, 59)], TIME)),
        ("datetime2(7)", pa.array([100, None], pa.timestamp("ns"))),
        ("float", pa.array([None, -0.0, 5e-324])),
        ("date", pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31)])),
    ],
)
def test_what_fits_is_sent_as_it_is(native: str, values: pa.Array) -> None:
    assert Sending("v", native).sent(values).equals(values)


@pytest.mark.parametrize(
    ("native", "values", "word"),
    [
        ("nvarchar(4)", pa.array(["abcde"]), "longer"),
        ("nvarchar(3)", pa.array(["😀😀"]), "longer"),  # two places each
        ("varchar(9)", pa.array(["漢"]), "ASCII"),
        (_UTF8, pa.array(["é"]), "ASCII"),
        ("varbinary(1)", pa.array([b"\x00\xff"]), "longer"),
        ("float", pa.array([1.0, float("nan")]), "NaN"),
        ("real", pa.array([float("inf")], pa.float32()), "NaN"),
        ("real", pa.array([0.1]), "none of real"),
        ("int", pa.array([2**31]), "none of int"),
        ("bit", pa.array([2]), "none of bit"),
        ("decimal(5, 2)", pa.array([Decimal("1.234")], pa.decimal128(10, 3)), "none of decimal"),
        ("decimal(5, 2)", pa.array([Decimal("1000.00")], pa.decimal128(10, 2)), "none of decimal"),
        ("date", pa.array([_SECOND], MICROS), "none of date"),
        ("datetime2(3)", pa.array([_SECOND.replace(microsecond=123_400)], MICROS), "more than 3 digits"),
        ("time(0)", pa.array([dt.time(0, 0, 0, 1)], TIME), "more than 0 digits"),
        ("datetime2(7)", pa.array([101], pa.timestamp("ns")), "more than 7 digits"),
        ("date", pa.array([-800_000], pa.int32()).view(pa.date32()), "years 1 to 9999"),
        ("datetime2(6)", pa.array([2**63 - 1], pa.int64()).view(MICROS), "years 1 to 9999"),
        ("datetimeoffset(6)", pa.array([-(2**62)], pa.int64()).view(MICROS_UTC), "years 1 to 9999"),
    ],
)
def test_what_does_not_fit_is_refused(native: str, values: pa.Array, word: str) -> None:
    with pytest.raises(DataError, match=word) as raised:
        Sending("v", native).sent(values)
    assert raised.value.column == "v"


def test_declared_types_that_change_values_are_refused() -> None:
    changing = ["char(3)", "nchar(3)", "money", "datetime", "smalldatetime", "float(24)", "xml", "int; drop table t"]
    assert [each for each in changing if is_declarable(each)] == []


def test_types_without_a_place_have_none() -> None:
    assert [sqlserver_type(each) for each in (pa.list_(pa.int8()), pa.decimal256(50, 2), pa.duration("us"))] == [
        None
    ] * 3
    assert [sqlserver_type(each) for each in (JSON, UUID)] == ["nvarchar(max)", "uniqueidentifier"]


def test_a_token_that_is_given_is_no_way_into_the_bulk_load() -> None:
    def lacking(**login: str) -> str | None:
        output = {"type": "sqlserver", "server": "h", "database": "d", **login}
        loader = SqlServerLoader(Connection.from_output("shop", output, SPEC))
        (method,) = loader.methods(None)  # type: ignore[arg-type]
        return method.lacks()

    assert lacking(user="u", password="p") is None
    said = lacking(authentication="ActiveDirectoryAccessToken", access_token="t0ken", access_token_expires_on="1")
    assert said is not None
    assert "access_token" in said
    assert "t0ken" not in said
