"""Which rows of each relation a query needs: the conditions by which a row may stay at its source."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dvt.federation.engines.base import Handle
from dvt.federation.plan.needed_rows import NeededRows
from dvt.federation.plan.parse import Handles, parse_query

CUSTOMERS, ORDERS = Handle("crm", "public", "customers"), Handle("erp", "main", "orders")
TABLES = {
    CUSTOMERS: {"id": pa.int64(), "city": pa.string(), "age": pa.int32()},
    ORDERS: {
        "id": pa.int64(),
        "cust": pa.int64(),
        "status": pa.string(),
        "amount": pa.decimal128(10, 2),
        "d": pa.date32(),
    },
}
ALL: list[str] = []


def needed(sql: str) -> NeededRows:
    text = sql.replace("{c}", "crm.public.customers").replace("{o}", "erp.main.orders")
    return NeededRows(parse_query(text), Handles(TABLES), TABLES)


def conditions(sql: str) -> dict[str, list[list[str]]]:
    """For each relation its ways, each with its conditions."""
    return {
        handle.name: sorted(
            [condition.sql("duckdb").replace('"', "") for condition in reach.conditions] for reach in found
        )
        for handle, found in needed(sql).reaches.items()
    }


# The shapes in which earlier tools gave wrong answers stand first.
CASES = [
    # The null-supplying side keeps its rows; what ON says of it alone it may drop.
    ("select * from {c} c left join {o} o on o.cust = c.id where o.id is null", [ALL], [ALL]),
    ("select * from {c} c left join {o} o on o.cust = c.id where coalesce(o.status, 'none') = 'none'", [ALL], [ALL]),
    (
        "select * from {c} c left join {o} o on o.cust = c.id and o.status = 'x' and c.age > 5",
        [ALL],
        [["status = 'x'"]],
    ),
    (
        "select * from {c} c left join {o} o on o.cust = c.id where c.id = 3",
        [["id = 3"]],
        [["cust = 3"]],
    ),
    # A comma binds less than JOIN: USING speaks of the relations behind it.
    ("select * from {c} x, {o} o join {c} c using (id) where c.id = 3", [ALL, ALL], [ALL]),
    # A condition that no NULL meets makes the join an inner one.
    (
        "select * from {c} c left join {o} o on o.cust = c.id where o.cust = 3",
        [["id = 3"]],
        [["cust = 3"]],
    ),
    ("select * from {c} c full join {o} o on o.cust = c.id where c.age > 3", [["age > 3"]], [ALL]),
    ("select * from {c} c full join {o} o using (id) where id = 3", [ALL], [ALL]),
    ("select * from {c} c right join {o} o using (id) where c.city is null", [ALL], [ALL]),
    # Each instance of a relation by itself.
    (
        "select a.id from {o} a join {o} b on a.id = b.cust where a.status = 'x' and b.amount > 5",
        None,
        [["amount > 5"], ["status = 'x'"]],
    ),
    (
        "with s as (select * from {o}) select (select count(*) from s), * from s where status = 'a'",
        None,
        [ALL, ["status = 'a'"]],
    ),
    ("select count(*) filter (where status = 'a'), count(*) from {o}", None, [ALL]),
    # What is not the same twice, and what belongs to another scope, is no condition.
    ("select * from {c} where random() < 0.5", [ALL], None),
    (
        "select * from {c} c where exists (select 1 from {o} o where o.cust = c.id and o.d is null)",
        [ALL],
        [["d IS NULL"]],
    ),
    ("select * from {c} where id not in (select cust from {o} where amount > 3)", [ALL], [["amount > 3"]]),
    # dbt's import CTEs, renamed columns, stars.
    (
        "with s as (select * from {o}), r as (select id as oid, * exclude (id) from s) select * from r where oid = 3",
        None,
        [["id = 3"]],
    ),
    ("select * from (select *, upper(status) as s from {o}) where s = 'X'", None, [["(UPPER(status)) = 'X'"]]),
    # Groups and windows: by their keys only.
    ("select * from (select cust, count(*) n from {o} group by 1) where cust = 4 and n > 2", None, [["cust = 4"]]),
    ("select cust, sum(amount) from {o} group by cust having cust > 3 and sum(amount) > 5", None, [["cust > 3"]]),
    ("select * from (select cust, d, count(*) from {o} group by rollup (cust, d)) where cust = 4", None, [ALL]),
    (
        "select * from (select *, row_number() over (partition by cust order by d) r from {o}) where cust = 4",
        None,
        [["cust = 4"]],
    ),
    ("select * from (select *, sum(amount) over () from {o}) where cust = 4", None, [ALL]),
    ("select * from (select distinct cust, status from {o}) where status = 'a'", None, [["status = 'a'"]]),
    ("select * from (select distinct on (cust) * from {o} order by cust, d) where status = 'a'", None, [ALL]),
    # No condition passes a limit.
    ("select * from (select * from {o} limit 5) where id = 3", None, [ALL]),
    ("select * from (select * from {o} order by d limit 5) where id = 3", None, [ALL]),
    ("select * from {o} using sample 10% where id = 3", None, [ALL]),
    # Set operations: by position, where the types are the same.
    ("select * from (select id from {o} union all select id from {c}) where id > 3", [["id > 3"]], [["id > 3"]]),
    ("select * from (select id from {o} union select age from {c}) where id > 3", [ALL], [ALL]),
    (
        "select * from (select id, status from {o} except select id, city from {c}) where status = 'a'",
        [["city = 'a'"]],
        [["status = 'a'"]],
    ),
    ("select * from (select id from {o} union all by name select id from {c}) where id > 3", [ALL], [ALL]),
    # Implied ones: through equalities, and out of OR.
    ("select * from {c} c, {o} o where c.id = o.cust and c.id in (1, 2)", [["id IN (1, 2)"]], [["cust IN (1, 2)"]]),
    (
        "select * from {c} c join {o} o on o.cust = c.id and (c.age = 1 and o.d is null or c.age = 2 and o.id = 5)",
        [["age = 1 OR age = 2"]],
        [["d IS NULL OR id = 5"]],
    ),
    (
        "select * from {c} c join {o} o on o.status = c.city where c.city between 'a' and 'b'",
        [["city BETWEEN 'a' AND 'b'"]],
        [["status BETWEEN 'a' AND 'b'"]],
    ),
    ("select * from {c} semi join {o} using (id) where id = 3", [["id = 3"]], [["id = 3"]]),
    (
        "select * from {c} c anti join {o} o on c.id = o.cust and o.status = 'q' where c.age = 3",
        [["age = 3"]],
        [["status = 'q'"]],
    ),
    # Shapes that are not followed are read whole.
    ("select * from {c} positional join {o} where age = 3", [ALL], [ALL]),
    ("select * from {c} natural join {o} where age = 3", [ALL], [ALL]),
    ("select * from {c} c asof join {o} o on c.id >= o.id where c.age = 3", [ALL], [ALL]),
    ("select * from {c}, {o} right join {c} x on true where customers.age = 3", [ALL, ALL], [ALL]),
    ("pivot {c} on city using count(*)", [ALL], None),
    (
        "with recursive r as (select id from {c} union select id + 1 from r where id < 9) select * from r where id = 3",
        [ALL],
        None,
    ),
    ("select * from {c} as t(a, b, c) where a = 3", [ALL], None),
    # A name that could be another's is nobody's.
    ("select * from {c} c join {o} o on true where id = 3", [ALL], [ALL]),
]


@pytest.mark.parametrize(("sql", "customers", "orders"), CASES, ids=[case[0] for case in CASES])
def test_conditions(sql: str, customers: list[list[str]] | None, orders: list[list[str]] | None) -> None:
    expected = {"customers": customers, "orders": orders}
    assert conditions(sql) == {name: ways for name, ways in expected.items() if ways is not None}


@pytest.mark.parametrize(
    ("sql", "limit"),
    [
        ("select * from {o} limit 5", 5),
        ("select id from {o} where status = 'a' limit 5 offset 2", 7),
        ("with s as (select * from {o}) select id from s limit 5", 5),
        ("select * from (select * from {o} where id > 2) limit 5", None),
        ("select * from {o} order by id limit 5", 5),
        ("select id from {o} order by lower(status) limit 5", None),
        ("select -id as id from {o} order by id limit 5", None),
        ("select id as x, d as id from {o} order by 1 limit 5", None),
        ("select distinct cust from {o} limit 5", None),
        ("select cust, count(*) from {o} group by 1 limit 2", None),
        ("select count(*) from {o} limit 5", None),
        ("select unnest([1, 2]), id from {o} limit 5", None),
        ("select * from {o} where random() < 0.5 limit 5", None),
        ("select * from {o} where id in (select id from {c}) limit 5", None),
        ("select * from {o} limit 10%", None),
        ("select * from {o}, {c} limit 5", None),
        ("select * from (select * from {o} order by d) limit 5", None),
        ("select *, row_number() over () from {o} limit 5", None),
    ],
)
def test_limits(sql: str, limit: int | None) -> None:
    assert [reach.limit for reach in needed(sql).reaches[ORDERS]] == [limit]


def test_a_query_with_too_many_ways_is_read_whole() -> None:
    doubled = ", ".join(f"s{n} as (select * from s{n - 1} union all select * from s{n - 1})" for n in range(1, 16))
    found = needed("with s0 as (select * from {o} where id = 1), " + doubled + " select * from s15")
    assert found.reaches == {}
    assert found.reason
