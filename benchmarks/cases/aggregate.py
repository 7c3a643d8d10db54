"""An aggregate over one PostgreSQL table, computed by the engine, the result in another database: TPC-H query 1."""

from __future__ import annotations

from benchmarks.case import Case, Contender
from benchmarks.world import World

# Sums of products are left to the engine by both: all rows leave the server, in the seven columns that it needs.
_SQL = """
select l_returnflag, l_linestatus, sum(l_quantity) as sum_qty, sum(l_extendedprice) as sum_base_price,
  sum(l_extendedprice * (1 - l_discount)) as sum_disc_price,
  sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) as sum_charge, count(*) as count_order
from b.public.lineitem group by l_returnflag, l_linestatus
"""
_FIGURES = (
    "select count(*), sum(count_order), trim_scale(sum(sum_qty)), trim_scale(sum(sum_base_price)), "
    "trim_scale(sum(sum_disc_price)), trim_scale(sum(sum_charge)) from public.summed"
)


def aggregate(world: World) -> Case:
    """Lineitem summed up by two of its columns."""
    assert world.databases
    details = {"sql": _SQL, "inputs": [["b", "lineitem"]], "database": "dw", "table": "summed"}
    answer, fresh = world.answer(_FIGURES), world.fresh("summed")
    contenders = [
        Contender("dvt", world.dvt_alone("query", **details), prepare=fresh, answer=answer),
        Contender("dvt, parallel: 2", world.dvt_alone("query", parallel=2, **details), prepare=fresh, answer=answer),
    ]
    if "DuckDB ATTACH" in world.peers.versions:
        command = world.peer("duckdb_attach.py", "query", **details)
        contenders.append(Contender("DuckDB ATTACH", command, prepare=fresh, answer=answer))
    title = "lineitem of one PostgreSQL database, summed up into another (TPC-H Q1)"
    return Case("aggregate", title, tuple(contenders), world.peers.missing("DuckDB ATTACH"))
