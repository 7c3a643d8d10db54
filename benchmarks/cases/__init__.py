"""The cases, by the names under which the command line knows them."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.case import Case
from benchmarks.cases import (
    aggregate,
    clickhouse,
    copying,
    extract,
    fakes,
    join,
    load,
    mariadb,
    memory,
    moved,
    overhead,
    spark,
    sqlite,
)
from benchmarks.world import World

CASES: dict[str, Callable[[World], Case]] = {
    "overhead": overhead.overhead,
    "extract-parquet": extract.to_parquet,
    "extract-arrow": extract.to_arrow,
    "load": load.load,
    "copy": copying.copying,
    "aggregate": aggregate.aggregate,
    "join-q3": join.q3,
    "join-q5": join.q5,
    "extract-mariadb": mariadb.extract,
    "mariadb-postgres": mariadb.landing,
    "extract-clickhouse": clickhouse.extract,
    "extract-sqlite": sqlite.extract,
    "fakes": fakes.fakes,
    "memory": memory.memory,
    "memory-fakes": memory.of_fakes,
    "bytes": moved.moved,
    "spark-landing": spark.landing,
}
