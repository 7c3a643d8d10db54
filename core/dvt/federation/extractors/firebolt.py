"""Reads Firebolt over HTTP: lines of JSON as the engine streams them, each value exactly or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.firebolt import SPEC, connect, translate
from dvt.connections.firebolt_statement import cancel, new_label, settings
from dvt.errors import ConnectionLostError, DataError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.firebolt_lines import BodyError, FireboltBody
from dvt.federation.extractors.sessions import SessionExtractor
from dvt.federation.extractors.wrapped_sql import wrapped_sql
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation
from dvt.types.firebolt import native_type, read_values

if TYPE_CHECKING:
    from firebolt.db import Connection as Session


class FireboltExtractor(SessionExtractor["Session"]):
    """Reads one Firebolt database. Each statement sees a state of its own."""

    spec = SPEC
    whole_because = "its sessions do not share a snapshot"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._label = ""
        self._body: FireboltBody | None = None

    def ping(self) -> str:
        """Connect, log in, and give the server's version."""
        with self.extract_stream("select version() as v") as stream:
            batch = stream.read_batch(1)
            assert batch is not None, "a version is one row"
            return f"Firebolt {batch.column(0)[0].as_py()}"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, as the server announces them for no rows."""
        request = dataclasses.replace(self._qualified(request), limit=0, order=())
        body = self._started(request, "describe")
        with self._guarded("describe", request.label):
            for _ in body.rows(1):
                pass
        self._finish()
        return _columns(body)

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; the server sends lines as they are taken."""
        request = self._qualified(request)
        body = self._started(request, "extract")
        columns = _columns(body)
        return RowStream(columns, self._batches(body, columns, request), close=self._stop, method="cursor_streaming")

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement of a scan."""
        return wrapped_sql(self._qualified(request), "postgres")

    def close(self) -> None:
        """End what still runs, and the session."""
        self._stop()
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def cancel(self) -> None:
        """End a running scan from another thread, on the server too."""
        self._is_cancelled.set()
        self._stop()

    def _stop(self) -> None:
        label, body = self._label, self._body
        self._finish()
        if label and self._session is not None:
            cancel(self._session, label, body.query_id if body is not None else "")
        if body is not None:
            body.close()

    def _finish(self) -> None:
        self._label, self._body = "", None

    def _connect(self) -> Session:
        return connect(self.connection, self._is_cancelled)

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what the driver, its HTTP client or the server raises becomes a dvt error."""
        self.connection.require_driver()
        import httpx
        from firebolt.utils.exception import Error, FireboltError

        raised = (
            Error,
            FireboltError,
            httpx.HTTPError,
            httpx.StreamError,
            OSError,
            BodyError,
            ValueError,
            RuntimeError,
        )
        try:
            yield
        except raised as error:
            body = self._body
            self._finish()
            if body is not None:
                body.close()
            self._check()
            if isinstance(error, BodyError) and "broke" in str(error):
                raise ConnectionLostError(
                    str(error), connection=self.connection.name, relation=label, phase=phase, remedy="Run it again"
                ) from error
            raise translate(error, self.connection, phase=phase, relation=label or None) from error

    def _own(self, relation: Relation) -> Relation:
        return dataclasses.replace(relation, schema=relation.schema or self.connection.first("schema"))

    def _started(self, request: ExtractionConfig, phase: str) -> FireboltBody:
        session = self._opened()
        self._label = new_label()
        parameters = {"output_format": "JSONLines_Compact", **settings(self.connection, self._label)}
        with self._guarded(phase, request.label):
            cursor = session.cursor()
            # What `execute_stream` does, without its reader (see firebolt_lines.py).
            response = cursor._api_request(wrapped_sql(request, "postgres"), parameters)
            try:
                cursor._raise_if_error(response)
                self._check()
                self._body = FireboltBody(response)
            except BaseException:
                response.close()
                raise
            return self._body

    def _batches(
        self, body: FireboltBody, columns: list[ColumnSchema], request: ExtractionConfig
    ) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([pa.field(column.name, column.type, column.nullable) for column in columns])
        portions = body.rows(self.batch_rows(request))
        while True:
            with self._guarded("extract", request.label):
                rows = next(portions, None)
            self._check()
            if rows is None:
                break
            arrays = [_array([row[at] for row in rows], column) for at, column in enumerate(columns)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        self._finish()
        body.close()


def _columns(body: FireboltBody) -> list[ColumnSchema]:
    found = []
    for name, text in body.columns:
        native = native_type(text)
        found.append(ColumnSchema(name, native.type, native_type=native.name))
    return found


def _array(values: list[Any], column: ColumnSchema) -> pa.Array:
    try:
        return read_values(values, column.type)
    except (ValueError, TypeError, KeyError, OverflowError, ArithmeticError) as error:
        raise DataError(
            f"a value of type {column.native_type} is not carried as {column.type}: {error}",
            column=column.name,
            phase="extract",
            remedy="Cast the column at the source, in a query or a view",
        ) from error
