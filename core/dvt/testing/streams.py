"""Streams of the kit's own values, and what is to be found where they were loaded."""

from __future__ import annotations

import ast
import datetime
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from dvt.federation.stream import ColumnSchema, RowStream
from dvt.testing.words import EngineWords, arrow_type
from dvt.types.vocabulary import MICROS_UTC, TIME, is_json, is_uuid


def typed(texts: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Values of a type from texts as the kit shows them; None is NULL.

    >>> typed(["00ff", None], pa.binary()).to_pylist(), typed(["[1, null]"], pa.list_(pa.int8())).to_pylist()
    ([b'\\x00\\xff', None], [[1, None]])
    """
    if is_uuid(type_):
        return pa.ExtensionArray.from_storage(
            type_, pa.array(_each(texts, lambda t: uuid.UUID(t).bytes), pa.binary(16))
        )
    if is_json(type_):
        return pa.ExtensionArray.from_storage(type_, pa.array(texts, pa.string()))
    if pa.types.is_binary(type_):
        return pa.array(_each(texts, bytes.fromhex), type_)
    if pa.types.is_list(type_):
        return pa.array(_each(texts, lambda t: ast.literal_eval(t.replace("null", "None"))), type_)
    if type_ == TIME:
        return pa.array(_each(texts, datetime.time.fromisoformat), type_)
    if type_ == MICROS_UTC:
        return pa.array(_each(texts, datetime.datetime.fromisoformat), type_)
    return pa.array(_each(texts, str), pa.string()).cast(type_)


def _each(texts: Sequence[Any], make: Callable[[Any], Any]) -> list[Any]:
    return [None if text is None else make(text) for text in texts]


def table(columns: Mapping[str, str], rows: Sequence[Sequence[Any]], words: EngineWords) -> pa.Table:
    """A table with columns of the kit's kinds, in the types that the engine gives for them."""
    arrays = []
    for index, kind in enumerate(columns.values()):
        type_ = arrow_type(words.types[kind][1])
        texts = [row[index] for row in rows]
        if type_ == MICROS_UTC:
            texts = [None if text is None else f"{text}+00:00" for text in texts]
        values = [str(text).lower() if isinstance(text, bool) else text for text in texts]
        arrays.append(typed(values, pa.bool_()).cast(type_) if kind == "boolean" else typed(values, type_))
    return pa.table(dict(zip(columns, arrays, strict=True)))


def stream_of(found: pa.Table, batch_rows: int = 2) -> RowStream:
    """A table as a stream of small batches: what comes late comes in a batch of its own."""
    return stream(found.schema, found.to_batches(max_chunksize=batch_rows))


def stream(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> RowStream:
    """Batches as a stream."""
    return RowStream([ColumnSchema(field.name, field.type) for field in schema], iter(batches))


NUMBERED = pa.schema([("id", pa.int64()), ("name", pa.string())])


def numbered(ids: Iterable[int], word: str = "row", batch_rows: int = 500) -> Iterator[pa.RecordBatch]:
    """Batches of numbers and names, made as they are asked for."""
    some: list[int] = []
    for number in ids:
        some.append(number)
        if len(some) == batch_rows:
            yield _numbered(some, word)
            some = []
    if some:
        yield _numbered(some, word)


def _numbered(ids: list[int], word: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(ids), pa.array([f"{word} {n}" for n in ids])], schema=NUMBERED)
