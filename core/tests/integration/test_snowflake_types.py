"""Every type of Snowflake by value: chunks in the server's own wire form, through the vendor's connector.

The chunks are made here, as the connector's sources say that the server makes them; fakesnow holds no such values.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from integration.snowflake_kit import connect, described, read, wire
from servers.snowflake import SnowflakeServer

from dvt import errors
from dvt.types.vocabulary import JSON

pytestmark = pytest.mark.snowflake

UTC = dt.timezone.utc
BIG = Decimal("99999999999999999999999999999999999999")
D = described


def moments(epochs: list[int | None]) -> pa.Array:
    return pa.array(epochs, pa.int64())


def zoned(pairs: list[tuple[int, int] | None]) -> pa.Array:
    """TIMESTAMP_TZ of up to six digits: ticks of the scale, and minutes of the offset with 1440 added."""
    fields = [pa.field("epoch", pa.int64()), pa.field("timezone", pa.int32())]
    made = [None if pair is None else {"epoch": pair[0], "timezone": pair[1] + 1440} for pair in pairs]
    return pa.array(made, pa.struct(fields))


# What the server describes, what it sends for the column, and the values that it means.
CASES: dict[str, tuple[dict[str, Any], pa.Array, pa.DataType, list[Any]]] = {
    "narrow": (D("C", "fixed", 38, 0), pa.array([1, None, -128], pa.int8()), pa.decimal128(38, 0), [1, None, -128]),
    "wide": (D("C", "fixed", 38, 0), pa.array([BIG, None], pa.decimal128(38, 0)), pa.decimal128(38, 0), [BIG, None]),
    "small": (D("C", "fixed", 9, 0), pa.array([7, None], pa.int16()), pa.int64(), [7, None]),
    "all null": (D("C", "fixed", 9, 0), pa.array([None, None], pa.int8()), pa.int64(), [None, None]),
    "scaled int8": (
        *(D("C", "fixed", 10, 2), pa.array([125, -1, None], pa.int8()), pa.decimal128(10, 2)),
        [Decimal("1.25"), Decimal("-0.01"), None],
    ),
    # A double would not hold it.
    "scaled int64": (
        *(D("C", "fixed", 18, 1), pa.array([900719925474099301], pa.int64()), pa.decimal128(18, 1)),
        [Decimal("90071992547409930.1")],
    ),
    "scaled decimal": (
        *(D("C", "fixed", 38, 37), pa.array([Decimal("1." + "1" * 37)], pa.decimal128(38, 37))),
        *(pa.decimal128(38, 37), [Decimal("1." + "1" * 37)]),
    ),
    "float": (
        *(D("C", "real"), pa.array([0.1, float("inf"), -0.0, None], pa.float64()), pa.float64()),
        [0.1, float("inf"), -0.0, None],
    ),
    "text": (D("C", "text"), pa.array(["", None, "ä🙂\0\r\n"], pa.string()), pa.string(), ["", None, "ä🙂\0\r\n"]),
    "boolean": (D("C", "boolean"), pa.array([True, None, False]), pa.bool_(), [True, None, False]),
    "date": (
        *(D("C", "date"), pa.array([0, -719162, 2932896, None], pa.int32()).view(pa.date32()), pa.date32()),
        [dt.date(1970, 1, 1), dt.date(1, 1, 1), dt.date(9999, 12, 31), None],
    ),
    "binary": (D("C", "binary"), pa.array([b"\0\xff", b"", None]), pa.binary(), [b"\0\xff", b"", None]),
    "variant": (
        *(D("C", "variant"), pa.array(['{"a":1}', "null", None], pa.string()), JSON),
        ['{"a":1}', "null", None],
    ),
    "object": (D("C", "object"), pa.array(['{"a":[1,2]}'], pa.string()), JSON, ['{"a":[1,2]}']),
    "array": (D("C", "array"), pa.array(['[1,"x",null]'], pa.string()), JSON, ['[1,"x",null]']),
    "time(0)": (
        D("C", "time", 0, 0),
        pa.array([86399, None], pa.int32()),
        pa.time64("us"),
        [dt.time(23, 59, 59), None],
    ),
    "time(6)": (D("C", "time", 0, 6), pa.array([1, None]), pa.time64("us"), [dt.time(0, 0, 0, 1), None]),
    "ntz(0)": (
        *(D("C", "timestamp_ntz", 0, 0), moments([-1, None, 253402300799]), pa.timestamp("us")),
        [dt.datetime(1969, 12, 31, 23, 59, 59), None, dt.datetime(9999, 12, 31, 23, 59, 59)],
    ),
    "ntz(2)": (
        *(D("C", "timestamp_ntz", 0, 2), moments([150]), pa.timestamp("us")),
        [dt.datetime(1970, 1, 1, 0, 0, 1, 500000)],
    ),
    "ntz(6)": (
        *(D("C", "timestamp_ntz", 0, 6), moments([-62135596800000000, 253402300799999999]), pa.timestamp("us")),
        [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)],
    ),
    "ltz(6)": (
        *(D("C", "timestamp_ltz", 0, 6), moments([1500000, None]), pa.timestamp("us", "UTC")),
        [dt.datetime(1970, 1, 1, 0, 0, 1, 500000, UTC), None],
    ),
    "tz(3)": (
        *(D("C", "timestamp_tz", 0, 3, byteLength=8), zoned([(1500, 120), None]), pa.timestamp("us", "UTC")),
        [dt.datetime(1970, 1, 1, 0, 0, 1, 500000, UTC), None],
    ),
    "vector": (
        *(D("C", "vector", vectorDimension=2, fields=[D("", "real", nullable=False)]),),
        *(pa.array([[0.5, 1.1], None], pa.list_(pa.float32(), 2)), pa.list_(pa.float32())),
        [[0.5, pa.scalar(1.1, pa.float32()).as_py()], None],
    ),
}


def values(table: pa.Table) -> list[Any]:
    column = table.column(0).combine_chunks()
    return (column.storage if isinstance(column, pa.ExtensionArray) else column).to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", CASES)
def test_a_type_by_value(snowflake_server: SnowflakeServer, name: str) -> None:
    column, sent, type_, wanted = CASES[name]
    snowflake_server.can("CANNED_TYPE", [column], [wire((column, sent))])
    found = read(connect(snowflake_server), "canned_type")
    assert found.schema.types == [type_]
    assert values(found) == wanted
    assert str(values(found)).count("-0.0") == str(wanted).count("-0.0")


def test_batches_of_other_widths_have_one_type(snowflake_server: SnowflakeServer) -> None:
    column = D("C", "fixed", 38, 0)
    chunks = [pa.array([None], pa.int8()), pa.array([300], pa.int16()), pa.array([BIG], pa.decimal128(38, 0))]
    snowflake_server.can("CANNED_WIDTHS", [column], [wire((column, chunk)) for chunk in chunks])
    found = read(connect(snowflake_server), "canned_widths")
    assert found.schema.types == [pa.decimal128(38, 0)]
    assert values(found) == [None, 300, BIG]


def test_whole_numbers_as_bigint(snowflake_server: SnowflakeServer) -> None:
    column = D("C", "fixed", 38, 0)
    connection = connect(snowflake_server, whole_numbers_as="bigint")
    largest = Decimal(2**63 - 1)
    chunks = [pa.array([1], pa.int8()), pa.array([largest], pa.decimal128(38, 0))]
    snowflake_server.can("CANNED_BIGINT", [column], [wire((column, chunk)) for chunk in chunks])
    found = read(connection, "canned_bigint")
    assert (found.schema.types, values(found)) == ([pa.int64()], [1, 2**63 - 1])
    snowflake_server.can("CANNED_BIGINT", [column], [wire((column, pa.array([largest + 1], pa.decimal128(38, 0))))])
    with pytest.raises(errors.DataError, match="whole_numbers_as: decimal") as caught:
        read(connection, "canned_bigint")
    assert caught.value.column == "C"


# Of these the server is asked for another form: what it describes, what it sends then, and what is carried.
@pytest.mark.parametrize(
    ("asked", "sent", "arrays", "type_", "wanted"),
    [
        (
            D("C", "timestamp_ntz", 0, 9),
            [D("C", "timestamp_ntz", 0, 6), D("CUT", "fixed", 9, 0)],
            [moments([253402300799000001, -1, None]), pa.array([0, 0, None], pa.int8())],
            pa.timestamp("us"),
            [dt.datetime(9999, 12, 31, 23, 59, 59, 1), dt.datetime(1969, 12, 31, 23, 59, 59, 999999), None],
        ),
        (
            D("C", "timestamp_tz", 0, 9, byteLength=16),
            [D("C", "timestamp_tz", 0, 6, byteLength=8), D("CUT", "fixed", 9, 0)],
            [zoned([(1, -720)]), pa.array([0], pa.int8())],
            pa.timestamp("us", "UTC"),
            [dt.datetime(1970, 1, 1, 0, 0, 0, 1, UTC)],
        ),
        (
            D("C", "time", 0, 9),
            [D("C", "text")],
            [pa.array(["23:59:59.999999000", "00:00:00.000000000", None])],
            pa.time64("us"),
            [dt.time(23, 59, 59, 999999), dt.time(0), None],
        ),
        (
            D("C", "text", extTypeName="GEOGRAPHY"),
            [D("C", "binary")],
            [pa.array([b"\1\1", None])],
            pa.binary(),
            [b"\1\1", None],
        ),
    ],
    ids=["ntz(9)", "tz(9)", "time(9)", "geography"],
)
def test_a_type_that_is_asked_for_in_another_form(
    snowflake_server: SnowflakeServer,
    asked: dict[str, Any],
    sent: list[dict[str, Any]],
    arrays: list[pa.Array],
    type_: pa.DataType,
    wanted: list[Any],
) -> None:
    chunk = wire(*zip(sent, arrays, strict=True))
    snowflake_server.can("CANNED_FORM", [asked], [chunk], sent=sent)
    found = read(connect(snowflake_server), "canned_form")
    assert found.schema.types == [type_]
    assert values(found) == wanted


def test_zoned_moments_as_text(snowflake_server: SnowflakeServer) -> None:
    snowflake_server.can(
        "CANNED_ZONED",
        [D("C", "timestamp_tz", 0, 9)],
        [wire((D("C", "text"), pa.array(["2024-01-01 10:00:00.123456789 +02:00"])))],
        sent=[D("C", "text")],
    )
    found = read(connect(snowflake_server, zoned_as="text"), "canned_zoned")
    assert values(found) == ["2024-01-01 10:00:00.123456789 +02:00"]
    assert "TO_VARCHAR(\"C\", 'YYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM')" in snowflake_server.statements()[-1]


@pytest.mark.parametrize(
    ("asked", "sent", "arrays"),
    [
        (
            D("C", "timestamp_ntz", 0, 9),
            [D("C", "timestamp_ntz", 0, 6), D("CUT", "fixed", 9, 0)],
            [moments([1, 1]), pa.array([0, 1], pa.int16())],
        ),
        (D("C", "time", 0, 9), [D("C", "text")], [pa.array(["00:00:00.000000001"])]),
    ],
)
def test_nanoseconds_stop_the_run(
    snowflake_server: SnowflakeServer, asked: dict[str, Any], sent: list[dict[str, Any]], arrays: list[pa.Array]
) -> None:
    snowflake_server.can("CANNED_NANOS", [asked], [wire(*zip(sent, arrays, strict=True))], sent=sent)
    with pytest.raises(errors.DataError) as caught:
        read(connect(snowflake_server), "canned_nanos")
    assert (caught.value.connection, caught.value.relation, caught.value.column) == (
        *("shop", "SHOP.PUBLIC.CANNED_NANOS"),
        "C",
    )


def test_a_type_without_a_carrier_is_refused_by_name(snowflake_server: SnowflakeServer) -> None:
    snowflake_server.can("CANNED_FILE", [D("A", "fixed", 9, 0), D("C", "text", extTypeName="FILE")])
    with pytest.raises(errors.UnsupportedError, match="no type carries FILE") as caught:
        read(connect(snowflake_server), "canned_file")
    assert caught.value.column == "C"
