"""Joins over two PostgreSQL databases, the result in a third: TPC-H queries 3 and 5, without order and limit."""

from __future__ import annotations

from benchmarks import tpch
from benchmarks.case import Case, Contender
from benchmarks.world import World

_IN_A = ("customer", "orders", "supplier", "nation", "region")
_REMARK = (
    "dvt reads the columns that the query needs and all rows; DuckDB ATTACH also sends filters to the server. "
    "Until dvt pushes filters, it loses here."
)


def q3(world: World) -> Case:
    """customer and orders in one database, lineitem in another."""
    figures = "select count(*), sum(l_orderkey), sum(revenue), min(o_orderdate), max(o_orderdate) from public."
    return _join(world, "join-q3", "TPC-H Q3 over two databases", tpch.Q3, figures)


def q5(world: World) -> Case:
    """customer, orders, supplier, nation and region in one database, lineitem in another."""
    figures = "select count(*), sum(revenue), min(trim(n_name)), max(trim(n_name)) from public."
    return _join(world, "join-q5", "TPC-H Q5 over two databases", tpch.Q5, figures)


def _join(world: World, name: str, title: str, sql: str, figures: str) -> Case:
    assert world.databases
    inputs = [*(["a", table] for table in _IN_A), ["b", "lineitem"]]
    details = {"sql": sql, "inputs": inputs, "database": "dw", "table": "joined"}
    answer, fresh = world.answer(figures + "joined"), world.fresh("joined")
    contenders = [
        Contender("dvt", world.dvt("query", **details), prepare=fresh, answer=answer),
        Contender("dvt, parallel: 2", world.dvt("query", parallel=2, **details), prepare=fresh, answer=answer),
    ]
    if "DuckDB ATTACH" in world.peers.versions:
        command = world.peer("duckdb_attach.py", "query", **details)
        contenders.append(Contender("DuckDB ATTACH", command, prepare=fresh, answer=answer))
    return Case(name, title, tuple(contenders), world.peers.missing("DuckDB ATTACH"), remarks=(_REMARK,))
