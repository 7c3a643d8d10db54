"""A result of Spark's into PostgreSQL: dvt's ways, and Spark's own JDBC writer. The clock runs for the landing only."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from dvt.federation.registry import open_connection

QUERY = "select * from db.main.lineitem"
_JAVA = "-XX:+UseSerialGC -Duser.timezone=UTC"


def _config(master: str) -> dict[str, str]:
    return {
        "spark.executor.memory": "800m",
        "spark.driver.extraJavaOptions": _JAVA,
        "spark.executor.extraJavaOptions": _JAVA,
        "spark.default.parallelism": "4",
    }


def _cpu_s() -> float:
    """Of this process and all below it, those that have ended too."""
    ticks, parents = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(folder.name)], ticks[int(folder.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    total = 0
    for process in ticks:
        each = process
        while each in parents and each != os.getpid():
            each = parents[each]
        total += ticks[process] if each == os.getpid() else 0
    return total / os.sysconf("SC_CLK_TCK")


def _report(work, **answer) -> None:
    cpu, started = _cpu_s(), time.perf_counter()
    note = work()
    seconds = time.perf_counter() - started
    figures = {"seconds": seconds, "cpu_seconds": _cpu_s() - cpu, "peak_bytes": 0}
    print(json.dumps({**figures, "answer": answer, "note": note}), flush=True)


def dvt(home: str, master: str, landing: str, parquet: str, database: str, table: str) -> None:
    """By dvt: its executors' way, the driver's pipe, or its own COPY."""
    from dvt.federation.engines import spark_sessions
    from dvt.federation.engines.base import EngineLimits, Handle
    from dvt.federation.engines.spark import SparkEngine
    from dvt.federation.loaders.base import LoadConfig
    from dvt.federation.loaders.postgres import PostgresLoader
    from dvt.identifiers import Relation

    options = {"home": home, "master": master, "landing": landing, "memory": "1g", "config": _config(master)}
    with tempfile.TemporaryDirectory() as folder:
        with SparkEngine(EngineLimits(1 << 30, 2, Path(folder)), options) as engine:
            engine.register_parquet(Handle("db", "main", "lineitem"), [Path(parquet)])
            with engine.execute(QUERY) as rows, PostgresLoader(_postgres(database)) as loader:
                _report(lambda: f"method {loader.load(rows, LoadConfig(Relation(table, 'public'))).method}")
        spark_sessions.end_all()


def jdbc(home: str, master: str, jar: str, parquet: str, database: str, table: str) -> None:
    """By Spark's own writer, with its quickest documented settings; a task that is retried would double its rows."""
    archives = [str(path) for path in sorted((Path(home) / "python" / "lib").glob("*.zip"))]
    sys.path[:0] = archives
    os.environ |= {"SPARK_HOME": home, "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": os.pathsep.join(archives)}
    from pyspark.sql import SparkSession

    settings = {**_config(master), "spark.master": master, "spark.driver.memory": "1g", "spark.ui.enabled": "false"}
    builder = SparkSession.builder
    for name, value in {**settings, "spark.jars": jar, "spark.sql.session.timeZone": "UTC"}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    output = _postgres(database)
    with tempfile.TemporaryDirectory() as folder:
        spark.read.parquet(parquet).write.parquet(f"{folder}/result")
        address = f"jdbc:postgresql://{output.first('host')}:{output.first('port')}/{database}"
        writer = spark.read.parquet(f"{folder}/result").write.format("jdbc").option("driver", "org.postgresql.Driver")
        login = {"user": output.first("user"), "password": output.secret("password")}
        quick = {"batchsize": "10000", "reWriteBatchedInserts": "true"}
        for name, value in {**login, **quick, "url": address, "dbtable": f"public.{table}"}.items():
            writer = writer.option(name, value)
        _report(lambda: writer.mode("append").save() or "method jdbc, batches of 10,000, reWriteBatchedInserts")
        spark.stop()


def _postgres(database: str):
    place = {key: os.environ[f"PG{key.upper()}"] for key in ("host", "port", "user", "password")}
    return open_connection("dw", {"type": "postgres", **place, "port": int(place["port"]), "dbname": database})


if __name__ == "__main__":
    {"dvt": dvt, "jdbc": jdbc}[sys.argv[1]](**json.loads(sys.argv[2]))
