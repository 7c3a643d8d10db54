"""Spark's processes that read over JDBC: which settings they have, and which one is taken."""

from __future__ import annotations

import os
from pathlib import Path

from dvt.connections.spark_process import LOCAL_SETTINGS, IdleProcesses, SparkProcess, SparkSaidError
from dvt.errors import MissingDriverError

_WORKER = Path(__file__).with_name("spark_jdbc_worker.py")
_SETTINGS = {
    **LOCAL_SETTINGS,
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.sql.warehouse.dir": "{folder}/warehouse",
}
_idle = IdleProcesses()
given_back, end_all = _idle.give_back, _idle.end_all


def taken(home: Path, jars: tuple[str, ...], cores: int, settings: dict[str, str], connection: str) -> SparkProcess:
    """A process that nobody else asks: one that was given back, or a new one.

    Args:
        home: Spark's folder.
        jars: The drivers' jars.
        cores: How many parts it reads at a time.
        settings: Spark's settings, which go before dvt's.
        connection: What messages name.

    Raises:
        MissingDriverError: Spark does not start.
    """
    key = (home, jars, cores, tuple(sorted(settings.items())))
    if idle := _idle.taken(key):
        return idle
    own = {"spark.master": f"local[{cores}]", "spark.driver.extraClassPath": os.pathsep.join(jars)}
    process = SparkProcess(key, _WORKER, {**_SETTINGS, **own, **settings}, home)
    try:
        process.ask("close")
    except SparkSaidError as error:
        process.end()
        raise MissingDriverError(
            f"Spark does not start: {error}",
            connection=connection,
            remedy="Correct dvt.jdbc.spark_home or dvt.jdbc.spark_settings, or set dvt.jdbc.by: jpype",
        ) from error
    return process
