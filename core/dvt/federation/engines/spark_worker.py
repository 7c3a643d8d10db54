"""A process with a Spark session that computes a query over Parquet files into Parquet files; dvt starts it.

Requests are the methods of its session (`connections/spark_serving.py`, whose path it is given). Nothing of dvt is
imported here: Spark's Python may be without it.
"""

from __future__ import annotations

import runpy
import sys
from typing import Any

_REMOTE = "spark.remote"


class _Session:
    """A Spark session: of its own, of a cluster, or of a server of Spark Connect."""

    def __init__(self, settings: dict[str, str]) -> None:
        sys.modules[
            "__main__"
        ].__file__ = ""  # the client of Spark Connect takes a process without one for its doctests
        from pyspark.sql import SparkSession

        builder = SparkSession.builder
        remote = settings.pop(_REMOTE, "")
        if remote:
            self._spark: Any = builder.remote(remote).create()
            for name, value in settings.items():
                self._spark.conf.set(name, value)
        else:
            for name, value in settings.items():
                builder = builder.config(name, value)
            self._spark = builder.getOrCreate()
            self._spark.sparkContext.setLogLevel("ERROR")
        self._is_remote = bool(remote)
        self._views: list[str] = []

    def version(self) -> str:
        """Spark's version."""
        return str(self._spark.version)

    def rows_in(self, paths: list[str]) -> int:
        """How many rows the executors find in files: whether they see them at all."""
        return int(self._spark.read.parquet(*paths).count())

    def compute(self, views: dict[str, list[str]], sql: str, folder: str) -> list[str]:
        """Write a query's rows as Parquet files, evaluated once; gives Spark's types of the columns.

        Args:
            views: Files by the name under which they stand in the query.
            sql: The query.
            folder: Must not exist.
        """
        from pyspark.sql import functions

        for name, paths in views.items():
            self._spark.read.parquet(*paths).createOrReplaceTempView(name)
        self._views += views
        frame = self._spark.sql(sql)
        fields = frame.schema.fields
        frame = frame.toDF(*[f"c{number}" for number in range(len(fields))])
        # Parquet has no column that holds nothing but NULL.
        for number, field in enumerate(fields):
            if field.dataType.typeName() == "void":
                frame = frame.withColumn(f"c{number}", functions.lit(None).cast("int"))
        frame.write.parquet(folder)
        return [field.dataType.simpleString() for field in fields]

    def forget(self) -> None:
        """Let go of all views."""
        for name in self._views:
            self._spark.catalog.dropTempView(name)
        self._views.clear()

    def interrupt(self) -> None:
        """End what runs, from another thread."""
        if self._is_remote:
            self._spark.interruptAll()
        else:
            self._spark.sparkContext.cancelAllJobs()


if __name__ == "__main__":
    runpy.run_path(sys.argv[1])["serve"](_Session, urgent=frozenset({"interrupt"}))
