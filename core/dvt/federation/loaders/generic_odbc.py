"""Generic connections through an ODBC driver: arrays of parameters, by arrow-odbc, as texts and bytes.

Texts, as in reading: what drivers convert is wrong too often (SQLite's cuts microseconds), and arrow-odbc itself ends
the process at an instant before 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.federation.extractors.generic_odbc import OdbcMethod
from dvt.federation.loaders.generic_writer import Rows, Writer
from dvt.identifiers import quote
from dvt.types.generic_landing import sent_texts

# Room for the parameters of one call: each value has that of the column's longest.
_BUFFER_BYTES = 32 << 20


class OdbcWriter(OdbcMethod, Writer):
    """One ODBC session; what is asked has sessions of its own, and sees what is committed."""

    load_name = "odbc_array_insert"
    _session: Any = None

    def connect(self) -> None:
        """Log in."""
        super().connect()
        import arrow_odbc

        seconds = int(self.connection.options["connect_timeout_s"])
        self._session = arrow_odbc.connect(self._address(), login_timeout_sec=seconds, autocommit=False)

    def close(self) -> None:
        """End the session."""
        super().close()
        self._session = None

    def run(self, sql: str) -> None:
        """Run one statement."""
        from arrow_odbc.text_encoding import TextEncoding

        limit_s = int(self.connection.options["statement_timeout_s"]) or None
        try:
            self._session.execute(sql, query_timeout_sec=limit_s, payload_text_encoding=TextEncoding.UTF16)
        except self.errors:
            if not self._is_open:
                self._session.rollback()
            raise
        if not self._is_open:
            self._session.commit()

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        return [tuple(row.values()) for batch in self._read(sql, 100) for row in batch.to_pylist()]

    def begin(self) -> None:
        """Nothing is committed by itself from here on."""
        self._is_open = True

    def insert(self, rows: Rows) -> int | None:
        """One array of parameters a batch, or several where values are long."""
        names = [quote(name, self.dialect) for name in rows.schema.names]
        table = rows.relation.sql(self.dialect)
        try:
            for batch in rows.batches:
                columns = rows.sent(partial(sent_texts, family=self.family), batch)
                sent = pa.RecordBatch.from_arrays(columns, names)
                reader = pa.RecordBatchReader.from_batches(sent.schema, [sent])
                self._session.insert_into_table(reader, table, _chunk_rows(sent))
                rows.check()
        except BaseException:
            self._session.rollback()
            raise
        self._session.commit()
        return None


def _chunk_rows(batch: pa.RecordBatch) -> int:
    longest = sum((pc.max(pc.binary_length(column)).as_py() or 0) + 16 for column in batch.columns)
    return max(1, min(int(batch.num_rows), _BUFFER_BYTES // int(longest)))
