"""DuckDB results inside the vocabulary: every DuckDB type, with DuckDB's own text as the oracle."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from dvt.federation.duckdb_result import open_result
from dvt.types.duckdb import SESSION_SETTINGS, NativeType, carried, parse_type, vocabulary_projection

KNOWN = {
    *(pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float32(), pa.float64(), pa.string(), pa.binary(), pa.date32(), pa.time64("us"), pa.timestamp("us")),
    *(pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.month_day_nano_interval()),
}
VALUES = {
    "BOOLEAN": "true",
    "NESTED": "{'a': [true, null], 'm': map {'k': false}, 'j': '{}'::json, 'u': [md5('x')::uuid]}",
    "HUGEINT": "99999999999999999999999999999999999999::hugeint",
    "UHUGEINT": "1::uhugeint",
    "BIT": "'00101'::bit",
    "ENUM": "'b,)'::enum('a', 'b,)', 'it''s')",
    "TIMETZ": "'10:00:00+02'::timetz",
    "TIMESTAMPTZ": "'2024-03-31 02:30:00+01'::timestamptz",
    "TIMESTAMP_S": "'1000-01-01 00:00:01'::timestamp_s",
    "TIMESTAMP_MS": "'infinity'::timestamp_ms",
    "TIMESTAMP_NS": "'2020-01-01 00:00:00.123456789'::timestamp_ns",
    "TIMESTAMP": "'290000-01-01 (BC) 00:00:00'::timestamp",
    "DATE": "'-infinity'::date",
    "TIME_NS": "'10:00:00.123456789'::time_ns",
    "UUID": "'6f2c1f9e-1111-4222-8333-444455556666'::uuid",
    "JSON": "'{\"a\": 1.0}'::json",
    "INTERVAL": "interval '14 months -3 days 1.5 seconds'",
    "STRUCT": "{'a': 1::hugeint, 'we\"ird, x(': ['q']::enum('q')[]}",
    "ARRAY": "[1, 2, NULL]::int[3]",
    "MAP": "map {1: 'x'}",
    "UNION": "union_value(n := 1)",
    "DECIMAL": "-0.01::decimal(38, 20)",
    "FLOAT": "1.1::float",
    "NAN": "'nan'::double",
    "BLOB": "'\\x00\\xFF'::blob",
    "UBIGINT": "18446744073709551615::ubigint",
}


@pytest.fixture
def session():
    with duckdb.connect() as opened:
        for statement in SESSION_SETTINGS:
            opened.execute(statement)
        yield opened


def run(session, sql):
    result = open_result(session, sql, 100)
    batches = list(iter(result.next_batch, None))
    result.close()
    return result, pa.Table.from_batches(batches, schema=result.schema)


def is_in_vocabulary(type_):
    if type_ in (pa.uuid(), pa.json_()):
        return True
    if pa.types.is_struct(type_) or pa.types.is_map(type_) or pa.types.is_list(type_):
        return all(is_in_vocabulary(type_.field(index).type) for index in range(type_.num_fields))
    return type_ in KNOWN or pa.types.is_decimal128(type_)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_text_stays_the_same_and_arrow_is_inside_the_vocabulary(session, value):
    result, table = run(session, f"select {value} as v union all select null")
    assert result.columns[0].type == table.schema.field(0).type
    assert is_in_vocabulary(table.schema.field(0).type)
    session.register("came", table)
    want = session.execute(f"select ({value})::varchar, null").fetchall()[0]
    assert tuple(row[0] for row in session.execute("select v::varchar from came").fetchall()) == want


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("170141183460469231731687303715884105727::hugeint", "170141183460469231731687303715884105727"),
        pytest.param(
            "'2020-01-01 00:00:00.000000001+00'::timestamptz_ns",
            r"2020-01-01 00:00:00.000000001\+00",
            marks=pytest.mark.skipif(duckdb.__version__ < "2", reason="DuckDB 2.0 brought the type"),
        ),
    ],
)
def test_a_value_that_does_not_fit_names_the_column(session, value, text):
    with pytest.raises((duckdb.Error, OSError), match='dvt: column "a ""b" holds ' + text):
        run(session, f'select {value} as "a ""b"')


def test_a_query_with_a_name_twice_and_a_comment_at_the_end(session):
    result, table = run(session, "select 1 as a, '1'::bit as a -- the end;")
    assert [column.name for column in result.columns] == ["a", "a"]
    assert table.columns[1].to_pylist() == ["1"]


def test_order_of_the_query_is_kept(session):
    _, table = run(session, "select i::hugeint as i from range(5000) t(i) order by i desc")
    assert [int(v) for v in table.column(0).to_pylist()] == list(range(4999, -1, -1))


def test_python_variables_are_no_tables(session):
    came = pa.table({"x": [1]})  # noqa: F841
    with pytest.raises(duckdb.CatalogException):
        session.sql("select * from came")


def test_nothing_to_cast_is_said():
    assert vocabulary_projection([("a", "INTEGER"), ("b", "STRUCT(x VARCHAR[])")]) is None


def test_nested_types_are_parsed():
    parsed = parse_type("MAP(INTEGER, STRUCT(a DECIMAL(10,2), \"b \"\")(\" ENUM('x', '),')[2])[])")
    assert parsed.name == "MAP"
    assert carried(parsed).sql() == 'MAP(VARCHAR, STRUCT("a" DECIMAL(10,2), "b "")(" VARCHAR[])[])'
    assert parse_type("TIMESTAMP WITH TIME ZONE") == NativeType("TIMESTAMP WITH TIME ZONE")
