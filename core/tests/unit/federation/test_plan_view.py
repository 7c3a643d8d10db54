"""Coercions by native type, and the plan as text."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from dvt.dbt_bridge.plan_document import (
    ActualResult,
    ActualScan,
    PlannedCondition,
    PlannedNode,
    PlannedScan,
)
from dvt.dbt_bridge.plan_text import amount, plan_text
from dvt.federation.plan.coercions import Coercion, coercions
from dvt.federation.stream import ColumnSchema


@pytest.mark.parametrize(
    ("native", "type_", "carried", "checked"),
    [
        ("inet", pa.string(), "text", False),
        ("time with time zone", pa.string(), "text", False),
        ("enum('a','b')", pa.string(), "text", False),
        ("numeric", pa.decimal128(38, 9), "decimal(38,9)", True),
        ("decimal(65,30)", pa.decimal128(38, 30), "decimal(38,30)", True),
        ("numeric(5,-2)", pa.decimal128(7, 0), "decimal(7,0)", False),
        ("HUGEINT", pa.decimal128(38, 0), "decimal(38,0)", True),
    ],
)
def test_types_that_are_widened(native: str, type_: pa.DataType, carried: str, checked: bool) -> None:
    assert coercions([ColumnSchema("c", type_, True, native)], None) == [Coercion("c", native, carried, checked)]


@pytest.mark.parametrize(
    ("native", "type_"),
    [
        ("character varying(20)", pa.string()),
        ("NVARCHAR(9)", pa.string()),
        ("longtext", pa.string()),
        ("large_string", pa.string()),
        ("dictionary<values=string, indices=int32, ordered=0>", pa.string()),
        ("", pa.string()),
        ("numeric(10,2)", pa.decimal128(10, 2)),
        ("DECIMAL(12, 2)", pa.decimal128(12, 2)),
        ("decimal(10,0) unsigned", pa.decimal128(10, 0)),
        ("bigint", pa.int64()),
        ("timestamp without time zone", pa.timestamp("us")),
    ],
)
def test_types_that_are_themselves(native: str, type_: pa.DataType) -> None:
    assert coercions([ColumnSchema("c", type_, True, native)], None) == []


def test_only_columns_that_are_read_are_told_of() -> None:
    columns = [ColumnSchema("a", pa.string(), True, "inet"), ColumnSchema("b", pa.string(), True, "xml")]
    assert [found.column for found in coercions(columns, ("b",))] == ["b"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1 k"),
        (999_499, "999 k"),
        (999_500, "1 M"),
        (1_234_567, "1.23 M"),
        (5e15, "5000 T"),
    ],
)
def test_amounts(number: float, text: str) -> None:
    assert amount(number) == text


def test_the_text_is_a_tree() -> None:
    scan = PlannedScan(
        relation="public.orders",
        connection="shop",
        type="postgres",
        sql='SELECT "id" FROM "public"."orders" WHERE "id" = 1',
        columns=["id"],
        reason="",
        conditions=[
            PlannedCondition("id = 1", True, True, "", ""),
            PlannedCondition("f(id)", False, False, "P10", "not comparable"),
        ],
        limit=None,
        estimated_rows=1_200_000,
        estimated_bytes=45_000_000,
        coercions=[Coercion("n", "numeric", "decimal(38,9)", True), Coercion("i", "inet", "text", False)],
        actual=ActualScan(1, 8, 0.25, "copy_streaming", True),
    )
    parts = ActualScan(1, 8, 0.25, "copy_streaming", False, 3)
    whole = ActualScan(1, 8, 0.25, "copy_streaming", False, 1, "it is small")
    for did, expected in (
        (parts, ["read 1 row, 8 B, 0.25 s (copy_streaming, 3 parts)"]),
        (whole, ["read 1 row, 8 B, 0.25 s (copy_streaming)", "in one part: it is small"]),
    ):
        one = PlannedNode("m", "federated", "dw", '"m"', ["dw"], [replace(scan, actual=did, conditions=[])])
        assert [line.strip() for line in plan_text([one]).splitlines()][6 : 6 + len(expected)] == expected
    native = PlannedNode("test.p.t", "native", "dw", "result only", ["dw"])
    node = PlannedNode(
        "model.p.m", "federated", "dw", '"m"', ["dw", "shop"], [scan], ["a note"], "", ActualResult(2, 1500, 1.0)
    )
    failed = PlannedNode("model.p.x", "federated", "dw", '"x"', [], error="DVT340 no")
    assert plan_text([node, native, failed, native]).splitlines() == [
        "model.p.m",
        "  lane     federated",
        '  landing  dw: "m"',
        "  reads    dw, shop",
        '  scan     shop (postgres): SELECT "id" FROM "public"."orders" WHERE "id" = 1',
        "           about 1.2 M rows, 45 MB",
        "           read 1 row, 8 B, 0.25 s (copy_streaming, shared)",
        "           n is carried as decimal(38,9), not numeric, a value that does not fit stops the run",
        "           i is carried as text, not inet",
        "           pushed id = 1",
        "           stays  f(id)  [P10: not comparable]",
        "  result   2 rows, 1.5 kB, 1.00 s",
        "  note     a note",
        "",
        "model.p.x",
        "  lane     federated",
        '  landing  dw: "x"',
        "  ERROR    DVT340 no",
        "",
        "native tests: 2 on dw",
    ]
    assert plan_text([]) == "nothing is selected"
