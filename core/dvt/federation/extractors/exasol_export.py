"""Exasol's EXPORT as a stream: the server writes CSV into a tunnel, which is read as it comes."""

from __future__ import annotations

import atexit
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as csv

from dvt.connections.exasol_errors import CutOffError

if TYPE_CHECKING:
    from pyexasol import ExaConnection

# A block holds the longest row, or the reader stops; beyond the largest that costs too much memory.
_SMALLEST_BLOCK, _LARGEST_BLOCK = 1 << 20, 16 << 20


class StoppedError(Exception):
    """The rows are wanted no longer."""


class Export:
    """One EXPORT: the statement runs in a thread of its own, its rows are read in the caller's.

    Every value is delimited: a carriage return inside of a bare one would end a row.

    Args:
        session: The connection; nothing else may use it until the export has ended.
        sql: The query.
    """

    def __init__(self, session: ExaConnection, sql: str) -> None:
        from pyexasol.http_transport import ExaHttpThread

        self._session = session
        # The driver takes a text without a space for the name of a table.
        self._sql = "/* dvt */ " + sql
        options = session.options
        self._tunnel = ExaHttpThread(session.ws_ipaddr, session.ws_port, options["compression"], options["encryption"])
        # `pyexasol.http_transport` starts it as a thread that a program waits for at its end.
        self._tunnel.daemon = True
        self._tunnel.start()
        # It would print the tracebacks of tunnels that were cut; the statement says what happened.
        self._tunnel.server.handle_error = lambda *_: None
        self._is_stopped = False
        self._error: BaseException | None = None
        self._rows_sent = -1
        self._thread = threading.Thread(target=self._run, name="dvt-exasol-export", daemon=True)
        self._thread.start()
        atexit.register(self.stop)  # a program that ends in the middle: nothing may still read when Python goes

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
            self._tunnel.terminate()
            self._thread.join()
            if self._error is not None:
                raise self._error from None
            raise
        self._thread.join()
        self._tunnel.join()
        if self._error is not None:
            raise self._error
        if rows != self._rows_sent:
            raise CutOffError(f"{rows} rows came, the server sent {self._rows_sent}")

    def stop(self) -> None:
        """End it, on the server too; from any thread."""
        if self._thread.is_alive() and not self._is_stopped:
            self._is_stopped = True
            with suppress(Exception):  # a connection that is gone has nothing to abort
                self._session.abort_query()
        self._tunnel.terminate()
        self._thread.join()
        self._tunnel.join()
        atexit.unregister(self.stop)

    def _run(self) -> None:
        try:
            self._session.export_parallel(
                [self._tunnel.exa_address],
                self._sql,
                export_params={
                    "delimit": "ALWAYS",
                    "column_separator": ",",
                    "column_delimiter": '"',
                    "row_separator": "LF",
                    "encoding": "UTF8",
                },
            )
            self._rows_sent = self._session.last_stmt.rowcount()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that reads
            self._error = StoppedError("the export was stopped") if self._is_stopped else error
            self._tunnel.terminate()  # nothing more will come


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
