"""The same hashes made of rows that have arrived, for engines without words of their own, and to check the others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import UnsupportedError
from dvt.federation.hashing.moments import moment_texts
from dvt.federation.hashing.statement import END, HASH, KEY, NULL, family
from dvt.federation.stream import ColumnSchema
from dvt.types.text_values import decimal_texts, uuid_texts

SCHEMA = pa.schema([pa.field(KEY, pa.string()), pa.field(HASH, pa.string(), nullable=False)])
COLUMNS = [ColumnSchema(KEY, pa.string()), ColumnSchema(HASH, pa.string(), nullable=False)]


def hashed_batch(batch: pa.RecordBatch, columns: Sequence[str], keys: Sequence[str]) -> pa.RecordBatch:
    """Keys and hashes of a batch's rows.

    Args:
        batch: Holds all of the columns.
        columns: What is hashed.
        keys: What names a row.
    """
    rows = row_texts(batch, columns)
    key = canonical_texts(batch.column(keys[0]), keys[0]) if len(keys) == 1 else row_texts(batch, keys)
    hashes = [hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() for text in rows.to_pylist()]
    return pa.RecordBatch.from_arrays([key, pa.array(hashes, pa.string())], schema=SCHEMA)


def canonical_texts(array: pa.Array, name: str) -> pa.Array:
    """A column's canonical texts, as `words` describes them.

    Raises:
        UnsupportedError: The type has none.
    """
    kind = family(array.type)
    if kind == "text":
        return array
    if kind == "boolean":
        return pc.if_else(array, "true", "false")
    if kind == "integer" and not pa.types.is_decimal(array.type):
        return array.cast(pa.string())
    if kind in ("integer", "decimal"):
        return pa.array([_trimmed(text) for text in decimal_texts(array)], pa.string())
    if kind == "double":
        return pa.array([None if value is None else repr(value) for value in array.to_pylist()], pa.string())
    if kind == "uuid":
        return pa.array(uuid_texts(array), pa.string())
    if kind == "binary":
        return pa.array([None if value is None else value.hex() for value in array.to_pylist()], pa.string())
    if kind in ("date", "timestamp", "instant", "time"):
        return moment_texts(array)
    raise UnsupportedError(
        f"{array.type} has no text that can be hashed",
        column=name,
        phase="extract",
        remedy="Choose the columns to hash without it, or cast it in a query",
    )


def _trimmed(text: str | None) -> str | None:
    return text.rstrip("0").rstrip(".") if text is not None and "." in text else text


def row_texts(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.Array:
    """The text of each row, of which the hash is made."""
    parts = []
    for name in columns:
        array = batch.column(name)
        texts = canonical_texts(array, name)
        if family(array.type) == "text":
            texts = pc.replace_substring(pc.replace_substring(texts, "~", "~0"), "|", "~1")
        parts.append(pc.binary_join_element_wise(pc.fill_null(texts, NULL), END, ""))
    return pc.binary_join_element_wise(*parts, "") if len(parts) > 1 else parts[0]
