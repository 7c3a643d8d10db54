"""A process with a Spark session that computes a query over Parquet files into Parquet files; dvt starts it.

Requests are the methods of its session (`connections/spark_serving.py`, whose path it is given). Of dvt only what lands
rows is imported, when it is asked for.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
import json
import runpy
import sys
import zipfile
from pathlib import Path
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
        self._pipe: Any = None
        self._is_handed_on = False

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

    def try_out(self, order: dict[str, Any], tasks: int) -> list[list[Any]]:
        """What executors lack to land rows; one task for each session that they would have."""
        return self._tasks(order, tasks, tasks, is_trial=True)

    def land(self, order: dict[str, Any], tasks: int) -> list[list[Any]]:
        """Let executors land every part of a result, each whole or not at all."""
        return self._tasks(order, len(order["parts"]), tasks, is_trial=False)

    def _tasks(self, order: dict[str, Any], count: int, tasks: int, *, is_trial: bool) -> list[list[Any]]:
        parts = importlib.import_module("dvt.federation.executor_parts")
        task = importlib.import_module(order["task"]).Task(order, is_trial=is_trial)
        if not self._is_handed_on:
            for name in ("dvt", "sqlglot"):  # pure Python: executors need no environment of dvt's
                package = _packed(importlib.import_module(name))
                if self._is_remote:
                    self._spark.addArtifacts(package, pyfile=True)
                else:
                    self._spark.sparkContext.addPyFile(package)
            self._is_handed_on = True
        numbers = self._spark.range(0, count, 1, tasks)
        found = numbers.mapInArrow(task, parts.SCHEMA).collect()
        return [[row.part, json.loads(row.said)] for row in found]

    def open_rows(self, paths: list[str], names: list[str]) -> None:
        """Begin to give a result's rows as the lines of COPY's text format, one partition in this process at a time."""
        pipe = importlib.import_module("dvt.federation.loaders.spark_row_pipe")
        self._pipe = pipe._SparkRowPipe(self._spark.read.parquet(*paths).toDF(*names))

    def more_rows(self, most_bytes: int) -> dict[str, Any]:
        """The next lines; none at the end, or before a value that is refused."""
        errors = importlib.import_module("dvt.errors")
        refused = {"refusal": "", "column": None, "row": None}
        try:
            lines = self._pipe.read(most_bytes)
        except errors.DataError as error:
            lines, refused = b"", {"refusal": error.message, "column": error.column, "row": error.rows}
        return {"lines": base64.b64encode(lines).decode(), "rows": self._pipe.rows_read, **refused}

    def forget(self) -> None:
        """Let go of all views."""
        for name in self._views:
            self._spark.catalog.dropTempView(name)
        self._views.clear()
        self._pipe = None

    def interrupt(self) -> None:
        """End what runs, from another thread."""
        if self._is_remote:
            self._spark.interruptAll()
        else:
            self._spark.sparkContext.cancelAllJobs()


def _packed(module: Any) -> str:
    """A package as an archive in this process's folder, for executors whose Python is without it.

    One Spark may be given it by several sessions, and refuses two files of one name: it is named by what it holds.
    """
    root = Path(module.__file__).parent
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*.py")):
            archive.writestr(
                zipfile.ZipInfo(file.relative_to(root.parent).as_posix()), file.read_bytes(), zipfile.ZIP_DEFLATED
            )
    path = Path.cwd() / f"{root.name}_{hashlib.sha256(made.getvalue()).hexdigest()[:12]}.zip"
    path.write_bytes(made.getvalue())
    return str(path)


if __name__ == "__main__":
    runpy.run_path(sys.argv[1])["serve"](_Session, urgent=frozenset({"interrupt"}))
