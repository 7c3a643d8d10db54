"""Generic connections through a JDBC driver: batches of a prepared INSERT, as texts and bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from dvt.connections.generic_jvm import java
from dvt.federation.extractors.generic_jdbc import JdbcMethod
from dvt.federation.extractors.generic_jdbc_rows import Code
from dvt.federation.extractors.methods import JDBC
from dvt.federation.loaders.generic_writer import Rows, Writer
from dvt.identifiers import Relation, quote_all
from dvt.types.generic_landing import sent_texts


class JdbcWriter(JdbcMethod, Writer):
    """One JDBC connection, which commits nothing by itself."""

    load_name = "jdbc_batch"
    kind = JDBC

    def run(self, sql: str) -> None:
        """Run one statement."""
        self._end()
        try:
            with contextlib.closing(self._session.createStatement()) as statement:
                self._running = statement
                statement.execute(sql)
        except self.errors:
            if not self._is_open:
                self._session.rollback()
            raise
        finally:
            self._running = None
        if not self._is_open:
            self._session.commit()

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result, as texts."""
        self._end()
        with contextlib.closing(self._session.createStatement()) as statement:
            result, found = statement.executeQuery(sql), []
            count = int(result.getMetaData().getColumnCount())
            while result.next():
                texts = [result.getString(number) for number in range(1, count + 1)]
                found.append([None if text is None else str(text) for text in texts])
        if not self._is_open:
            self._session.commit()
        return list(found)

    def begin(self) -> None:
        """Nothing is committed by itself from here on."""
        self._end()
        self._is_open = True

    def insert(self, rows: Rows) -> int | None:
        """One batch of the statement a batch of rows, and one commit."""
        texts = partial(sent_texts, family=self.family)
        sent = (rows.sent(texts, batch) for batch in rows.batches)
        self.insert_batches(rows.relation, rows.schema.names, sent, rows.check)
        return None

    def insert_batches(
        self, relation: Relation, names: Sequence[str], batches: Iterator[list[pa.Array]], check: Callable[[], None]
    ) -> None:
        """Send texts and bytes, a batch of the statement for each batch, and commit once.

        Args:
            relation: The table.
            names: Its columns.
            batches: An array for each column.
            check: Called after each batch; raises when the load is no longer wanted.
        """
        columns, marks = quote_all(names, self.dialect), ", ".join("?" * len(names))
        sql = " ".join(["insert into", relation.sql(self.dialect), "(", columns, ") values (", marks, ")"])
        self._end()
        try:
            with contextlib.closing(self._session.prepareStatement(sql)) as statement:
                for batch in batches:
                    _add(statement, batch, len(batch[0]))
                    self._running = statement
                    statement.executeBatch()
                    check()
        except BaseException:
            with contextlib.suppress(*self.errors):
                self._session.rollback()
            raise
        finally:
            self._running = None
        self._session.commit()


def _add(statement: Any, columns: Sequence[pa.Array], count: int) -> None:
    """for (row = 0; row < count; row++) { statement.setString(1, texts[row]); ...; statement.addBatch() }

    Java runs the loop: a call from Python for each cell would take longer than the database.
    """
    from jpype import JInt

    handles, code = java("java.lang.invoke.MethodHandles"), Code()
    owner = "java.sql.PreparedStatement"
    body = handles.dropArguments(code.of(owner, statement, "addBatch", code.void), 0, [code.int])
    for number, column in reversed(list(enumerate(columns, 1))):
        is_bytes = pa.types.is_binary(column.type)
        setter, type_ = ("setBytes", code.bytes) if is_bytes else ("setString", code.string)
        values = _java_bytes(column) if is_bytes else _java_texts(column)
        put = code.of(owner, statement, setter, code.void, code.int, type_)
        get = handles.arrayElementGetter(values.getClass()).bindTo(values)
        put = handles.insertArguments(put, 0, [JInt(number)])
        body = handles.foldArguments(body, handles.collectArguments(put, 0, get))
    loop = handles.countedLoop(handles.constant(code.int, JInt(count)), None, body)
    loop.invokeWithArguments(java("java.util.ArrayList")())


def _java_texts(column: pa.Array) -> Any:
    from jpype import JArray

    return JArray(java("java.lang.String"))(column.to_pylist())


def _java_bytes(column: pa.Array) -> Any:
    from jpype import JArray, JByte

    one = JArray(JByte)
    return JArray(one)([None if value is None else one(value) for value in column.to_pylist()])
