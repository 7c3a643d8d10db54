"""Lineitem out of PostgreSQL, into a Parquet file and as Arrow batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.case import Answer, Case, Contender
from benchmarks.world import World

_PRICES = (
    "Only rows and the sum of l_orderkey are compared here, as the stream goes by; the Parquet case compares prices."
)


def to_parquet(world: World) -> Case:
    """PG lineitem -> one Parquet file, zstd."""
    assert world.databases
    path = world.folder / "extracted.parquet"
    details = {"database": "b", "table": "lineitem", "path": str(path)}

    def contender(name: str, command: tuple[str, ...]) -> Contender:
        return Contender(name, command, prepare=lambda: path.unlink(missing_ok=True), answer=_answer(path))

    contenders = [
        contender("dvt", world.dvt("extract_parquet", parallel=1, **details)),
        contender("dvt, parallel: 2", world.dvt("extract_parquet", parallel=2, **details)),
    ]
    for name, script in (("DuckDB ATTACH", "duckdb_attach.py"), ("ADBC", "adbc.py")):
        if name in world.peers.versions:
            contenders.append(contender(name, world.peer(script, "extract_parquet", **details)))
    missing = world.peers.missing("DuckDB ATTACH", "ADBC")
    return Case("extract-parquet", "PostgreSQL lineitem to a Parquet file (zstd)", tuple(contenders), missing)


def to_arrow(world: World) -> Case:
    """PG lineitem -> Arrow batches."""
    assert world.databases
    details = {"database": "b", "table": "lineitem"}
    contenders = [
        Contender("dvt", world.dvt("extract_arrow", parallel=1, **details)),
        Contender("dvt, parallel: 2", world.dvt("extract_arrow", parallel=2, **details)),
    ]
    scripts = {"DuckDB ATTACH": "duckdb_attach.py", "ADBC": "adbc.py", "connectorx": "connectorx_worker.py"}
    for name, script in scripts.items():
        if name in world.peers.versions:
            contenders.append(Contender(name, world.peer(script, "extract_arrow", **details)))
    missing = world.peers.missing(*scripts)
    return Case("extract-arrow", "PostgreSQL lineitem as Arrow batches", tuple(contenders), missing, remarks=(_PRICES,))


def _answer(path: Path) -> Callable[[], Answer]:
    def answer() -> Answer:
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        table = pq.read_table(path, columns=["l_orderkey", "l_quantity", "l_extendedprice", "l_shipdate"])

        def total(name: str) -> Any:
            return pc.sum(pc.cast(table.column(name), pa.decimal128(38, 2))).as_py()

        return {
            "rows": str(table.num_rows),
            "keys": str(pc.sum(table.column("l_orderkey")).as_py()),
            "quantities": str(total("l_quantity")),
            "prices": str(total("l_extendedprice")),
            "last": str(pc.max(table.column("l_shipdate")).as_py()),
        }

    return answer
