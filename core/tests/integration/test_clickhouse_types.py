"""ClickHouse's types, value by value: what arrives is what the server's own text of each value says."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from integration.clickhouse_kit import connect, read
from servers.clickhouse import ClickHouseServer

from dvt import errors
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.clickhouse import ClickHouseExtractor
from dvt.identifiers import Relation
from dvt.types.vocabulary import JSON, MICROS_UTC, TIME, UUID

pytestmark = pytest.mark.clickhouse

Here = Callable[[pa.Scalar], str]


def _plain(scalar: pa.Scalar) -> str:
    return str(scalar.as_py()).lower() if isinstance(scalar, pa.BooleanScalar) else str(scalar.as_py())


def _number(type_: pa.DataType) -> Here:
    return lambda scalar: str(scalar.cast(type_).as_py())


def _bits(letter: str, unsigned: str) -> Here:
    return lambda scalar: str(struct.unpack(unsigned, struct.pack(letter, scalar.as_py()))[0])


def _hex(scalar: pa.Scalar) -> str:
    value = scalar.as_py()
    return (value if isinstance(value, bytes) else value.encode()).hex().upper()


def _json(scalar: pa.Scalar) -> str:
    value = scalar.as_py()
    return json.dumps(dict(value) if pa.types.is_map(scalar.type) else value, separators=(",", ":"), ensure_ascii=False)


def _digits(scalar: pa.Scalar) -> str:
    text = format(scalar.as_py(), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text  # as the server prints it


_FLOAT64 = ("toString(reinterpretAsUInt64(assumeNotNull(v)))", _bits("<d", "<Q"))
_FLOAT32 = ("toString(reinterpretAsUInt32(assumeNotNull(v)))", _bits("<f", "<I"))
_MICROS = ("toUnixTimestamp64Micro(toDateTime64(v, 6))", _number(pa.int64()))
_DAYS = ("toInt32(v)", _number(pa.int32()))
_TEXT = ("hex(v)", _hex)
_AS_TEXT = ("hex(toString(v))", _hex)
_NUMBERS = ("v", _plain)
_EXACT = ("v", _digits)
_NESTED = ("toJSONString(v)", _json)

# Type, values as ClickHouse reads them, what carries it, the server's own text, and what ours has to be for that.
CASES: tuple[tuple[str, tuple[str, ...], pa.DataType, tuple[str, Here]], ...] = (
    ("Bool", ("true", "false"), pa.bool_(), _NUMBERS),
    ("Int8", ("-128", "127"), pa.int8(), _NUMBERS),
    ("Int16", ("-32768", "32767"), pa.int16(), _NUMBERS),
    ("Int32", ("-2147483648", "2147483647"), pa.int32(), _NUMBERS),
    ("Int64", ("-9223372036854775808", "9223372036854775807"), pa.int64(), _NUMBERS),
    ("UInt8", ("0", "255"), pa.uint8(), _NUMBERS),
    ("UInt16", ("65535",), pa.uint16(), _NUMBERS),
    ("UInt32", ("4294967295",), pa.uint32(), _NUMBERS),
    ("UInt64", ("18446744073709551615",), pa.uint64(), _NUMBERS),
    ("Int128", ("'-99999999999999999999999999999999999999'", "5"), pa.decimal128(38, 0), _EXACT),
    ("UInt128", ("'99999999999999999999999999999999999999'", "0"), pa.decimal128(38, 0), _EXACT),
    ("Int256", ("'-99999999999999999999999999999999999999'", "7"), pa.decimal128(38, 0), _EXACT),
    ("UInt256", ("'99999999999999999999999999999999999999'",), pa.decimal128(38, 0), _EXACT),
    ("Float64", ("-0.0", "5e-324", "1.7976931348623157e308", "0.1", "nan", "inf", "-inf"), pa.float64(), _FLOAT64),
    ("Float32", ("-0.0", "1e-45", "3.4028235e38", "0.1", "nan", "inf"), pa.float32(), _FLOAT32),
    ("Decimal(9, 2)", ("'-1234567.89'", "'0.10'"), pa.decimal128(9, 2), _EXACT),
    ("Decimal(38, 38)", ("'0.12345678901234567890123456789012345678'",), pa.decimal128(38, 38), _EXACT),
    ("Decimal(76, 30)", ("'12345678.123456789012345678901234567891'", "'-1'"), pa.decimal128(38, 30), _EXACT),
    ("String", ("''", "' a '", "'ä🙂\\\\'", "'a\\0b'", "'\\n\\t'", "'NULL'"), pa.string(), _TEXT),
    ("LowCardinality(String)", ("'x'", "''"), pa.string(), _TEXT),
    ("UUID", ("'6f2c1f9e-1111-4222-8333-444455556666'",), UUID, _NUMBERS),
    ("Date", ("'1970-01-01'", "'2149-06-06'"), pa.date32(), _DAYS),
    ("Date32", ("'1900-01-01'", "'2299-12-31'"), pa.date32(), _DAYS),
    ("DateTime", ("'1970-01-01 00:00:00'", "'2106-02-07 06:28:15'"), MICROS_UTC, _MICROS),
    ("DateTime('America/Lima')", ("'2024-03-31 02:30:00'",), MICROS_UTC, _MICROS),
    ("DateTime64(0)", ("'1925-01-01 00:00:00'",), MICROS_UTC, _MICROS),
    ("DateTime64(1)", ("'2024-01-01 00:00:00.5'",), MICROS_UTC, _MICROS),
    ("DateTime64(3, 'Europe/Berlin')", ("'2024-10-27 02:30:00.123'",), MICROS_UTC, _MICROS),
    ("DateTime64(6)", ("'1900-01-01 00:00:00.000001'", "'2299-12-31 23:59:59.999999'"), MICROS_UTC, _MICROS),
    ("DateTime64(9, 'UTC')", ("'2024-01-01 00:00:00.123456000'",), MICROS_UTC, _MICROS),
    ("Time", ("'00:00:00'", "'23:59:59'"), TIME, _NUMBERS),
    ("Time64(6)", ("'23:59:59.999999'",), TIME, _NUMBERS),
    ("Enum8('a' = -1, 'b,\\'x' = 2)", ("'a'", "'b,\\'x'"), pa.string(), _AS_TEXT),
    ("Enum16('ü' = 1000)", ("'ü'",), pa.string(), _AS_TEXT),
    ("IPv4", ("'1.2.3.4'", "'255.255.255.255'"), pa.string(), _AS_TEXT),
    ("IPv6", ("'::1'", "'2001:db8::1'"), pa.string(), _AS_TEXT),
)
_NOT_NULLABLE = (
    ("LowCardinality(Nullable(String))", ("'x'", "NULL", "''"), pa.string(), _TEXT),
    ("Array(Int32)", ("[1, 2]", "[]"), pa.list_(pa.int32()), _NESTED),
    ("Array(Array(Nullable(String)))", ("[['a', NULL], []]",), pa.list_(pa.list_(pa.string())), _NESTED),
    ("Array(Enum8('a' = 1))", ("['a', 'a']",), pa.list_(pa.string()), _NESTED),
    ("Map(String, UInt8)", ("map('a', 1, 'b', 2)",), pa.map_(pa.string(), pa.uint8()), _NESTED),
    ("Map(Int8, IPv4)", ("map(1, '1.2.3.4')",), pa.map_(pa.string(), pa.string()), _NESTED),
    (
        "Tuple(x Int8, `y z` Nullable(String), e Enum8('q' = 1))",
        ("(1, 'ä', 'q')", "(2, NULL, 'q')"),
        pa.struct([("x", pa.int8()), ("y z", pa.string()), ("e", pa.string())]),
        _NESTED,
    ),
    ("Array(Tuple(a Int8, b String))", ("[(1, 'x')]",), None, _NESTED),
    ("Array(DateTime('America/Lima'))", (), pa.list_(MICROS_UTC), _NESTED),
    ("Point", ("(1.5, 2)",), pa.string(), _AS_TEXT),
    ("Variant(Int64, String)", ("5::Int64", "'a'", "NULL"), pa.string(), _AS_TEXT),
    ("Dynamic", ("5", "'a'", "NULL", "[1, 2]"), pa.string(), _AS_TEXT),
    ("SimpleAggregateFunction(sum, UInt64)", ("7",), pa.uint64(), _NUMBERS),
    ("JSON", ('\'{"a": {"b": [1, 2]}, "c": "x"}\'',), JSON, ("v", _plain)),
)


def _filled(server: ClickHouseServer, type_: str, values: tuple[str, ...], database: str = "types") -> None:
    server.execute("drop table if exists t", f"create table t (n UInt8, v {type_}) engine = Memory", database=database)
    for number, value in enumerate(values):
        server.execute(f"insert into t select {number}, {value}", database=database)


@pytest.fixture(scope="module")
def server(clickhouse_server: ClickHouseServer) -> ClickHouseServer:
    clickhouse_server.create_database("types")
    return clickhouse_server


def _nullable(type_: str) -> str:
    return f"LowCardinality(Nullable({type_[15:-1]}))" if type_.startswith("LowCard") else f"Nullable({type_})"


_ALL = [(*case, wrapped) for case in CASES for wrapped in (False, True)] + [(*case, False) for case in _NOT_NULLABLE]


@pytest.mark.parametrize(("type_", "values", "carried", "text", "wrapped"), _ALL)
def test_every_value_arrives_unchanged(
    server: ClickHouseServer,
    type_: str,
    values: tuple[str, ...],
    carried: pa.DataType | None,
    text: tuple[str, Here],
    wrapped: bool,
) -> None:
    there, here = text
    _filled(server, _nullable(type_) if wrapped else type_, (*values, "NULL") if wrapped else values)
    sql = f"select if(v is null, '\\\\N', toString({there})) from t order by n"
    expected = server.query(sql, "types").split("\n") if values else []
    for table in (read(connect(server, "types"), "t"), read(connect(server, "types"), query="select * from t")):
        table = table.sort_by("n")
        field = table.schema.field("v")
        assert carried is None or field.type == carried
        found = ["\\N" if not v.is_valid else here(v) for v in table["v"]]
        assert found == [_unescaped(line) for line in expected]


def _unescaped(line: str) -> str:
    return "\\N" if line in ("\\N", "\\\\N") else line.replace("\\\\", "\\").replace("\\'", "'")


@pytest.mark.parametrize(
    ("type_", "value", "words"),
    [
        ("String", "unhex('61ff')", "strings_as"),
        ("FixedString(2)", "unhex('ff00')", "strings_as"),
        ("Array(String)", "[unhex('ff')]", "UTF8"),
        ("Int128", "'100000000000000000000000000000000000000'", "does not fit"),
        ("UInt256", "'115792089237316195423570985008687907853269984665640564039457584007913129639935'", ""),
        ("Decimal(76, 30)", "'123456789.123456789012345678901234567891'", ""),
        ("Decimal(76, 50)", "'0.12345678901234567890123456789012345678901'", ""),
        ("DateTime64(9)", "'2024-01-01 00:00:00.123456001'", ""),
        ("Time", "'-00:00:01'", "time_as"),
        ("Time64(3)", "'24:00:00.000'", "time_as"),
        ("Time64(9)", "'00:00:00.000000001'", ""),
    ],
)
def test_what_cannot_be_carried_is_refused_by_column(
    server: ClickHouseServer, type_: str, value: str, words: str
) -> None:
    _filled(server, type_, (value,))
    with pytest.raises(errors.DataError, match=words) as caught:
        read(connect(server, "types"), "t")
    assert (caught.value.column, caught.value.connection, caught.value.relation) == ("v", "shop", "types.t")


def test_fixed_strings_lose_their_padding_and_nothing_else(server: ClickHouseServer) -> None:
    _filled(server, "FixedString(4)", ("'ab'", "'a\\0b'", "''", "' a '"))
    table = read(connect(server, "types"), "t").sort_by("n")
    assert table["v"].to_pylist() == ["ab", "a\0b", "", " a "]
    binary = read(connect(server, "types", strings_as="binary"), "t").sort_by("n")
    assert binary["v"].to_pylist() == [b"ab\0\0", b"a\0b\0", b"\0\0\0\0", b" a \0"]


def test_bytes_are_carried_when_asked_for(server: ClickHouseServer) -> None:
    _filled(server, "Nullable(String)", ("unhex('61ff00')", "NULL", "''"))
    table = read(connect(server, "types", strings_as="binary"), "t").sort_by("n")
    assert table["v"].to_pylist() == [b"a\xff\x00", None, b""]


def test_times_outside_of_a_day_as_text(server: ClickHouseServer) -> None:
    _filled(server, "Nullable(Time64(3))", ("'-100:00:01.5'", "NULL", "'23:59:59'"))
    expected = server.query("select v from t order by n", "types").split("\n")
    found = read(connect(server, "types", time_as="text"), "t").sort_by("n")["v"].to_pylist()
    assert ["\\N" if v is None else v for v in found] == expected


@pytest.mark.parametrize("type_", ["AggregateFunction(sum, UInt64)", "Array(AggregateFunction(sum, UInt64))"])
def test_states_of_aggregates_are_refused_only_where_they_are_read(server: ClickHouseServer, type_: str) -> None:
    server.execute("drop table if exists t", f"create table t (n UInt8, v {type_}) engine = Memory", database="types")
    connection = connect(server, "types")
    with ClickHouseExtractor(connection) as extractor:
        assert [c.name for c in extractor.describe(ExtractionConfig(relation=Relation("t")))] == ["n", "v"]
    assert read(connection, "t", columns=("n",)).num_rows == 0
    with pytest.raises(errors.UnsupportedError, match="finalizeAggregation") as caught:
        read(connection, "t")
    assert caught.value.column == "v"


def test_a_column_of_nulls_and_an_untyped_null(server: ClickHouseServer) -> None:
    _filled(server, "Nullable(Decimal(10, 2))", ("NULL", "NULL"))
    assert read(connect(server, "types"), "t")["v"].to_pylist() == [None, None]
    table = read(connect(server, "types"), query="select NULL as a, [] as b")
    assert table.to_pylist() == [{"a": None, "b": []}]


def test_zones_of_session_and_server_change_nothing(server: ClickHouseServer) -> None:
    _filled(server, "DateTime", ("'2024-03-31 00:30:00'",))
    expected = [int(server.query("select toUnixTimestamp(v) * 1000000 from t", "types"))]
    output = server.output("types", custom_settings={"session_timezone": "America/Lima"})
    from dvt.federation.registry import open_connection

    for connection in (connect(server, "types"), open_connection("shop", output)):
        assert read(connection, "t")["v"].cast(pa.int64()).to_pylist() == expected


def test_limits_of_the_profile_stop_the_run_and_do_not_cut(server: ClickHouseServer) -> None:
    from dvt.federation.registry import open_connection

    settings: dict[str, Any] = {"max_result_rows": 10, "result_overflow_mode": "break", "limit": 3}
    connection = open_connection("shop", server.output("types", custom_settings=settings))
    with pytest.raises(errors.ResourceError):
        read(connection, query="select number from numbers(100000)")
    assert read(connection, query="select number from numbers(7)").num_rows == 7
