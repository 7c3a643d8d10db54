"""A process with a local Spark session that reads over JDBC into Parquet files; dvt starts it, on Spark's own PySpark.

Requests are the methods of its session (`connections/spark_serving.py`, whose path it is given). Nothing of dvt is
imported here: Spark's Python may be without it.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from typing import Any

_FILES_ROW_GROUP_BYTES = 16 * 1024 * 1024


class _Session:
    """A Spark session, and the database that the last `open` named."""

    def __init__(self, settings: dict[str, str]) -> None:
        from pyspark.sql import SparkSession

        builder = SparkSession.builder
        for name, value in settings.items():
            builder = builder.config(name, value)
        self._spark: Any = builder.getOrCreate()
        self._spark.sparkContext.setLogLevel("ERROR")
        self._jvm: Any = self._spark.sparkContext._jvm
        self._connection: Any = None
        self._url, self._driver = "", ""
        self._properties: dict[str, str] = {}

    def open(self, url: str, driver: str, properties: dict[str, str], timeout_s: int) -> list[str]:
        """Log in by JDBC itself; gives the database's name and version."""
        self.close()
        self._url, self._driver, self._properties = url, driver, properties
        known = self._jvm.java.util.Properties()
        for name, value in properties.items():
            known.setProperty(name, value)
        self._jvm.java.sql.DriverManager.setLoginTimeout(timeout_s)
        self._jvm.java.lang.Class.forName(driver)
        self._connection = self._jvm.java.sql.DriverManager.getConnection(url, known)
        facts = self._connection.getMetaData()
        return [str(facts.getDatabaseProductName()), str(facts.getDatabaseProductVersion())]

    def columns(self, sql: str) -> list[list[Any]]:
        """What the driver says of a query's columns, which is not run: label, type, its name, digits, scale, sign."""

        def found(prepared: Any) -> list[list[Any]]:
            facts = prepared.getMetaData()
            return [
                [
                    facts.getColumnLabel(number),
                    facts.getColumnType(number),
                    facts.getColumnTypeName(number),
                    facts.getPrecision(number),
                    facts.getScale(number),
                    facts.isSigned(number),
                ]
                for number in range(1, facts.getColumnCount() + 1)
            ]

        return self._with(sql, found)

    def row(self, sql: str) -> list[Any]:
        """The first row of a query, as texts."""

        def found(prepared: Any) -> list[Any]:
            result = prepared.executeQuery()
            width = result.getMetaData().getColumnCount()
            return [result.getString(number) for number in range(1, width + 1)] if result.next() else []

        return self._with(sql, found)

    def key(self, catalogue: str | None, schema: str | None, table: str) -> list[str]:
        """The columns of a table's primary key."""
        result = self._connection.getMetaData().getPrimaryKeys(catalogue, schema, table)
        found = []
        while result.next():
            found.append(result.getString("COLUMN_NAME"))
        result.close()
        return found

    def read(
        self, query: str, columns: list[str], predicates: list[str], options: dict[str, str], folder: str
    ) -> list[str]:
        """Write a query's rows as Parquet, one file for each condition; gives Spark's types of the columns."""
        properties = {**self._properties, **options, "driver": self._driver}
        table = f"({query}) dvt_read"
        reader = self._spark.read
        if predicates:
            frame = reader.jdbc(self._url, table, predicates=predicates, properties=properties)
        else:
            frame = reader.jdbc(self._url, table, properties=properties)
        frame = frame.select(*columns)
        types = [field.dataType.simpleString() for field in frame.schema.fields]
        frame.write.option("parquet.block.size", _FILES_ROW_GROUP_BYTES).parquet(folder)
        return types

    def close(self) -> None:
        """Log out."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _with(self, sql: str, use: Callable[[Any], list[Any]]) -> list[Any]:
        prepared = self._connection.prepareStatement(sql)
        try:
            return use(prepared)
        finally:
            prepared.close()


if __name__ == "__main__":
    runpy.run_path(sys.argv[1])["serve"](_Session)
