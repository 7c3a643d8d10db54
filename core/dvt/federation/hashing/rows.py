"""The hashes of a relation's rows, by an extractor: computed at the source where it has the words, else here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum

import pyarrow as pa

from dvt.errors import ConfigurationError, DataError
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.unknown_columns import unknown_column
from dvt.federation.hashing.client import COLUMNS, SCHEMA, hashed_batch
from dvt.federation.hashing.statement import hash_sql
from dvt.federation.hashing.words import HashWords
from dvt.federation.stream import ColumnSchema, RowStream


class KeyForm(Enum):
    """What a key is in a dictionary of hashes."""

    AS_IS = "as the source gives it"
    TEXT = "its text"
    STRIPPED = "its text without blanks around it"

    def of(self, key: str | None) -> str | None:
        """The dictionary's key."""
        if key is None or self is KeyForm.AS_IS:
            return key
        return str(key).strip() if self is KeyForm.STRIPPED else str(key)


def hash_stream(extractor: BaseExtractor, request: ExtractionConfig, words: HashWords | None) -> RowStream:
    """Keys and hashes, as a stream of columns `dvt_key` and `dvt_hash`.

    Args:
        extractor: Reads the source.
        request: What is hashed: its columns in their order, or all; and `key_columns`, which name a row.
        words: The engine's; without them the rows are read and hashed here.

    Raises:
        ConfigurationError: The request has no key columns.
        RelationNotFoundError: A key column does not exist.
        UnsupportedError: A column's type has no text that can be hashed.
    """
    if not request.key_columns:
        raise ConfigurationError(
            f"hashes of {request.label} need a key",
            connection=extractor.connection.name,
            remedy="Name the columns that tell its rows apart in key_columns",
        )
    columns = extractor.describe(replace(request, key_columns=()))
    keys = _keys(extractor, request, columns)
    asked = replace(request, columns=tuple(dict.fromkeys(c.name for c in (*columns, *keys))), key_columns=())
    if words is None:
        return _hashed_here(extractor, asked, columns, keys)
    asked, dialect = extractor.askable(asked), extractor.connection.dialect
    # A relation's own statement knows in which schema it lies, and how its name is meant.
    inner = scan_sql(asked, dialect) if request.relation is None else extractor.source_sql(asked)
    source = " ".join(["(", inner, ") dvt_source"])
    sql = hash_sql(words, columns, keys, source, dialect)
    stream = extractor.scan(ExtractionConfig(query=sql, batch_size=request.batch_size, source_name=request.source_name))
    batches = (_as_announced(batch) for batch in stream.batches())
    return RowStream(COLUMNS, batches, close=stream.close, method=stream.method, how=stream.how)


def _keys(extractor: BaseExtractor, request: ExtractionConfig, columns: Sequence[ColumnSchema]) -> list[ColumnSchema]:
    known = {column.name: column for column in columns}
    if not known.keys() >= set(request.key_columns):
        whole = extractor.describe(replace(request, columns=None, key_columns=()))
        known = {column.name: column for column in whole}
    for name in request.key_columns:
        if name not in known:
            raise unknown_column(name, known, extractor.connection.name, request.label)
    return [known[name] for name in request.key_columns]


def _as_announced(batch: pa.RecordBatch) -> pa.RecordBatch:
    arrays = [column.cast(pa.string()) for column in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _hashed_here(
    extractor: BaseExtractor, asked: ExtractionConfig, columns: Sequence[ColumnSchema], keys: Sequence[ColumnSchema]
) -> RowStream:
    stream = extractor.scan(asked)
    names, key_names = [c.name for c in columns], [c.name for c in keys]

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in stream.batches():
            yield hashed_batch(batch, names, key_names)

    method = f"{stream.method}, hashed by dvt"
    return RowStream(COLUMNS, batches(), close=stream.close, method=method, how=stream.how)


def hashes_by_key(stream: RowStream, form: KeyForm, label: str, batch_rows: int) -> dict[str | None, str]:
    """All hashes, by key.

    Raises:
        DataError: Two rows have one key.
    """
    found: dict[str | None, str] = {}
    rows = 0
    while (batch := stream.read_batch(batch_rows)) is not None:
        keys, hashes = (column.to_pylist() for column in batch.columns)
        for key, hash_ in zip(keys, hashes, strict=True):
            own = form.of(key)
            rows += 1
            found[own] = hash_
            if len(found) < rows:
                raise DataError(
                    f"two rows of {label} have the key {own!r}",
                    relation=label,
                    phase="extract",
                    remedy="Name columns that tell all rows apart in key_columns",
                )
    return found
