"""One table from one PostgreSQL database into another."""

from __future__ import annotations

from benchmarks import tpch
from benchmarks.case import Case, Contender
from benchmarks.world import World

# $0 is psql and $1 the format.
_PIPE = (
    '"$0" -Xqd b -c "copy public.lineitem to stdout $1" | '
    '"$0" -Xqd dw -v ON_ERROR_STOP=1 -c "copy public.copied from stdin $1"'
)
_QUERY = {"sql": "select * from b.public.lineitem", "inputs": [["b", "lineitem"]], "database": "dw", "table": "copied"}


def copying(world: World) -> Case:
    """`dvt copy`, and a model's `select *` by the direct lane and by the engine, against two psql and DuckDB."""
    assert world.databases
    answer, fresh = world.lineitem_answer("copied"), world.fresh("copied")

    def empty() -> None:
        fresh()
        world.server.psql("dw", f"create table public.copied ({tpch.TABLES['lineitem']});")

    ends = {"source": world.profile(world.server.output("b", "public")), "target": world.postgres_profile}
    contenders = [
        Contender(
            "dvt copy",
            world.dvt_alone("copy", table="lineitem", landed="copied", **ends),
            prepare=fresh,
            answer=answer,
        ),
        Contender("dvt", world.dvt_alone("query", **_QUERY), prepare=fresh, answer=answer),
        Contender("dvt, direct: false", world.dvt_alone("query", direct=False, **_QUERY), prepare=fresh, answer=answer),
        Contender(
            "dvt, direct: false, parallel: 2",
            world.dvt_alone("query", direct=False, parallel=2, **_QUERY),
            prepare=fresh,
            answer=answer,
        ),
        _pipe(world, "COPY | COPY, text", "(format text)", empty),
        _pipe(world, "COPY | COPY, binary", "(format binary)", empty),
    ]
    if "DuckDB ATTACH" in world.peers.versions:
        command = world.peer("duckdb_attach.py", "query", **_QUERY)
        contenders.append(Contender("DuckDB ATTACH", command, prepare=fresh, answer=answer))
    missing = world.peers.missing("DuckDB ATTACH")
    return Case("copy", "lineitem from one PostgreSQL database to another", tuple(contenders), missing)


def _pipe(world: World, name: str, options: str, empty: object) -> Contender:
    assert callable(empty)
    command = ("sh", "-c", _PIPE, world.psql, options)
    return Contender(name, command, prepare=empty, answer=world.lineitem_answer("copied"))
