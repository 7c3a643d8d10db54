"""Arrow columns as JSON texts of their values, and batches of such as JSON lines; whole columns at a time."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.json_lines import plain_decoder
from dvt.types.json_text import iso_interval, json_writer
from dvt.types.text_values import decimal_texts, iso_texts, uuid_texts
from dvt.types.vocabulary import INTERVAL, is_json, is_uuid

_CONTROLS = [chr(code) for code in range(0x20)]
_SHORT = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def json_renderer(type_: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    """The function that writes a column's values as JSON, NULL as null, each so that it is read back as it was.

    Decimals are texts: most readers make a double of a number. It raises ValueError for what JSON cannot say.
    """
    render = _renderer(type_)
    return lambda array: pc.fill_null(render(array).cast(pa.large_string()), "null")


def json_lines(batch: pa.RecordBatch) -> pa.Buffer:
    """Rows of JSON texts as objects, each with every column, a line each."""
    parts: list[pa.Array | str] = []
    for at, (name, column) in enumerate(zip(batch.schema.names, batch.columns, strict=True)):
        parts += [("," if at else "{") + json.dumps(name, ensure_ascii=False) + ":", column]
    whole = [pa.scalar(part, pa.large_string()) if isinstance(part, str) else part for part in (*parts, "}\n", "")]
    lines = pc.binary_join_element_wise(*whole)
    if not len(lines):
        return pa.py_buffer(b"")
    offsets = lines.buffers()[1]
    first, last = (
        int.from_bytes(offsets[8 * at : 8 * at + 8], sys.byteorder) for at in (lines.offset, lines.offset + len(lines))
    )
    return lines.buffers()[2].slice(first, last - first)


def _renderer(type_: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    if pa.types.is_string(type_):
        return _quoted
    if is_uuid(type_):
        return lambda array: _plainly_quoted(pa.array(uuid_texts(array), pa.string()))
    if is_json(type_):
        return lambda array: _each(_embedded, array.storage)
    if type_ == INTERVAL:
        return lambda array: _plainly_quoted(_each(iso_interval, array))
    if pa.types.is_nested(type_):
        write = json_writer(type_)
        return lambda array: _each(write, array)
    if pa.types.is_decimal(type_):
        return lambda array: _plainly_quoted(pa.array(decimal_texts(array), pa.string()))
    if pa.types.is_temporal(type_):
        return lambda array: _plainly_quoted(iso_texts(array))
    if pa.types.is_floating(type_):
        return _floats
    return lambda array: array.cast(pa.string())


def _floats(array: pa.Array) -> pa.Array:
    if pc.all(pc.is_finite(array)).as_py() is False:
        raise ValueError("JSON has no NaN and no infinity")
    return pc.replace_substring_regex(array.cast(pa.string()), r"^(-?\d+)$", r"\1.0")


def _plainly_quoted(texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', texts, '"', "")


def _quoted(array: pa.Array) -> pa.Array:
    array = pc.replace_substring(pc.replace_substring(array, "\\", "\\\\"), '"', '\\"')
    if pc.any(pc.match_substring_regex(array, r"[\x00-\x1f]")).as_py():
        for control in _CONTROLS:
            array = pc.replace_substring(array, control, _SHORT.get(control, f"\\u{ord(control):04x}"))
    return _plainly_quoted(array)


def _embedded(document: str) -> str:
    """A JSON document in one line: line ends stand only between its parts, where they mean nothing."""
    if plain_decoder().decode(document) is None:
        raise ValueError("the JSON document null would be NULL")
    return document.strip().replace("\n", " ").replace("\r", " ")


def _each(write: Callable[..., str], array: pa.Array) -> pa.Array:
    return pa.array([None if value is None else write(value) for value in array.to_pylist()], pa.string())
