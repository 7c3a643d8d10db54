"""Spark's rows as a file that PostgreSQL's `COPY FROM STDIN` reads; no more than a piece of them is held."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

from dvt.errors import DataError
from dvt.federation.loaders.postgres_encode import ValueUnfitError
from dvt.federation.loaders.spark_row_text import NULL, Cell, cell_of

_PIECE_BYTES = 64 * 1024


class _SparkRowPipe(io.RawIOBase):
    """The bytes of rows in COPY's text format: `COPY t (columns) FROM STDIN`, without options.

    Args:
        rows: What `DataFrame.toLocalIterator()` gives, or a data frame, which is asked for one partition at a time.
        schema: The rows' `StructType`; a data frame knows its own. Without one, values are written by what they are.

    Raises:
        DataError: PostgreSQL has no place for a column's type.
    """

    def __init__(self, rows: Any, schema: Any = None) -> None:
        super().__init__()
        if hasattr(rows, "toLocalIterator"):
            schema = rows.schema if schema is None else schema
            rows = rows.toLocalIterator(prefetchPartitions=False)
        self.rows_read = 0
        self.bytes_read = 0
        self._rows: Iterator[Sequence[Any]] = iter(rows)
        fields = list(schema.fields) if schema is not None else []
        self._names: list[str] = [field.name for field in fields]
        self._cells: list[Cell] | None = [_cell(field) for field in fields] if schema is not None else None
        self._piece = b""
        self._at = 0

    def read(self, size: int | None = -1) -> bytes:
        """The next `size` bytes, fewer at the end only; all that are left when it is negative.

        Raises:
            DataError: A value that PostgreSQL cannot hold; the column and the row are named.
        """
        if self.closed:
            raise ValueError("the pipe is closed")
        missing = -1 if size is None else size
        parts = []
        while missing:
            if self._at == len(self._piece):
                self._piece, self._at = self._next_piece(), 0
                if not self._piece:
                    break
            end = len(self._piece) if missing < 0 else self._at + missing
            part = self._piece[self._at : end]
            self._at += len(part)
            missing = missing if missing < 0 else missing - len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, as `io.BufferedReader` wants it."""
        view = memoryview(buffer).cast("B")
        found = self.read(len(view))
        view[: len(found)] = found
        return len(found)

    def readall(self) -> bytes:
        """All bytes that are left."""
        return self.read(-1)

    def readable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """End the rows; closing twice is allowed."""
        if not self.closed:
            super().close()
            ending = getattr(self._rows, "close", None)
            if ending is not None:
                ending()

    def _next_piece(self) -> bytes:
        """The next lines, of about a piece's size together; empty at the end."""
        lines: list[bytes] = []
        size = 0
        for row in self._rows:
            line = self._line(row)
            lines.append(line)
            size += len(line)
            self.rows_read += 1
            if size >= _PIECE_BYTES:
                break
        self.bytes_read += size
        return b"".join(lines)

    def _line(self, row: Sequence[Any]) -> bytes:
        if self._cells is None:
            self._cells = [cell_of(None)] * len(row)
            self._names = list(getattr(row, "__fields__", ()))
        try:
            cells = [NULL if value is None else cell(value) for value, cell in zip(row, self._cells, strict=True)]
            return ("\t".join(cells) + "\n").encode()
        except (ValueUnfitError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
            raise self._refusal(row, self._cells) from error

    def _refusal(self, row: Sequence[Any], cells: list[Cell]) -> DataError:
        """The error of the first value of a row that cannot be written."""
        number = f"row {self.rows_read + 1}"
        if len(row) != len(cells):
            return DataError(f"a row has {len(row)} values for {len(cells)} columns", rows=number, phase="load")
        for place, (value, cell) in enumerate(zip(row, cells, strict=True)):
            try:
                if value is not None:
                    cell(value).encode()
            except (ValueUnfitError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
                said = (
                    str(error)
                    if isinstance(error, ValueUnfitError)
                    else f"a value is not of the column's type: {error}"
                )
                return DataError(
                    said,
                    column=self._names[place] if place < len(self._names) else f"number {place + 1}",
                    rows=number,
                    phase="load",
                    remedy="Cast or replace the value in the model",
                )
        raise AssertionError("every value of the row can be written")


def _cell(field: Any) -> Cell:
    try:
        return cell_of(field.dataType)
    except ValueUnfitError as error:
        remedy = "Cast the column in the model, for example to JSON or text"
        raise DataError(str(error), column=field.name, phase="load", remedy=remedy) from error
