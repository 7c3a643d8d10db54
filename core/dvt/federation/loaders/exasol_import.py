"""Exasol's IMPORT as a sink: batches become CSV that the server takes through a tunnel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as csv

from dvt.connections.exasol_tunnel import CSV, Transfer
from dvt.federation.loaders.filling import Filled, Filling
from dvt.types.exasol_landing import exasol_texts
from dvt.types.landing_texts import named

if TYPE_CHECKING:
    from pyexasol import ExaConnection

_PIECE_BYTES = 8 << 20
# NULL is sent as an empty text, which Exasol takes for it in columns of all types.
_WRITTEN = csv.WriteOptions(include_header=False, quoting_style="all_valid")


class Import(Transfer):
    """One IMPORT, whose rows are written in the caller's thread.

    The driver ends the rows only where it is told that they are whole: a load that breaks leaves no part of them.

    Args:
        session: The connection; nothing else may use it until the import has ended.
        filling: The table and its rows.
    """

    def __init__(self, session: ExaConnection, filling: Filling) -> None:
        self._filling = filling
        super().__init__(session)

    def send(self, address: str) -> None:
        """IMPORT."""
        columns = self._filling.schema.names
        self._session.import_parallel([address], self._filling.relation.parts, {"columns": columns, **CSV})

    def fill(self) -> Filled:
        """Send all rows."""
        sent_bytes = 0
        try:
            for lines in _lines(self._filling):
                sent_bytes += lines.size
                self._write(lines)
            with self._named_error():
                self._tunnel.write_pipe.close()
            return Filled(taken=self.ended(), bytes=sent_bytes)
        finally:
            self.stop()

    def _write(self, lines: pa.Buffer) -> None:
        rest = memoryview(lines)
        with self._named_error():
            while rest:
                rest = rest[self._tunnel.write_pipe.write(rest) :]

    @contextlib.contextmanager
    def _named_error(self) -> Iterator[None]:
        """A pipe that broke was closed because of the statement: its error is the one to tell."""
        try:
            yield
        except (OSError, ValueError):
            error = self.broken()
            if error is not None:
                raise error from None
            raise


def _lines(filling: Filling) -> Iterator[pa.Buffer]:
    names = filling.schema.names
    places = [str(place) for place in range(len(names))]
    for batch in filling.batches(_PIECE_BYTES):
        columns = zip(batch.columns, names, strict=True)
        texts = [named(exasol_texts, column, name, "Exasol").fill_null("") for column, name in columns]
        sink = pa.BufferOutputStream()
        csv.write_csv(pa.RecordBatch.from_arrays(texts, names=places), sink, _WRITTEN)
        yield sink.getvalue()
