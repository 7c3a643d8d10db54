"""Rows by the values of some columns, each combination in a folder named as Hive names them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import ConfigurationError, DataError
from dvt.federation.loaders.files_parts import Parts
from dvt.types.text_values import decimal_texts, iso_texts, uuid_texts
from dvt.types.vocabulary import INTERVAL, is_json, is_uuid

# Of all partitions together; then the largest are written.
_HELD_BYTES = 32 * 1024 * 1024
_NULL = "__HIVE_DEFAULT_PARTITION__"
# What Hive and Spark escape; letters of all alphabets stay.
_ESCAPED = re.compile(r"""[\x00-\x1f\x7f"#%'*/:=?\\{\[\]^]""")
# A file name has 255 bytes on the usual file systems.
_MOST_NAME_BYTES = 255


class Partitions:
    """Sorts rows into the parts of their partitions.

    Args:
        schema: Of the rows.
        columns: By which.
        parts: What writes them.

    Raises:
        ConfigurationError: A column is none of the rows'.
        DataError: A column's type has no plain text.
    """

    def __init__(self, schema: pa.Schema, columns: tuple[str, ...], parts: Parts) -> None:
        self._columns, self._parts = columns, parts
        self._held: dict[str, list[pa.RecordBatch]] = {}
        self._sizes: dict[str, int] = {}
        for name in columns:
            if name not in schema.names:
                raise ConfigurationError(
                    f"the rows have no column {name!r} to be partitioned by", column=name, remedy="Correct partition_by"
                )
            if not _has_text(schema.field(name).type):
                raise DataError(
                    f"folders cannot be named by values of type {schema.field(name).type}",
                    column=name,
                    remedy="Partition by whole numbers, texts, dates or booleans",
                )

    def write(self, batches: Iterator[pa.RecordBatch]) -> None:
        """Write all rows."""
        for batch in batches:
            for folder, rows in self._split(batch):
                self._held.setdefault(folder, []).append(rows)
                self._sizes[folder] = self._sizes.get(folder, 0) + rows.nbytes
            if sum(self._sizes.values()) > _HELD_BYTES:
                self._flush(_HELD_BYTES // 2)
        self._flush(0)

    def _flush(self, until: int) -> None:
        left = sum(self._sizes.values())
        for folder in sorted(self._sizes, key=self._sizes.__getitem__, reverse=True):
            if until and left <= until:
                break
            for batch in pa.Table.from_batches(self._held.pop(folder)).combine_chunks().to_batches():
                self._parts.write(folder, batch)
            left -= self._sizes.pop(folder)

    def _split(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        if not batch.num_rows:
            return
        names = [_folders(name, batch.column(batch.schema.get_field_index(name))) for name in self._columns]
        folders = pc.binary_join_element_wise(*names, "/").dictionary_encode()
        order = pc.array_sort_indices(folders.indices)
        ordered, codes = batch.take(order), folders.indices.take(order)
        for run in pc.run_end_encode(codes).values.to_pylist():
            first = pc.index(codes, pa.scalar(run, codes.type)).as_py()
            rows = pc.sum(pc.equal(codes, run)).as_py()
            yield folders.dictionary[run].as_py(), ordered.slice(first, rows)


def _folders(name: str, values: pa.Array) -> pa.Array:
    """For each value the folder's name."""
    found = _texts(values, name).dictionary_encode()
    named = [_folder(name, text) for text in found.dictionary.to_pylist()]
    folders = pa.array(named, pa.string()).take(found.indices)
    return pc.fill_null(folders, f"{_escaped(name)}={_NULL}")


def _folder(name: str, text: str) -> str:
    folder = f"{_escaped(name)}={_escaped(text)}"
    if text in ("", _NULL):
        raise DataError(
            f"the text {text!r} would have the folder of NULL", column=name, remedy="Give it another value in the model"
        )
    if len(folder.encode()) > _MOST_NAME_BYTES:
        raise DataError(
            f"{text[:40]!r}... is too long for the name of a folder", column=name, remedy="Partition by less"
        )
    return folder


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"%{ord(found.group()):02X}", text)


def _has_text(type_: pa.DataType) -> bool:
    is_odd = pa.types.is_floating(type_) or pa.types.is_binary(type_) or pa.types.is_nested(type_)
    return not is_odd and not is_json(type_) and type_ != INTERVAL


def _texts(values: pa.Array, name: str) -> pa.Array:
    if is_uuid(values.type):
        return pa.array(uuid_texts(values), pa.string())
    if pa.types.is_decimal(values.type):
        return pa.array(decimal_texts(values), pa.string())
    if pa.types.is_temporal(values.type):
        try:
            return iso_texts(values)
        except ValueError as error:
            raise DataError(f"no folder can be named by a value: {error}", column=name) from error
    return values.cast(pa.string())
