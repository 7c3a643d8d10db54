"""What a Spark engine offers to loaders: its executors land a result themselves, or its driver gives the rows.

The result lies in Parquet files, evaluated once; a task reads row groups of them, so that it reads the same rows when
it is run again, whatever has become of the query's own stages.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq

from dvt.connections.spark_process import SparkSaidError
from dvt.errors import ConnectionLostError, DataError
from dvt.federation.engines.spark_errors import translate
from dvt.federation.engines.spark_options import SparkOptions
from dvt.federation.engines.spark_staging import Staging
from dvt.federation.spread import BY_COPY, Part, SpreadRows, Told
from dvt.federation.stream import ColumnSchema

# A part is a transaction: what is lost with an executor is at most so much.
_PART_BYTES = 128 << 20
_LINES_BYTES = 1 << 20
_OF_EXECUTOR = re.compile(r"SaidError: (.*)")
# DuckDB's types, as the columns of Spark that need no cast to give PostgreSQL the same texts.
_SAME = {
    **{name: name for name in ("string", "binary", "double", "float")},
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "bool": "boolean",
    "date32[day]": "date",
    "timestamp[us]": "timestamp_ntz",
    "timestamp[us, tz=UTC]": "timestamp",
    "extension<arrow.uuid>": "string",
    "extension<arrow.json>": "string",
}


class SparkLanding:
    """The offers for one result.

    Args:
        ask: Asks Spark's process.
        stop: Ends what it does, from another thread.
        options: Where Spark runs.
        staging: Where the results lie.
    """

    def __init__(
        self, ask: Callable[..., Any], stop: Callable[[], None], options: SparkOptions, staging: Staging
    ) -> None:
        self._ask = ask
        self._stop = stop
        self._options = options
        self._staging = staging

    def offer(self, files: Sequence[str], columns: Sequence[ColumnSchema], given: Sequence[str]) -> SpreadRows:
        """The offer of a result.

        Args:
            files: Where it lies.
            columns: What its columns are to become.
            given: What they are in Spark.
        """
        staging = self._staging
        parts = tuple(part for file in files for part in _parts(staging.metadata(file), staging.told(file)))
        unlike = [column.name for column, type_ in zip(columns, given, strict=True) if not _is_same(column, type_)]
        return SpreadRows(
            parts,
            self._options.lands_by,
            self._options.why_not_executors(),
            self._try_out,
            self._land,
            self._stop,
            lambda: self._lines(files, [column.name for column in columns]),
            f"the text of column {unlike[0]} may be another" if unlike else "",
        )

    def _try_out(self, order: Mapping[str, Any]) -> str:
        """What the executors lack; Python itself may be missing, which is an error of Spark's."""
        try:
            told = self._run("try_out", order)
        except SparkSaidError as error:
            return f"Spark's executors run no Python task: {_short(error)}"
        return next((said["why"] for _, said in told if said.get("why")), "")

    def _land(self, order: Mapping[str, Any]) -> list[Told]:
        try:
            told = self._run("land", order)
        except SparkSaidError as error:
            if found := _OF_EXECUTOR.search(str(error)):
                raise ConnectionLostError(
                    f"an executor gave up: {found[1]}", phase="load", remedy="Run it again"
                ) from error
            raise translate(error) from error
        return [Told(number, **said) for number, said in told]

    def _run(self, do: str, order: Mapping[str, Any]) -> list[Any]:
        tasks = min(len(order["parts"]), self._options.landing_sessions)
        found: list[Any] = self._ask(do, order={**order, "store": self._staging.store()}, tasks=tasks)
        return found

    def _lines(self, files: Sequence[str], names: list[str]) -> Generator[bytes, None, int]:
        """The rows through Spark's driver, a block at a time."""
        try:
            self._ask("open_rows", paths=[self._staging.seen(file) for file in files], names=names)
            while (block := self._ask("more_rows", most_bytes=_LINES_BYTES))["lines"]:
                yield base64.b64decode(block["lines"])
        except SparkSaidError as error:
            raise translate(error) from error
        if block["refusal"]:
            raise DataError(block["refusal"], column=block["column"], rows=block["row"], phase="load")
        return int(block["rows"])


def landing_remark(options: SparkOptions, how: str) -> str:
    """How a result of Spark's will land, in one line; empty for the ordinary way.

    Args:
        options: Where Spark runs.
        how: What the executors would do for the target's loader (`BaseLoader.landed_by_executors`).
    """
    if not how or not options.lands_by:
        return ""
    is_by_copy = how == BY_COPY
    if options.lands_by == "driver":
        return "lands through Spark's driver, by one COPY" if is_by_copy else ""
    if why := options.why_not_executors():
        return f"does not land from Spark's executors: {why}"
    what = "have no psycopg or do not reach the server" if is_by_copy else "do not reach the folder"
    bucket = " or the bucket of staging" if options.is_bucket else ""
    most = f"at most {options.landing_sessions} at a time"
    return f"lands from Spark's executors, {how}, {most}; by dvt itself if they {what}{bucket}"


def _parts(metadata: pq.FileMetaData, told: str) -> list[Part]:
    """The parts of a file: neighbouring row groups of together no more than a part's size, or one."""
    parts: list[Part] = []
    groups: list[int] = []
    rows = size = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if groups and size + group.total_byte_size > _PART_BYTES:
            parts.append(Part(told, tuple(groups), rows))
            groups, rows, size = [], 0, 0
        groups.append(number)
        rows, size = rows + group.num_rows, size + group.total_byte_size
    return [*parts, Part(told, tuple(groups), rows)] if groups else parts


def _is_same(column: ColumnSchema, given: str) -> bool:
    decimal = re.match(r"decimal128\((\d+), (\d+)\)", str(column.type))
    wanted = f"decimal({decimal[1]},{decimal[2]})" if decimal else _SAME.get(str(column.type))
    return given == wanted


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
