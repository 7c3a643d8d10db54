"""`COPY ... (FORMAT binary)` decoded in C: what dvt asks the server for, what it makes of refusals, when it ends.

The values, and the words of what is refused, are those of the CSV lane (`postgres_csv.py`). A column whose binary form
is not known comes as the server's own text of it, made in the query, and is decoded as the CSV lane decodes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from dvt.errors import DataError, DvtError, ResourceError, UnsupportedError
from dvt.federation.extractors.postgres_csv import CsvDecoder
from dvt.federation.extractors.postgres_raw import finished
from dvt.federation.extractors.postgres_refused import server_text, why_refused
from dvt.federation.extractors.postgres_wire import Wire
from dvt.identifiers import quote
from dvt.native import decoder as native
from dvt.native import library as codec
from dvt.native.decoder import BrokenStreamError, Decoder, ValueRefusedError
from dvt.native.libpq import Libpq, of_psycopg

if TYPE_CHECKING:
    import ctypes

    import psycopg

_OTHER_LANE: Final = "Set dvt.method to copy, which reads the rows as text"


def lack_of_native(session: psycopg.Connection[Any]) -> str | None:
    """What is missing on this side for rows to be decoded in C; None when nothing is."""
    library = codec.load()
    if isinstance(library, str):
        return f"no native codec: {library}"
    libpq = of_psycopg(session)
    return f"no libpq that fits: {libpq}" if isinstance(libpq, str) else None


class NativeLane:
    """How a statement is sent and its rows are decoded, for as many sessions as read them.

    Args:
        csv: The columns, and what decodes those that come as text.
    """

    def __init__(self, csv: CsvDecoder) -> None:
        self._csv = csv
        self._readings = [native.reading(carrier) for carrier in csv.carriers]

    def statement(self, query: str) -> str:
        """The COPY statement around a query; the line break ends a comment on the query's last line."""
        if None in self._readings:
            query = "".join(["select ", ", ".join(self._selected()), " from (", query, "\n) as dvt_rows"])
        return "".join(["copy (", query, "\n) to stdout (format binary)"])

    def copy(self, session: psycopg.Connection[Any], behind: str) -> NativeCopy:
        """What reads the rows of one session.

        Args:
            session: On it the statement will be started.
            behind: The statement after which the session answers again when the rows' one has failed.

        Raises:
            psycopg.OperationalError: The session was closed, maybe by another thread.
        """
        library, libpq = codec.load(), of_psycopg(session)
        if session.closed:
            raise _closed()
        if isinstance(library, str) or isinstance(libpq, str):
            why = library if isinstance(library, str) else str(libpq)
            raise UnsupportedError(f"the native codec cannot read this session: {why}", remedy=_OTHER_LANE)
        return NativeCopy(session, libpq, self._decoder(library), self._csv, behind)

    def _decoder(self, library: ctypes.CDLL) -> Decoder:
        readings = [native.AS_TEXT if one is None else one for one in self._readings]
        columns = self._csv.columns
        return Decoder(library, readings, [one.name for one in columns], [one.nullable for one in columns])

    def _selected(self) -> Iterator[str]:
        for column, found in zip(self._csv.columns, self._readings, strict=True):
            name = quote(column.name, "postgres")
            yield name if found is not None else "".join([_output_of(name), " as ", name])


def _output_of(name: str) -> str:
    """A value as its type's output function gives it: a cast to text may be another one, as inet's is.

    A composite of NULLs alone `is null`, though it is a value.
    """
    text = ["case when pg_catalog.num_nulls(", name, ") = 0 then pg_catalog.format('%s', ", name, ") end"]
    return "".join(text)


class NativeCopy:
    """The rows of one COPY on one session.

    Args:
        session: Where the COPY runs; it must outlast this.
        libpq: Its library.
        decoder: Of its rows.
        csv: The columns, and what decodes those that come as text.
        behind: As in `NativeLane.copy`.
    """

    def __init__(
        self, session: psycopg.Connection[Any], libpq: Libpq, decoder: Decoder, csv: CsvDecoder, behind: str
    ) -> None:
        self._session, self._libpq, self._decoder, self._csv = session, libpq, decoder, csv
        self._behind = behind
        self._wire = Wire(session)

    def close(self) -> None:
        """Give no more rows; from another thread it waits until the decoder is out of the session."""
        self._decoder.close()

    def batches(self, rows: int, max_bytes: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most `rows` rows that end soon after `max_bytes`, until the server has sent all.

        Raises:
            DataError: A value that is refused, or a stream that is none of these columns.
            psycopg.Error: What the server, or libpq, says.
        """
        try:
            while True:
                outcome = self._decoder.pull(self._libpq, rows, max_bytes)
                if outcome == native.FULL:
                    yield self._batch()
                elif outcome == native.WAITING:
                    native.pause(self._libpq)
                else:
                    break
            self._end(outcome)
            if self._decoder.waiting_rows():
                yield self._batch()
        except ValueRefusedError as error:
            raise self._refusal(error) from error
        except BrokenStreamError as error:
            raise self._broken(str(error), error.row, error.column) from error
        except MemoryError as error:
            raise ResourceError(str(error), phase="extract", remedy="Lower dvt.batch_rows") from error
        finally:
            self._decoder.close()

    def _batch(self) -> pa.RecordBatch:
        batch = self._decoder.batch()
        if batch is None:
            raise _closed()
        is_whole = all(type_ == one.type for type_, one in zip(batch.schema.types, self._csv.carriers, strict=True))
        return batch if is_whole else self._csv.assemble(batch.columns)

    def _end(self, outcome: int) -> None:
        if self._decoder.is_closed:
            raise _closed()
        counted = finished(self._session, self._wire, outcome)
        decoded = self._decoder.rows + self._decoder.waiting_rows()
        if outcome == native.STOPPED:
            raise self._broken("the rows ended without their end mark", decoded, None)
        if counted != decoded:
            raise self._broken(f"the server sent {counted} rows, {decoded} came", decoded, None)

    def _broken(self, what: str, row: int, column: int | None) -> DataError:
        name = self._csv.columns[column].name if column is not None else None
        place = {"relation": self._csv.relation, "column": name, "rows": f"row {row + 1}"}
        return DataError(what, phase="extract", remedy=_OTHER_LANE, **place)

    def _refusal(self, error: ValueRefusedError) -> DvtError:
        column, carrier = self._csv.columns[error.column], self._csv.carriers[error.column]
        rows = f"row {error.row + 1}"
        if error.code == codec.UTF8:
            return self._csv.not_utf8(column).at(rows=rows)
        of_value = carrier.element if error.is_element and carrier.element is not None else carrier
        why = why_refused(error.code, error.value, of_value)
        oid = carrier.element_oid if error.is_element else carrier.oid
        text = server_text(self._session, self._wire, oid, error.value, self._behind)
        return self._csv.refused(column, text, why).at(rows=rows)


def _closed() -> psycopg.OperationalError:
    from psycopg import OperationalError

    return OperationalError("the connection was closed while it was read")
