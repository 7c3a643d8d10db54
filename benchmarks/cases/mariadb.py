"""Orders out of MariaDB, into Arrow batches and into PostgreSQL."""

from __future__ import annotations

from benchmarks.case import Case, Contender
from benchmarks.world import World

_REMARK = "PyMySQL makes a Python value of each cell, the others an Arrow column of each batch or of the whole result."
_ATTACH = "DuckDB ATTACH, MySQL"
_MISSING = ("MariaDB (its programs are not found)",)
_ORDERS = (
    # sling and DuckDB make other types than dvt: numbers without scale, text for char.
    "select count(*), sum(o_orderkey), trim_scale(sum(o_totalprice)), min(o_orderdate), sum(length(trim(o_comment))),"
    " sum(length(trim(o_clerk))) from public.landed"
)


def extract(world: World) -> Case:
    """MariaDB orders -> Arrow batches, against the plain driver's tuples, connectorx and DuckDB's scanner."""
    title, profile = "MariaDB orders, as Arrow batches and as tuples", world.mariadb_orders
    if profile is None:
        return Case("extract-mariadb", title, (), _MISSING)
    details = {"profile": profile, "table": "orders"}
    key = {"key": "o_orderkey"}
    contenders = [
        Contender("dvt", world.dvt("scan", schema="tpch", **details, **key)),
        Contender("PyMySQL SSCursor", world.own("pymysql_worker.py", "rows", **details)),
    ]
    if "connectorx" in world.peers.versions:
        contenders.append(Contender("connectorx", world.peer("connectorx_worker.py", "mysql", **details, **key)))
    if _ATTACH in world.peers.versions:
        contenders.append(Contender(_ATTACH, world.peer("duckdb_attach.py", "mysql", table="orders", **key)))
    missing = world.peers.missing("connectorx", _ATTACH)
    return Case("extract-mariadb", title, tuple(contenders), missing, remarks=(_REMARK,))


def landing(world: World) -> Case:
    """MariaDB orders -> a new PostgreSQL table by `dvt copy`, against DuckDB with both attached and sling."""
    title, profile = "MariaDB orders into PostgreSQL", world.mariadb_orders
    if profile is None:
        return Case("mariadb-postgres", title, (), _MISSING)
    assert world.databases
    ours = {"source": profile, "table": "orders", "target": world.postgres_profile, "landed": "landed"}
    theirs = {"table": "orders", "database": "dw", "landed": "landed"}
    found = [("dvt copy", world.dvt("copy", **ours))]
    if _ATTACH in world.peers.versions:
        found.append(("DuckDB ATTACH", world.peer("duckdb_attach.py", "mysql_to_postgres", **theirs)))
    if "sling" in world.peers.versions:
        found.append(("sling", world.peer("sling_worker.py", "mysql_to_postgres", **_plain_logins(world), **theirs)))
    contenders = tuple(
        Contender(name, command, prepare=world.fresh("landed"), answer=world.answer(_ORDERS)) for name, command in found
    )
    return Case("mariadb-postgres", title, contenders, world.peers.missing(_ATTACH, "sling"))


def _plain_logins(world: World) -> dict[str, str]:
    """Profiles with a password of letters: sling's MySQL login fails with the odd one that the tests' servers have."""
    assert world.mariadb is not None
    name = "plain"
    world.mariadb.execute(
        f"create user if not exists '{name}'@'%' identified by '{name}'; grant all on *.* to '{name}'@'%'"
    )
    world.server.psql("dw", f"drop role if exists {name}; create role {name} superuser login password '{name}'")
    source = {**world.mariadb.output("tpch"), "username": name, "password": name}
    target = {**world.server.output("dw"), "user": name, "password": name}
    return {"source": world.profile(source), "target": world.profile(target)}
