"""An engine read through its JDBC driver, because its own client is not there or not wanted: the last methods.

Spark comes first, where it is installed: it reads several parts side by side. Else JPype reads one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.generic import dialect_of, setting_text
from dvt.connections.jdbc_ways import SPARK_WAYS, jdbc_connection
from dvt.errors import ConfigurationError, MissingDriverError
from dvt.federation.extractors import generic_method
from dvt.federation.extractors.degree import degree
from dvt.federation.extractors.generic import GenericExtractor
from dvt.federation.extractors.methods import BUFFERED, JDBC, STREAMING, Method

_NO_SNAPSHOT = "not a snapshot: each read sees a state of its own"
_ON_DISK = "rows wait in files of this machine"


class JdbcExtractor(GenericExtractor):
    """Reads an engine's own output over JDBC.

    Args:
        connection: The engine's own.
        why: Why its own client does not read.
    """

    kinds = frozenset({JDBC})

    def __init__(self, connection: Connection, why: str) -> None:
        super().__init__(jdbc_connection(connection))
        self._engines_own = connection
        self._type = connection.type
        self._why = why
        self._given = dict(connection.options.get("jdbc") or {})
        self._by = _checked(self._given, "by", "auto", connection.name)
        self._parts = _checked(self._given, "parts", degree(connection.options.get("parallel", 1)), connection.name)

    def methods(self) -> Sequence[Method]:
        """The engine's own client, of which it is known that it does not read, Spark, and JPype."""
        several = f"not a snapshot: {self._parts} connections read a part each"
        remarks = (several if self._parts > 1 else _NO_SNAPSHOT, _ON_DISK)
        return (
            Method(STREAMING, STREAMING, lambda: self._why),
            Method(BUFFERED, BUFFERED, lambda: self._why),
            Method("jdbc_spark", JDBC, self._spark_lacks, remarks),
            Method(JDBC, JDBC, lambda: "dvt.jdbc.by is spark" if self._by == "spark" else None, (_NO_SNAPSHOT,)),
        )

    def _spark_lacks(self) -> str | None:
        from dvt.connections.generic_jvm import jars_of
        from dvt.connections.spark_home import spark_lacks

        if self._by == "jpype":
            return "dvt.jdbc.by is jpype"
        if self._type not in SPARK_WAYS:
            return f"how Spark reads {self._type} exactly is not known"
        if why := spark_lacks(self._engines_own):
            return why
        try:
            jars_of(self.connection, setting_text(self.connection, "url"))
        except MissingDriverError as error:
            return error.message
        return None

    def _new_method(self) -> generic_method.Method:
        if self.chosen().method != "jdbc_spark":
            return super()._new_method()
        from dvt.connections.spark_home import spark_home
        from dvt.federation.extractors.generic_spark import SparkJdbc, SparkJdbcMethod

        home = spark_home(self._engines_own)
        assert home is not None, "it was asked for before"
        settings = {str(name): str(value) for name, value in (self._given.get("spark_settings") or {}).items()}
        split_by = str(self._given.get("split_by") or "")
        spark = SparkJdbc(SPARK_WAYS[self._type], home, self._parts, split_by, settings)
        return SparkJdbcMethod(self.connection, dialect_of(self.connection), spark)


def _checked(given: dict[str, Any], key: str, default: Any, connection: str) -> Any:
    """A key of `dvt.jdbc`."""
    value = given.get(key, default)
    is_right = value in ("auto", "spark", "jpype") if key == "by" else type(value) is int and value > 0
    if not is_right:
        takes = "auto, spark or jpype" if key == "by" else "a number of connections"
        raise ConfigurationError(
            f"dvt.jdbc.{key} is {value!r}",
            code="DVT103",
            connection=connection,
            remedy=f"It takes {takes}: correct it in profiles.yml",
        )
    return value
