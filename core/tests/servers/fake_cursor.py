"""What runs one statement of the wire fakes' engine, ends it from another thread, and says in one form what failed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

_KINDS = (
    ("schema", re.compile(r"(?i)because schema \"(.+?)\" does not exist")),
    ("table", re.compile(r"(?i)Table with name \"?(.+?)\"? does not exist|referenced table \"(.+?)\" not found")),
    ("schema", re.compile(r"(?i)(?:schema|catalog) with name \"?(.+?)\"? does not exist")),
    ("column", re.compile(r"(?i)referenced column \"(.+?)\" (?:was )?not found|not have a column named \"(.+?)\"")),
)


class FakeSQLError(Exception):
    """A statement that failed.

    Args:
        kind: "syntax", "table", "schema", "column", "query" or "cancelled".
        message: DuckDB's or sqlglot's words.
        name: What is missing, for a table, a schema or a column.
    """

    def __init__(self, kind: str, message: str, name: str = "") -> None:
        super().__init__(message)
        self.kind, self.message, self.name = kind, message, name


class FakeCursor:
    """What runs one statement. Who makes it beforehand can end the statement from another thread at any time.

    Args:
        own: DuckDB's cursor.
    """

    def __init__(self, own: duckdb.DuckDBPyConnection) -> None:
        self.own = own
        self._is_ended = self._is_working = False

    def interrupt(self) -> None:
        """End the statement, which is yet to run, runs, or is read; it has stopped when this returns."""
        self._is_ended = True
        self.own.interrupt()
        while self._is_working:  # DuckDB forgets what came before a statement began
            time.sleep(0.005)
            self.own.interrupt()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Within it DuckDB works, and what it raises is a `FakeSQLError`."""
        self._is_working = True
        try:
            if self._is_ended:
                raise FakeSQLError("cancelled", "INTERRUPT Error: Interrupted!")
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise _error(error) from error
        finally:
            self._is_working = False

    def told(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """A reader of the statement's result, whose errors are `FakeSQLError`s."""

        def batches() -> Iterator[pa.RecordBatch]:
            while True:
                with self.working():
                    batch = next(reader, None)
                if batch is None:
                    return
                yield batch

        return pa.RecordBatchReader.from_batches(reader.schema, batches())


def _error(error: Exception) -> FakeSQLError:
    text = str(error)
    if text.startswith("INTERRUPT"):
        return FakeSQLError("cancelled", text)
    for kind, pattern in _KINDS:
        if found := pattern.search(text):
            return FakeSQLError(kind, text, next(group for group in found.groups() if group))
    return FakeSQLError("syntax" if isinstance(error, duckdb.ParserException) else "query", text)
