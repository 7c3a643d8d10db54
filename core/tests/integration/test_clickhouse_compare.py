"""What ClickHouse is asked to compare: in the same rows true as in the engine, value by value.

Each condition is read and rendered as the planner does it, and asked of both: the server, and DuckDB over all rows.
"""

from __future__ import annotations

import itertools

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from integration.clickhouse_kit import connect
from servers.clickhouse import ClickHouseServer

from dvt.connections.clickhouse import SPEC, statement_settings
from dvt.connections.comparing import Trust
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.clickhouse import ClickHouseExtractor
from dvt.federation.plan.answers import Source
from dvt.federation.plan.condition_reading import ConditionReader
from dvt.federation.plan.constants import Constants
from dvt.identifiers import Relation

pytestmark = pytest.mark.clickhouse

OPERATORS = ("=", "<>", "<", "<=", ">", ">=")
INTEGERS = ("0", "1", "-1", "5", "255", "300", "9223372036854775807", "-9223372036854775808", "1.5", "-0.5", "2.0")
DECIMALS = (
    "0",
    "1.5",
    "1.50",
    "1.501",
    "-1.5",
    "99999999.99",
    "123456789012345678901234567890",
    "18446744073709551615",
)
DOUBLES = ("0", "-0.0", "1.1::double", "5e-324", "1e300", "9007199254740993", "1.5", "1.7976931348623157e308")
TEXTS = ("''", "'a'", "'A'", "'a '", "'ä'", "'b'", "'\\'", "'it''s'", "'日本'", "'🙂'", "'a' || chr(9)", "'OPEN'")
_DAYS = ("1900-01-02", "1970-01-01", "1969-12-31", "2024-02-29", "2149-06-06", "2299-12-30", "0001-01-01", "9999-12-31")
DATES = (*(f"date '{day}'" for day in _DAYS), "timestamp '2024-02-29 12:00:00'", "timestamp '1969-12-31 12:00:00'")
INSTANTS = (
    *(f"timestamptz '{day} 00:00:00+00'" for day in _DAYS),
    *(f"timestamptz '2024-02-29 12:00:00{more}+00'" for more in ("", ".000001", ".123", ".123456", ".5")),
    "timestamptz '2106-02-07 06:28:15+00'",
)
UUIDS = ("'6f2c1f9e-1111-4222-8333-444455556666'", "uuid '00000000-0000-0000-0000-000000000000'")

# Type, values as ClickHouse reads them, constants; whether anything at all is asked.
CASES: tuple[tuple[str, tuple[str, ...], tuple[str, ...], bool], ...] = (
    *((t, ("0", "1", "5", "100"), INTEGERS, True) for t in ("Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32")),
    ("Int64", ("0", "-1", "5", "9223372036854775807", "-9223372036854775808"), INTEGERS, True),
    ("UInt64", ("0", "5", "300", "18446744073709551615"), INTEGERS, True),
    ("Int128", ("0", "5", "'99999999999999999999999999999999999999'"), (*INTEGERS, *DECIMALS), False),
    ("UInt256", ("0", "5"), INTEGERS, False),
    ("Decimal(10, 2)", ("0", "'1.5'", "'-1.5'", "'99999999.99'"), DECIMALS, True),
    ("Decimal(38, 9)", ("0", "'1.5'", "'12345678901234567890123456789.000000001'"), DECIMALS, True),
    ("Decimal(60, 9)", ("0", "'1.501'", "'12345678901234567890123456789.000000001'"), DECIMALS, True),
    ("Float64", ("0", "-0.0", "nan", "inf", "-inf", "1.1", "5e-324", "9007199254740992"), DOUBLES, True),
    ("Float32", ("0", "nan", "1.1"), DOUBLES, False),
    (
        "String",
        ("''", "'a'", "'A'", "'a '", "'ä'", "'\\\\'", "'it\\'s'", "'日本'", "'🙂'", "'a\\t'", "'a\\0'"),
        TEXTS,
        True,
    ),
    ("LowCardinality(String)", ("''", "'a'", "'A'", "'ä'"), TEXTS, True),
    ("FixedString(4)", ("''", "'a'", "'OPEN'"), TEXTS, False),
    ("Enum8('b' = 1, 'a' = 2, 'OPEN' = 3)", ("'b'", "'a'", "'OPEN'"), TEXTS, False),
    ("IPv4", ("'1.2.3.4'", "'10.0.0.0'"), ("'1.2.3.4'", "'a'"), False),
    ("Date", ("'1970-01-01'", "'2024-02-29'", "'2149-06-06'"), DATES, True),
    ("Date32", ("'1900-01-01'", "'1969-12-31'", "'2024-02-29'", "'2299-12-31'"), DATES, True),
    ("DateTime", ("'1970-01-01 00:00:00'", "'2024-02-29 12:00:00'", "'2106-02-07 06:28:15'"), INSTANTS, True),
    ("DateTime('America/Lima')", ("'2024-02-29 07:00:00'", "'2024-02-29 00:00:00'"), INSTANTS, True),
    (
        "DateTime64(6)",
        ("'1900-01-01 00:00:00'", "'2024-02-29 12:00:00.123456'", "'2299-12-31 23:59:59'"),
        INSTANTS,
        True,
    ),
    ("DateTime64(3, 'UTC')", ("'2024-02-29 12:00:00.123'", "'2024-02-29 12:00:00'"), INSTANTS, True),
    ("DateTime64(9)", ("'2024-02-29 12:00:00.123456'",), INSTANTS, False),
    ("Bool", ("true", "false"), ("true", "false"), True),
    ("UUID", UUIDS[:1], UUIDS, True),
    ("JSON", ("'{}'",), ("'a'",), False),
)


def conditions(type_: str, constants: tuple[str, ...]) -> list[str]:
    found = [f"v {operator} {value}" for operator in OPERATORS for value in constants]
    found += [f"v in ({', '.join(pair)})" for pair in itertools.combinations(constants, 2)]
    found += [f"v in ({', '.join(constants)})", f"v not in ({', '.join(constants[:3])})"]
    found += [f"v between {low} and {high}" for low, high in itertools.pairwise(constants)]
    found += [f"v {operator} w" for operator in OPERATORS]
    found += [
        "v is null",
        "v is not null",
        f"v is distinct from {constants[0]}",
        f"not (v = {constants[0]}) or w is null",
    ]
    if "String" in type_:
        patterns = ("a%", "A%", "ä%", "日%", "it''s%", "%", "a", "🙂%", "a_%")
        found += [f"v like '{pattern}'" for pattern in patterns]
    return found


@pytest.fixture(scope="module")
def server(clickhouse_server: ClickHouseServer) -> ClickHouseServer:
    clickhouse_server.create_database("comparing")
    return clickhouse_server


def nullable(type_: str) -> str:
    if type_.startswith("LowCardinality"):
        return "LowCardinality(Nullable(String))"
    return f"Nullable({type_})"


@pytest.mark.parametrize("is_nullable", [False, True])
@pytest.mark.parametrize(("type_", "values", "constants", "is_asked"), CASES, ids=[case[0] for case in CASES])
def test_conditions_are_true_in_the_same_rows(
    server: ClickHouseServer,
    type_: str,
    values: tuple[str, ...],
    constants: tuple[str, ...],
    is_asked: bool,
    is_nullable: bool,
) -> None:
    column = nullable(type_) if is_nullable else type_
    statements = [f"create or replace table t (n UInt16, v {column}, w {column}) engine = MergeTree order by n"]
    rows = list(itertools.product((*values, "NULL") if is_nullable else values, repeat=2))
    filled = ", ".join(f"({number}, {v}, {w})" for number, (v, w) in enumerate(rows))
    statements.append(f"insert into t values {filled}")
    server.execute(*statements, database="comparing")
    sent = []
    with ClickHouseExtractor(connect(server, "comparing")) as extractor, duckdb.connect() as engine:
        engine.execute("set timezone = 'UTC'")
        with extractor.scan(ExtractionConfig(relation=Relation("t"))) as stream:
            columns, whole = stream.columns, stream.to_table()
        engine.register("t", whole)
        reader = ConditionReader({c.name: c.type for c in columns}, Constants())
        source = Source(columns, SPEC.comparing, "clickhouse", {})
        for condition in conditions(type_, constants):
            predicate = reader.read(sqlglot.parse_one(condition, read="duckdb"))
            answer = source.answer(predicate.predicate) if predicate.predicate is not None else None
            if answer is not None and answer.sql is not None:
                sent.append((condition, answer, predicate.is_whole))
        settings = statement_settings(extractor.connection, "dvt-compare")  # under which a scan is sent
        theirs = [f"ifNull({answer.sql.sql('clickhouse')}, false)" for _, answer, _ in sent]
        answers = server.query(f"select {', '.join(theirs)} from t order by n", "comparing", **settings).split("\n")
        found = list(zip(*(line.split("\t") for line in answers), strict=True))
        for (condition, answer, is_whole), column in zip(sent, found, strict=True):
            try:
                expected = engine.execute(f"select coalesce({condition}, false) from t order by n").fetchall()
            except duckdb.ConversionException:  # the engine refuses the constant: there is no answer to change
                continue
            for (is_true,), text in zip(expected, column, strict=True):
                is_exact = answer.trust is Trust.EXACT and is_whole
                is_found = text in ("1", "true")
                assert is_found == is_true or (is_found and not is_exact), f"{condition}: {answer.sql}"
    assert any("null" not in condition and "'%'" not in condition for condition, *_ in sent) is is_asked


def test_texts_of_all_kinds_have_one_order(server: ClickHouseServer) -> None:
    letters = [chr(code) for code in (1, 9, 32, 65, 97, 127, 128, 255, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000)]
    texts = sorted({"".join(pair) for pair in itertools.product(letters, repeat=2)} | set(letters))
    server.execute("create or replace table t (v String) engine = MergeTree order by v", database="comparing")
    rows = ", ".join(f"(unhex('{text.encode().hex()}'))" for text in texts)
    server.execute(f"insert into t values {rows}", database="comparing")
    there = server.query("select hex(v) from t order by v", "comparing").split("\n")
    with duckdb.connect() as engine:
        engine.register("t", pa.table({"v": texts}))
        here = [row[0].encode().hex().upper() for row in engine.execute("select v from t order by v").fetchall()]
    assert there == here
