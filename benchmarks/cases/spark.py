"""A result of Spark's into a new PostgreSQL table: by its executors, its driver, dvt, and Spark's own JDBC."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.case import Case, Contender
from benchmarks.world import World

_JAR = Path("/usr/share/java/postgresql.jar")
_TITLE = "lineitem, computed by Spark, into PostgreSQL"
_ONE, _TWO = "local-cluster[1,1,1024]", "local-cluster[2,1,1024]"


def landing(world: World) -> Case:
    """Lineitem as a result of Spark's; what is timed is its landing, with whatever that starts."""
    from servers.spark import missing
    from servers.spark_cluster import cluster_home

    if why := missing():
        return Case("spark-landing", _TITLE, (), (f"Spark: {why}",))
    assert world.databases
    folder = world.folder / "spark-home"
    folder.mkdir()
    place = {"home": str(cluster_home(folder)), "parquet": str(world.lineitem_parquet)}

    def contender(name: str, work: str, **more: Any) -> Contender:
        details = {"master": _TWO, **place, **more, "database": "dw", "table": "landed"}
        command = world.own("spark_worker.py", work, **details)
        return Contender(name, command, prepare=world.fresh("landed"), answer=world.lineitem_answer("landed"))

    contenders = [
        contender("dvt, 2 executors", "dvt", landing="executors"),
        contender("dvt, 1 executor", "dvt", landing="executors", master=_ONE),
        contender("dvt, one COPY by dvt", "dvt", landing="dvt"),
        contender("dvt, Spark's driver", "dvt", landing="driver"),
    ]
    gone = () if _JAR.exists() else (f"Spark JDBC: {_JAR} is not installed (libpostgresql-jdbc-java)",)
    if not gone:
        contenders.append(contender("Spark JDBC", "jdbc", jar=str(_JAR)))
    remarks = (
        "The clock runs from the result's files to the table in place; the session is up, and has computed the rows.",
        "Two executors share the machine's CPUs with PostgreSQL, and with each other.",
        "dvt counts what landed and swaps a private table in, and a task that is retried doubles no row; Spark's JDBC "
        "writes the table in place by INSERT, and a task that is retried does.",
    )
    return Case("spark-landing", _TITLE, tuple(contenders), gone, remarks=remarks)
