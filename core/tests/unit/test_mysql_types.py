"""The mapping table, and values to and from the server's text."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from dvt.errors import DataError
from dvt.federation.extractors.mysql_values import ColumnReader
from dvt.federation.loaders.mysql_cells import ColumnWriter, file_lines, insert_rows
from dvt.federation.loaders.mysql_nested import json_texts
from dvt.federation.stream import ColumnSchema
from dvt.types.mysql import carried, native_type, parse_type


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("tinyint(1)", pa.int8()),
        ("tinyint(3) unsigned", pa.uint8()),
        ("mediumint(8) unsigned zerofill", pa.uint32()),
        ("bigint unsigned", pa.uint64()),
        ("decimal(65,30)", pa.decimal128(38, 30)),
        ("decimal(10,0)", pa.decimal128(10, 0)),
        ("float(7,3)", pa.float32()),
        ("year(4)", pa.int16()),
        ("timestamp(3)", pa.timestamp("us", tz="UTC")),
        ("datetime", pa.timestamp("us")),
        ("enum('decimal(1,2)','bigint unsigned')", pa.string()),
        ("set('a','b')", pa.string()),
        ("bit(20)", pa.string()),
        ("point", pa.binary()),
        ("inet6", pa.string()),
        ("some_new_type", pa.string()),
    ],
)
def test_what_carries_a_native_type(declared: str, expected: pa.DataType) -> None:
    assert carried(parse_type(declared)) == expected


@pytest.mark.parametrize(
    ("type_", "mariadb", "mysql"),
    [
        (pa.bool_(), "tinyint(1)", "tinyint(1)"),
        (pa.uint64(), "bigint unsigned", "bigint unsigned"),
        (pa.decimal128(38, 38), "decimal(38,38)", None),
        (pa.json_(), "json", "longtext"),
        (pa.list_(pa.int32()), "json", "longtext"),
        (pa.uuid(), "char(36)", "char(36)"),
        (pa.timestamp("us", tz="UTC"), "timestamp(6)", "timestamp(6)"),
        (pa.timestamp("ns"), "datetime(6)", "datetime(6)"),
        (pa.string(), "longtext", "longtext"),
        (pa.binary(), "longblob", "longblob"),
    ],
)
def test_what_a_carried_type_becomes(type_: pa.DataType, mariadb: str, mysql: str | None) -> None:
    assert native_type(type_, is_mariadb=True) == mariadb
    assert native_type(type_, is_mariadb=False) == mysql


def reader(declared: str, zero_dates: str = "error", time_as: str = "time") -> ColumnReader:
    native = parse_type(declared)
    return ColumnReader(ColumnSchema("c", carried(native, time_as=time_as), True, declared), native, zero_dates)


@pytest.mark.parametrize(
    ("declared", "sent", "expected"),
    [
        ("mediumint zerofill", b"00000007", 7),
        ("bigint unsigned", b"18446744073709551615", 2**64 - 1),
        ("decimal(65,30)", b"12345678.000000000000000000000000000001", Decimal("12345678." + "0" * 29 + "1")),
        ("float", b"1.100000023841858", 1.100000023841858),
        ("double", b"5e-324", 5e-324),
        ("bit(12)", b"\x0a\x01", "101000000001"),
        ("uuid", b"00000000-0000-0000-0000-0000000000ff", None),
        ("year", b"0000", 0),
        ("text", "é😀\x00".encode(), "é😀\x00"),
        ("blob", bytes(range(256)), bytes(range(256))),
    ],
)
def test_values_are_read(declared: str, sent: bytes, expected: object) -> None:
    array = reader(declared).read(pa.array([None, sent], pa.binary()))
    assert array[0].as_py() is None
    if expected is not None:
        assert array[1].as_py() == expected
    else:
        assert array.storage[1].as_py() == bytes(15) + b"\xff"


@pytest.mark.parametrize(
    ("declared", "sent", "told"),
    [
        ("date", b"0000-00-00", "zero_dates"),
        ("date", b"2024-00-15", "zero_dates"),
        ("datetime", b"2024-02-30 00:00:00", "2024-02-30"),
        ("time", b"24:00:00", "time_as"),
        ("time", b"-00:00:01", "time_as"),
        ("decimal(65,0)", b"1" * 39, "1" * 39),
        ("text", b"ab\xff", r"ab\\xff"),
    ],
)
def test_values_that_cannot_be_carried_are_named(declared: str, sent: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        reader(declared).read(pa.array([None, sent], pa.binary()))
    assert caught.value.column == "c"


def test_zero_dates_become_null_when_asked_for() -> None:
    sent = pa.array([b"0000-00-00", b"2024-02-29", b"2024-10-00", None], pa.binary())
    assert [v and str(v) for v in reader("date", "null").read(sent).to_pylist()] == [None, "2024-02-29", None, None]


def test_time_as_text_carries_any_time() -> None:
    sent = pa.array([b"838:59:59.000001", b"-00:00:01"], pa.binary())
    assert reader("time(6)", time_as="text").read(sent).to_pylist() == ["838:59:59.000001", "-00:00:01"]


def batch(**columns: pa.Array) -> tuple[list[ColumnWriter], pa.RecordBatch]:
    made = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    types = [native_type(field.type, is_mariadb=True) or "" for field in made.schema]
    return [ColumnWriter(f.name, f.type, t) for f, t in zip(made.schema, types, strict=True)], made


def test_lines_tell_null_from_everything_else() -> None:
    writers, made = batch(
        t=pa.array(["", None, "\\N", "NULL", "a\tb\nc\r\\"]), b=pa.array([b"", None, b"\n", b"N", b"\\"])
    )
    assert bytes(file_lines(writers, made)).split(b"\n") == [
        b"\t",
        b"\\N\t\\N",
        b"\\\\N\t0a",
        b"NULL\t4e",
        b"a\\tb\\nc\r\\\\\t5c",
        b"",
    ]


def test_lines_of_a_slice() -> None:
    writers, made = batch(b=pa.array([b"ab", b"c", None, b"def"]), t=pa.array(["1", "2", "3", None]))
    assert bytes(file_lines(writers, made.slice(1, 3))) == b"63\t2\n\\N\t3\n646566\t\\N\n"


def test_inserted_literals_are_quoted() -> None:
    writers, made = batch(
        t=pa.array(["it's", None, "\\' or 1=1 -- "]), b=pa.array([b"'", None, b""]), n=pa.array([1, 2, 3])
    )
    assert insert_rows(writers, made) == ["('it''s',x'27','1')", "(NULL,NULL,'2')", "('\\\\'' or 1=1 -- ',x'','3')"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (pa.array([1.0, float("nan")]), "NaN"),
        (pa.array([float("-inf")], pa.float32()), "infinity"),
        (pa.array([2**63 - 1], pa.timestamp("us")), "years 1 to 9999"),
        (pa.array([-(2**63) + 1], pa.timestamp("us")), "years 1 to 9999"),
        (pa.array([2**31 - 1], pa.date32()), "0001-01-01"),
        (pa.array([-719_163], pa.date32()), "0001-01-01"),
        (pa.array([0], pa.timestamp("us", tz="UTC")), "TIMESTAMP"),
        (pa.array([2**31 * 1_000_000], pa.timestamp("us", tz="UTC")), "2038"),
        (pa.array([1_001], pa.timestamp("ns")), "microsecond"),
        (pa.array([1], pa.time64("ns")), "microsecond"),
        (pa.array([[float("nan")]]), "JSON"),
        (pa.array([[b"\xff"]]), "bytes"),
    ],
)
def test_what_mysql_cannot_hold_is_refused_by_column(values: pa.Array, told: str) -> None:
    writers, made = batch(fine=pa.array(range(len(values))), wrong=values)
    with pytest.raises(DataError, match=told) as caught:
        file_lines(writers, made)
    assert caught.value.column == "wrong"


def test_negative_zero_is_sent_as_it_is() -> None:
    writers, made = batch(d=pa.array([-0.0, 0.0, None]), f=pa.array([-0.0, 0.0, None], pa.float32()))
    assert bytes(file_lines(writers, made)) == b"-0\t-0\n0\t0\n\\N\t\\N\n"


def test_nested_values_as_json_are_exact() -> None:
    type_ = pa.struct([("d", pa.decimal128(38, 20)), ("m", pa.map_(pa.string(), pa.list_(pa.float64())))])
    value = {"d": Decimal("123456789012345678.12345678901234567890"), "m": [('k"', [0.1, None])]}
    found = json_texts(pa.array([value, None], type_), "c").to_pylist()
    assert found == ['{"d":123456789012345678.12345678901234567890,"m":{"k\\"":[0.1,null]}}', None]
