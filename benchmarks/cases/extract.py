"""Lineitem out of PostgreSQL, into a Parquet file and as Arrow batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.case import Answer, Case, Contender
from benchmarks.world import World

_PEERS = {"DuckDB ATTACH": "duckdb_attach.py", "ADBC": "adbc.py", "connectorx": "connectorx_worker.py"}
_DRAINED = "A COPY drain is psql's \\copy to /dev/null: nothing is made of the rows, which the server counts."
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
        contender("dvt", world.dvt_alone("extract_parquet", parallel=1, **details)),
        contender("dvt, parallel: 2", world.dvt_alone("extract_parquet", parallel=2, **details)),
    ]
    for name, script in _PEERS.items():
        if name in world.peers.versions:
            contenders.append(contender(name, world.peer(script, "extract_parquet", **details)))
    contenders += _drains(world)
    title, missing = "PostgreSQL lineitem to a Parquet file (zstd)", world.peers.missing(*_PEERS)
    return Case("extract-parquet", title, tuple(contenders), missing, remarks=(_DRAINED,))


def to_arrow(world: World) -> Case:
    """PG lineitem -> Arrow batches."""
    assert world.databases
    details = {"database": "b", "table": "lineitem"}
    contenders = [
        Contender("dvt", world.dvt_alone("extract_arrow", parallel=1, **details)),
        Contender("dvt, parallel: 2", world.dvt_alone("extract_arrow", parallel=2, **details)),
    ]
    for name, script in _PEERS.items():
        if name in world.peers.versions:
            contenders.append(Contender(name, world.peer(script, "extract_arrow", **details)))
    contenders += _drains(world)
    title, missing = "PostgreSQL lineitem as Arrow batches", world.peers.missing(*_PEERS)
    return Case("extract-arrow", title, tuple(contenders), missing, remarks=(_PRICES, _DRAINED))


def _drains(world: World) -> list[Contender]:
    """The raw COPY: what the server and the wire cost, whoever reads."""
    details = {"psql": world.psql, "database": "b", "table": "lineitem"}
    return [
        Contender(f"COPY drain, {form}", world.own("copy_drain.py", "drain", form=form, **details), is_drain=True)
        for form in ("csv", "binary")
    ]


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
