"""JDBC by a local Spark session: `read.jdbc` with a condition for each part, into files that are read and removed.

Spark's own mapping changes values (moments go through time zones, numbers without a precision are cut), so that the
query itself makes texts of all but whole numbers, floats, booleans, texts and bytes; these are decoded as JPype's are.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.generic import setting_text
from dvt.connections.generic_jvm import jars_of, login_properties
from dvt.connections.jdbc_ways import SparkWay
from dvt.connections.spark_process import SparkProcess, SparkSaidError
from dvt.errors import ConfigurationError, DataError, ResourceError, UnsupportedError
from dvt.federation.extractors.generic_method import Method, Opened, Statement
from dvt.federation.extractors.key_marks import even_marks, extent
from dvt.federation.extractors.key_ranges import can_be_key, key_ranges
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.spark_jdbc_process import given_back, taken
from dvt.identifiers import Relation, quote
from dvt.types.generic import Reading
from dvt.types.generic_jdbc import BOOLEAN, BYTES, DOUBLE, FLOAT, LONG, TEXT, JdbcColumn, JdbcReading, jdbc_reading

_QUERY, _KEY = Relation("dvt_query"), "dvt_key"
_FETCH_ROWS_AT_MOST = 10_000
# Numbers of java.sql.Types: CHAR, VARCHAR, LONGVARCHAR and their national kinds come as they are.
_PLAIN_TEXTS = frozenset({1, 12, -1, -15, -9, -16})
# What Spark may call the column that it makes for each way of asking, and what it is in Arrow.
_WHOLE = frozenset({"tinyint", "smallint", "int", "bigint"})
_SPARK_TYPES: Mapping[str, tuple[frozenset[str], pa.DataType]] = {
    LONG: (_WHOLE, pa.int64()),
    DOUBLE: (frozenset({"double"}), pa.float64()),
    FLOAT: (frozenset({"float", "double"}), pa.float32()),
    BOOLEAN: (frozenset({"boolean"}), pa.bool_()),
    TEXT: (frozenset({"string"}), pa.string()),
    BYTES: (frozenset({"binary"}), pa.binary()),
}
_FULL_DISK = re.compile(r"No space left|Disk quota exceeded|File too large|Read-only file system")


@dataclass(frozen=True)
class SparkJdbc:
    """How Spark reads a connection.

    Args:
        way: What is to be known of the engine.
        home: Where Spark stands.
        parts: Connections that read side by side.
        split_by: The column that cuts the parts; empty for the only column of the primary key.
        settings: Spark's settings.
    """

    way: SparkWay
    home: Path
    parts: int = 1
    split_by: str = ""
    settings: Mapping[str, str] | None = None


class SparkJdbcMethod(Method):
    """One session of a database, and a Spark process for it.

    Args:
        connection: A generic connection over JDBC.
        dialect: sqlglot's name of the database's SQL.
        spark: How Spark reads it.
    """

    name = "jdbc_spark"

    def __init__(self, connection: Connection, dialect: str, spark: SparkJdbc) -> None:
        super().__init__(connection, dialect)
        self._spark = spark
        self._process: SparkProcess | None = None
        self._product: Sequence[str] = ("", "")
        self._reads = 0

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        """What Spark and the driver said."""
        return (SparkSaidError,)

    def connect(self) -> None:
        """Start Spark, or take one that runs, and log in."""
        url = setting_text(self.connection, "url")
        jars, cores = jars_of(self.connection, url), self._spark.parts
        self._process = taken(self._spark.home, jars, cores, dict(self._spark.settings or {}), self.connection.name)
        driver = str(self.connection.first("driver", default=self._spark.way.driver))
        properties = login_properties(self.connection, url)
        limit_s = int(self.connection.options["connect_timeout_s"])
        url = self._spark.way.url(url)
        self._product = self._process.ask("open", url=url, driver=driver, properties=properties, timeout_s=limit_s)

    def version(self) -> str:
        """Database and version."""
        return " ".join(self._product)

    def describe(self, statement: Statement) -> list[Reading]:
        """The columns, by the driver's description of a statement that is not run."""
        return [reading.reading for _, reading in self._columns(statement.sql, statement)]

    def open(self, statement: Statement) -> Opened:
        """The columns and the parts; the parts are read with the first batch that is asked for."""
        columns = self._columns(statement.sql, statement)
        conditions: list[str] = []
        sql, self.name = statement.sql, "jdbc_spark"
        if key := self._key(statement):
            request = statement.request
            assert request is not None
            names = request.columns or tuple(column.name for column, _ in columns)
            sql = scan_sql(replace(request, columns=(*names, *(() if key in names else (key,)))), self.dialect)
            conditions = self._conditions(statement, key)
            if len(conditions) > 1:
                self.name = f"jdbc_spark, {len(conditions)} parts"
        query = self._query(sql, columns, key if conditions else "")
        return Opened([reading.reading for _, reading in columns], self._batches(query, columns, conditions, statement))

    def cancel(self) -> None:
        """End the process: its connections end with it."""
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def close(self) -> None:
        """Log out; the process stays for the next one."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.ask("close")
        except SparkSaidError:
            process.end()
        else:
            given_back(process)

    def _ask(self, do: str, **arguments: Any) -> Any:
        if self._process is None:
            raise SparkSaidError("Spark's process was ended")
        try:
            return self._process.ask(do, **arguments)
        except SparkSaidError as error:
            if _FULL_DISK.search(str(error)):
                raise ResourceError(
                    f"the disk takes no more of what Spark reads: {error}",
                    remedy="Free disk space, or set TMPDIR to a folder on a larger disk",
                ) from error
            raise

    def _columns(self, sql: str, statement: Statement) -> list[tuple[JdbcColumn, JdbcReading]]:
        found = [JdbcColumn(*facts) for facts in self._ask("columns", sql=sql)]
        return [(column, jdbc_reading(column, statement.declared)) for column in found]

    def _query(self, sql: str, columns: Sequence[tuple[JdbcColumn, JdbcReading]], key: str) -> str:
        """The query around the query: columns by number, so that Spark meets no names but ours."""
        selected = []
        for number, (column, reading) in enumerate(columns):
            if not reading.reading.refused:
                selected.append(f"{self._expression(column, reading)} as {quote(f'c{number}', self.dialect)}")
        if key:
            selected.append(f"{quote(key, self.dialect)} as {quote(_KEY, self.dialect)}")
        return " ".join(["select", ", ".join(selected), "from (", sql, "\n)", _QUERY.sql(self.dialect)])

    def _expression(self, column: JdbcColumn, reading: JdbcReading) -> str:
        name: exp.Expr = exp.column(exp.to_identifier(column.name, quoted=True))
        if reading.fetch == TEXT and column.type not in _PLAIN_TEXTS:
            name = exp.cast(name, exp.DataType.build(self._spark.way.text))
        elif reading.fetch == LONG and self._spark.way.is_mysql:
            name = exp.cast(name, exp.DataType.build("bigint"))  # to Spark a tinyint(1) is a boolean
        elif reading.fetch in (DOUBLE, FLOAT) and self._spark.way.is_mysql:
            name = exp.Mul(this=name, expression=exp.Literal.number("1e0"))
        elif reading.fetch == BYTES and column.type_name.upper() == "BIT":
            name = exp.cast(name, exp.DataType.build("binary"))  # the driver gives Spark its digits
        return name.sql(dialect=self.dialect)

    def _key(self, statement: Statement) -> str:
        """The column by which parts are cut; empty where there are none."""
        request = statement.request
        if self._spark.parts < 2 or request is None or request.relation is None or request.limit is not None:
            return ""
        if self._spark.split_by:
            return self._spark.split_by
        relation = request.relation
        places = (None, relation.schema) if self._spark.way.has_schemas else (relation.schema, None)
        found = self._ask("key", catalogue=places[0], schema=places[1], table=relation.name)
        return str(found[0]) if len(found) == 1 else ""

    def _conditions(self, statement: Statement, key: str) -> list[str]:
        """A condition for each part, over the key under the name that it has in the query around."""
        request = statement.request
        assert request is not None
        plain = replace(request, columns=(key,), order=())
        ((_, reading),) = self._columns(scan_sql(plain, self.dialect), statement)
        if not can_be_key(reading.reading.type):
            if self._spark.split_by:
                raise ConfigurationError(
                    f"dvt.jdbc.split_by names {key}, whose type {reading.reading.native} cuts no parts",
                    remedy="Name a column of numbers, dates or moments",
                )
            return []
        ends = ", ".join(end.sql(dialect=self.dialect) for end in extent(key))
        inner = ["from (", scan_sql(plain, self.dialect), "\n)", _QUERY.sql(self.dialect)]
        texts = pa.array(self._ask("row", sql=" ".join(["select", ends, *inner])), pa.string())
        low, high = reading.reading.read(texts.cast(_SPARK_TYPES[reading.fetch][1])).to_pylist()
        if low is None or high is None:
            return []
        marks = even_marks(low, high, self._spark.parts)
        return [each.sql(dialect=self.dialect) for each in key_ranges(_KEY, reading.reading.type, marks, self.dialect)]

    def _batches(
        self,
        query: str,
        columns: Sequence[tuple[JdbcColumn, JdbcReading]],
        conditions: Sequence[str],
        statement: Statement,
    ) -> Iterator[list[pa.Array]]:
        import pyarrow.parquet as pq

        assert self._process is not None
        self._reads += 1
        folder = self._process.folder / f"rows_{id(self)}_{self._reads}"
        numbers = [number for number, (_, reading) in enumerate(columns) if not reading.reading.refused]
        try:
            names = [f"c{number}" for number in numbers]
            types = self._ask(
                "read",
                query=query,
                columns=names,
                predicates=list(conditions),
                options=self._options(statement),
                folder=str(folder),
            )
            for number, type_ in zip(numbers, types, strict=True):
                self._check_type(*columns[number], type_)
            for path in sorted(folder.glob("*.parquet")):
                with pq.ParquetFile(path, pre_buffer=False) as file:
                    for batch in file.iter_batches(statement.batch_rows):
                        yield _arrays(batch, columns)
                path.unlink()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _options(self, statement: Statement) -> dict[str, str]:
        limit_s = int(self.connection.options["statement_timeout_s"])
        options = {
            "fetchsize": str(min(statement.batch_rows, _FETCH_ROWS_AT_MOST)),
            "queryTimeout": str(limit_s),
            "sessionInitStatement": self._spark.way.begin,
        }
        return {name: value for name, value in options.items() if value}

    def _check_type(self, column: JdbcColumn, reading: JdbcReading, type_: str) -> None:
        if type_ not in _SPARK_TYPES[reading.fetch][0]:
            raise UnsupportedError(
                f"Spark makes {type_} of {column.type_name}, which is read as {reading.reading.type}",
                column=column.name,
                remedy="Set dvt.jdbc.by: jpype, or cast the column in a view",
            )


def _arrays(batch: pa.RecordBatch, columns: Sequence[tuple[JdbcColumn, JdbcReading]]) -> list[pa.Array]:
    found = []
    for number, (column, reading) in enumerate(columns):
        if reading.reading.refused:
            found.append(pa.nulls(batch.num_rows))
            continue
        try:
            found.append(batch.column(f"c{number}").cast(_SPARK_TYPES[reading.fetch][1]))
        except pa.ArrowInvalid as error:
            raise DataError(f"a value does not fit: {error}", column=column.name, phase="extract") from error
    return found
