"""The lanes by which the rows of a COPY come: as CSV that PyArrow parses, or in binary form that C decodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from dvt.federation.extractors.part_readers import PartReaders
from dvt.federation.extractors.postgres_csv import CsvDecoder
from dvt.federation.extractors.postgres_wire import Wire

if TYPE_CHECKING:
    import psycopg


class Copy(Protocol):
    """The rows of one COPY on one session."""

    def batches(self, rows: int, max_bytes: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most `rows` rows that end soon after `max_bytes`."""

    def close(self) -> None:
        """Give no more rows; from another thread it waits until nothing touches the session."""


class Lane(Protocol):
    """How a query is asked for, and its rows are decoded, on as many sessions as read it."""

    def statement(self, query: str) -> str:
        """The COPY statement around a query."""

    def copy(self, session: psycopg.Connection[Any], behind: str) -> Copy:
        """What reads the rows of a statement that is about to be started on a session.

        Args:
            session: The session.
            behind: A statement after which the session answers again when that one has failed.
        """


class CsvLane:
    """COPY as CSV.

    Args:
        decoder: Of its rows.
    """

    def __init__(self, decoder: CsvDecoder) -> None:
        self._decoder = decoder

    def statement(self, query: str) -> str:
        """The COPY statement around a query; the line break ends a comment on the query's last line."""
        return f"copy ({query}\n) to stdout (format csv)"

    def copy(self, session: psycopg.Connection[Any], behind: str) -> CsvCopy:
        """What reads the rows of one session."""
        return CsvCopy(session, self._decoder)


class CsvCopy:
    """The rows of one COPY as CSV.

    Args:
        session: Where it runs.
        decoder: Of its rows.
    """

    def __init__(self, session: psycopg.Connection[Any], decoder: CsvDecoder) -> None:
        self._wire, self._decoder = Wire(session), decoder

    def batches(self, rows: int, max_bytes: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most `rows` rows that end soon after `max_bytes`."""
        return (self._decoder.decode(block) for block in self._wire.copy_rows(rows, max_bytes))

    def close(self) -> None:
        """Python calls libpq under the GIL, and finds a closed session closed."""


class Ahead:
    """A COPY that is read in a thread of its own, one batch ahead of whoever takes the batches.

    Args:
        copy: The COPY; its decoder leaves the GIL to others.
        stop: Ends it on the server, so that a thread that waits for rows goes on.
    """

    def __init__(self, copy: Copy, stop: Callable[[], None]) -> None:
        self._copy, self._stop = copy, stop
        self.is_ended = False  # on the server, which is told once: a second time could meet the statement behind it
        self._readers: PartReaders | None = None

    def batches(self, rows: int, max_bytes: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most `rows` rows that end soon after `max_bytes`; reading begins at once."""
        self._readers = PartReaders([self._copy.batches(rows, max_bytes)], self._end)
        return self._readers.batches()

    def _end(self) -> None:
        self.is_ended = True
        self._stop()

    def close(self) -> None:
        """Stop what still runs, and wait for the thread."""
        if self._readers is not None:
            self._readers.close()
        self._copy.close()
