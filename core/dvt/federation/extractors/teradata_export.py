"""An export by Teradata's driver into a Parquet file in a private folder, and the file's rows as they are announced.

Which types the driver writes is not documented. So an export of no rows is made first, and its file's schema decides:
where a column could not be read exactly from what it would be, there is no export.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dvt.errors import DataError, QueryError
from dvt.federation.extractors.driver_rows import RowColumn, arrow_schema
from dvt.types.text_values import parser

_PROBE, _ROWS = "probe.parquet", "rows.parquet"
# What an escape function takes as its argument without a doubt.
_PLAIN_PATH = re.compile(r"[\w/.~+-]+")
_REFUSAL = "the driver's export could not be read: {why}"


class ParquetExport:
    """One export.

    Args:
        session: The driver's connection.
        columns: What the statement asks for.
        is_required: Whether the export fails where FastExport cannot be used; else the driver then runs the statement
            as any other, and writes the file all the same.
    """

    def __init__(self, session: Any, columns: Sequence[RowColumn], is_required: bool) -> None:
        self._session = session
        self._columns = columns
        self._kind = "{fn teradata_require_fastexport}" if is_required else "{fn teradata_try_fastexport}"
        self._folder = Path(tempfile.mkdtemp(prefix="dvt-teradata-"))  # readable by nobody else
        self._probed: pa.Schema | None = None

    def probe(self, sql: str) -> bool:
        """Whether each column can be read exactly from what the driver writes for it.

        Args:
            sql: The statement, of no rows.
        """
        path = self._folder / _PROBE
        if not _PLAIN_PATH.fullmatch(str(path)):
            return False
        self._executed(self._writing(_PROBE) + sql)
        if not path.is_file():
            return False
        self._probed = pq.read_schema(path)
        written = self._probed.types
        return len(written) == len(self._columns) and all(
            _is_exact(type_, column.schema.type) and column.reading.prepare is None
            for type_, column in zip(written, self._columns, strict=True)
        )

    def run(self, sql: str) -> str:
        """Export; gives the method by which the rows came: "fastexport_parquet", or "parquet_export" without it.

        Raises:
            QueryError: The driver tells of errors.
        """
        asked = self._kind + self._writing(_ROWS) + sql
        self._executed(asked)
        if told := self._told("{fn teradata_get_errors}", asked):
            raise QueryError(_REFUSAL.format(why=told))
        number = self._told("{fn teradata_logon_sequence_number}", asked)
        return "fastexport_parquet" if number else "parquet_export"

    def batches(
        self, batch_rows: int, check: Callable[[], None], place: Mapping[str, str]
    ) -> Generator[pa.RecordBatch, None, None]:
        """The file's rows.

        Args:
            batch_rows: Rows in one batch.
            check: Raises when the scan was cancelled.
            place: Where errors happen.
        """
        schema = arrow_schema(self._columns)
        with pq.ParquetFile(self._folder / _ROWS, pre_buffer=False) as file:
            if file.schema_arrow.types != (self._probed.types if self._probed is not None else None):
                raise DataError(_REFUSAL.format(why="its columns are not those of the export of no rows"), **place)
            for batch in file.iter_batches(batch_rows):
                check()
                arrays = [
                    _carried(array, column, place) for array, column in zip(batch.columns, self._columns, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def close(self) -> None:
        """Remove the file."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _writing(self, name: str) -> str:
        return "{fn teradata_write_parquet(" + str(self._folder / name) + ")}"

    def _executed(self, sql: str) -> None:
        with contextlib.closing(self._session.cursor()) as cursor:
            cursor.execute(sql)

    def _told(self, function: str, sql: str) -> str:
        with contextlib.closing(self._session.cursor()) as cursor:
            cursor.execute("{fn teradata_nativesql}" + function + sql)
            row = cursor.fetchone()
        return str(row[0] or "").strip() if row else ""


def _is_exact(written: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of a type in the file become the announced one without a doubt; each is checked besides."""
    is_text = pa.types.is_string(written) or pa.types.is_large_string(written)
    if pa.types.is_string(wanted):
        return bool(is_text)
    if pa.types.is_integer(wanted):
        return bool(pa.types.is_integer(written))
    if pa.types.is_timestamp(wanted):
        return bool(is_text or (pa.types.is_timestamp(written) and (written.tz is None) is (wanted.tz is None)))
    for is_kind in (pa.types.is_decimal, pa.types.is_date, pa.types.is_time):
        if is_kind(wanted):
            return bool(is_text or is_kind(written))
    return bool(written == wanted)


def _carried(array: pa.Array, column: RowColumn, place: Mapping[str, str]) -> pa.Array:
    wanted = column.schema.type
    try:
        if array.type != wanted:
            is_text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
            is_read = is_text and not pa.types.is_string(wanted)
            array = parser(wanted)(array) if is_read else array.cast(wanted)
    except ValueError as error:  # Arrow's errors are among them
        native = column.schema.native_type
        raise DataError(
            f"a value of type {native} is not carried as {wanted}: {error}",
            column=column.schema.name,
            **place,
            remedy="Set the connection's option dvt.fastexport: never, or cast the column in a view",
        ) from error
    return column.reading.trimmed(array)
