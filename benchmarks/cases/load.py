"""Arrow batches into a new PostgreSQL table."""

from __future__ import annotations

from benchmarks.case import Case, Contender
from benchmarks.world import World


def load(world: World) -> Case:
    """Lineitem from a Parquet file, read batch by batch in the contender's process."""
    assert world.databases
    details = {"parquet": str(world.lineitem_parquet), "database": "dw", "table": "loaded"}

    def contender(name: str, command: tuple[str, ...]) -> Contender:
        return Contender(name, command, prepare=world.fresh("loaded"), answer=world.lineitem_answer("loaded"))

    contenders = [contender("dvt", world.dvt("load", **details))]
    for name, script in (("DuckDB ATTACH", "duckdb_attach.py"), ("ADBC", "adbc.py")):
        if name in world.peers.versions:
            contenders.append(contender(name, world.peer(script, "load", **details)))
    remarks = ("dvt also counts what landed and swaps a private table in; the peers write the table in place.",)
    missing = world.peers.missing("DuckDB ATTACH", "ADBC")
    return Case("load", "lineitem as Arrow batches into PostgreSQL", tuple(contenders), missing, remarks=remarks)
