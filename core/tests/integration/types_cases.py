"""Every type and every hard value of the type matrix, as data: which targets refuse which value."""

from __future__ import annotations

from dataclasses import dataclass

PG, MY, SL, DK, PQ, CS = "postgres", "mariadb", "sqlite", "duckdb", "parquet", "csv"
TARGETS = (PG, MY, SL, DK, PQ, CS)
ALL = frozenset(TARGETS)


@dataclass(frozen=True)
class Value:
    """A literal of the source's SQL, and the targets that refuse it."""

    literal: str
    refused_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Case:
    """A column of the source.

    Args:
        name: Its name.
        declared: Its type there.
        kind: How it is compared; see `types_kinds`.
        values: One for each row.
        shown: The source's expression where it is not the kind's: for types that are widened to text.
    """

    name: str
    declared: str
    kind: str
    values: tuple[Value, ...]
    shown: str = ""


def case(name: str, declared: str, kind: str, *values: str | tuple[str, str], shown: str = "") -> Case:
    """A case whose refused values are pairs: the literal, and the targets' names apart by spaces, or "all"."""
    made = []
    nowhere = {CS} if kind in ("bytes", "blobs") else set()  # CSV has no place for bytes
    for value in values:
        literal, refused = (value, "") if isinstance(value, str) else value
        made.append(Value(literal, ALL if refused == "all" else frozenset(refused.split()) | nowhere))
    return Case(name, declared, kind, tuple(made), shown)


_BYTES = "".join(f"{byte:02x}" for byte in range(256))
_OUT = "mariadb sqlite csv"  # none has infinity, years before Christ or above 9999
_NAN = "mariadb sqlite"
_NINES = "9" * 38

POSTGRES = (
    case("c_bool", "boolean", "boolean", "true", "false"),
    case("c_int2", "smallint", "int", "-32768", "32767"),
    case("c_int4", "integer", "int", "-2147483648", "2147483647"),
    case("c_int8", "bigint", "int", "-9223372036854775808", "9223372036854775807"),
    case("c_oid", "oid", "int", "4294967295"),
    case(
        *("c_float4", "real", "float", "1.1", "1e-45", "3.4028235e38", "16777217", "-0.1"),
        *(("'NaN'", _NAN), ("'Infinity'", "mariadb"), ("'-Infinity'", "mariadb"), "'-0'"),
    ),
    case(
        *("c_float8", "double precision", "double", "0.1", "5e-324", "1.7976931348623157e308", "0.30000000000000004"),
        *("1e15", "9007199254740993", "2.2250738585072014e-308"),
        *(("'NaN'", _NAN), ("'Infinity'", "mariadb"), ("'-Infinity'", "mariadb"), "'-0'"),
    ),
    case("c_num10", "numeric(10,2)", "decimal", "99999999.99", "-99999999.99", "0.01", "1.50", "'NaN'"[:0] or "0"),
    case("c_num38", "numeric(38,0)", "decimal", "-1", (_NINES, "sqlite"), ("-" + _NINES, "sqlite"), ("'NaN'", "all")),
    case("c_num3838", "numeric(38,38)", "decimal", "1e-38", ("-0." + _NINES, "sqlite"), "0.5"),
    case("c_num45", "numeric(45,5)", "decimal", "12345.00001", ("1e39", "all"), ("9" * 33 + ".99999", "sqlite")),
    case("c_numneg", "numeric(5,-2)", "decimal", "12345", "9999900"),
    case("c_numsmall", "numeric(3,5)", "decimal", "0.00999"),
    case(
        *("c_num", "numeric", "decimal", "1.10", "-0.000000001", "12345678901234567890"[:15]),
        *(("25301027425203743779151633529203", "all"), ("1e-10", "all"), ("'Infinity'", "all")),
        ("12345678901234567890123456789.123456789", "sqlite"),
    ),
    case(
        *("c_text", "text", "text", "''", "'NULL'", r"E'\\N'", r"E'\\.'", r"E'a\n\\.\nb'", '\'a,"b""c\'', "'null'"),
        *(r"E'cr\rlf\r\nend\n'", "' padded '", "'007'", r"E'tab\t\x01\x1f\x7f'", "'grüße 😀 日本'", "'\ufeffmark'"),
        *("'{{ jinja }} %s'", "repeat('x😀', 1000000)", r"E'back\\slash\\'", "'1e5'", "' 12 '"),
    ),
    case("c_varchar", "varchar(20)", "text", "''", "'abc '", "'ünï'"),
    case("c_char", "char(5)", "text", "'ab'", "'abcde'", "''", "' a'"),
    case("c_name", "name", "text", "'pg_class'"),
    case("c_bytea", "bytea", "bytes", "''", f"'\\x{_BYTES}'", "'\\x00'", "'\\x5c22270a'"),
    case(
        *("c_date", "date", "date", "'2024-02-29'", "'0001-01-01'", "'9999-12-31'", "'1969-12-31'"),
        *(("'infinity'", _OUT), ("'-infinity'", _OUT), ("'0044-03-15 BC'", _OUT), ("'10000-01-01'", _OUT)),
        *(("'4713-01-01 BC'", _OUT), ("'5874897-12-31'", _OUT)),
    ),
    case("c_time", "time", "time", "'00:00'", "'23:59:59.999999'", "'12:34:56.7'", ("'24:00'", _OUT)),
    case(
        *("c_ts", "timestamp", "timestamp", "'2024-02-29 12:34:56.789012'", "'1969-12-31 23:59:59.999999'"),
        *("'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'", ("'infinity'", _OUT), ("'-infinity'", _OUT)),
        *(("'0044-03-15 10:00 BC'", _OUT), ("'294246-12-31 23:59:59.999999'", _OUT), ("'10000-01-01'", _OUT)),
    ),
    case(
        *("c_tstz", "timestamptz", "timestamp", "'2024-03-31 02:30:00.5+02'", "'2037-12-31 00:00+00'"),
        *(("'1969-12-31 23:59:59+00'", "mariadb"), ("'0001-01-01 00:00+00'", "mariadb"), ("'infinity'", _OUT)),
        *(("'9999-12-31 23:59:59.999999+00'", "mariadb"), ("'0044-03-15 10:00+00 BC'", _OUT)),
        *(("'10000-01-01 00:00+00'", _OUT), ("'-infinity'", _OUT)),
    ),
    case(
        *("c_interval", "interval", "interval", "'1 year 2 mons -3 days 04:05:06.789'", "'0'", "'-1 mons'"),
        *("'-00:00:00.000001'", "'100000:00:00'", "'2147483647 days'", "'1 mon -1 day 1 us'", "'-0.5 seconds'"),
        "'-178956970 years'",
    ),
    case("c_uuid", "uuid", "text", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
    case("c_json", "json", "text", "'null'", '\'{"b" :  1, "a":[1,2 ] }\'', "'1.10'", "'\"ü\"'", "'  5 '"),
    case("c_jsonb", "jsonb", "text", "'null'", '\'{"b": 1.10, "a": []}\'', "'\"😀\"'", "'\"\"'"),
    case("c_ints", "integer[]", "list", "'{}'", "'{1,NULL,-3}'", ("'{{1,2}}'", "all"), ("'[0:1]={1,2}'", "all")),
    case("c_texts", "text[]", "list", "'{}'", r"""array['','NULL',null,'a,b','a"b',E'a\\b\n',' ','😀']"""),
    case("c_decs", "numeric(10,2)[]", "list", "'{1.10,NULL}'"),
    case("c_bools", "boolean[]", "list", "'{t,f,NULL}'"),
    case("c_dates", "date[]", "list", "'{2024-02-29,NULL}'", ("'{infinity}'", _OUT)),
    case("c_floats", "double precision[]", "list", "'{0.1,NULL}'", ("'{NaN}'", _OUT)),
    case("c_blobs", "bytea[]", "blobs", ("array['\\x00ff'::bytea]", _OUT)),
    case("c_bit", "bit(4)", "text", "B'0101'"),
    case("c_varbit", "varbit", "text", "B'010'", "B''"),
    case("c_timetz", "timetz", "text", "'12:00:00.5+05:30'"),
    case("c_money", "money", "text", "1234.56", "-0.01"),
    case("c_inet", "inet", "text", "'10.0.0.1/8'", "'fe80::1/64'", shown="{c}::inet"),
    case("c_cidr", "cidr", "text", "'10.0.0.0/8'"),
    case("c_mac", "macaddr", "text", "'08:00:2b:01:02:03'"),
    case("c_range", "int4range", "text", "'[1,5)'", "'empty'"),
    case("c_tsv", "tsvector", "text", "'a fat cat'"),
    case("c_point", "point", "text", "'(1.1,2)'"),
    case("c_mood", "mood", "text", "'sad'", "'o,k'"),
    case("c_price", "price", "decimal", "1.10"),
    case("c_pair", "pair", "text", "row(1, 'a \"b')"),
)
POSTGRES_SETUP = (
    "create type mood as enum ('sad', 'o,k')",
    "create domain price as numeric(10,2)",
    "create type pair as (a int, b text)",
)

MARIADB = (
    case("c_tiny1", "tinyint(1)", "int", "0", "1", "2", "-128"),
    case("c_utiny", "tinyint unsigned", "int", "0", "255"),
    case("c_usmall", "smallint unsigned", "int", "65535"),
    case("c_umedium", "mediumint unsigned", "int", "16777215"),
    case("c_medium", "mediumint", "int", "-8388608"),
    case("c_uint", "int unsigned", "int", "4294967295"),
    case("c_int", "int", "int", "-2147483648"),
    case("c_zero", "int(10) unsigned zerofill", "int", "7", shown="{c} + 0"),
    case("c_big", "bigint", "int", "-9223372036854775808", "9223372036854775807"),
    case("c_ubig", "bigint unsigned", "int", "0", "9223372036854775807", ("18446744073709551615", "sqlite")),
    case("c_float", "float", "float", "1.1", "16777217", "3.4028234e38", "-0.1", "-0e0"),
    case("c_float73", "float(7,3)", "float", "1234.567"),
    case("c_double", "double", "double", "0.1", "1.7976931348623157e308", "123456789.123456789", "-0e0"),
    case("c_double203", "double(20,3)", "double", "12345.6789", "1e16"),
    case("c_dec12", "decimal(12,2)", "decimal", "-9999999999.99", "0.01"),
    case("c_dec38", "decimal(38,38)", "decimal", "0." + "0" * 37 + "1", ("0." + _NINES, "sqlite")),
    case("c_dec380", "decimal(38,0)", "decimal", (_NINES, "sqlite")),
    case(
        *("c_dec65", "decimal(65,30)", "decimal", "1.5", ("12345678." + "0" * 29 + "1", "sqlite")),
        *(("123456789.5", "all"), ("25301027425203743779151633529203.1", "all")),
    ),
    case("c_year", "year", "year", "1901", "2155", "0"),
    case(
        "c_date",
        "date",
        "date",
        "'1000-01-01'",
        "'9999-12-31'",
        "'2024-02-29'",
        ("'0000-00-00'", "all"),
        ("'2024-00-10'", "all"),
    ),
    case("c_dt", "datetime", "timestamp", "'1000-01-01 00:00:00'", ("'0000-00-00 00:00:00'", "all")),
    case("c_dt6", "datetime(6)", "timestamp", "'9999-12-31 23:59:59.999999'", "'0001-01-01 00:00:00.000001'"),
    case("c_ts6", "timestamp(6) null", "timestamp", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'"),
    case(
        *("c_time", "time(6)", "time", "'00:00:00'", "'23:59:59.999999'"),
        *(("'24:00:00'", "all"), ("'838:59:59'", "all"), ("'-00:00:00.000001'", "all")),
    ),
    case("c_char", "char(10)", "text", "'pad  '", "''", "' x'"),
    case("c_latin", "varchar(30) character set latin1", "text", "'Grüße €'"),
    case("c_utf16", "varchar(30) character set utf16", "text", "'😀'"),
    case(
        *(
            "c_text",
            "longtext",
            "text",
            r"'\\N'",
            r"'a\tb\nc\r\n\\'",
            "''",
            "'\"quoted\\''",
            "'😀é'",
            "'NULL'",
            "'007'",
        ),
        *(("'\\0nul'", "postgres"), "repeat('x😀', 1000000)"),
    ),
    case("c_bin", "binary(4)", "bytes", "'ab'"),
    case("c_varbin", "varbinary(300)", "bytes", f"x'{_BYTES}'", "''"),
    case("c_blob", "longblob", "bytes", "x'5c4e'", "x'0a'", "x'ff'", "x'00'"),
    case("c_bit1", "bit", "text", "b'1'", "b'0'", shown="lpad(bin({c} + 0), 1, '0')"),
    case("c_bit20", "bit(20)", "text", "b'101'", shown="lpad(bin({c} + 0), 20, '0')"),
    case("c_bit64", "bit(64)", "text", "18446744073709551615", shown="lpad(bin({c} + 0), 64, '0')"),
    case("c_enum", "enum('a','ü,x')", "text", "'ü,x'"),
    case("c_set", "set('x','y')", "text", "'x,y'", "''"),
    case("c_json", "json", "text", "'null'", '\'{"a":  1.10, "b": "\\\\u00e9"}\'', "' 5'"),
    case("c_point", "point", "bytes", "point(1, 2)"),
    case("c_uuid", "uuid", "text", "'123e4567-e89b-12d3-a456-426655440000'"),
    case("c_inet6", "inet6", "text", "'::1'"),
)

SQLITE = (
    case("c_int", "integer", "int", "-9223372036854775808", "9223372036854775807", ("'x'", "all"), ("1.5", "all")),
    case("c_bool", "boolean", "boolean", "1", "0", ("2", "all"), ("'t'", "all")),
    case("c_real", "real", "double", "0.1", "3", "1e300", "5e-324", ("9e999", "mariadb"), ("'x'", "all")),
    case(
        "c_text",
        "text",
        "text",
        "''",
        "'NULL'",
        "'007'",
        "char(0x1f600, 13, 10)",
        ("'a' || char(0) || 'b'", "postgres"),
        ("x'ff'", "all"),
        "printf('%.5000000c', 'x')",
    ),
    case("c_blob", "blob", "bytes", f"x'{_BYTES}'", "x''", ("'text'", "all")),
    case(
        "c_dec", "decimal(10,2)", "decimal", "1.1", "99999999.99", "7", "'1.50'", ("1.005", "all"), ("123456789", "all")
    ),
    case("c_num", "numeric", "decimal", "0.1", "-5", "1e20", ("1e30", "all"), ("1e-10", "all"), ("'x'", "all")),
    case("c_wide", "decimal(38,9)", "decimal", "12345.678", ("25301027425203743779151633529203", "all")),
    case(
        "c_date",
        "date",
        "date",
        "'2024-02-29'",
        "'0001-01-01'",
        "'9999-12-31'",
        ("'2023-02-29'", "all"),
        ("20240229", "all"),
    ),
    case("c_ts", "timestamp", "timestamp", "'2024-02-29 12:34:56.789'", "'0001-01-01 00:00:00'", ("'now'", "all")),
    case(
        *(
            "c_tstz",
            "timestamptz",
            "timestamp",
            "'2024-02-29 12:34:56+00:00'",
            ("'1901-01-01 00:00:00+00:00'", "mariadb"),
        ),
    ),
    case("c_time", "time", "time", "'23:59:59.999999'", "'00:00:00'", ("'24:00:00'", "all")),
    case("c_uuid", "uuid", "text", "'123e4567-e89b-12d3-a456-426655440000'", ("'123e4567'", "all")),
    case("c_json", "jsontext", "text", "'null'", "'{\"a\":  1.10}'", ("'{'", "all")),
    case("c_any", "interval", "text", "'P1D'"),
)

_DEEP = "{'a': [1, null], 'm': map {'k': [{'x': 1.50::decimal(5,2), 'y': 'q\"😀'}]}, 'd': date '2024-01-01'}"
DUCKDB = (
    case("c_bool", "boolean", "boolean", "true", "false"),
    case("c_int1", "tinyint", "int", "-128", "127"),
    case("c_int2", "smallint", "int", "-32768"),
    case("c_int4", "integer", "int", "-2147483648"),
    case("c_int8", "bigint", "int", "-9223372036854775808"),
    case("c_uint1", "utinyint", "int", "255"),
    case("c_uint2", "usmallint", "int", "65535"),
    case("c_uint4", "uinteger", "int", "4294967295"),
    case("c_uint8", "ubigint", "int", "9223372036854775807", ("18446744073709551615", "sqlite")),
    case(
        *("c_huge", "hugeint", "decimal", "-7", (_NINES, "sqlite")),
        ("170141183460469231731687303715884105727", "all"),
    ),
    case("c_uhuge", "uhugeint", "decimal", "7", ("340282366920938463463374607431768211455", "all")),
    case("c_float", "float", "float", "1.1", "1e-45", ("'nan'", _NAN), ("'-inf'", "mariadb"), "'-0'"),
    case("c_double", "double", "double", "0.1", "5e-324", ("'nan'", _NAN), ("'inf'", "mariadb"), "'-0'"),
    case("c_dec", "decimal(38,20)", "decimal", "-0.01", ("123456789012345678.12345678901234567890", "sqlite")),
    case("c_dec3838", "decimal(38,38)", "decimal", "0." + "0" * 37 + "1"),
    case(
        "c_text",
        "varchar",
        "text",
        "''",
        "'007'",
        "'😀' || chr(13) || chr(10)",
        ("'a' || chr(0)", "postgres"),
        "'NULL'",
        "'\\N'",
    ),
    case("c_blob", "blob", "bytes", f"unhex('{_BYTES}')", "''"),
    case("c_bit", "bit", "text", "'0101'"),
    case(
        "c_date",
        "date",
        "date",
        "'2024-02-29'",
        ("'infinity'", _OUT),
        ("'0044-03-15 (BC)'", _OUT),
        ("'10000-01-01'", _OUT),
        ("'5881580-07-10'", "postgres mariadb sqlite csv"),
    ),
    case("c_time", "time", "time", "'23:59:59.999999'", ("'24:00:00'", _OUT)),
    case("c_timetz", "timetz", "text", "'12:00:00.5+05:30'"),
    case(
        *("c_ts", "timestamp", "timestamp", "'2024-02-29 12:34:56.789012'", ("'infinity'", _OUT)),
        *(("'0044-03-15 (BC) 10:00:00'", _OUT), ("'294246-12-31'", _OUT)),
        ("'290000-01-01 (BC) 00:00:00'", "postgres mariadb sqlite csv"),
    ),
    case("c_ts_s", "timestamp_s", "timestamp", "'2024-02-29 12:34:56'"),
    case("c_ts_ms", "timestamp_ms", "timestamp", "'2024-02-29 12:34:56.789'"),
    case(
        *("c_ts_ns", "timestamp_ns", "timestamp", "'2024-02-29 12:34:56.789012'"),
        *(("'2024-02-29 12:34:56.000000001'", "postgres mariadb sqlite csv"), ("'infinity'", _OUT)),
    ),
    case(
        "c_tstz",
        "timestamptz",
        "timestamp",
        "'2024-03-31 02:30:00+02'",
        ("'1960-01-01 00:00:00+00'", "mariadb"),
        ("'infinity'", _OUT),
    ),
    case("c_interval", "interval", "interval", "'14 months -3 days 1.5 seconds'", "'-1 microsecond'", "'0 days'"),
    case("c_uuid", "uuid", "text", "'6f2c1f9e-1111-4222-8333-444455556666'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    case("c_json", "json", "text", "'null'", "'{\"a\":  1.0}'", "'5'"),
    case("c_enum", "enum('a', 'b c')", "text", "'b c'"),
    case("c_list", "integer[]", "list", "[1, null]", "[]"),
    case("c_lists", "integer[][]", "list", ("[[1, null], [], null]", "postgres")),
    case("c_array", "integer[2]", "list", "[1, 2]"),
    case("c_texts", "varchar[]", "list", "['a\"b', null, '😀', 'NULL', '']"),
    case("c_doubles", "double[]", "list", "[0.1]", ("['nan'::double]", _OUT)),
    case("c_blobs", "blob[]", "blobs", ("['\\xFF'::blob]", _OUT)),
    case(
        "c_struct",
        'struct(a varchar, "b c" date)',
        "nested",
        "{'a': 'x\"y', 'b c': date '2024-01-01'}",
        "{'a': null, 'b c': null}",
    ),
    case("c_map", "map(varchar, decimal(5,2))", "nested", "map {'k': 1.50, 'z': null}", "map {}"),
    case(
        "c_odd",
        "struct(x double, y blob)",
        "nested",
        "{'x': 1e300, 'y': null}",
        ("{'x': 'nan'::double, 'y': null}", "postgres mariadb sqlite csv"),
        ("{'x': 1, 'y': '\\xFF'::blob}", "postgres mariadb sqlite csv"),
    ),
    case("c_deep", "struct(a integer[], m map(varchar, struct(x decimal(5,2), y varchar)[]), d date)", "nested", _DEEP),
)


def held_by(target: str, cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """The cases of which the target takes a value; it refuses the whole column of the others."""
    return tuple(case for case in cases if any(target not in value.refused_by for value in case.values))


# What DuckDB writes into Parquet is not always what its table held: a hugeint becomes a double there. The oracle reads
# the file; these types are left out, because Parquet has none of them and DuckDB puts something else in their place. A
# NULL of a fixed-size array DuckDB 2.0 writes so that PyArrow finds lists longer than their values, and stops.
_NOT_IN_PARQUET = ("c_huge", "c_uhuge", "c_bit", "c_timetz", "c_interval", "c_array")
PARQUET = tuple(case for case in DUCKDB if case.name not in _NOT_IN_PARQUET)

# A CSV file holds texts; the declared type is that of the source's columns in the project. What CSV cannot say, and
# what is therefore not here: bytes, arrays, structs and maps, and types of their own for intervals.
CSV = (
    case("c_bool", "boolean", "boolean", "'true'", "'false'", "'0'", ("'2'", "all"), ("'yes'", "all")),
    case("c_int1", "tinyint", "int", "'-128'", "'127'", ("'128'", "all"), ("'1.0'", "all")),
    case("c_int4", "integer", "int", "'-2147483648'", "'2147483647'", ("'2147483648'", "all"), ("''", "all")),
    case("c_int8", "bigint", "int", "'-9223372036854775808'", "'9223372036854775807'", ("'x'", "all")),
    case("c_uint8", "ubigint", "int", ("'18446744073709551615'", "sqlite"), "'0'", ("'-1'", "all")),
    case("c_dec", "numeric(38,9)", "decimal", "'-0.000000001'", "'1e3'", ("'0.1234567891'", "all"), ("'NaN'", "all")),
    case("c_float", "real", "float", "'1.1'", "'1e-45'", ("'nan'", _NAN), ("'-inf'", "mariadb"), "'-0.0'"),
    case("c_double", "double", "double", "'0.1'", "'5e-324'", ("'nan'", _NAN), ("'inf'", "mariadb"), "'-0.0'"),
    case(
        *(
            "c_text",
            "text",
            "text",
            "''",
            "'NULL'",
            '\'a,"b""c\'',
            "'x' || chr(13) || chr(10) || 'y'",
            "' padded '",
            "'007'",
        ),
        *("'tab' || chr(9)", "'😀 é'", r"'back\slash \N'", "repeat('x😀', 1000)"),
    ),
    case("c_plain", "varchar(5)", "text", "'longer than five'"),
    case("c_date", "date", "date", "'2024-02-29'", "'0001-01-01'", ("'2023-02-29'", "all"), ("'infinity'", "all")),
    case("c_time", "time", "time", "'23:59:59.999999'", "'00:00:00'", ("'24:00:00'", "all")),
    case(
        "c_ts",
        "timestamp",
        "timestamp",
        "'2024-02-29 12:34:56.789012'",
        "'2024-02-29T12:34:56'",
        ("'now'", "all"),
        shown="replace({c}, 'T', ' ')",
    ),
    case(
        "c_tstz", "timestamptz", "timestamp", "'2024-02-29 12:34:56.5+00:00'", ("'1901-01-01 00:00:00+00'", "mariadb")
    ),
    case("c_uuid", "uuid", "text", "'123e4567-e89b-12d3-a456-426655440000'", ("'123e4567'", "all")),
    case("c_json", "json", "text", "'null'", "'{\"a\":  1.10}'", ("'{'", "all")),
)

SOURCES: dict[str, tuple[Case, ...]] = {PG: POSTGRES, MY: MARIADB, SL: SQLITE, DK: DUCKDB, PQ: PARQUET, CS: CSV}
SETUP: dict[str, tuple[str, ...]] = {PG: POSTGRES_SETUP, MY: (), SL: (), DK: (), PQ: (), CS: ()}
