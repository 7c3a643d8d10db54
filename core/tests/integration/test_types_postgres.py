"""Every type from PostgreSQL to PostgreSQL: the source's own text equals the target's own text, value by value."""

from __future__ import annotations

import pytest
from integration.postgres_kit import connection, copy, texts

from dvt.errors import DataError

pytestmark = pytest.mark.postgres

ALL_BYTES = "\\x" + "".join(f"{byte:02x}" for byte in range(256))

# type -> values as PostgreSQL literals; each list also holds NULL.
SAME_TEXT: dict[str, list[str]] = {
    "boolean": ["true", "false"],
    "smallint": ["-32768", "32767", "0"],
    "integer": ["-2147483648", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "oid": ["0", "4294967295"],
    "real": ["'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "1.1", "1e-45", "3.4028235e38", "16777217", "0.1"],
    "double precision": [
        "'NaN'",
        "'Infinity'",
        "'-Infinity'",
        "'-0'",
        "1.1",
        "5e-324",
        "1.7976931348623157e308",
        "0.30000000000000004",
        "1e15",
        "123456789012345680",
    ],
    "numeric(10,2)": ["99999999.99", "-99999999.99", "0.01", "0", "1.5"],
    "numeric(38,0)": ["99999999999999999999999999999999999999", "-1"],
    "numeric(38,38)": ["0.00000000000000000000000000000000000001", "-0.99999999999999999999999999999999999999"],
    "numeric(5,-2)": ["12345", "9999900", "100"],
    "numeric(3,5)": ["0.00999", "0.00001"],
    "numeric(20,0)": ["18446744073709551615"],
    "text": [
        "''",
        "'NULL'",
        "E'\\\\N'",
        "E'\\\\.'",
        "E'a\\n\\\\.\\nb'",
        '\'a,"b""c\'',
        "E'cr\\rlf\\r\\nend\\n'",
        "' padded '",
        "'007'",
        "'t'",
        "E'tab\\t\\x01\\x1f'",
        "'grüße 😀 日本'",
        "'\ufeffmark'",
        "'{a}'",
        "'%s %(x)s {{ jinja }}'",
        "repeat('x', 3000000)",
    ],
    "varchar(20)": ["''", "'abc '", "'ünï'"],
    "char(5)": ["'ab'", "'abcde'", "''", "' a'"],
    "name": ["'pg_class'"],
    "bytea": ["''", f"'{ALL_BYTES}'", "'\\x00'", "'\\x5c22'"],
    "date": [
        "'2024-02-29'",
        "'infinity'",
        "'-infinity'",
        "'0044-03-15 BC'",
        "'4713-01-01 BC'",
        "'5874897-12-31'",
        "'0001-01-01'",
        "'9999-12-31'",
        "'10000-01-01'",
        "'1969-12-31'",
    ],
    "time": ["'00:00'", "'23:59:59.999999'", "'24:00'", "'12:34:56.7'"],
    "timestamp": [
        "'2024-02-29 12:34:56.789012'",
        "'infinity'",
        "'-infinity'",
        "'0044-03-15 10:00 BC'",
        "'4713-01-01 00:00:00 BC'",
        "'294246-12-31 23:59:59.999999'",
        "'1969-12-31 23:59:59.999999'",
        "'10000-01-01 00:00:00'",
        "'0001-01-01 00:00:00'",
        "'9999-12-31 23:59:59.999999'",
    ],
    "timestamptz": [
        "'2024-03-31 02:30:00.5+02'",
        "'infinity'",
        "'-infinity'",
        "'0044-03-15 10:00+00 BC'",
        "'2024-10-27 02:30:00 Europe/Berlin'",
        "'10000-01-01 00:00:00+00'",
    ],
    "interval": [
        "'1 year 2 mons -3 days 04:05:06.789'",
        "'0'",
        "'-1 mons'",
        "'-00:00:00.000001'",
        "'100000:00:00'",
        "'-178956970 years'",
        "'2147483647 days'",
        "'-0.5 seconds'",
        "'1 mon -1 day 1 us'",
    ],
    "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'00000000-0000-0000-0000-000000000000'"],
    "json": ["'null'", '\'{"b" :  1, "a":[1,2 ] }\'', "'\"ü\"'", "'1.10'", 'E\'{"a": "x\\\\\\\\ny"}\''],
    "integer[]": ["'{}'", "'{1,NULL,-3}'", "'{NULL}'"],
    "bigint[]": ["'{9223372036854775807}'"],
    "text[]": ["'{}'", "array['','NULL',null,'a,b','a\"b','a\\b','{x}',' ','ü']", "array['plain','two']"],
    "boolean[]": ["'{t,f,NULL}'"],
    "numeric(10,2)[]": ["'{1.10,NULL}'"],
    "real[]": ["'{NaN,1.1,-0,Infinity}'"],
    "double precision[]": ["'{NaN,1.1,-0,Infinity}'"],
    "date[]": ["'{2024-02-29,infinity,0044-03-15 BC}'"],
    "timestamptz[]": ["'{2024-02-29 12:00+00,infinity,NULL}'"],
    "uuid[]": ["'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}'"],
    "bytea[]": ["array['\\x00ff'::bytea, null, '']"],
    "interval[]": ["array['1 day'::interval, null]"],
    "json[]": ["array['{\"a\": [1, \"x\"]}'::json, null, 'null']"],
    "time[]": ["'{24:00,12:00}'"],
    # Widened to their text output.
    "jsonb": ["'null'", "'{\"b\": 1}'", "'\"\\u00fc\"'"],
    "bit(4)": ["B'0101'"],
    "varbit": ["B'010'", "B''"],
    "timetz": ["'12:00:00.5+05:30'"],
    "money": ["1234.56", "-0.01"],
    "inet": ["'10.0.0.1/8'", "'fe80::1/64'"],
    "cidr": ["'10.0.0.0/8'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "xml": ["'<a b=\"c\">&lt;</a>'"],
    "int4range": ["'[1,5)'", "'empty'"],
    "tsvector": ["'a fat cat'"],
    "point": ["'(1.1,2)'"],
    "box[]": ["'{(1,1),(0,0);(3,3),(2,2)}'"],
    "pg_lsn": ["'16/B374D848'"],
    "int2vector": ["'1 2 3'"],
    '"char"': ["'x'"],
    "mood": ["'sad'", "'o,k'"],
    "mood[]": ["'{sad,\"o,k\",NULL}'"],
    "positive": ["7"],
    "price": ["1.10"],
    "price[]": ["'{1.10}'"],
    "list_price[]": ["'{1.10,NULL}'"],
    "list_moods": ["'{sad,\"o,k\"}'"],
    "pair": ["row(1, 'a \"b')"],
}

TYPES = """
create type mood as enum ('sad', 'o,k');
create domain positive as int check (value > 0);
create domain price as numeric(10,2);
create domain list_price as price;
create domain own_mood as mood;
create domain list_mood as own_mood;
create domain list_moods as list_mood[];
create domain code as char(5);
create domain own_code as code;
create type pair as (a int, b text);
"""


@pytest.fixture(scope="module")
def databases(postgres_server):
    source = postgres_server.create_database("types_source", timezone="Pacific/Chatham")
    target = postgres_server.create_database("types_target", timezone="America/St_Johns")
    postgres_server.psql(source, TYPES)
    return source, target


def make(server, database, type_, values):
    rows = ", ".join(f"({number}, ({value})::{type_})" for number, value in enumerate([*values, "NULL"]))
    server.psql(database, f"drop table if exists source; create table source (k int, v {type_})")
    try:
        server.psql(database, f"insert into source values {rows}")
    except RuntimeError as error:
        if "built with libxml" in str(error):
            pytest.skip("this server was built without XML")
        raise


@pytest.mark.parametrize("method", ["auto", "copy", "cursor"])
@pytest.mark.parametrize("type_", list(SAME_TEXT))
def test_source_text_equals_target_text(postgres_server, databases, type_, method):
    source, target = databases
    make(postgres_server, source, type_, SAME_TEXT[type_])
    result = copy(connection(postgres_server, source, method=method), connection(postgres_server, target))
    assert result.rows == len(SAME_TEXT[type_]) + 1
    if type_ == "box[]":
        # Lands as text[]: each element's text is the box's.
        query = "select string_agg(x::text, ';' order by x::text) from {}, unnest(v) x"
        assert postgres_server.psql(source, query.format("source")) == postgres_server.psql(
            target, query.format("target")
        )
        return
    wanted = texts(postgres_server, source, "source", "v")
    assert wanted == texts(postgres_server, target, "target", "v")
    assert "NULL" in wanted


def test_numeric_without_precision_keeps_every_value_that_fits(postgres_server, databases):
    source, target = databases
    values = [
        "1.5",
        "0.000000001",
        "12345678901234567890123456789.123456789",
        "1." + "0" * 60,
        "-7",
        "1.50000000000000",
    ]
    make(postgres_server, source, "numeric", values)
    copy(connection(postgres_server, source), connection(postgres_server, target))
    query = "select v::numeric(60,12) from {} where v is not null order by k"
    assert postgres_server.psql(source, query.format("source")) == postgres_server.psql(target, query.format("target"))


def test_numeric_scale_option_sets_the_digits(postgres_server, databases):
    source, target = databases
    make(postgres_server, source, "numeric", ["0.000000000012"])
    copy(connection(postgres_server, source, numeric_scale=12), connection(postgres_server, target))
    assert postgres_server.psql(target, "select v from target where k = 0") == "0.000000000012"
    with pytest.raises(DataError, match=r"0\.000000000012"):
        copy(connection(postgres_server, source), connection(postgres_server, target))


REFUSED = {
    "numeric": ["'NaN'", "'Infinity'", "1e30", "0.0000000001", "25301027425203743779151633529203"],
    "numeric(10,2)": ["'NaN'"],
    "numeric(10,2)[]": ["array['NaN'::numeric]"],
    "numeric[]": ["array[25301027425203743779151633529203]"],
    "numeric(50,2)": ["1e40"],
    "integer[]": ["'[0:1]={1,2}'", "'{{1,2},{3,4}}'"],
    "text[]": ["array[array['a','b']]"],
    "timestamp": ["'294276-12-31 00:00:00'"],
    "interval": ["'5000000 hours'"],
}


@pytest.mark.parametrize("method", ["auto", "copy", "cursor"])
@pytest.mark.parametrize(("type_", "value"), [(t, v) for t, values in REFUSED.items() for v in values])
def test_what_cannot_be_carried_stops_and_names_column_and_value(postgres_server, databases, type_, value, method):
    source, target = databases
    make(postgres_server, source, type_, ["NULL", value])
    postgres_server.psql(target, "drop table if exists target; create table target as select 'old' as v")
    shown = postgres_server.psql(source, "set intervalstyle to iso_8601; select v from source where k = 1")
    with pytest.raises(DataError) as caught:
        copy(connection(postgres_server, source, method=method), connection(postgres_server, target))
    assert caught.value.column == "v"
    assert caught.value.relation == "public.source"
    assert shown[:20].strip("{}") in str(caught.value)
    assert postgres_server.psql(target, "select v from target") == "old"


def test_types_of_a_query_are_found_without_rows(postgres_server, databases):
    source, target = databases
    query = "select 1::smallint as a, null as b, array[]::date[] as c, 1.0::numeric(7,3) as d where false"
    copy(connection(postgres_server, source), connection(postgres_server, target), query)
    types = "select string_agg(format_type(atttypid, atttypmod), ',' order by attnum) from pg_attribute"
    found = postgres_server.psql(target, f"{types} where attrelid = 'target'::regclass and attnum > 0")
    assert found == "smallint,text,date[],numeric(7,3)"


@pytest.mark.parametrize("method", ["auto", "copy", "cursor"])
def test_elements_of_domains_over_domains_are_of_their_base(postgres_server, databases, method):
    """As text, numbers would be none, and characters would keep their padding."""
    source, target = databases
    query = "select array[1.1, null]::list_price[] as a, array['ab']::own_code[] as b, array['o,k']::list_mood[] as c"
    copy(connection(postgres_server, source, method=method), connection(postgres_server, target), query)
    types = "select string_agg(format_type(atttypid, atttypmod), ',' order by attnum) from pg_attribute"
    found = postgres_server.psql(target, f"{types} where attrelid = 'target'::regclass and attnum > 0")
    assert found == "numeric(10,2)[],text[],text[]"
    assert postgres_server.psql(target, "select a, b[1] || '.', c from target") == '{1.10,NULL}|ab.|{"o,k"}'


def test_invalid_utf8_of_a_database_without_encoding_is_refused_by_column(postgres_server):
    source = postgres_server.create_database("types_ascii", encoding="SQL_ASCII")
    postgres_server.psql(source, "create table source (k int, v text); insert into source values (1, E'\\xff')")
    with pytest.raises(DataError, match=r"column v.*UTF-8"):
        copy(connection(postgres_server, source), connection(postgres_server, source))


def test_latin1_database_both_ways(postgres_server, databases):
    latin = postgres_server.create_database("types_latin", encoding="LATIN1")
    source, target = databases
    postgres_server.psql(latin, "create table source (k int, v text); insert into source values (1, 'größe'), (2, '')")
    copy(connection(postgres_server, latin), connection(postgres_server, target))
    assert postgres_server.psql(target, "select encode(convert_to(v, 'UTF8'), 'hex') from target where k = 1") == (
        "größe".encode().hex()
    )
    copy(connection(postgres_server, target), connection(postgres_server, latin), relation="target", to="back")
    assert postgres_server.psql(latin, "select encode(convert_to(v, 'LATIN1'), 'hex') from back where k = 1") == (
        "größe".encode("latin1").hex()
    )
    query = "select '€'::text as v"
    with pytest.raises(DataError, match="column v"):
        copy(connection(postgres_server, source), connection(postgres_server, latin), query)
