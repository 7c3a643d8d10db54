"""Arrow batches into a new PostgreSQL table."""

from __future__ import annotations

from pathlib import Path

from benchmarks import tpch
from benchmarks.case import Case, Contender
from benchmarks.world import World

_PEERS = {"DuckDB ATTACH": "duckdb_attach.py", "ADBC": "adbc.py", "pgpq": "pgpq_worker.py"}
_REMARKS = (
    "dvt also counts what landed and swaps a private table in; the peers write the table in place.",
    r"psql \copy loads a file that is ready in COPY's own form: nothing reads Arrow there, and nothing encodes it.",
)


def load(world: World) -> Case:
    """Lineitem from a Parquet file, read batch by batch in the contender's process."""
    assert world.databases
    details = {"parquet": str(world.lineitem_parquet), "database": "dw", "table": "loaded"}

    def contender(name: str, command: tuple[str, ...]) -> Contender:
        return Contender(name, command, prepare=world.fresh("loaded"), answer=world.lineitem_answer("loaded"))

    contenders = [contender("dvt", world.dvt_alone("load", **details))]
    for name, script in _PEERS.items():
        if name in world.peers.versions:
            contenders.append(contender(name, world.peer(script, "load", **details)))
    contenders += [_psql(world, form) for form in ("text", "binary")]
    missing = world.peers.missing(*_PEERS)
    return Case("load", "lineitem as Arrow batches into PostgreSQL", tuple(contenders), missing, remarks=_REMARKS)


def _psql(world: World, form: str) -> Contender:
    r"""`\copy` of a file that another `\copy` has made."""
    path: Path = world.folder / f"lineitem.{form}"
    fresh = world.fresh("loaded")

    def empty() -> None:
        if not path.exists():
            world.server.psql("b", f"\\copy public.lineitem to '{path}' (format {form})")
        fresh()
        world.server.psql("dw", f"create table public.loaded ({tpch.TABLES['lineitem']});")

    command = (
        world.psql,
        "-Xqd",
        "dw",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        f"\\copy public.loaded from '{path}' (format {form})",
    )
    return Contender(f"psql \\copy, {form}", command, prepare=empty, answer=world.lineitem_answer("loaded"))
