"""Each SQL Server type by value, as Microsoft's driver decodes it from the bytes of the wire (fake server).

The values are given to the fake as SQL Server prints them; what dvt carries is compared with these words.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from integration.sqlserver_kit import connect, read
from servers import tds
from servers.sqlserver import SqlServerFake

from dvt import errors
from dvt.connections.sqlserver import connect as open_session

UTC = dt.timezone.utc
# Declared type, what is inserted, Arrow type, value.
CASES: list[tuple[str, str, pa.DataType, Any]] = [
    ("bit", "1", pa.bool_(), True),
    ("bit", "0", pa.bool_(), False),
    ("tinyint", "255", pa.uint8(), 255),
    ("smallint", "-32768", pa.int16(), -32768),
    ("int", "-2147483648", pa.int32(), -2147483648),
    ("bigint", "9223372036854775807", pa.int64(), 9223372036854775807),
    ("real", "1.1", pa.float32(), 1.100000023841858),
    ("float", "1.7976931348623157e308", pa.float64(), 1.7976931348623157e308),
    ("float", "1.1", pa.float64(), 1.1),
    ("money", "-922337203685477.5808", pa.decimal128(19, 4), Decimal("-922337203685477.5808")),
    ("money", "0.0001", pa.decimal128(19, 4), Decimal("0.0001")),
    ("smallmoney", "-214748.3648", pa.decimal128(10, 4), Decimal("-214748.3648")),
    ("decimal(38,10)", "'-1234567890123456789012345678.0123456789'", pa.decimal128(38, 10),
     Decimal("-1234567890123456789012345678.0123456789")),
    ("decimal(5,5)", "0.00001", pa.decimal128(5, 5), Decimal("0.00001")),
    ("numeric(38,0)", "'99999999999999999999999999999999999999'", pa.decimal128(38, 0), Decimal("9" * 38)),
    ("date", "'0001-01-01'", pa.date32(), dt.date(1, 1, 1)),
    ("date", "'9999-12-31'", pa.date32(), dt.date(9999, 12, 31)),
    ("time(0)", "'23:59:59'", pa.time64("us"), dt.time(23, 59, 59)),
    ("time(7)", "'23:59:59.1234560'", pa.time64("us"), dt.time(23, 59, 59, 123456)),
    ("datetime", "'1753-01-01 00:00:00.000'", pa.timestamp("us"), dt.datetime(1753, 1, 1)),
    ("datetime", "'1999-12-31 23:59:59.997'", pa.timestamp("us"), dt.datetime(1999, 12, 31, 23, 59, 59, 997000)),
    ("smalldatetime", "'2079-06-06 23:59:00'", pa.timestamp("us"), dt.datetime(2079, 6, 6, 23, 59)),
    ("datetime2(0)", "'0001-01-01 00:00:00'", pa.timestamp("us"), dt.datetime(1, 1, 1)),
    ("datetime2(6)", "'9999-12-31 23:59:59.999999'", pa.timestamp("us"), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
    ("datetime2(7)", "'9999-12-31 23:59:59.9999990'", pa.timestamp("us"),
     dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
    ("datetimeoffset(3)", "'2020-01-01 00:00:00.123 +05:30'", pa.timestamp("us", tz="UTC"),
     dt.datetime(2019, 12, 31, 18, 30, 0, 123000, UTC)),
    ("datetimeoffset(7)", "'2020-01-01 00:00:00.1234560 -08:00'", pa.timestamp("us", tz="UTC"),
     dt.datetime(2020, 1, 1, 8, 0, 0, 123456, UTC)),
    ("uniqueidentifier", "'6F9619FF-8B86-D011-B42D-00C04FC964FF'", pa.uuid(),
     uuid.UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")),
    ("char(5)", "'ab'", pa.string(), "ab   "),
    (f"char(5) collate {tds.UTF8}", "N'ñ'", pa.string(), "ñ   "),
    ("nchar(5)", "N'ñ'", pa.string(), "ñ    "),
    ("nchar(5)", "N'🙂'", pa.string(), "🙂   "),
    ("varchar(20)", "'naïve €'", pa.string(), "naïve €"),
    ("varchar(20) collate Cyrillic_General_CI_AS", "N'Привет'", pa.string(), "Привет"),
    ("varchar(5000)", "'x  '", pa.string(), "x  "),
    ("nvarchar(20)", "N'日本🙂\n\t'''", pa.string(), "日本🙂\n\t'"),
    ("nvarchar(20)", "''", pa.string(), ""),
    ("nvarchar(4000)", f"N'{'🙂' * 2000}'", pa.string(), "🙂" * 2000),
    ("nvarchar(max)", f"N'{'x🙂' * 30000}'", pa.string(), "x🙂" * 30000),
    ("varchar(max)", "''", pa.string(), ""),
    ("text", "'old'", pa.string(), "old"),
    ("ntext", "N'öld'", pa.string(), "öld"),
    ("xml", "N'<a b=\"ä\"/>'", pa.string(), '<a b="ä"/>'),
    ("hierarchyid", "'/1/2.1/'", pa.string(), "/1/2.1/"),
    ("json", "'{\"a\": [1, null]}'", pa.json_(), '{"a": [1, null]}'),
    ("binary(4)", "0x01", pa.binary(), b"\x01\0\0\0"),
    ("varbinary(20)", "0x00FF0D0A", pa.binary(), b"\x00\xff\r\n"),
    ("varbinary(max)", "0x" + "00FF" * 20000, pa.binary(), b"\x00\xff" * 20000),
    ("image", "0x0102", pa.binary(), b"\x01\x02"),
    ("rowversion", "0x00000000000007D1", pa.binary(), b"\0\0\0\0\0\0\x07\xd1"),
]  # fmt: skip


def _value(array: pa.ChunkedArray, place: int) -> Any:
    return array[place].as_py()


@pytest.mark.parametrize(("declared", "given", "type_", "value"), CASES, ids=[f"{c[0]}-{c[1][:20]}" for c in CASES])
def test_each_type_by_value(
    sqlserver_fake: SqlServerFake, declared: str, given: str, type_: pa.DataType, value: Any
) -> None:
    """Late: the value comes after a NULL, and before another."""
    sqlserver_fake.execute(
        f"create table one (v {declared}, n int not null)",
        "insert into one values (null, 1)",
        f"insert into one values ({given}, 2)",
        "insert into one values (null, 3)",
    )
    table = read(connect(sqlserver_fake), "one")
    assert table.schema.field("v").type == type_
    assert [_value(table["v"], place) for place in range(3)] == [None, value, None]
    assert table["n"].to_pylist() == [1, 2, 3]
    assert [field.nullable for field in table.schema] == [True, False]


@pytest.mark.parametrize("declared", sorted({case[0] for case in CASES}))
def test_a_column_of_nulls_and_one_without_rows(sqlserver_fake: SqlServerFake, declared: str) -> None:
    sqlserver_fake.execute(f"create table void (v {declared})")
    wanted = next(case[2] for case in CASES if case[0] == declared)
    assert read(connect(sqlserver_fake), "void").schema.types == [wanted]
    sqlserver_fake.execute("insert into void values (null), (null)")
    table = read(connect(sqlserver_fake), "void")
    assert (table.schema.types, table["v"].to_pylist()) == ([wanted], [None, None])


@pytest.mark.parametrize(
    ("declared", "given"),
    [
        ("time(7)", "'23:59:59.1234567'"),
        ("datetime2(7)", "'2020-01-01 00:00:00.1234567'"),
        ("datetimeoffset(7)", "'2020-01-01 00:00:00.1234567 +02:00'"),
    ],
)
def test_a_seventh_digit_stops_the_run_or_is_read_as_text(
    sqlserver_fake: SqlServerFake, declared: str, given: str
) -> None:
    sqlserver_fake.execute(f"create table seventh (v {declared})", f"insert into seventh values ({given})")
    with pytest.raises(errors.DataError) as caught:
        read(connect(sqlserver_fake), "seventh")
    assert (caught.value.column, caught.value.relation, caught.value.connection) == ("v", "seventh", "shop")
    assert "fractions_as: text" in str(caught.value)
    table = read(connect(sqlserver_fake, fractions_as="text"), "seventh")
    assert table["v"].to_pylist() == [given.strip("'")]
    assert table.schema.types == [pa.string()]


def test_an_offset_can_be_kept_as_text(sqlserver_fake: SqlServerFake) -> None:
    given = "2020-01-01 00:00:00.123 +05:30"
    sqlserver_fake.execute("create table offsets (v datetimeoffset(3))", f"insert into offsets values ('{given}')")
    assert read(connect(sqlserver_fake, offsets_as="text"), "offsets")["v"].to_pylist() == [given]


@pytest.mark.parametrize("declared", ["sql_variant", "geometry", "geography", "dbo.mine"])
def test_types_that_nothing_carries_are_refused_by_name(sqlserver_fake: SqlServerFake, declared: str) -> None:
    sqlserver_fake.execute(f"create table odd (a int, v {declared.split('.')[-1]})", "insert into odd values (1, 'x')")
    with pytest.raises(errors.UnsupportedError) as caught:
        read(connect(sqlserver_fake), "odd")
    assert caught.value.column == "v"
    assert declared.split(".")[-1] in str(caught.value)
    assert read(connect(sqlserver_fake), "odd", columns=("a",))["a"].to_pylist() == [1]


@pytest.mark.parametrize("declared", ["nvarchar(10)", "nvarchar(max)"])
def test_half_a_surrogate_pair_is_no_other_text(sqlserver_fake: SqlServerFake, declared: str) -> None:
    """The driver puts U+FFFD in its place, and says nothing."""
    sqlserver_fake.execute(
        f"create table half (a int, v {declared})", f"insert into half values (1, N'a{tds.HALF_A_PAIR}b')"
    )
    with pytest.raises(errors.DataError, match="U\\+FFFD") as caught:
        read(connect(sqlserver_fake), "half")
    assert caught.value.column == "v"
    assert read(connect(sqlserver_fake, replaced_text="keep"), "half")["v"].to_pylist() == ["a\ufffdb"]


@pytest.mark.parametrize(
    ("declared", "given", "changed"),
    [
        ("datetime2(7)", "'2020-01-01 00:00:00.1234567'", dt.datetime(2020, 1, 1, 0, 0, 0, 123456)),
        (
            "datetimeoffset(7)",
            "'2020-01-01 00:00:00.1234567 +00:00'",
            dt.datetime(2020, 1, 1, 0, 0, 0, 123456, UTC),
        ),
        (f"varchar(5) collate {tds.ANY_BYTES}", "N'a\x81b'", "a?b"),
        ("nvarchar(5)", f"N'{tds.HALF_A_PAIR}'", "\ufffd"),
    ],
)
def test_what_the_driver_changes_by_itself(
    sqlserver_fake: SqlServerFake, declared: str, given: str, changed: Any
) -> None:
    """Why the server casts. Where a release of the driver gives the value or an error, the casts can go."""
    sqlserver_fake.execute(f"create table changed (v {declared})", f"insert into changed values ({given})")
    with contextlib.closing(open_session(connect(sqlserver_fake))) as session, session.cursor() as cursor:
        cursor.execute("select v from changed")
        assert cursor.arrow_batch(10).to_pydict() == {"v": [changed]}


def test_a_query_is_read_like_a_relation(sqlserver_fake: SqlServerFake) -> None:
    """Its result is declared as the types that are carried: the query itself stays letter for letter."""
    sqlserver_fake.execute(
        "create table asked (a int, t varchar(10), m datetime2(7), x xml)",
        "insert into asked values (2, 'zwei', '2020-01-01 00:00:00.1234560', '<a/>'),"
        " (1, 'it''s', '2020-01-02 00:00:00.0000000', '<a/>')",
    )
    sqlserver_fake.statements()
    query = "with x as (select a, t, m from asked) select a, t, m from x where t <> 'a''b' order by a -- done"
    table = read(connect(sqlserver_fake), query=query)
    assert table["t"].to_pylist() == ["it's", "zwei"]
    assert table["m"].to_pylist() == [dt.datetime(2020, 1, 2), dt.datetime(2020, 1, 1, 0, 0, 0, 123456)]
    sent = "[a] int NULL, [t] nvarchar(10) NULL, [m] varchar(27) NULL"
    quoted = query.replace("'", "''")
    assert f"EXEC (N'{quoted}') WITH RESULT SETS (({sent}))" in sqlserver_fake.statements()
    with pytest.raises(errors.UnsupportedError, match=r"Cast it in the query to nvarchar\(max\)"):
        read(connect(sqlserver_fake), query="select x from asked")
