"""What the bytes benchmark says that a query needs, against counts by hand; and a case that brings its own table."""

from __future__ import annotations

import duckdb
import pytest

from benchmarks.case import Case
from benchmarks.needed import measured, needed
from benchmarks.run import CaseRuns
from benchmarks.table import case_table
from benchmarks.tpch_queries import QUERIES
from benchmarks.tpch_split import SPLITS, TABLES, query

_TABLES = {"t": {"a": "BIGINT", "b": "BIGINT", "c": "VARCHAR"}, "u": {"a": "BIGINT", "d": "BIGINT"}}


@pytest.mark.parametrize(
    ("sql", "rows", "columns"),
    [
        ("select b from t where a > 7", 2, {"t": ("a", "b")}),
        ("select t.b from t, u where t.a = u.a and t.a > 7 and u.d = 1", 2 + 5, {"t": ("a", "b"), "u": ("a", "d")}),
        # A condition of ON holds back rows of the right side only; one of WHERE over both sides none.
        ("select t.b from t left join u on t.a = u.a and u.d = 1 where t.b + u.d > 3", 10 + 5, None),
        # Two instances: what either of them needs, once.
        ("select x.a from t x, t y where x.a = y.b and x.a < 2 and y.a > 8", 3, {"t": ("a", "b")}),
        (
            "select a from t where exists (select * from u where u.a = t.a and d = 0)",
            10 + 5,
            {"t": ("a",), "u": ("a", "d")},
        ),
        ("select count(*) from t", 10, {"t": ("a",)}),
    ],
)
def test_what_a_query_needs(sql: str, rows: int, columns: dict[str, tuple[str, ...]] | None) -> None:
    found = needed(sql, _TABLES)
    if columns is not None:
        assert {table: need.columns for table, need in found.items()} == columns
    with duckdb.connect() as database:
        database.execute("create table t as select i as a, i * 2 as b, 'c' as c from range(10) r(i)")
        database.execute("create table u as select i as a, i % 2 as d from range(10) r(i)")
        counted, bytes_ = measured(database, found)
    assert counted == rows
    width = max(len(need.columns) for need in found.values()) * 8
    assert rows * 8 <= bytes_ <= rows * width + 100  # every column is of 8 bytes, with a bit or so for validity


def test_every_query_of_tpch_is_understood() -> None:
    columns = {
        t: {c.split()[0]: c.split()[1] for c in text.replace("15,2", "15").split(", ")} for t, text in TABLES.items()
    }
    for number in QUERIES:
        found = needed(query(number, None), columns)
        assert set(found) <= set(TABLES)
        assert found
    for split in SPLITS.values():
        assert set(split) == set(TABLES)
        assert set(split.values()) == {"pg", "my", "dk"}


def test_a_case_without_contenders_shows_its_own_table_and_what_is_missing() -> None:
    case = Case("bytes", "what moves", (), ("MariaDB (not found)",), table=("| a |", "|---|"))
    assert case_table(CaseRuns(case, {})) == "### bytes: what moves\n\n| a |\n|---|\n\n- missing: MariaDB (not found)\n"
