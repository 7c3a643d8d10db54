"""Orders out of MariaDB."""

from __future__ import annotations

import os

from benchmarks import tpch
from benchmarks.case import Case, Contender
from benchmarks.world import World


def extract(world: World) -> Case:
    """MariaDB orders -> Arrow batches, against the plain driver's tuples."""
    from servers.mariadb import missing_programs, running

    title = "MariaDB orders, as Arrow batches and as tuples"
    missing = missing_programs()
    if missing:
        return Case("mariadb", title, (), (f"MariaDB ({', '.join(missing)} not found)",))
    context = running()
    server = context.__enter__()
    world.at_end(lambda: context.__exit__(None, None, None))
    server.create_database("tpch")
    server.execute(f"create table orders ({tpch.TABLES['orders']})", "tpch")
    world.say("loading MariaDB")
    options = "fields terminated by ',' optionally enclosed by '\"' lines terminated by '\\n' ignore 1 lines"
    server.execute(f"load data local infile '{world.orders_csv}' into table orders {options}", "tpch")
    # The password goes the same way as PostgreSQL's: by the environment.
    output = {key: value for key, value in server.output("tpch").items() if key != "password"}
    os.environ["BENCH_MYSQL_PASSWORD"] = server.password
    details = {"output": output, "table": "orders"}
    worker = world.own("pymysql_worker.py", "rows", **details)
    return Case(
        "mariadb",
        title,
        (Contender("dvt", world.dvt("mysql_arrow", **details)), Contender("PyMySQL SSCursor", worker)),
        remarks=("PyMySQL makes a Python value of each cell, dvt an Arrow column of each batch.",),
    )
