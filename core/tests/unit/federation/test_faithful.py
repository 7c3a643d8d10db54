"""Two texts of one query, and two of different ones."""

from __future__ import annotations

import pytest
from sqlglot import parse_one

from dvt.federation.plan.faithful import is_same_query

SAME = [
    ("select a from t", "SELECT\n  a\nFROM t -- as before"),
    ("select x not in (1, 2) from t", "select not x in (1, 2) from t"),
    ("select a from t where b is not null", "select a from t where not b is null"),
    ("select a::text from t", "select cast(a as varchar) from t"),
    ("select sum(a) over (order by b desc nulls last) from t", "select sum(a) over (order by b desc) from t"),
    ("select date_trunc('month', d) from t", "select date_trunc('MONTH', d) from t"),
    ("select string_agg(a, ',') from t", "select listagg(a, ',') from t"),
    ("select list_transform(l, x -> x + 1) from t", "select list_transform(l, lambda x: x + 1) from t"),
]
DIFFERENT = [
    ("select a from t", "select b from t"),
    ("select a from t where b = 1 or c = 2 and d = 3", "select a from t where (b = 1 or c = 2) and d = 3"),
    ("select 'Month' as m", "select 'month' as m"),
    ("select a / b from t", "select a // b from t"),
    ("select a from t order by a", "select a from t order by a desc"),
    ("select a from t order by a nulls first", "select a from t order by a"),
    ("select not (a is null or b) from t", "select a is not null or b from t"),
    ("select a from t join u using (k)", "select a from t join u on t.k = u.k"),
    ("select a from t union select a from u", "select a from t union all select a from u"),
    ("select a as b from t", "select a from t"),
    ("select count(distinct a) from t", "select count(a) from t"),
    ("select 1.0 as x", "select 1 as x"),
    ("select a from t limit 1", "select a from t"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_query(one: str, other: str) -> None:
    assert is_same_query(one, other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_another_query(one: str, other: str) -> None:
    assert not is_same_query(one, other)


def test_what_cannot_be_parsed_is_like_nothing() -> None:
    assert not is_same_query("select from", "select from")
    assert not is_same_query("select 1", "select (")


def test_a_text_that_sqlglot_changes_is_found_out() -> None:
    sql = "select a ** 2 from t"
    assert not is_same_query(sql, parse_one(sql, read="duckdb").sql(dialect="duckdb"))
