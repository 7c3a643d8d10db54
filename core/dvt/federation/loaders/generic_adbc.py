"""Generic connections through an ADBC driver: its own bulk ingest of an Arrow stream."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from dvt.errors import UnsupportedError
from dvt.federation.extractors.generic_adbc import AdbcMethod
from dvt.federation.extractors.methods import STREAMING
from dvt.federation.loaders.generic_writer import Rows, Writer
from dvt.types.generic_landing import plain_values, sent_texts
from dvt.types.text_values import uuid_texts
from dvt.types.vocabulary import is_uuid


class AdbcWriter(AdbcMethod, Writer):
    """One ADBC connection."""

    load_name = "adbc_ingest"
    kind = STREAMING

    def run(self, sql: str) -> None:
        """Run one statement."""
        self._end()
        with contextlib.closing(self._session.cursor()) as cursor:  # type: ignore[union-attr]
            cursor.execute(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        self._end()
        with contextlib.closing(self._session.cursor()) as cursor:  # type: ignore[union-attr]
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]

    def begin(self) -> None:
        """ADBC's own switch."""
        self._end()
        self._connection.set_autocommit(False)
        self._is_open = True

    def commit(self) -> None:
        """And commit by itself again."""
        if self._is_open:
            self._connection.commit()
            self._connection.set_autocommit(True)
            self._is_open = False

    def roll_back(self) -> None:
        """And commit by itself again."""
        if self._is_open:
            self._connection.rollback()
            self._connection.set_autocommit(True)
            self._is_open = False

    def insert(self, rows: Rows) -> int | None:
        """One ingest of the whole stream into the table that is there."""
        self._end()
        empty = pa.RecordBatch.from_pylist([], schema=rows.schema)
        sent = pa.schema(
            [(name, array.type) for name, array in zip(rows.schema.names, rows.sent(self._sent, empty), strict=True)]
        )
        failed: list[BaseException] = []

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                for batch in rows.batches:
                    yield pa.RecordBatch.from_arrays(rows.sent(self._sent, batch), schema=sent)
            except BaseException as error:
                failed.append(error)
                raise

        place: dict[str, str] = {}
        if rows.relation.schema:
            place["db_schema_name"] = rows.relation.schema
        self._cursor = cursor = self._session.cursor()  # type: ignore[union-attr]
        try:
            reader = pa.RecordBatchReader.from_batches(sent, batches())
            taken = int(cursor.adbc_ingest(rows.relation.name, reader, mode="append", **place))
        except Exception:
            _raise_own(failed)
            raise
        finally:
            self._end()
        _raise_own(failed)  # DuckDB's takes an error for the end of the rows
        return taken if taken >= 0 else None

    def _sent(self, array: pa.Array) -> pa.Array:
        """The Arrow types of which the driver's bytes are those of the column's type."""
        type_ = array.type
        if self.family.name == "sqlite":  # it keeps numbers, texts and bytes, and knows no others
            if pa.types.is_boolean(type_):
                return array.cast(pa.int64())
            is_kept = pa.types.is_floating(type_) or pa.types.is_binary(type_)
            is_kept = is_kept or (pa.types.is_integer(type_) and type_ != pa.uint64())
            return plain_values(array) if is_kept else sent_texts(array, self.family)
        if is_uuid(type_) and self.family.name == "postgres":
            return array.storage  # COPY takes the sixteen bytes
        return pa.array(uuid_texts(array), pa.string()) if is_uuid(type_) else plain_values(array)

    @property
    def _connection(self) -> Any:
        if self._session is None:
            raise UnsupportedError("the session is closed")
        return self._session.adbc_connection


def _raise_own(failed: list[BaseException]) -> None:
    """What ended the rows: a driver tells another's error in its own words, or not at all."""
    if failed:
        raise failed[0] from failed[0].__cause__
