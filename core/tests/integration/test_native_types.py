"""Every type of the issue in one table: how the native lane reads it, the CSV lane's values, and the server's own text.

`test_types_postgres.py` has the edges of each type, and what is refused; here is which types are decoded from their
binary form and which come as the server's text of them (the table of plans/0044).
"""

from __future__ import annotations

import pytest
from integration.postgres_kit import connection
from integration.test_native_read import both
from integration.test_types_postgres import SAME_TEXT, TYPES

from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.postgres import PostgresExtractor
from dvt.federation.extractors.postgres_native import NativeLane
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.postgres import PostgresLoader
from dvt.identifiers import Relation
from dvt.native import library as codec

_WHY_NOT = codec.load()
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(isinstance(_WHY_NOT, str), reason=f"no native codec: {_WHY_NOT}"),
]

DECODED = [
    *("boolean", "smallint", "integer", "bigint", "oid", "real", "double precision"),
    *("numeric(10,2)", "numeric(38,0)", "numeric(38,38)", "numeric(5,-2)", "numeric(3,5)", "numeric(20,0)"),
    *("text", "varchar(20)", "char(5)", "name", "bytea", "date", "time", "timestamp", "timestamptz", "interval"),
    *("uuid", "json", "jsonb", "mood", "positive", "price"),
    *("boolean[]", "integer[]", "bigint[]", "real[]", "double precision[]", "numeric(10,2)[]", "text[]", "bytea[]"),
    *("date[]", "time[]", "timestamptz[]", "interval[]", "uuid[]", "json[]", "mood[]", "price[]"),
    *("list_price[]", "list_moods"),
]
AS_TEXT = [
    *("bit(4)", "varbit", "timetz", "money", "inet", "cidr", "macaddr", "int4range", "tsvector", "point"),
    *("pg_lsn", "int2vector", '"char"', "pair", "box[]"),
]
# Types of which the other file has none: decoded, and as text.
MORE_DECODED = {
    "numeric(50,2)": ["1.25", "-1e20"],
    "numeric": ["1.5", "-7", "0.000000001"],
    "smallint[]": ["'{1,NULL}'"],
    "oid[]": ["'{4294967295}'"],
    "numeric[]": ["'{1.5,NULL}'"],
    "numeric(60,30)": ["1.5"],
    "varchar(20)[]": ["'{a,NULL,\"b \"}'"],
    "name[]": ["'{a}'"],
    "jsonb[]": ["array['{\"a\": 1}'::jsonb, null]"],
    "timestamp[]": ["'{2024-02-29 12:00,-infinity}'"],
    "positive[]": ["'{7,NULL}'"],
    "small_mood": ["'sad'"],
    "some_moods": ["'{sad,NULL}'"],
}
MORE_AS_TEXT = {
    "timetz[]": ["'{12:00+02,NULL,24:00:00-15:59}'"],
    "inet[]": ["'{10.0.0.1,::ffff:1.2.3.4,NULL,1::/16}'"],
    "cidr[]": ["'{10.0.0.0/8}'"],
    "bit(4)[]": ["'{0101,NULL}'"],
    "varbit[]": ["'{0,NULL}'"],
    "macaddr8": ["'08:00:2b:01:02:03:04:05'"],
    "int8range": ["'[1,)'"],
    "numrange": ["'(,1.50]'"],
    "tsrange": ["'[2024-01-01,infinity)'"],
    "tstzrange": ["'[2024-01-01 00:00+00,)'"],
    "daterange": ["'[0044-03-15 BC,2024-01-01)'"],
    "int4range[]": ["array['[1,5)'::int4range, null, 'empty']"],
    "int4multirange": ["'{[1,3),[5,7)}'"],
    "pair[]": ["array[row(1, 'a \"b'), null, row(null, null)]::pair[]"],
    "nested": ["row(row(1, 'x'), '{1,2}', null)", "row(null, null, null)"],
    "xid": ["'4294967295'"],
    "cid": ["'1'"],
    "tid": ["'(1,2)'"],
    "regclass": ["'pg_class'"],
    "regtype": ["'int4'"],
    "tsquery": ["'fat & cat'"],
    "jsonpath": ["'$.a'"],
    "line": ["'{1,2,3}'"],
    "lseg": ["'[(0,0),(1,1)]'"],
    "box": ["'(1,1),(0,0)'"],
    "path": ["'((0,0),(1,1))'"],
    "polygon": ["'((0,0),(1,1),(1,0))'"],
    "circle": ["'<(0,0),1>'"],
    "money[]": ["'{1.5,NULL}'"],
    "oidvector": ["'1 2'"],
    "txid_snapshot": ["'10:20:10,14'"],
}
_TYPES = """
create domain small_mood as mood check (value = 'sad');
create domain some_moods as mood[];
create type nested as (p pair, l int[], m mood);
"""
# What is compared where another type with the same values lands: no padding, other digits after the point, texts
# with other commas between them.
_COMPARED = {
    "char(5)": "{}::text",
    **dict.fromkeys(["numeric", "numeric(60,30)"], "trim_scale({})"),
    "numeric[]": "array(select trim_scale(x) from unnest({}) x)",
    "box[]": "array(select x::text from unnest({}) x)",
}


def values_of(type_: str) -> list[str]:
    """Literals of a type."""
    return (MORE_DECODED | MORE_AS_TEXT).get(type_) or [value for value in SAME_TEXT[type_] if "3000000" not in value]


@pytest.fixture(scope="module")
def made(postgres_server) -> tuple[str, list[str]]:
    """A database with the table, and the types of its columns c0, c1, ..."""
    name = postgres_server.create_database("native_types", timezone="Pacific/Chatham")
    postgres_server.psql(name, TYPES + _TYPES)
    types = [*DECODED, *MORE_DECODED, *AS_TEXT, *MORE_AS_TEXT]
    if int(postgres_server.psql(name, "show server_version_num")) < 140000:
        types.remove("int4multirange")
    rows = max(len(values_of(type_)) for type_ in types) + 1
    listed = ", ".join(f"c{number} {type_}" for number, type_ in enumerate(types))
    lines = []
    for row in range(rows):
        each = [(type_, (*values_of(type_), *["null"] * rows)[row]) for type_ in types]
        lines.append(f"({row}, {', '.join(f'({value})::{type_}' for type_, value in each)})")
    postgres_server.psql(name, f"create table source (k int, {listed}); insert into source values {', '.join(lines)}")
    return name, types


def shown(server, database: str, table: str, types: list[str]) -> list[tuple[str, ...]]:
    """The output function's text of every value, by columns; a cast to text adds a mask to an inet."""
    values = [_COMPARED.get(type_, "{}").format(f"c{number}") for number, type_ in enumerate(types)]
    columns = ", ".join(f"coalesce(quote_literal(format('%s', {value})), 'NULL')" for value in values)
    query = f"select array_to_string(array[{columns}], E'\\x02') || E'\\x03' from {table} order by k"
    rows = [row.strip("\n").split("\x02") for row in server.psql(database, query, PGTZ="UTC").split("\x03")]
    return list(zip(*[row for row in rows if row != [""]], strict=True))


def test_which_types_are_decoded(postgres_server, made, monkeypatch):
    """The others are in the statement as their text."""
    database, types = made
    asked: list[str] = []
    statement = NativeLane.statement
    monkeypatch.setattr(NativeLane, "statement", lambda lane, sql: asked.append(statement(lane, sql)) or asked[-1])
    found = both(postgres_server, database, ExtractionConfig(relation=Relation("source", "public")))
    assert found.num_rows == len(SAME_TEXT["text"])
    (sent,) = asked
    as_text = [type_ for number, type_ in enumerate(types) if f"format('%s', \"c{number}\")" in sent]
    assert as_text == [type_ for type_ in types if type_ in (*AS_TEXT, *MORE_AS_TEXT)]


def test_the_text_of_what_landed_is_the_servers(postgres_server, made):
    database, types = made
    source = connection(postgres_server, database)
    with PostgresExtractor(source) as extractor, PostgresLoader(source) as loader:
        with extractor.scan(ExtractionConfig(relation=Relation("source", "public"))) as stream:
            assert stream.method == "copy_native"
            loader.load(stream, LoadConfig(Relation("target", "public")))
    columns = [shown(postgres_server, database, table, types) for table in ("source", "target")]
    for type_, wanted, found in zip(types, *columns, strict=True):
        assert len(wanted) == len(SAME_TEXT["text"])
        assert wanted == found, type_
