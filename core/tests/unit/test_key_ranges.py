"""Parts by key: every row is in exactly one, as DuckDB judges it; and marks that make the parts of one size."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from dvt.federation.extractors.key_marks import balanced_marks, even_marks
from dvt.federation.extractors.key_ranges import can_be_key, key_ranges

CON = duckdb.connect(config={"threads": 1})
NAME = 'k"ey \\ '
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))
# Few different values, so that keys equal marks and each other.
KEYS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int": (pa.int64(), st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))),
    "decimal": (pa.decimal128(20, 3), st.decimals(-(10**16), 10**16, places=3)),
    "double": (pa.float64(), st.one_of(st.floats(), st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf]))),
    "date": (pa.date32(), st.dates()),
    "timestamp": (pa.timestamp("us"), MOMENTS),
    "instant": (pa.timestamp("us", tz="UTC"), MOMENTS.map(lambda moment: moment.replace(tzinfo=timezone.utc))),
}


def _hits(type_: pa.DataType, keys: list[Any], conditions: list[exp.Expr]) -> list[int]:
    """How many of the conditions each key satisfies."""
    CON.register("t", pa.table({"n": list(range(len(keys))), NAME: pa.array(keys, type_)}))
    met = [" ".join(["case when", one.sql(dialect="duckdb"), "then 1 else 0 end"]) for one in conditions]
    return [row[0] for row in CON.sql(" ".join(["select", "+".join(met), "from t order by n"])).fetchall()]


@pytest.mark.parametrize("kind", KEYS)
def test_every_row_is_in_exactly_one_part(kind):
    type_, values = KEYS[kind]

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.one_of(st.none(), values), min_size=1, max_size=12), st.lists(values, min_size=1, max_size=5))
    def holds(keys: list[Any], marks: list[Any]) -> None:
        conditions = key_ranges(NAME, type_, [*marks, *marks[:1]], "duckdb")
        if conditions:
            # The marks themselves are keys too: they must begin a part, not end one and begin the next.
            rows = [*keys, *marks, None]
            assert _hits(type_, rows, conditions) == [1] * len(rows)
        else:
            assert not any(math.isfinite(mark) for mark in marks)

    holds()


def test_marks_may_come_in_any_order_and_twice():
    there = key_ranges("id", pa.int64(), [5, 9, 5, 1], "postgres")
    assert [part.sql(dialect="postgres") for part in there] == [
        '"id" < 1 OR "id" IS NULL',
        '"id" >= 1 AND "id" < 5',
        '"id" >= 5 AND "id" < 9',
        '"id" >= 9',
    ]


def _ieee(node: exp.Expr, key: float | None) -> bool | None:
    """A condition's truth where NaN is neither less nor more than anything, and equal to nothing."""
    if isinstance(node, exp.Paren):
        return _ieee(node.this, key)
    if isinstance(node, exp.Not):
        inner = _ieee(node.this, key)
        return None if inner is None else not inner
    if isinstance(node, (exp.And, exp.Or)):
        both = [_ieee(node.left, key), _ieee(node.right, key)]
        strong = isinstance(node, exp.Or)
        return strong if strong in both else None if None in both else not strong
    if isinstance(node, exp.Is):
        return key is None
    mark = float(node.expression.this.name)
    if key is None:
        return None
    return {exp.GTE: key >= mark, exp.LT: key < mark}[type(node)]


@pytest.mark.parametrize("key", [None, math.nan, 0.0, 1.0, 2.5, 3.0, math.inf, -math.inf])
def test_nan_is_in_one_part_also_where_it_compares_as_ieee_says(key):
    parts = key_ranges("k", pa.float64(), [1.0, math.nan, 3.0], "postgres")
    assert [_ieee(part, key) for part in parts].count(True) == 1


def test_nothing_to_cut_is_one_part():
    assert key_ranges("id", pa.int64(), [], "postgres") == []
    assert key_ranges("id", pa.float64(), [math.nan, math.inf], "postgres") == []


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (pa.int8(), True),
        (pa.uint64(), True),
        (pa.decimal128(38, 9), True),
        (pa.float64(), True),
        (pa.date32(), True),
        (pa.timestamp("us", tz="UTC"), True),
        (pa.string(), False),
        (pa.binary(), False),
        (pa.bool_(), False),
        (pa.list_(pa.int64()), False),
    ],
)
def test_which_types_can_be_keys(type_, expected):
    assert can_be_key(type_) is expected


@given(st.data(), st.sampled_from(list(KEYS)), st.integers(2, 9))
@settings(max_examples=100, deadline=None)
def test_even_marks_lie_between_the_extremes(data, kind, parts):
    usable = KEYS[kind][1].filter(lambda value: value is not None and value == value and abs_finite(value))
    low, high = sorted([data.draw(usable), data.draw(usable)])
    marks = even_marks(low, high, parts)
    assert marks == sorted(set(marks))
    assert len(marks) < parts
    assert all(low < mark <= high for mark in marks)


def abs_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def test_even_marks_of_all_kinds():
    assert even_marks(0, 2**63, 2) == [2**62]
    assert even_marks(Decimal("0.00"), Decimal("1.00"), 4) == [Decimal("0.25"), Decimal("0.50"), Decimal("0.75")]
    assert even_marks(date(2024, 1, 1), date(2024, 1, 5), 2) == [date(2024, 1, 3)]
    assert even_marks(-1e308, 1e308, 2) == [0.0]
    start = datetime(2024, 1, 1, tzinfo=timezone.utc)
    assert even_marks(start, start + timedelta(days=3), 3) == [start + timedelta(days=1), start + timedelta(days=2)]


def _sizes(keys: list[Any], marks: list[Any]) -> list[int]:
    return [sum(1 for key in keys if sum(key >= mark for mark in marks) == part) for part in range(len(marks) + 1)]


@pytest.mark.parametrize(
    "keys",
    [
        list(range(1000)),
        [*range(1000), 10**15],
        [-(10**12), *(number**3 for number in range(1000))],
        [*([7] * 400), *range(600)],
        [datetime(2024, 1, 1) + timedelta(seconds=number) for number in range(1000)] + [datetime(9999, 12, 31)],
        [Decimal(number).scaleb(-3) for number in range(1000)] + [Decimal("9000000000000.000")],
        [2.0**-number for number in range(100)] * 10,
    ],
)
def test_estimates_balance_skewed_keys(keys):
    marks = balanced_marks(min(keys), max(keys), 3, lambda low, high: sum(low <= key < high for key in keys))
    assert len(marks) == 2
    assert max(_sizes(keys, marks)) <= len(keys) * 0.55


def test_estimates_that_say_nothing_end():
    assert len(balanced_marks(0, 10**18, 4, lambda low, high: 1.0)) <= 3
    assert balanced_marks(0, 10**18, 4, lambda low, high: 0.0) == []
    assert balanced_marks(3, 3, 4, lambda low, high: 10.0) == []
