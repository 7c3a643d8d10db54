"""Joins and aggregates that move to their source: which do, as what SQL, and what stays in the query."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from dvt.federation.engines.base import Handle
from dvt.federation.plan.model import Input, QueryPlan
from dvt.federation.plan.planner import plan_query
from dvt.federation.plan.pushdown import ALL_MOVES, Move, Pushdown
from dvt.federation.registry import open_connection
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation

_CRM = open_connection("crm", {"type": "postgres", "host": "h", "user": "u", "dbname": "d", "schema": "public"})
_ERP = open_connection("erp", {"type": "mysql", "host": "h", "user": "u", "database": "d", "password": "p"})
_OLD = open_connection("old", {"type": "sqlite", "path": "old.sqlite"})
_CENTS = pa.decimal128(12, 2)
_COLUMNS = {
    "orders": [
        ColumnSchema("id", pa.int64(), False, "bigint"),
        ColumnSchema("Customer_Id", pa.int64(), True, "bigint"),
        ColumnSchema("amount", _CENTS, True, "numeric(12,2)"),
        ColumnSchema("day", pa.date32(), True, "date"),
        ColumnSchema("status", pa.string(), True, "text"),
        ColumnSchema("weight", pa.float64(), True, "double precision"),
        ColumnSchema("wide", pa.decimal128(30, 2), True, "numeric(30,2)"),
    ],
    "customers": [
        ColumnSchema("id", pa.int64(), False, "bigint"),
        ColumnSchema("region", pa.int32(), True, "integer"),
        ColumnSchema("name", pa.string(), True, "text"),
    ],
    "regions": [
        ColumnSchema("id", pa.int32(), False, "int(11)"),
        ColumnSchema("label", pa.string(), True, "varchar(20)"),
    ],
    "shops": [ColumnSchema("id", pa.int32(), False, "int(11)"), ColumnSchema("city", pa.string(), True, "varchar(20)")],
    "events": [ColumnSchema("id", pa.int64(), False, "integer"), ColumnSchema("n", pa.int64(), True, "integer")],
}
_INPUTS = [
    *(Input(Handle("crm", "public", n), _CRM, Relation(n, "public"), f"crm.{n}") for n in ("orders", "customers")),
    *(Input(Handle("erp", "d", n), _ERP, Relation(n, "d"), f"erp.{n}") for n in ("regions", "shops")),
    Input(Handle("old", "main", "events"), _OLD, Relation("events", "main"), "old.events"),
]
_NAMES = {"{o}": "crm.public.orders", "{c}": "crm.public.customers", "{r}": "erp.d.regions", "{s}": "erp.d.shops"}


def plan(
    sql: str,
    rows: Callable[[Input], int | None] = lambda _: None,
    level: Pushdown = Pushdown.FULL,
    moves: frozenset[Move] = ALL_MOVES,
) -> QueryPlan:
    for short, name in {**_NAMES, "{e}": "old.main.events"}.items():
        sql = sql.replace(short, name)
    return plan_query(
        sql,
        _INPUTS,
        lambda inp: _COLUMNS[inp.relation.name],
        pushdown=level,
        rows_of=rows,
        describe_block=lambda inp: list(inp.columns),
        moves=moves,
    )


def sent(sql: str, **options: object) -> list[str]:
    """What is sent, in short."""
    found = [scan.sql for scan in plan(sql, **options).scans]  # type: ignore[arg-type]
    return [text.replace('"', "").replace("`", "").replace("public.", "") for text in found]


def blocks(sql: str, **options: object) -> int:
    """How many blocks are read."""
    return sum(scan.input.block is not None for scan in plan(sql, **options).scans)  # type: ignore[arg-type]


MOVED = [
    (
        "select o.id, c.name from {o} o join {c} c on o.customer_id = c.id",
        "SELECT orders.id AS o_id, customers.name AS c_name FROM orders AS orders INNER JOIN customers AS customers "
        "ON orders.Customer_Id = customers.id",
    ),
    (
        "select o.id, c.name from {o} o, {c} c where c.id = o.customer_id and o.day >= '2026-01-01' and c.name <> 'x'",
        "SELECT orders.id AS o_id, customers.name AS c_name, orders.day AS o_day FROM orders AS orders INNER JOIN "
        "customers AS customers ON customers.id = orders.Customer_Id WHERE orders.day >= CAST('2026-01-01' AS DATE) "
        "AND (customers.name COLLATE C) <> 'x'",
    ),
    (
        "with o as (select * from {o} where amount > 5), c as (select id as customer_id, name from {c}) "
        "select o.id, c.name from o join c using (customer_id)",
        "SELECT orders.id AS o_id, customers.name AS c_name, orders.amount AS o_amount FROM orders AS orders INNER "
        "JOIN customers AS customers ON orders.Customer_Id = customers.id WHERE orders.amount > 5",
    ),
    (
        "select c.region, sum(o.amount) as s, count(*) as n from {o} o join {c} c on o.customer_id = c.id group by 1",
        "SELECT customers.region AS c_region, CAST(SUM(orders.amount) AS DECIMAL(38, 2)) AS sum_o_amount, COUNT(*) AS "
        "count_rows FROM orders AS orders INNER JOIN customers AS customers ON orders.Customer_Id = customers.id "
        "GROUP BY customers.region",
    ),
    (
        "select status, min(day) as d from {o} where day < '2026-01-01' group by status",
        "SELECT orders.status COLLATE C AS orders_status, MIN(orders.day) AS min_orders_day FROM orders AS orders "
        "WHERE orders.day < CAST('2026-01-01' AS DATE) GROUP BY orders.status COLLATE C",
    ),
    (
        "select count(*) as n from {o} where upper(status) = 'X'",
        "SELECT orders.status COLLATE C AS orders_status, COUNT(*) AS count_rows FROM orders AS orders GROUP BY "
        "orders.status COLLATE C",
    ),
    (
        "select o.id, c.name from {o} o join {c} c on o.status = c.name",
        "SELECT orders.id AS o_id, customers.name AS c_name FROM orders AS orders INNER JOIN customers AS customers ON "
        "(orders.status COLLATE C) = (customers.name COLLATE C)",
    ),
    (
        "select count(amount) as n from {o}",
        "SELECT COUNT(orders.amount) AS count_orders_amount FROM orders AS orders HAVING COUNT(*) > 0",
    ),
]


@pytest.mark.parametrize(("sql", "expected"), MOVED, ids=[sql[:60] for sql, _ in MOVED])
def test_what_moves(sql: str, expected: str) -> None:
    assert sent(sql) == [expected]
    assert blocks(sql, level=Pushdown.SAFE) == 0


def test_the_rest_of_the_query_stays() -> None:
    found = plan(
        "select r.label, sum(o.amount) as amount, count(*) as n, min(r.label) as least from {o} o "
        "join {c} c on o.customer_id = c.id join {r} r on r.id = c.region and upper(c.name) <> 'X' "
        "where o.day > '2026-01-01' group by r.label having count(*) > 2 order by amount"
    )
    block = next(scan for scan in found.scans if scan.input.block is not None)
    assert block.sql.endswith('GROUP BY "customers"."name" COLLATE "C", "customers"."region"') or block.sql.endswith(
        'GROUP BY "customers"."region", "customers"."name" COLLATE "C"'
    )
    g = '"dvt_groups_1"'
    assert found.sql == (
        f'SELECT r.label, SUM({g}."sum_o_amount") AS amount, CAST(COALESCE(SUM({g}."count_rows"), 0) AS BIGINT) AS n, '
        f'MIN(r.label) AS least FROM "crm"."dvt_pushed"."groups_1" AS {g} JOIN erp.d.regions AS r ON r.id = '
        f'{g}."c_region" AND UPPER({g}."c_name") <> \'X\' GROUP BY r.label HAVING '
        f'CAST(COALESCE(SUM({g}."count_rows"), 0) AS BIGINT) > 2 ORDER BY amount'
    )
    assert [d.reason.code for d in block.decisions if d.reason is not None][:2] == ["P50", "P51"]


STAY = {
    "another connection": "select o.id from {o} o join {r} r on r.id = o.id",
    "no equality of plain columns": "select o.id from {o} o join {c} c on o.customer_id + 1 = c.id",
    "an outer join": "select o.id, c.name from {o} o left join {c} c on o.customer_id = c.id",
    "a full join behind it": "select o.id from {o} o join {c} c on o.customer_id = c.id full join {r} r on r.id = o.id",
    "text keys at MySQL": "select r.id from {r} r join {s} s on r.label = s.city",
    "a name that may be a relation": "select c from {o} o join {c} c on o.customer_id = c.id",
    "a correlated subquery": (
        "select o.id from {o} o join {c} c on o.customer_id = c.id "
        "where exists (select 1 from {r} r where r.id = region)"
    ),
    "a column without a name": "select c.id + 1 from {o} o join {c} c on o.customer_id = c.id",
    "a sample": "select o.id from {o} o join {c} c on o.customer_id = c.id using sample 3 rows",
    "columns by pattern": "select columns('o.*') from {o} o join {c} c on o.customer_id = c.id",
    "a lateral join": "select o.id, l.x from {o} o join {c} c on o.customer_id = c.id, lateral (select c.id as x) as l",
    "a row's place": "select o.rowid from {o} o join {c} c on o.customer_id = c.id",
    "computed in a CTE": (
        "with c as (select id + 1 as id, name from {c}) select o.id, c.name from {o} o join c on o.customer_id = c.id"
    ),
    "a limit in a CTE": (
        "with c as (select * from {c} limit 5) select o.id, c.name from {o} o join c on o.customer_id = c.id"
    ),
    "sum of floats": "select id, sum(weight) as s from {o} group by id",
    "a sum that may not fit": "select id, sum(wide) as s from {o} group by id",
    "distinct": "select id, count(distinct status) as n from {o} group by id",
    "filtered aggregates": "select id, count(*) filter (where day is null) as n from {o} group by id",
    "an aggregate that no source begins": "select id, string_agg(status, ',') as s from {o} group by id",
    "a function that nobody knows": "select id, f(day) as x, count(*) as n from {o} group by all",
    "float keys": "select weight, count(*) as n from {o} group by weight",
    "text groups at MySQL": "select city, count(*) as n from {s} group by city",
    "grouping sets": "select id, day, count(*) as n from {o} group by rollup (id, day)",
    "an expression": "select id, sum(amount * 2) as s from {o} group by id",
    "a window": "select id, count(*) as n, row_number() over (order by id) as w from {o} group by id",
    "counts of the other side": (
        "select o.id, sum(o.amount) as s, count(r.id) as n from {o} o join {r} r on r.id = o.id group by 1"
    ),
    "the right side of a left join": (
        "select r.id, count(o.id) as n from {r} r left join {o} o on r.id = o.id group by 1"
    ),
    "sums in SQLite": "select id, sum(n) as s from {e} group by id",
    "an aggregate without a name": "select id, count(*) from {o} group by id",
    "a watermark": "select id from {o} where day > (select max(day) from {o})",
}


@pytest.mark.parametrize("sql", STAY.values(), ids=STAY)
def test_what_stays(sql: str) -> None:
    assert blocks(sql) == 0


def test_a_join_moves_only_where_that_is_less() -> None:
    sql = "select o.id, c.name, r.label from {o} o join {c} c on o.customer_id = c.id join {r} r on r.id = c.region"
    large = {"orders": 1_000_000, "customers": 100, "regions": 10}
    assert blocks(sql) == 1
    assert blocks(sql, rows=lambda inp: large.get(inp.relation.name)) == 0  # each customer would come many times
    filtered = f"{sql} where c.name = 'x' and c.region = 3 and c.id = 7"
    assert blocks(filtered, rows=lambda inp: large.get(inp.relation.name)) == 1


def test_a_join_that_may_be_the_whole_answer_moves() -> None:
    sizes = {"orders": 1_000_000, "customers": 100}
    chosen = "select o.id, c.name from {o} o join {c} c on o.customer_id = c.id"
    assert blocks(chosen, rows=lambda inp: sizes.get(inp.relation.name)) == 1
    computed = "select c.name, sum(o.weight) as w from {o} o join {c} c on o.customer_id = c.id group by 1"
    assert blocks(computed, rows=lambda inp: sizes.get(inp.relation.name)) == 0
    assert blocks(computed) == 1


def test_names_that_the_engine_gives() -> None:
    found = plan("select o.*, c.name from {o} o join {c} c on o.customer_id = c.id where o.id < 9 order by c.name")
    assert 'AS "Customer_Id"' in found.sql
    assert found.sql.endswith('ORDER BY "dvt_join_1"."c_name"')


def test_two_relations_of_one_name() -> None:
    (only,) = sent("select a.id, b.name as n from {c} a join {c} b on a.region = b.id")
    assert (
        "FROM customers AS customers INNER JOIN customers AS customers_2 ON customers.region = customers_2.id" in only
    )


def test_a_source_that_describes_it_otherwise_is_asked_for_its_relations() -> None:
    text = [ColumnSchema("o_id", pa.string(), True, "text"), ColumnSchema("c_name", pa.string(), True, "text")]
    sql = "select o.id, c.name from crm.public.orders o join crm.public.customers c on o.customer_id = c.id"
    found = plan_query(
        sql, _INPUTS, lambda i: _COLUMNS[i.relation.name], pushdown=Pushdown.FULL, describe_block=lambda _: text
    )
    assert [scan.input.block for scan in found.scans] == [None, None]
    assert found.sql == sql


def test_a_source_that_is_held_back_takes_no_part() -> None:
    from dataclasses import replace

    inputs = [replace(i, pushdown=Pushdown.SAFE) if i.relation.name == "customers" else i for i in _INPUTS]
    sql = "select o.id, c.name from crm.public.orders o join crm.public.customers c on o.customer_id = c.id"
    found = plan_query(
        sql,
        inputs,
        lambda i: _COLUMNS[i.relation.name],
        pushdown=Pushdown.FULL,
        describe_block=lambda i: list(i.columns),
    )
    assert [scan.input.block for scan in found.scans] == [None, None]


@pytest.mark.parametrize("left", Move)
def test_each_of_them_is_switched_off_by_itself(left: Move) -> None:
    sql = (
        "select r.label, g.n, c.name from (select customer_id, count(*) as n from {o} group by 1) g "
        "join {c} c on c.id = g.customer_id join {c} d on d.id = c.id join {r} r on r.id = c.region"
    )
    sizes = {"orders": 1_000_000, "customers": 1_000, "regions": 5}

    def found(moves: frozenset[Move]) -> set[Move]:
        scans = plan(sql, lambda inp: inp.block.rows if inp.block else sizes[inp.relation.name], moves=moves).scans
        read = [scan.input.block for scan in scans if scan.input.block is not None]
        moved = {Move.GROUPS if block.is_grouped else Move.JOINS for block in read}
        return moved | {Move.KEYS for scan in scans if scan.key_filters}

    assert found(ALL_MOVES) == set(Move)
    assert found(ALL_MOVES - {left}) == set(Move) - {left}
