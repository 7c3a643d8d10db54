"""Oracle without a driver: what it is asked for each comparison, and the places of outputs."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dvt.connections.connection import Connection
from dvt.connections.oracle import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.oracle_columns import said_in_oracle
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.plan.answers import Source
from dvt.federation.plan.predicates import (
    Comparison,
    Constant,
    Family,
    NullTest,
    OneOf,
    Operator,
    Predicate,
    Prefix,
)
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation

COLUMNS = [
    ColumnSchema("I", pa.int64(), True, "NUMBER(9,0)"),
    ColumnSchema("N", pa.decimal128(38, 9), True, "NUMBER"),
    ColumnSchema("F", pa.decimal128(38, 9), True, "FLOAT(126)"),
    ColumnSchema("BD", pa.float64(), True, "BINARY_DOUBLE"),
    ColumnSchema("T", pa.string(), True, "VARCHAR2(20)"),
    ColumnSchema("W", pa.string(), True, "VARCHAR2(20)", "WE8MSWIN1252"),
    ColumnSchema("L", pa.string(), True, "CLOB"),
    ColumnSchema("D", pa.timestamp("us"), True, "DATE"),
    ColumnSchema("Z", pa.timestamp("us", tz="UTC"), True, "TIMESTAMP WITH TIME ZONE"),
]
MIDNIGHT = Constant(Family.TIMESTAMP, "2024-01-01 00:00:00")
SAID: list[tuple[Predicate, str | None]] = [
    (Comparison("i", Operator.GREATER_EQUAL, Constant(Family.INTEGER, "-5")), '"I" >= -5'),
    (Comparison("n", Operator.EQUAL, Constant(Family.DECIMAL, "1.5")), '"N" = 1.5'),
    (Comparison("f", Operator.EQUAL, Constant(Family.DECIMAL, "1.5")), None),
    (Comparison("bd", Operator.EQUAL, Constant(Family.DOUBLE, "1.5")), None),
    (Comparison("t", Operator.EQUAL, Constant(Family.TEXT, "it's ñ")), "\"T\" = 'it''s ñ'"),
    (OneOf("t", (Constant(Family.TEXT, "a"), Constant(Family.TEXT, "b"))), "\"T\" IN ('a', 'b')"),
    (Comparison("w", Operator.EQUAL, Constant(Family.TEXT, "ñ")), None),
    (Comparison("t", Operator.UNEQUAL, Constant(Family.TEXT, "")), None),
    (Comparison("t", Operator.LESS, Constant(Family.TEXT, "x")), None),
    (Prefix("t", "x"), None),
    (Comparison("l", Operator.EQUAL, Constant(Family.TEXT, "x")), None),
    (NullTest("l", True), '"L" IS NULL'),
    (
        Comparison("d", Operator.LESS, MIDNIGHT),
        "\"D\" < TO_TIMESTAMP('2024-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.FF6')",
    ),
    (Comparison("d", Operator.LESS, Constant(Family.TIMESTAMP, "0044-03-15 00:00:00")), None),
    (
        Comparison("z", Operator.GREATER, Constant(Family.INSTANT, "2024-01-01 00:00:00.25+00")),
        "\"Z\" > TO_TIMESTAMP_TZ('2024-01-01 00:00:00.250000 +00:00', 'YYYY-MM-DD HH24:MI:SS.FF6 TZH:TZM')",
    ),
]


@pytest.mark.parametrize(("predicate", "said"), SAID)
def test_what_the_server_is_asked_for(predicate: Predicate, said: str | None) -> None:
    answer = Source(COLUMNS, SPEC.comparing, SPEC.dialect, {}).answer(predicate)
    if said is None:
        assert answer.sql is None
        return
    assert answer.sql is not None
    request = said_in_oracle(ExtractionConfig(relation=Relation("X"), predicates=(answer.sql,)))
    assert scan_sql(request, "oracle") == f'SELECT * FROM "X" WHERE {said}'


def test_long_lists_are_split() -> None:
    keys = OneOf("i", tuple(Constant(Family.INTEGER, str(number)) for number in range(2500)))
    answer = Source(COLUMNS, SPEC.comparing, SPEC.dialect, {}).answer(keys)
    assert answer.sql is not None
    request = said_in_oracle(ExtractionConfig(relation=Relation("X"), predicates=(answer.sql,)))
    said = scan_sql(request, "oracle")
    assert (said.count("IN ("), said.count(" OR "), said.count(",")) == (3, 2, 2497)
    assert said.startswith('SELECT * FROM "X" WHERE ("I" IN (0, 1,')


def _place(**keys: object) -> tuple[object, ...]:
    output = {"type": "oracle", "user": "u", "password": "p", "host": "db", "service": "s", **keys}
    return Connection.from_output("erp", output, SPEC).place


def test_places_are_servers_with_a_service() -> None:
    assert _place(host="DB.", service="S") == _place()
    assert _place(host="127.0.0.1") == _place(host="localhost")
    assert _place(port=1600) != _place()
    assert _place(service="other") != _place()
    assert _place(tns_name="x") != _place()
