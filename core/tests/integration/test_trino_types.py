"""Trino's types, value by value, over the wire: what arrives is what the server was given, in its own words."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from integration.trino_kit import connect, read
from servers.trino import TrinoServer, running

from dvt import errors
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.trino import TrinoExtractor
from dvt.identifiers import Relation
from dvt.types.vocabulary import INTERVAL, JSON, MICROS, MICROS_UTC, TIME, UUID


def _bare(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _digits(value: Any) -> str:
    return format(value, "f")


def _moment(value: Any) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if value.year > 999 else f"{value.year:04}-{value:%m-%d %H:%M:%S.%f}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _interval(value: Any) -> str:
    return f"{value.months} {value.days} {value.nanoseconds}"


# Type, what is inserted and the text that it has to have here: the words of the server, or what is written beside them.
CASES: tuple[tuple[str, dict[str, str], pa.DataType, Callable[[Any], str]], ...] = (
    ("boolean", {"true": "true", "false": "false"}, pa.bool_(), _bare),
    ("tinyint", {"-128": "-128", "127": "127"}, pa.int8(), _bare),
    ("smallint", {"-32768": "-32768"}, pa.int16(), _bare),
    ("integer", {"-2147483648": "-2147483648"}, pa.int32(), _bare),
    ("bigint", {n: n for n in ("-9223372036854775808", "9223372036854775807", "9007199254740993")}, pa.int64(), _bare),
    (
        "double",
        {"-0.0e0": "-0.0"} | {n: n for n in ("5e-324", "1.7976931348623157e+308", "0.1")}
        | {"nan()": "nan", "infinity()": "inf", "-infinity()": "-inf"},
        pa.float64(),
        _bare,
    ),
    ("real", {"0.1": "0.10000000149011612", "3.4028235e38": "3.4028234663852886e+38"}, pa.float32(), _bare),
    ("real", {"nan()": "nan", "-infinity()": "-inf"}, pa.float32(), _bare),
    ("decimal(10,2)", {"-12345678.9": "-12345678.90", "0.01": "0.01"}, pa.decimal128(10, 2), _digits),
    (
        "decimal(38,10)",
        {f"cast('{n}' as decimal(38,10))": n for n in ("9999999999999999999999999999.0123456789",)},
        pa.decimal128(38, 10),
        _digits,
    ),
    ("decimal(38,0)", {"cast('-" + "9" * 38 + "' as decimal(38,0))": "-" + "9" * 38}, pa.decimal128(38, 0), _digits),
    (
        "varchar",
        {"''": "", "' a '": " a ", "'it''s'": "it's", "'ä🙂\\'": "ä🙂\\"}
        | {"'NULL'": "NULL", "'a' || chr(10) || chr(9)": "a\n\t"},
        pa.string(),
        _bare,
    ),
    ("varchar(5)", {"'ab'": "ab", "'ab '": "ab "}, pa.string(), _bare),
    ("char(5)", {"'ab'": "ab", "' a'": " a", "''": ""}, pa.string(), _bare),
    ("varbinary", {"X'00FF1A'": "00ff1a", "X''": ""}, pa.binary(), lambda value: value.hex()),
    ("date", {f"date '{d}'": d for d in ("0001-01-01", "1582-10-15", "9999-12-31")}, pa.date32(), _bare),
    ("time(6)", {"time '23:59:59.999999'": "23:59:59.999999", "time '00:00:00'": "00:00:00"}, TIME, _bare),
    ("time(12)", {"'10:00:00.123456000000'": "10:00:00.123456"}, TIME, _bare),
    ("time(3) with time zone", {"'10:00:00.000+05:30'": "10:00:00.000+05:30"}, pa.string(), _bare),
    (
        "timestamp",
        {"timestamp '2024-03-31 02:30:00.123'": "2024-03-31 02:30:00.123000"},
        MICROS,
        _moment,
    ),
    (
        "timestamp(6)",
        {"timestamp '0001-01-01 00:00:00'": "0001-01-01 00:00:00.000000"}
        | {"timestamp '9999-12-31 23:59:59.999999'": "9999-12-31 23:59:59.999999"},
        MICROS,
        _moment,
    ),
    ("timestamp(0)", {"timestamp '2024-01-01 10:00:00'": "2024-01-01 10:00:00.000000"}, MICROS, _moment),
    ("timestamp(12)", {"'2024-01-01 10:00:00.123456000000'": "2024-01-01 10:00:00.123456"}, MICROS, _moment),
    ("timestamp(9)", {"'2024-01-01 10:00:00.100000000'": "2024-01-01 10:00:00.100000"}, MICROS, _moment),
    (
        "timestamp(6) with time zone",
        {"timestamp '2024-10-27 00:30:00.000001 UTC'": "2024-10-27 00:30:00.000001"}
        | {"timestamp '2024-10-27 01:30:00.000001 UTC'": "2024-10-27 01:30:00.000001"},
        MICROS_UTC,
        _moment,
    ),
    (
        "timestamp(12) with time zone",
        {"'2024-01-01 10:00:00.123456000000 UTC'": "2024-01-01 10:00:00.123456"}
        | {"'2024-01-01 10:00:00.000000000000 +05:30'": "2024-01-01 04:30:00.000000"}
        | {"'2024-01-01 10:00:00.000000000000 -03:30'": "2024-01-01 13:30:00.000000"},
        MICROS_UTC,
        _moment,
    ),
    ("interval year to month", {"'-1-2'": "-14 0 0", "'0-11'": "11 0 0"}, INTERVAL, _interval),
    (
        "interval day to second",
        {"'1 02:03:04.005'": "0 1 7384005000000", "'-0 00:00:00.001'": "0 0 -1000000"},
        INTERVAL,
        _interval,
    ),
    ("uuid", {"uuid '6f2c1f9e-1111-4222-8333-444455556666'": "6f2c1f9e-1111-4222-8333-444455556666"}, UUID, _bare),
    ("json", {f"json '{n}'": n for n in ('{"a":[1,null]}', "null", '"x"')}, JSON, _bare),
    ("ipaddress", {"'2001:db8::1'": "2001:db8::1"}, pa.string(), _bare),
    ("array(integer)", {"array[1, null, 3]": "[1, null, 3]", "array[]": "[]"}, pa.list_(pa.int32()), _json),
    (
        "array(array(varchar))",
        {"array[array['ä', null], null]": '[["ä", null], null]'},
        pa.list_(pa.list_(pa.string())),
        _json,
    ),
    ("array(decimal(5,2))", {"array[1.5]": '["1.50"]'}, pa.list_(pa.decimal128(5, 2)), _json),
    (
        "array(timestamp(12))",
        {'\'["2024-01-01 10:00:00.123456000000"]\'': '["2024-01-01 10:00:00.123456"]'},
        pa.list_(MICROS),
        _json,
    ),
    (
        "array(timestamp(3) with time zone)",
        {'\'["2024-01-01 10:00:00.000 UTC", null]\'': '["2024-01-01 10:00:00+00:00", null]'},
        pa.list_(MICROS_UTC),
        _json,
    ),
    (
        "map(varchar, double)",
        {"map(array['a', 'b'], array[nan(), null])": '[["a", NaN], ["b", null]]'},
        pa.map_(pa.string(), pa.float64()),
        _json,
    ),
    ("map(bigint, varchar)", {"map(array[7], array['x'])": '[["7", "x"]]'}, pa.map_(pa.string(), pa.string()), _json),
    (
        'row(x integer, "y z" varchar)',
        {"cast(row(1, 'ä') as row(x integer, \"y z\" varchar))": '{"x": 1, "y z": "ä"}'},
        pa.struct([("x", pa.int32()), ("y z", pa.string())]),
        _json,
    ),
    (
        "row(integer, boolean)",
        {"'[5, null]'": '{"1": 5, "2": null}'},
        pa.struct([("1", pa.int32()), ("2", pa.bool_())]),
        _json,
    ),
    (
        "array(row(a char(3), b varbinary, c uuid))",
        {'\'[["x  ", "AP8=", "6f2c1f9e-1111-4222-8333-444455556666"], null]\'': None},  # type: ignore[dict-item]
        None,  # type: ignore[arg-type]
        str,
    ),
    ("Geometry", {"'POINT (1 2)'": "POINT (1 2)"}, pa.string(), _bare),
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[TrinoServer]:
    with running() as found:
        yield found


@pytest.mark.parametrize("spools", [True, False])
@pytest.mark.parametrize(("native", "values", "carried", "here"), CASES, ids=[case[0] for case in CASES])
def test_every_value_arrives_unchanged(
    server: TrinoServer, spools: bool, native: str, values: dict[str, str], carried: Any, here: Callable[[Any], str]
) -> None:
    server.behaviour.spools = spools
    server.execute("drop table if exists t", f"create table t (n integer, v {native})")
    for number, value in enumerate((*values, "null")):
        server.execute(f"insert into t select {number}, {value}")
    for table in (read(connect(server), "t"), read(connect(server), query="select n, v from t order by n")):
        found = table["v"].to_pylist()
        assert found[-1] is None
        if carried is None:
            assert found[0] == [{"a": "x", "b": b"\x00\xff", "c": found[0][0]["c"]}, None]
            assert str(found[0][0]["c"]) == "6f2c1f9e-1111-4222-8333-444455556666"
            continue
        assert table.schema.field("v").type == carried
        assert [here(value) for value in found[:-1]] == list(values.values())
        if native == "double":
            assert math.copysign(1, found[0]) == -1


@pytest.mark.parametrize(
    ("native", "value", "words"),
    [
        ("timestamp(12)", "'2024-01-01 10:00:00.123456000001'", "more digits"),
        ("timestamp(9) with time zone", "'2024-01-01 10:00:00.000000001 UTC'", "more digits"),
        ("time(9)", "'10:00:00.000000001'", "more digits"),
        ("array(timestamp(9))", "'[\"2024-01-01 10:00:00.000000001\"]'", "more digits"),
        ("array(timestamp(3) with time zone)", "'[\"2024-10-27 02:30:00.000 Europe/Berlin\"]'", "two instants"),
        ("timestamp(12)", "'+10000-01-01 00:00:00.000000000000'", "10000"),
        ("decimal(10,2)", None, ""),
    ],
)
def test_what_cannot_be_carried_is_refused_by_column(
    server: TrinoServer, native: str, value: str | None, words: str
) -> None:
    server.execute("drop table if exists t", f"create table t (n integer, v {native})")
    server.execute(f"insert into t select 1, {value or 'null'}")
    if value is None:
        assert read(connect(server), "t")["v"].to_pylist() == [None]
        return
    with pytest.raises(errors.DataError, match=words) as caught:
        read(connect(server), "t")
    assert (caught.value.column, caught.value.connection, caught.value.relation) == ("v", "lake", "t")


@pytest.mark.parametrize("native", ["HyperLogLog", "map(double, varchar)", "array(HyperLogLog)"])
def test_types_without_a_carrier_are_refused_by_column(server: TrinoServer, native: str) -> None:
    server.execute(
        "drop table if exists t", f"create table t (n integer, v {native})", "insert into t values (1, null)"
    )
    with pytest.raises(errors.UnsupportedError) as caught:
        read(connect(server), "t")
    assert (caught.value.column, caught.value.connection) == ("v", "lake")
    assert read(connect(server), "t", columns=("n",)).to_pylist() == [{"n": 1}]


def test_instants_are_asked_for_in_utc(server: TrinoServer) -> None:
    """The clock of Lima was put back in 1990: one local time was that of two instants."""
    server.execute("drop table if exists t", "create table t (n integer, v timestamp(0) with time zone)")
    for number, hour in enumerate(("03", "04", "05", "06")):
        server.execute(f"insert into t values ({number}, timestamp '1990-04-01 {hour}:30:00 UTC')")
    table = read(connect(server), "t")
    assert [moment.hour for moment in table["v"].to_pylist()] == [3, 4, 5, 6]
    assert "AT TIME ZONE 'UTC'" in server.statements()[-1]


def test_two_columns_of_one_name_keep_apart(server: TrinoServer) -> None:
    query = "select 1 as a, timestamp '2024-01-01 00:00:00 UTC' as a, 'x' as b"
    with TrinoExtractor(connect(server)) as extractor, extractor.scan(ExtractionConfig(query=query)) as rows:
        assert [column.name for column in rows.columns] == ["a", "a", "b"]
        batch = rows.read_batch(2)
    assert batch is not None
    assert [column.to_pylist()[0] for column in batch.columns][0::2] == [1, "x"]


def test_the_schema_is_there_without_rows_and_with_nulls_only(server: TrinoServer) -> None:
    natives = [native for native, _, carried, _ in CASES if carried is not None]
    columns = ", ".join(f"v{n} {native}" for n, native in enumerate(natives))
    server.execute("drop table if exists t", f"create table t ({columns})")
    expected = [carried for _, _, carried, _ in CASES if carried is not None]
    empty = read(connect(server), "t")
    assert (empty.num_rows, empty.schema.types) == (0, expected)
    server.execute(f"insert into t values ({', '.join('null' for _ in natives)})")
    nulls = read(connect(server), "t")
    assert nulls.schema.types == expected
    assert set(nulls.to_pylist()[0].values()) == {None}
    with TrinoExtractor(connect(server)) as extractor:
        described = extractor.get_columns(Relation("t"))
    assert [column.type for column in described] == expected
    assert [column.native_type for column in described][:3] == ["boolean", "tinyint", "smallint"]
