"""What PostgreSQL and MariaDB hold, through each kind of driver: the server's own text of a value, or a refusal."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from integration.generic_kit import value
from servers.generic import generic_place
from servers.place import Place

from dvt import errors

REFUSED = errors.DvtError
MICROS, MICROS_UTC = pa.timestamp("us"), pa.timestamp("us", tz="UTC")
NOON = 1704110400123456  # 2024-01-01 12:00:00.123456, by date -u +%s
INFINITY = 2**63 - 1
UUID_HEX = "a0eebc999c0b4ef8bb6d6bb9bd380a11"
UUID_TEXT = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
DOUBLE = (pa.float64(), 0.30000000000000004)

# For each expression what adbc, odbc, dbapi and jdbc give: a type and a value, a value of one type for all, or a refusal.
POSTGRES: dict[str, tuple[Any, Any, Any, Any]] = {
    "true": ((pa.bool_(), True),) * 4,
    "(-32768)::int2": ((pa.int16(), -32768),) * 4,
    "9223372036854775807": ((pa.int64(), 9223372036854775807),) * 4,
    "0.30000000000000004::float8": (DOUBLE,) * 4,
    "1e-320::float8": ((pa.float64(), 1e-320),) * 4,
    "'-infinity'::float8": ((pa.float64(), float("-inf")),) * 4,
    # ODBC announces real and double precision alike: the text 1.1 is read as the double 1.1.
    "1.1::float4": ((pa.float32(), 1.100000023841858), (pa.float64(), 1.1), *((pa.float32(), 1.100000023841858),) * 2),
    "12345678901234567890123456789012345.678::numeric(38,3)": ((pa.decimal128(38, 3), Decimal("12345678901234567890123456789012345.678")),) * 4,
    "(-1.5)::numeric(5,2)": ((pa.decimal128(5, 2), Decimal("-1.50")),) * 4,
    "'NaN'::numeric(5,2)": (REFUSED,) * 4,
    # Without a precision a numeric is its digits; psycopg says nothing of it.
    "1.2345678901234567890123456789::numeric": (
        (pa.string(), "1.2345678901234567890123456789"), (pa.string(), "1.2345678901234567890123456789"), REFUSED, (pa.string(), "1.2345678901234567890123456789"),
    ),
    "'NaN'::numeric": (REFUSED, (pa.string(), "NaN"), REFUSED, (pa.string(), "NaN")),
    "'ä🙂'::text": ((pa.string(), "ä🙂"),) * 4,
    "''::text": ((pa.string(), ""),) * 4,
    "null::text": ((pa.string(), None),) * 4,
    "repeat('x', 30000)": ((pa.string(), "x" * 30000),) * 4,
    "'ab'::char(4)": ((pa.string(), "ab  "), (pa.string(), "ab"), (pa.string(), "ab  "), (pa.string(), "ab  ")),
    "'\\x00ff27'::bytea": ((pa.binary(), b"\x00\xff'"),) * 4,
    "''::bytea": ((pa.binary(), b""),) * 4,
    "date '1582-10-10'": ((pa.date32(), -141432),) * 4,
    "date '9999-12-31'": ((pa.date32(), 2932896),) * 4,
    "date '0044-03-15 BC'": ((pa.date32(), -735160), *(REFUSED,) * 3),
    "'infinity'::date": ((pa.date32(), 2**31 - 1), *(REFUSED,) * 3),
    "'-infinity'::date": ((pa.date32(), -(2**31 - 1)), *(REFUSED,) * 3),
    "timestamp '2024-01-01 12:00:00.123456'": ((MICROS, NOON),) * 4,
    "timestamp '10000-01-01 00:00:00'": ((MICROS, 253402300800000000), *(REFUSED,) * 3),
    "'infinity'::timestamp": ((MICROS, INFINITY), *(REFUSED,) * 3),
    "'-infinity'::timestamptz": ((MICROS_UTC, -INFINITY), *(REFUSED,) * 3),
    # ODBC has no moments with a zone: their text has one, and is refused unless the project declares it.
    "timestamptz '2024-01-01 14:00:00.123456+02'": ((MICROS_UTC, NOON), REFUSED, (MICROS_UTC, NOON), (MICROS_UTC, NOON)),
    "time '23:59:59.999999'": ((pa.time64("us"), __import__("datetime").time(23, 59, 59, 999999)),) * 4,
    "timetz '12:00+02'": (REFUSED, (pa.string(), "12:00:00+02"), REFUSED, (pa.string(), "12:00:00+02")),
    "interval '1 month -2 days 03:04:05.6'": (
        (pa.month_day_nano_interval(), pa.MonthDayNano([1, -2, 11045600000000])), (pa.string(), "1 mon -2 days +03:04:05.6"), REFUSED, (pa.string(), "1 mon -2 days +03:04:05.6"),
    ),
    f"'{UUID_TEXT}'::uuid": ((pa.uuid(), UUID_HEX), (pa.string(), UUID_TEXT), (pa.uuid(), UUID_HEX), (pa.uuid(), UUID_HEX)),
    "'{\"a\": 1.10}'::json": ((pa.json_(), '{"a": 1.10}'), (pa.string(), '{"a": 1.10}'), REFUSED, (pa.json_(), '{"a": 1.10}')),
    "'null'::jsonb": ((pa.json_(), "null"), (pa.string(), "null"), REFUSED, (pa.json_(), "null")),
    "'12.34'::money": (REFUSED, REFUSED, REFUSED, (pa.string(), "$12.34")),
    "4294967295::oid": (REFUSED, REFUSED, REFUSED, (pa.uint64(), 4294967295)),
    "B'101'": (REFUSED, (pa.string(), "101"), REFUSED, (pa.string(), "101")),
    "array[1, null]": (REFUSED, (pa.string(), "{1,NULL}"), REFUSED, REFUSED),
    "array[[1, 2], [3, 4]]": (REFUSED, (pa.string(), "{{1,2},{3,4}}"), REFUSED, REFUSED),
    "'[0:1]={7,8}'::int[]": (REFUSED, (pa.string(), "[0:1]={7,8}"), REFUSED, REFUSED),
    "row(1, 'x')": (REFUSED, (pa.string(), "(1,x)"), REFUSED, (pa.string(), "(1,x)")),
    "inet '10.0.0.1'": (REFUSED, (pa.string(), "10.0.0.1/32"), REFUSED, (pa.string(), "10.0.0.1")),
    "int4range(1, 5)": (REFUSED, (pa.string(), "[1,5)"), REFUSED, (pa.string(), "[1,5)")),
    "point(1, 2)": (REFUSED, (pa.string(), "(1,2)"), REFUSED, (pa.string(), "(1,2)")),
}  # fmt: skip
# For odbc, dbapi and jdbc.
MARIADB: dict[str, tuple[Any, Any, Any]] = {
    "cast(-5 as signed)": ((pa.int32(), -5), (pa.int64(), -5), (pa.int32(), -5)),
    "18446744073709551615": (REFUSED, REFUSED, (pa.uint64(), 18446744073709551615)),
    "cast(1.23 as decimal(65,30))": (
        (pa.string(), "1.230000000000000000000000000000"), *((pa.decimal128(38, 30), Decimal("1.23")),) * 2
    ),
    "1.10": ((pa.decimal128(3, 2), Decimal("1.10")), (pa.decimal128(5, 2), Decimal("1.10")), (pa.decimal128(3, 2), Decimal("1.10"))),
    "0.1e0 + 0.2e0": (DOUBLE,) * 3,
    "'ä🙂'": ((pa.string(), "ä🙂"),) * 3,
    "''": ((pa.string(), ""),) * 3,
    "x'00ff'": ((pa.binary(), b"\x00\xff"), REFUSED, (pa.binary(), b"\x00\xff")),
    "date '1582-10-10'": ((pa.date32(), -141432),) * 3,
    "cast('0000-00-00' as date)": (REFUSED,) * 3,
    "cast('2024-02-00' as date)": (REFUSED,) * 3,
    "cast('0000-00-00 00:00:00' as datetime)": (REFUSED,) * 3,
    "cast('2024-02-00 10:00:00' as datetime(6))": (REFUSED,) * 3,
    "timestamp '2024-01-01 12:00:00.123456'": ((MICROS, NOON),) * 3,
    "time '23:59:59'": ((pa.time64("us"), __import__("datetime").time(23, 59, 59)), REFUSED, (pa.time64("us"), __import__("datetime").time(23, 59, 59))),
    "time '100:00:00'": (REFUSED,) * 3,
}  # fmt: skip


@pytest.fixture(scope="module", params=("adbc", "odbc", "dbapi", "jdbc"))
def postgres(request: pytest.FixtureRequest) -> tuple[int, Place]:
    method = str(request.param)
    return list(("adbc", "odbc", "dbapi", "jdbc")).index(method), generic_place(f"{method}-postgres", request, Path())


@pytest.fixture(scope="module", params=("odbc", "dbapi", "jdbc"))
def mariadb(request: pytest.FixtureRequest) -> tuple[int, Place]:
    method = str(request.param)
    return ("odbc", "dbapi", "jdbc").index(method), generic_place(f"{method}-mariadb", request, Path())


def check(place: Place, expression: str, expected: Any, **request: Any) -> None:
    if expected is REFUSED:
        with pytest.raises((errors.DataError, errors.UnsupportedError, errors.QueryError)) as caught:
            value(place, expression, **request)
        # psycopg itself raises for moments that Python does not have, and names no column.
        is_driver = place.output.get("driver") == "psycopg" and isinstance(
            caught.value, errors.QueryError | errors.DataError
        )
        assert caught.value.column == "v" or is_driver
    else:
        assert value(place, expression, **request) == expected


@pytest.mark.parametrize("expression", POSTGRES)
def test_postgres(postgres: tuple[int, Place], expression: str) -> None:
    number, place = postgres
    check(place, expression, POSTGRES[expression][number])


@pytest.mark.parametrize("expression", MARIADB)
def test_mariadb(mariadb: tuple[int, Place], expression: str) -> None:
    number, place = mariadb
    check(place, expression, MARIADB[expression][number])


@pytest.mark.parametrize(
    ("expression", "declared", "wanted"),
    [
        ("timestamptz '2024-01-01 14:00:00.123456+02'", "timestamptz", (MICROS_UTC, NOON)),
        ("1.5::numeric", "numeric(5, 2)", (pa.decimal128(5, 2), Decimal("1.50"))),
        ("1.555::numeric", "numeric(5, 2)", REFUSED),
        ("7", "numeric(5, 2)", (pa.decimal128(5, 2), Decimal("7.00"))),
    ],
)
def test_a_declared_type_counts_where_it_fits(
    postgres: tuple[int, Place], expression: str, declared: str, wanted: Any
) -> None:
    number, place = postgres
    if number == 3 and expression == "7":
        wanted = (pa.int32(), 7)  # over JDBC numbers come as numbers
    check(place, expression, wanted, declared={"V": declared})


def test_a_value_that_is_longer_than_the_buffer_is_refused(postgres: tuple[int, Place]) -> None:
    _, place = postgres
    if postgres[0] != 1:
        assert value(place, "repeat('ab', 1000000)")[1] == "ab" * 1000000
        return
    with pytest.raises(errors.DataError, match="max_value_bytes"):
        value(place, "repeat('ab', 1000000)")
