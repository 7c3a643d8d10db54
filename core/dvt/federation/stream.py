"""RowStream: a schema and a single pass over Arrow record batches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.errors import DataError, InternalError
from dvt.types.normal import normal_type, normalised

if TYPE_CHECKING:
    import pandas

    from dvt.federation.extractors.methods import PassedOver
    from dvt.federation.raw import RawRows
    from dvt.federation.spread import SpreadRows


@dataclass(frozen=True)
class ColumnSchema:
    """One column of a stream.

    Args:
        name: Name as the source gives it, case kept.
        type: Arrow type that carries the values.
        nullable: False only when the source promises it.
        native_type: The source's own name of the type, for messages and plans.
        encoding: What the source's texts are limited to; empty when it is all of Unicode.
    """

    name: str
    type: pa.DataType
    nullable: bool = True
    native_type: str = ""
    encoding: str = ""


@dataclass(frozen=True)
class HowRead:
    """How rows are read, beside the method: as results tell it.

    Args:
        parts: How many parts of the rows are read side by side.
        whole_because: Why there is one part, where more were asked for.
        passed_over: The methods that were not taken, and why.
    """

    parts: int = 1
    whole_because: str = ""
    passed_over: tuple[PassedOver, ...] = ()


class RowStream:
    """A single pass over a result, in batches that fit in memory.

    Iteration yields rows as dictionaries. `read_batch` and `to_reader` yield Arrow. Use it as a context manager:
    closing ends the query on the server and frees cursors and sockets.

    Types that other libraries use for the same values (views, large and dictionary-encoded ones, other units) are
    brought into the vocabulary of `dvt.types` on the way: what reads a stream meets no others. A type that the
    vocabulary has no place for stays, for the loader to refuse by name.

    Args:
        columns: The schema; known before the first batch, also when there are no rows.
        batches: Record batches of exactly that schema.
        close: Called once, when the stream is closed or exhausted.
        estimated_row_count: None when unknown.
        method: How the rows are fetched, for example "copy_streaming".
        how: In which parts they are read, and which methods were not taken.
        raw: An offer of the same rows undecoded; who takes it reads no batches.
        spread: An offer to let other processes land the same rows; who takes it reads no batches.
    """

    def __init__(
        self,
        columns: list[ColumnSchema],
        batches: Iterator[pa.RecordBatch],
        *,
        close: Callable[[], None] | None = None,
        estimated_row_count: int | None = None,
        method: str = "cursor_streaming",
        how: HowRead | None = None,
        raw: RawRows | None = None,
        spread: SpreadRows | None = None,
    ) -> None:
        self.columns = [replace(c, type=normal_type(c.type) or c.type) for c in columns]
        self.schema = pa.schema([pa.field(c.name, c.type, c.nullable) for c in self.columns])
        self._announced = [c.type for c in columns]
        self.estimated_row_count = estimated_row_count
        self.method = method
        self.how = how or HowRead()
        self.raw = raw
        self.spread = spread
        self.rows_read = 0
        self.bytes_read = 0
        self._batches = batches
        self._close = close
        self._rest: pa.RecordBatch | None = None
        self._is_closed = False

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """The remaining record batches, as the source cuts them; empty batches are left out."""
        if self._rest is not None:
            rest, self._rest = self._rest, None
            yield rest
        if self._is_closed:
            return
        for batch in self._batches:
            if batch.num_rows == 0:
                continue
            if not batch.schema.equals(self.schema):
                batch = self._conformed(batch)
            self.rows_read += batch.num_rows
            self.bytes_read += batch.nbytes
            yield batch
        self.close()

    def _conformed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if batch.schema.types != self._announced:
            raise InternalError(f"a batch came with schema {batch.schema}, announced was {self._announced}")
        arrays = [_normal(array, field) for array, field in zip(batch.columns, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def read_batch(self, size: int) -> pa.RecordBatch | None:
        """The next record batch of exactly `size` rows (fewer at the end), None when there are no more."""
        if size < 1:
            raise ValueError("size is a positive number of rows")
        parts: list[pa.RecordBatch] = []
        missing = size
        source = self.batches()
        while missing:
            batch = next(source, None)
            if batch is None:
                break
            if batch.num_rows > missing:
                self._rest = batch.slice(missing)
                batch = batch.slice(0, missing)
            parts.append(batch)
            missing -= batch.num_rows
        source.close()
        if not parts:
            return None
        if len(parts) == 1:
            return parts[0]
        return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]

    def to_reader(self) -> pa.RecordBatchReader:
        """The remaining batches as a `pyarrow.RecordBatchReader`, for any library that takes Arrow."""
        return pa.RecordBatchReader.from_batches(self.schema, self.batches())

    def to_table(self) -> pa.Table:
        """The remaining rows in memory, as an Arrow table."""
        return pa.Table.from_batches(list(self.batches()), schema=self.schema)

    def to_dataframe(self) -> pandas.DataFrame:
        """The remaining rows as a pandas data frame with Arrow-backed columns, so that no value changes."""
        import pandas as pd

        return self.to_table().to_pandas(types_mapper=pd.ArrowDtype)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self.batches():
            yield from batch.to_pylist()

    def close(self) -> None:
        """End the query and free its resources. Closing twice is allowed."""
        if self._is_closed:
            return
        self._is_closed = True
        closer = getattr(self._batches, "close", None)
        try:
            if closer is not None:
                closer()
        except ValueError as error:  # a generator that is running in another thread cannot be closed from here
            if "already executing" not in str(error):
                raise
        finally:
            if self._close is not None:
                self._close()

    def __enter__(self) -> RowStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _normal(array: pa.Array, field: pa.Field) -> pa.Array:
    try:
        return normalised(array, field.type)
    except ValueError as error:  # pyarrow's errors of casts are ValueErrors
        raise DataError(
            f"a value cannot be carried exactly: {error}", column=field.name, remedy="Cast it at the source"
        ) from error
