"""Exasol's EXPORT as a stream: the server writes CSV into a tunnel, which is read as it comes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as csv

from dvt.connections.exasol_errors import CutOffError
from dvt.connections.exasol_tunnel import CSV, Transfer

if TYPE_CHECKING:
    from pyexasol import ExaConnection

# A block holds the longest row, or the reader stops; beyond the largest that costs too much memory.
_SMALLEST_BLOCK, _LARGEST_BLOCK = 1 << 20, 16 << 20


class Export(Transfer):
    """One EXPORT, whose rows are read in the caller's thread.

    Every value is delimited: a carriage return inside of a bare one would end a row.

    Args:
        session: The connection; nothing else may use it until the export has ended.
        sql: The query.
    """

    def __init__(self, session: ExaConnection, sql: str) -> None:
        # The driver takes a text without a space for the name of a table.
        self._sql = "/* dvt */ " + sql
        super().__init__(session)

    def send(self, address: str) -> None:
        """EXPORT."""
        self._session.export_parallel([address], self._sql, export_params={"delimit": "ALWAYS", **CSV})

    def batches(self, names: Sequence[str], longest_row_bytes: int) -> Iterator[pa.RecordBatch]:
        """The rows as texts, None for NULL; `names` are those of the columns.

        Raises:
            CutOffError: The server sent other rows than it says.
        """
        rows = 0
        try:
            for batch in _read(self._tunnel.read_pipe, len(names), longest_row_bytes):
                rows += batch.num_rows
                yield batch
        except (pa.ArrowInvalid, ValueError, OSError):
            # A tunnel that broke ends in the middle of a row: what broke it is the error to tell.
            error = self.broken()
            if error is not None:
                raise error from None
            raise
        sent = self.ended()
        if rows != sent:
            raise CutOffError(f"{rows} rows came, the server sent {sent}")


def _read(pipe: Any, columns: int, longest_row_bytes: int) -> Iterator[pa.RecordBatch]:
    source = io.BufferedReader(pipe, _SMALLEST_BLOCK)
    if not source.peek(1):
        return
    places = [str(place) for place in range(columns)]  # two columns may have one name
    reader = csv.open_csv(
        source,
        read_options=csv.ReadOptions(
            column_names=places,
            block_size=min(max(longest_row_bytes, _SMALLEST_BLOCK), _LARGEST_BLOCK),
            use_threads=False,
        ),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(places, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,  # Exasol has no empty texts
        ),
    )
    yield from reader
