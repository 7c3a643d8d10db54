"""Generic connections through a JDBC driver, in a Java machine within this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from dvt.connections.generic_jvm import open_session, sql_errors
from dvt.errors import DataError
from dvt.federation.extractors.generic_casts import AS_DOUBLE, with_casts
from dvt.federation.extractors.generic_jdbc_rows import RowDrain
from dvt.federation.extractors.generic_method import Method, Opened, Statement
from dvt.types.generic import Reading
from dvt.types.generic_jdbc import FLOAT, MOMENTS, JdbcColumn, JdbcReading, jdbc_reading

# Rows that the driver asks the server for at a time.
_FETCH_ROWS_AT_MOST = 10_000
# Drivers of MySQL use Java's old calendar, in which 2024-02-00 is January's last day: there the server writes moments.
_SPOILT_MOMENTS = frozenset({"mysql"})
# Of these databases it is known that a moment's text is the database's own.
_OWN_MOMENTS = frozenset({"PostgreSQL", "H2", "HSQL Database Engine", "Apache Derby"})


class JdbcMethod(Method):
    """One JDBC connection."""

    name = "jdbc"
    _session: Any = None
    _running: Any = None
    _has_calendar = False

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        """What JDBC raises."""
        return sql_errors()

    def connect(self) -> None:
        """Start Java where it does not run, load the driver and connect."""
        self._session = open_session(self.connection, self.dialect)
        product = str(self._session.getMetaData().getDatabaseProductName())
        self._has_calendar = self.dialect in _SPOILT_MOMENTS or product in _OWN_MOMENTS

    def version(self) -> str:
        """Database and version."""
        facts = self._session.getMetaData()
        return f"{facts.getDatabaseProductName()} {facts.getDatabaseProductVersion()}"

    def open(self, statement: Statement) -> Opened:
        """Run a query."""
        self._end()
        self._running = running = self._session.createStatement()
        running.setFetchSize(min(statement.batch_rows, _FETCH_ROWS_AT_MOST))
        if statement.limit:
            running.setMaxRows(statement.limit)
        columns, sql = self._prepared(statement)
        result = running.executeQuery(sql)
        columns = columns or _readings(result.getMetaData(), statement, self._has_calendar)
        drain = RowDrain(result, [column.fetch for column in columns], statement.batch_rows)
        return Opened([column.reading for column in columns], self._batches(drain))

    def describe(self, statement: Statement) -> list[Reading]:
        """The columns of the prepared query; it runs only where the driver does not know them before."""
        columns, _ = self._prepared(statement)
        return [column.reading for column in columns] or self.open(statement).columns

    def cancel(self) -> None:
        """Ask the server to end the query."""
        running = self._running
        if running is not None:
            with contextlib.suppress(*self.errors):
                running.cancel()

    def close(self) -> None:
        """End the query and the connection."""
        session, self._session = self._session, None
        if session is None:
            return
        self.cancel()
        with contextlib.suppress(*self.errors):
            self._end()
        with contextlib.suppress(*self.errors):
            session.rollback()  # some do not let go of a connection within a transaction
        session.close()

    def _prepared(self, statement: Statement) -> tuple[list[JdbcReading], str]:
        """The columns, where the driver knows them before the query runs, and the query to run."""
        with contextlib.closing(self._session.prepareStatement(statement.sql)) as prepared:
            facts = prepared.getMetaData()
            if facts is None:
                return [], statement.sql
            columns = _readings(facts, statement, self._has_calendar)
            if self.dialect not in _SPOILT_MOMENTS:
                return columns, statement.sql
            types = [int(facts.getColumnType(number)) for number in range(1, len(columns) + 1)]
        casts = []
        for column, type_ in zip(columns, types, strict=True):
            is_rounded = column.fetch == FLOAT  # the server prints six digits of a FLOAT
            target = "VARCHAR(64)" if type_ in MOMENTS else AS_DOUBLE if is_rounded else ""
            casts.append((column.reading.name, target))
        return columns, with_casts(statement.sql, casts, self.dialect)

    def _batches(self, drain: RowDrain) -> Iterator[list[pa.Array]]:
        try:
            while (arrays := drain.next_batch()) is not None:
                yield arrays
        except UnicodeError as error:
            raise DataError(f"a text is no Unicode: {error}", phase="extract") from error
        self._end()

    def _end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.close()


def _readings(facts: Any, statement: Statement, has_calendar: bool) -> list[JdbcReading]:
    columns = [
        JdbcColumn(
            str(facts.getColumnLabel(number)),
            int(facts.getColumnType(number)),
            str(facts.getColumnTypeName(number)),
            int(facts.getPrecision(number)),
            int(facts.getScale(number)),
            bool(facts.isSigned(number)),
        )
        for number in range(1, int(facts.getColumnCount()) + 1)
    ]
    return [jdbc_reading(column, statement.declared, has_calendar) for column in columns]
