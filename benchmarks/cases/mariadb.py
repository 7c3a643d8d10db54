"""Orders out of MariaDB."""

from __future__ import annotations

import os

from benchmarks import tpch
from benchmarks.case import Case, Contender
from benchmarks.world import World

_REMARK = "PyMySQL makes a Python value of each cell, the others an Arrow column of each batch or of the whole result."


def extract(world: World) -> Case:
    """MariaDB orders -> Arrow batches, against the plain driver's tuples, connectorx and DuckDB's scanner."""
    from servers.mariadb import missing_programs, running

    title = "MariaDB orders, as Arrow batches and as tuples"
    missing = missing_programs()
    if missing:
        return Case("extract-mariadb", title, (), (f"MariaDB ({', '.join(missing)} not found)",))
    server = world.enter(running())
    server.create_database("tpch")
    server.execute(f"create table orders ({tpch.TABLES['orders']})", "tpch")
    world.say("loading MariaDB")
    options = "fields terminated by ',' optionally enclosed by '\"' lines terminated by '\\n' ignore 1 lines"
    server.execute(f"load data local infile '{world.orders_csv}' into table orders {options}", "tpch")
    output = server.output("tpch")
    details = {"profile": world.profile(output), "table": "orders"}
    key = {"key": "o_orderkey"}
    contenders = [
        Contender("dvt", world.dvt("scan", schema=output["schema"], **details, **key)),
        Contender("PyMySQL SSCursor", world.own("pymysql_worker.py", "rows", **details)),
    ]
    if "connectorx" in world.peers.versions:
        contenders.append(Contender("connectorx", world.peer("connectorx_worker.py", "mysql", **details, **key)))
    attach = "DuckDB ATTACH, MySQL"
    if attach in world.peers.versions:
        # What DuckDB's scanner reads of the environment.
        os.environ.update(MYSQL_HOST=str(output["server"]), MYSQL_TCP_PORT=str(output["port"]))
        os.environ.update(MYSQL_USER=server.user, MYSQL_PWD=server.password, MYSQL_DATABASE="tpch")
        contenders.append(Contender(attach, world.peer("duckdb_attach.py", "mysql", table="orders", **key)))
    return Case(
        "extract-mariadb", title, tuple(contenders), world.peers.missing("connectorx", attach), remarks=(_REMARK,)
    )
