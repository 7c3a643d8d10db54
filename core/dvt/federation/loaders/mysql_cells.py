"""Arrow columns as the text of MySQL's values, whole columns at once, and as rows of a statement or a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dvt.federation.loaders import mysql_checks as checks
from dvt.federation.loaders.mysql_nested import interval_texts, json_texts
from dvt.types.mysql import is_nested
from dvt.types.vocabulary import MICROS, TIME, is_json, is_uuid

_UUID_PARTS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))


@dataclass(frozen=True)
class ColumnWriter:
    """How one Arrow column becomes text for MySQL.

    Args:
        name: The column.
        type: Its Arrow type.
        native: The type that it has in the table.
        has_unsigned_timestamps: Whether TIMESTAMP reaches to 2106.
        max_value_length: Longest value that the server takes.
    """

    name: str
    type: pa.DataType
    native: str
    has_unsigned_timestamps: bool = False
    max_value_length: int = 16 << 20

    @property
    def is_hex(self) -> bool:
        """Whether the text is the hexadecimal form of bytes."""
        return bool(pa.types.is_binary(self.type))

    def text(self, values: pa.Array) -> pa.Array:
        """The values' text, before any escaping; NULL stays NULL.

        Raises:
            DataError: A value has no place in the column; the column is named.
        """
        type_ = values.type
        if pa.types.is_string(type_):
            return self._short_enough(values)
        if self.is_hex:
            return _hexadecimal(self._short_enough(values))
        if is_json(type_):
            return self._short_enough(values.storage.cast(pa.string()))
        if is_uuid(type_):
            return _dashed(_hexadecimal(values.storage.cast(pa.binary())))
        if is_nested(type_):
            return self._short_enough(json_texts(values, self.name))
        if pa.types.is_interval(type_):
            return interval_texts(values)
        if pa.types.is_floating(type_):
            checks.require_storable(values, self.name)
            return values.cast(pa.float64()).cast(pa.string())  # the shortest text that gives the same double
        if pa.types.is_boolean(type_):
            return values.cast(pa.int8()).cast(pa.string())
        if pa.types.is_temporal(type_):
            return self._moments(values)
        return values.cast(pa.string())

    def _moments(self, values: pa.Array) -> pa.Array:
        if pa.types.is_date(values.type):
            days = values.cast(pa.date32())
            checks.require_dates(days, self.name)
            return days.cast(pa.string())
        try:
            if pa.types.is_time(values.type):
                return values.cast(TIME).cast(pa.string())
            zone = values.type.tz
            micros = values.cast(pa.timestamp("us", tz=zone)).cast(pa.int64()).view(MICROS)
        except pa.ArrowInvalid as error:
            raise checks.refusal(
                self.name, "the column holds digits below a microsecond", "Round it to microseconds in the model"
            ) from error
        checks.require_datetimes(micros, self.name)
        if self.native.lower().startswith("timestamp"):
            checks.require_timestamps(micros, self.name, is_unsigned=self.has_unsigned_timestamps)
        return micros.cast(pa.string())

    def _short_enough(self, values: pa.Array) -> pa.Array:
        longest = pc.max(pc.binary_length(values)).as_py() or 0
        if longest > self.max_value_length:
            raise checks.refusal(
                self.name,
                f"a value of {longest} bytes is longer than the server's max_allowed_packet allows",
                "Raise max_allowed_packet on the server",
            )
        return values


def file_lines(writers: Sequence[ColumnWriter], batch: pa.RecordBatch) -> memoryview:
    """The batch as lines for LOAD DATA: fields apart by tabs, NULL as \\N, escapes by backslash."""
    fields = [_escaped(writer, column) for writer, column in zip(writers, batch.columns, strict=True)]
    fields[-1] = pc.binary_join_element_wise(pc.coalesce(fields[-1], "\\N"), "\n", "")
    lines = pc.binary_join_element_wise(*fields, "\t", null_handling="replace", null_replacement="\\N")
    return memoryview(lines.buffers()[2])


def _escaped(writer: ColumnWriter, column: pa.Array) -> pa.Array:
    text = writer.text(column)
    if not _may_hold_anything(writer.type):
        return text
    for plain, written in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n")):
        if pc.any(pc.match_substring(text, plain)).as_py():
            text = pc.replace_substring(text, plain, written)
    return text


def insert_rows(writers: Sequence[ColumnWriter], batch: pa.RecordBatch) -> list[str]:
    """The batch as value lists for INSERT: `('a','b')`."""
    fields = [_literal(writer, column) for writer, column in zip(writers, batch.columns, strict=True)]
    joined = pc.binary_join_element_wise(*fields, ",", null_handling="replace", null_replacement="NULL")
    rows: list[str] = pc.binary_join_element_wise("(", joined, ")", "").to_pylist()
    return rows


def _literal(writer: ColumnWriter, column: pa.Array) -> pa.Array:
    text = writer.text(column)
    if _may_hold_anything(writer.type):
        text = pc.replace_substring(pc.replace_substring(text, "\\", "\\\\"), "'", "''")
    return pc.binary_join_element_wise("x'" if writer.is_hex else "'", text, "'", "")


def _may_hold_anything(type_: pa.DataType) -> bool:
    is_text = (pa.types.is_string, is_json, is_nested)
    return any(is_kind(type_) for is_kind in is_text)


def _hexadecimal(values: pa.Array) -> pa.Array:
    offsets = np.frombuffer(values.buffers()[1], dtype=np.int32)[values.offset : values.offset + len(values) + 1]
    data = values.buffers()[2]
    digits = (
        bytes(memoryview(data)[offsets[0] : offsets[-1]]).hex().encode() if data is not None and len(values) else b""
    )
    widths = (offsets - offsets[0]) * 2 if len(values) else np.zeros(1, dtype=np.int32)
    buffers = [None, pa.py_buffer(widths.astype(np.int32)), pa.py_buffer(digits)]
    text = pa.Array.from_buffers(pa.string(), len(values), buffers)
    return pc.if_else(values.is_valid(), text, pa.scalar(None, pa.string())) if values.null_count else text


def _dashed(digits: pa.Array) -> pa.Array:
    parts = [pc.utf8_slice_codeunits(digits, start, stop) for start, stop in _UUID_PARTS]
    return pc.binary_join_element_wise(*parts, "-")
