"""Binary COPY to Arrow in C: the Python side of src/pull.c, and which types it decodes."""

from __future__ import annotations

import ctypes
import os
import select
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from dvt.native import library as codec
from dvt.native.libpq import Libpq
from dvt.types import postgres_binary as oids
from dvt.types.postgres import Carrier

# What a pull comes to (src/source.h), beside the codes of `dvt.native.library`.
FULL, ENDED, WAITING, STOPPED, FAILED = range(5)

_WAIT_MS: Final = 100
_NAME = 19

_KINDS: Final = {
    oids.BOOL: codec.BOOL,
    oids.INT2: codec.INT16,
    oids.INT4: codec.INT32,
    oids.OID: codec.INT32,
    oids.INT8: codec.INT64,
    oids.FLOAT4: codec.FLOAT32,
    oids.FLOAT8: codec.FLOAT64,
    oids.NUMERIC: codec.DECIMAL128,
    oids.BYTEA: codec.BYTES,
    oids.TEXT: codec.TEXT,
    oids.VARCHAR: codec.TEXT,
    _NAME: codec.TEXT,
    oids.JSON: codec.TEXT,
    oids.BPCHAR: codec.PADDED,
    oids.JSONB: codec.JSONB,
    oids.UUID: codec.FIXED,
    oids.DATE: codec.DATE,
    oids.TIME: codec.TIME,
    oids.TIMESTAMP: codec.TIMESTAMP,
    oids.TIMESTAMPTZ: codec.TIMESTAMP,
    oids.INTERVAL: codec.INTERVAL,
}


@dataclass(frozen=True)
class Reading:
    """How C reads a column.

    Args:
        type: The Arrow type in which it comes.
        kind: Of the values, of the elements of a list.
        scale: A decimal's digits after the point; bytes of a value of fixed size.
        precision: A decimal's digits in all.
        element_oid: The object id that an array gives for its elements; 0 where it is none.
    """

    type: pa.DataType
    kind: int
    scale: int = 0
    precision: int = 0
    element_oid: int = 0


AS_TEXT: Final = Reading(pa.string(), codec.TEXT)


def reading(carrier: Carrier) -> Reading | None:
    """How a column is read in its binary form; None where none is known, so that its text has to be asked for.

    >>> from dvt.types.postgres import scalar
    >>> reading(scalar(23, -1, 9)), reading(scalar(790, -1, 9))
    (Reading(type=DataType(int32), kind=3, scale=0, precision=0, element_oid=0), None)
    """
    element = carrier.element or carrier
    kind = codec.TEXT if element.is_enum else _KINDS.get(element.oid)
    if kind is None:
        return None
    scale = precision = 0
    if kind == codec.DECIMAL128:
        scale, precision = element.type.scale, element.type.precision
    elif kind == codec.FIXED:
        scale = 16
    return Reading(carrier.type, kind, scale, precision, carrier.element_oid)


class ValueRefusedError(Exception):
    """A value that the decoder refuses.

    Args:
        code: Of `dvt.native.library`: NAN, DIGITS, ARRAY, RANGE, UTF8.
        column: Its number from 0.
        row: Its number in the stream from 0.
        value: Its bytes.
        is_element: Whether they are those of one element of an array.
    """

    def __init__(self, code: int, column: int, row: int, value: bytes, is_element: bool) -> None:
        super().__init__(f"value refused ({code}) in row {row}, column {column}")
        self.code, self.column, self.row = code, column, row
        self.value, self.is_element = value, is_element


class BrokenStreamError(Exception):
    """Bytes that are no binary COPY of the columns; the row, from 0, and the column, None for the row as a whole."""

    def __init__(self, row: int, column: int | None) -> None:
        super().__init__(f"the bytes of row {row + 1} are no binary COPY of these columns")
        self.row, self.column = row, column


class Source(ctypes.Structure):
    """`dvt_source` of src/source.h."""

    _fields_ = [
        ("connection", ctypes.c_void_p),
        ("get_copy_data", ctypes.c_void_p),
        ("free_memory", ctypes.c_void_p),
        ("consume_input", ctypes.c_void_p),
        ("socket", ctypes.c_int32),
        ("wait_ms", ctypes.c_int32),
    ]


def source_of(libpq: Libpq) -> Source:
    """What C is given of a session."""
    return Source(
        libpq.connection,
        *[libpq.address(name) for name in ("PQgetCopyData", "PQfreemem", "PQconsumeInput")],
        libpq.socket,
        _WAIT_MS,
    )


def pause(libpq: Libpq) -> None:
    """After WAITING: C has waited in `poll`, but for Windows, which has none."""
    if os.name == "nt":
        select.select([libpq.socket], [], [], _WAIT_MS / 1000)


class Decoder:
    """One COPY's rows as record batches; used by one thread, closed by any.

    Args:
        library: The codec.
        readings: How each column is read.
        names: The columns' names.
        nullable: Whether each may hold NULLs.
    """

    def __init__(
        self, library: ctypes.CDLL, readings: Sequence[Reading], names: Sequence[str], nullable: Sequence[bool]
    ) -> None:
        self._new, self._free, self._pull, self._export, self._rows, self._refused = _functions(library)
        columns = (codec.Column * len(readings))(
            *[codec.Column(one.kind, one.scale, one.element_oid != 0, one.element_oid) for one in readings]
        )
        precisions = (ctypes.c_int32 * len(readings))(*[one.precision for one in readings])
        self._schema = pa.schema(
            [
                pa.field(name, one.type, is_nullable)
                for name, one, is_nullable in zip(names, readings, nullable, strict=True)
            ]
        )
        self.rows = 0  # in the batches that were given
        self._lock = threading.Lock()
        self._is_closing = False
        self._decoder: int | None = self._new(columns, precisions, len(readings))
        if not self._decoder:
            raise MemoryError("no memory for a decoder")

    @property
    def is_closed(self) -> bool:
        """Whether it gives no more rows."""
        return self._is_closing

    def pull(self, libpq: Libpq, rows: int, max_bytes: int) -> int:
        """Read and decode until a batch has `rows` rows or `max_bytes` bytes; the GIL is free meanwhile.

        Returns:
            FULL, ENDED (what is in the last batch is there), WAITING (to be called again), STOPPED or FAILED.

        Raises:
            ValueRefusedError: Arrow's type cannot carry a value.
            BrokenStreamError: The stream is none.
        """
        source = source_of(libpq)
        problem = codec.Problem()
        with self._lock:  # whoever closes the connection waits here first
            if self._decoder is None or self._is_closing:
                return FAILED
            outcome = int(self._pull(self._decoder, ctypes.byref(source), rows, max_bytes, ctypes.byref(problem)))
            if outcome < 0:
                raise self._failure(problem)
        return outcome

    def waiting_rows(self) -> int:
        """Rows that are decoded and not yet given."""
        with self._lock:
            return int(self._rows(self._decoder)) if self._decoder is not None else 0

    def batch(self) -> pa.RecordBatch | None:
        """The rows that were decoded since the last batch; None when it was closed meanwhile."""
        array = codec.CArray()
        address = ctypes.addressof(array)
        with self._lock:
            if self._decoder is None:
                return None
            if self._export(self._decoder, address) != 0:
                raise MemoryError("no memory for a batch")
        batch = pa.RecordBatch._import_from_c(address, self._schema)
        self.rows += batch.num_rows
        return batch

    def close(self) -> None:
        """Free what it holds, once no thread is in it; the connection is not touched after this."""
        self._is_closing = True  # the thread in `pull` comes out, and not in again before this one has its turn
        with self._lock:
            decoder, self._decoder = self._decoder, None
            if decoder is not None:
                self._free(decoder)

    def __del__(self) -> None:
        if getattr(self, "_decoder", None) is not None:
            self.close()

    def _failure(self, problem: codec.Problem) -> Exception:
        row = self.rows + problem.row
        if problem.code == codec.MEMORY:
            return MemoryError("no memory for a batch")
        if problem.code == codec.BROKEN:
            return BrokenStreamError(row, problem.column if problem.column >= 0 else None)
        length, is_element = ctypes.c_int64(), ctypes.c_int32()
        value = self._refused(self._decoder, ctypes.byref(length), ctypes.byref(is_element))
        data = ctypes.string_at(value, length.value) if value and length.value > 0 else b""
        return ValueRefusedError(problem.code, problem.column, row, data, bool(is_element.value))


def _functions(library: ctypes.CDLL) -> list[ctypes._NamedFuncPointer]:
    pointer, int32, int64 = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
    declared: dict[str, tuple[Any, list[Any]]] = {
        "new": (pointer, [pointer, pointer, int32]),
        "free": (None, [pointer]),
        "pull": (int32, [pointer, pointer, int64, int64, pointer]),
        "export": (int32, [pointer, pointer]),
        "rows": (int64, [pointer]),
        "refused": (pointer, [pointer, pointer, pointer]),
    }
    found = []
    for name, (result, arguments) in declared.items():
        function = library[f"dvt_decoder_{name}"]
        function.restype, function.argtypes = result, arguments
        found.append(function)
    return found
