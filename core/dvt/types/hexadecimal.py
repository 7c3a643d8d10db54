"""Bytes to hexadecimal text and back for whole Arrow arrays, through their buffers."""

from __future__ import annotations

import binascii

import pyarrow as pa
import pyarrow.compute as pc

_UUID_BYTES = 16


def offsets_of(lengths: pa.Array) -> pa.Array:
    """The offsets of a list or string array from the lengths of its values (no nulls).

    >>> offsets_of(pa.array([2, 0, 1], pa.int32())).to_pylist()
    [0, 2, 2, 3]
    """
    zero = pa.array([0], pa.int32())
    return pa.concat_arrays([zero, pc.cast(pc.cumulative_sum(lengths), pa.int32())])


def validity_of(array: pa.Array) -> pa.Buffer | None:
    """The validity bitmap of an array, starting at its first value; None when nothing is null."""
    return pc.is_valid(array).buffers()[1] if array.null_count else None


def binary_from_hex(texts: pa.Array) -> pa.Array:
    """A binary array from an array of hexadecimal digits.

    >>> binary_from_hex(pa.array(["00ff", None, ""])).to_pylist()
    [b'\\x00\\xff', None, b'']
    """
    digits = pc.fill_null(texts, "")
    lengths = pc.cast(pc.divide(pc.binary_length(digits), 2), pa.int32())
    raw = pa.py_buffer(binascii.unhexlify(_content(digits)))
    return pa.Array.from_buffers(pa.binary(), len(texts), [validity_of(texts), offsets_of(lengths).buffers()[1], raw])


def hex_from_binary(values: pa.Array) -> pa.Array:
    """An array of hexadecimal digits from a binary array.

    >>> hex_from_binary(pa.array([b"\\x00\\xff", None, b""])).to_pylist()
    ['00ff', None, '']
    """
    present = pc.fill_null(values, b"")
    lengths = pc.multiply(pc.binary_length(present), pa.scalar(2, pa.int32()))
    digits = pa.py_buffer(binascii.hexlify(_content(present)))
    return pa.Array.from_buffers(
        pa.string(), len(values), [validity_of(values), offsets_of(lengths).buffers()[1], digits]
    )


def uuid_storage_from_text(texts: pa.Array) -> pa.Array:
    """The sixteen bytes of each UUID text, with or without hyphens."""
    bare = pc.fill_null(pc.replace_substring(texts, "-", ""), "0" * 2 * _UUID_BYTES)
    raw = pa.py_buffer(binascii.unhexlify(_content(bare)))
    return pa.Array.from_buffers(pa.binary(_UUID_BYTES), len(texts), [validity_of(texts), raw])


def uuid_digits(storage: pa.Array) -> pa.Array:
    """Thirty-two hexadecimal digits for each UUID."""
    data = storage.buffers()[1]
    start, end = storage.offset * _UUID_BYTES, (storage.offset + len(storage)) * _UUID_BYTES
    digits = pa.py_buffer(binascii.hexlify(memoryview(data)[start:end]) if data is not None else b"")
    width = 2 * _UUID_BYTES
    offsets = pa.array(range(0, width * len(storage) + 1, width), pa.int32())
    return pa.Array.from_buffers(pa.string(), len(storage), [validity_of(storage), offsets.buffers()[1], digits])


def _content(array: pa.Array) -> memoryview:
    """All bytes of a string or binary array without nulls, one value after another."""
    _, offsets, data = array.buffers()
    if data is None or len(array) == 0:
        return memoryview(b"")
    marks = memoryview(offsets).cast("i")
    return memoryview(data)[marks[array.offset] : marks[array.offset + len(array)]]
