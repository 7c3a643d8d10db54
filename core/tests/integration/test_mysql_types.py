"""Every MySQL type, from MariaDB to MariaDB: the server's own text of each value is the same on both sides."""

from __future__ import annotations

import pytest
from integration.mysql_kit import DRIVERS, connect, copy, read
from servers.mariadb import MariaDBServer

from dvt.errors import DataError
from dvt.native import library as codec

pytestmark = pytest.mark.mysql

_TEXT = "hex(cast({c} as char character set utf8mb4))"
_BYTES = "hex({c})"
_DOUBLE = "{c} * 1e0"
# name: declaration, literals, what is compared in the source, and in the target where that differs
CASES: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    "tinyint1": ("tinyint(1)", ("0", "1", "2", "-128", "127"), _TEXT, _TEXT),
    "utinyint": ("tinyint unsigned", ("0", "255"), _TEXT, _TEXT),
    "usmallint": ("smallint unsigned", ("65535",), _TEXT, _TEXT),
    "small": ("smallint", ("-32768", "32767"), _TEXT, _TEXT),
    "medium": ("mediumint", ("-8388608", "8388607"), _TEXT, _TEXT),
    "umedium": ("mediumint unsigned", ("16777215",), _TEXT, _TEXT),
    "zerofill": ("int(10) unsigned zerofill", ("7", "4294967295"), "{c} + 0", "{c} + 0"),
    "big": ("bigint", ("-9223372036854775808", "9223372036854775807"), _TEXT, _TEXT),
    "ubig": ("bigint unsigned", ("0", "18446744073709551615"), _TEXT, _TEXT),
    "float4": ("float", ("1.1", "16777217", "3.4028234e38", "1e-45", "-0.1"), _DOUBLE, _DOUBLE),
    "float73": ("float(7,3)", ("1234.567",), _DOUBLE, _DOUBLE),
    "double8": ("double", ("0.1", "5e-324", "1.7976931348623157e308", "123456789.123456789"), _DOUBLE, _DOUBLE),
    "double203": ("double(20,3)", ("12345.6789", "1e16"), _DOUBLE, _DOUBLE),
    "dec12": ("decimal(12,2)", ("-9999999999.99", "0.01"), _TEXT, _TEXT),
    "dec38": ("decimal(38,38)", ("0.00000000000000000000000000000000000001",), _TEXT, _TEXT),
    "dec38_0": ("decimal(38,0)", ("99999999999999999999999999999999999999",), _TEXT, _TEXT),
    "dec65": (
        "decimal(65,30)",
        ("12345678.000000000000000000000000000001",),
        _TEXT,
        _TEXT,
    ),
    "year4": ("year", ("1901", "2155", "0"), "{c} + 0", "{c} + 0"),
    "date3": ("date", ("'0001-01-01'", "'9999-12-31'", "'2024-02-29'"), _TEXT, _TEXT),
    "dt0": ("datetime", ("'1000-01-01 00:00:00'",), "cast({c} as char)", "left({c}, 19)"),
    "dt6": ("datetime(6)", ("'9999-12-31 23:59:59.999999'", "'0001-01-01 00:00:00.000001'"), _TEXT, _TEXT),
    "ts6": ("timestamp(6) null", ("'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'"), _TEXT, _TEXT),
    "time6": ("time(6)", ("'00:00:00'", "'23:59:59.999999'"), _TEXT, _TEXT),
    "char10": ("char(10)", ("'pad  '", "''", "' x'"), _TEXT, _TEXT),
    "latin": ("varchar(30) character set latin1", ("'Grüße €'", "'NULL'"), _TEXT, _TEXT),
    "ucs": ("varchar(30) character set utf16", ("'😀'",), _TEXT, _TEXT),
    "swedish": ("text character set latin1 collate latin1_swedish_ci", ("repeat('å', 60000)",), _TEXT, _TEXT),
    "text4": (
        "longtext",
        ("'\\\\N'", "'a\\tb\\nc\\r\\n\\\\'", "'\\0nul'", "''", "'\"quoted\\''", "'😀é'", "'NULL'"),
        _TEXT,
        _TEXT,
    ),
    "bin4": ("binary(4)", ("'ab'",), _BYTES, _BYTES),
    "varbin": ("varbinary(300)", (f"x'{bytes(range(256)).hex()}'", "''"), _BYTES, _BYTES),
    "blob4": ("longblob", ("x'5c4e'", "x'0a'", "x'ff'"), _BYTES, _BYTES),
    "bit1": ("bit", ("b'1'", "b'0'"), "lpad(bin({c} + 0), 1, '0')", "{c}"),
    "bit20": ("bit(20)", ("b'101'",), "lpad(bin({c} + 0), 20, '0')", "{c}"),
    "bit64": ("bit(64)", ("18446744073709551615",), "lpad(bin({c} + 0), 64, '0')", "{c}"),
    "enum2": ("enum('a','ü,x')", ("'ü,x'",), _TEXT, _TEXT),
    "set2": ("set('x','y')", ("'x,y'", "''"), _TEXT, _TEXT),
    "json1": ("json", ("'null'", '\'{"a":  1.10, "a": "\\\\\\\\u00e9"}\''), _TEXT, _TEXT),
    "point2": ("point", ("point(1, 2)",), _BYTES, _BYTES),
    "uuid16": ("uuid", ("'123e4567-e89b-12d3-a456-426655440000'",), _TEXT, _TEXT),
    "inet": ("inet6", ("'::1'",), _TEXT, _TEXT),
}

CASES = {f"c_{name}": case for name, case in CASES.items()}  # some of the names are reserved words
MARIADB_ONLY = {"c_uuid16", "c_inet"}
MYSQL_ONLY = {
    "c_dec38": ("decimal(38,30)", ("0.000000000000000000000000000001",), _TEXT, _TEXT),  # its finest
    "c_vector3": ("vector(3)", ("string_to_vector('[1,-2.5,3e-38]')",), _BYTES, _BYTES),
    "c_json9": ("json", ("'[1.0, 12345678901234567890]'", "cast(date'2024-02-29' as json)"), _TEXT, _TEXT),
}


def cases_of(server: MariaDBServer) -> dict[str, tuple[str, tuple[str, ...], str, str]]:
    if server.is_mariadb:
        return CASES
    return {**{name: case for name, case in CASES.items() if name not in MARIADB_ONLY}, **MYSQL_ONLY}


def answers(server: MariaDBServer, table: str, expressions: list[str]) -> list[str]:
    query = f"set time_zone = '+00:00'; select {', '.join(expressions)} from {table} order by id"
    return server.query(query, "types").split("\n")


@pytest.fixture(scope="module")
def everything(mariadb_server: MariaDBServer) -> MariaDBServer:
    mariadb_server.create_database("types")
    cases = cases_of(mariadb_server)
    declared = ", ".join(f"{name} {case[0]}" for name, case in cases.items())
    statements = ["set time_zone = '+00:00'", f"create table source (id int primary key, {declared})"]
    for row in range(max(len(case[1]) for case in cases.values())):
        filled = {name: case[1][row] for name, case in cases.items() if row < len(case[1])}
        statements.append(f"insert into source (id, {', '.join(filled)}) values ({row}, {', '.join(filled.values())})")
    statements.append("insert into source (id) values (-1)")
    mariadb_server.execute("; ".join(statements), "types")
    return mariadb_server


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("local_infile", [True, False], ids=["load_data", "insert"])
def test_every_type_arrives_unchanged(everything: MariaDBServer, driver: str, local_infile: bool) -> None:
    result = copy(connect(everything, "types", driver=driver, local_infile=local_infile), "source", "target")
    assert result.method == ("load_data" if local_infile else "insert")
    assert result.rows == int(everything.query("select count(*) from source", "types"))
    for name, (_, _, there, here) in cases_of(everything).items():
        source = answers(everything, "source", ["id", there.format(c=name)])
        assert answers(everything, "target", ["id", here.format(c=name)]) == source, name


@pytest.mark.skipif(isinstance(codec.load(), str), reason="no native codec")
@pytest.mark.parametrize("rows", [1, 50_000])
def test_the_codec_gives_what_numpy_gives(everything: MariaDBServer, rows: int) -> None:
    by_codec, by_numpy = (
        read(connect(everything, "types", native=is_native, batch_rows=rows), "source").combine_chunks()
        for is_native in (True, False)
    )
    assert by_codec.schema.equals(by_numpy.schema)
    for name in by_codec.column_names:
        assert by_codec[name].equals(by_numpy[name]), name


def test_a_query_gives_what_the_table_gives(everything: MariaDBServer) -> None:
    connection = connect(everything, "types")
    table, query = read(connection, "source"), read(connection, query="select * from source")
    for name in table.column_names:
        left, right = table[name], query[name]
        if (
            name in ("c_json1", "c_uuid16") and everything.is_mariadb
        ):  # without the catalogue MariaDB gives these as text
            left = left.combine_chunks().storage if name == "c_json1" else left
            assert [str(v) if v is not None else None for v in left.to_pylist()] == right.to_pylist()
        else:
            assert left.equals(right), name


def test_native_types_stand_in_the_schema(everything: MariaDBServer) -> None:
    connection = connect(everything, "types")
    assert str(read(connection, "source", columns=("c_ubig", "c_json1")).schema.types) == (
        "[DataType(uint64), JsonType(extension<arrow.json>)]"
    )


@pytest.mark.parametrize("is_native", [True, False], ids=["codec", "numpy"])
@pytest.mark.parametrize(
    ("declaration", "literal", "remedy"),
    [
        ("date", "'0000-00-00'", "zero_dates"),
        ("datetime", "'2024-00-10 00:00:00'", "zero_dates"),
        ("timestamp null", "'0000-00-00 00:00:00'", "zero_dates"),
        ("time", "'838:59:59'", "time_as"),
        ("time(6)", "'-00:00:00.000001'", "time_as"),
        ("decimal(65,0)", "'1" + "0" * 38 + "'", "Cast"),
    ],
)
def test_values_without_a_carrier_stop_the_run(
    mariadb_server: MariaDBServer, declaration: str, literal: str, remedy: str, is_native: bool
) -> None:
    mariadb_server.create_database("odd")
    mariadb_server.execute(
        f"set sql_mode = ''; create table t (c {declaration}); insert into t values ({literal})", "odd"
    )
    with pytest.raises(DataError, match=remedy) as caught:
        read(connect(mariadb_server, "odd", native=is_native), "t")
    assert (caught.value.column, caught.value.relation, caught.value.connection) == ("c", "odd.t", "shop")


@pytest.mark.parametrize("is_native", [True, False], ids=["codec", "numpy"])
def test_options_for_odd_values(mariadb_server: MariaDBServer, is_native: bool) -> None:
    mariadb_server.create_database("odd")
    mariadb_server.execute(
        "set sql_mode = ''; create table t (d date not null, t time(1)); "
        "insert into t values ('0000-00-00', '-838:59:59'), ('2024-01-01', '01:02:03.4')",
        "odd",
    )
    table = read(connect(mariadb_server, "odd", zero_dates="null", time_as="text", native=is_native), "t")
    assert [str(v) for v in table["d"].to_pylist()] == ["None", "2024-01-01"]
    assert table["t"].to_pylist() == ["-838:59:59.0", "01:02:03.4"]
    assert table.schema.field("d").nullable


def test_instants_do_not_depend_on_the_server_zone(mariadb_server: MariaDBServer) -> None:
    mariadb_server.create_database("zones")
    mariadb_server.execute("create table t (at timestamp(6) null, wall datetime(6))", "zones")
    mariadb_server.execute(
        "set time_zone = '+05:30'; insert into t values ('2024-06-01 12:00:00.5', '2024-06-01 12:00:00.5')", "zones"
    )
    mariadb_server.execute("set global time_zone = '-08:00'")
    try:
        connection = connect(mariadb_server, "zones")
        row = read(connection, "t").to_pylist()[0]
        copy(connection, "t", "u")
    finally:
        mariadb_server.execute("set global time_zone = 'SYSTEM'")
    assert row["at"].isoformat() == "2024-06-01T06:30:00.500000+00:00"
    assert row["wall"].isoformat() == "2024-06-01T12:00:00.500000"
    for table in ("t", "u"):
        assert mariadb_server.query(f"set time_zone = '+05:30'; select * from {table}", "zones") == (
            "2024-06-01 12:00:00.500000\t2024-06-01 12:00:00.500000"
        )
