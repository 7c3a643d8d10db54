"""Rows of a JDBC result as columns, fetched by one call a batch.

A call from Python into Java costs some microseconds, and a cell needs two. Here Java's own method handles are put
together into a loop over the result, which Java compiles and runs by itself: it fills arrays of numbers, and one
buffer of characters or bytes for each other column. Nothing is compiled by us, and no jar is shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from dvt.connections.generic_jvm import java
from dvt.types.generic_jdbc import BOOLEAN, BYTES, DOUBLE, FLOAT, LONG, TEXT

# A column's texts of one batch, in characters or bytes; a batch with more ends early.
_BUFFER_LENGTH = 16 << 20


@dataclass(frozen=True)
class _Column:
    """Where the loop puts a column: `values` is an array, or a buffer with the ends of its values."""

    kind: str
    nulls: Any
    values: Any
    ends: Any = None

    @property
    def is_full(self) -> bool:
        """Whether it is a buffer that has grown beyond what a batch is to hold."""
        if self.ends is None:
            return False
        return int(self.values.length() if self.kind == TEXT else self.values.size()) >= _BUFFER_LENGTH


class RowDrain:
    """Takes the rows of one result, batch by batch.

    Args:
        result: A java.sql.ResultSet, before its first row.
        kinds: For each column how it is fetched.
        batch_rows: Rows in one batch.
    """

    def __init__(self, result: Any, kinds: Sequence[str], batch_rows: int) -> None:
        self._result = result
        self._rows = batch_rows
        self._columns = [self._column(kind) for kind in kinds]
        self._loop = self._whole_loop()
        self._no_arguments = java("java.util.ArrayList")()
        self._is_over = False

    def next_batch(self) -> list[pa.Array] | None:
        """The next rows as arrays, None when there are no more."""
        if self._is_over:
            return None
        count = int(self._loop.invokeWithArguments(self._no_arguments))
        self._is_over = count < self._rows and not any(column.is_full for column in self._columns)
        return [_array(column, count) for column in self._columns] if count else None

    def _column(self, kind: str) -> _Column:
        from jpype import JArray, JBoolean, JDouble, JFloat, JInt, JLong

        nulls = JArray(JBoolean)(self._rows)
        if kind == TEXT:
            return _Column(kind, nulls, java("java.lang.StringBuilder")(), JArray(JInt)(self._rows))
        if kind == BYTES:
            return _Column(kind, nulls, java("java.io.ByteArrayOutputStream")(), JArray(JInt)(self._rows))
        return _Column(
            kind, nulls, JArray({LONG: JLong, DOUBLE: JDouble, FLOAT: JFloat, BOOLEAN: JBoolean}[kind])(self._rows)
        )

    def _whole_loop(self) -> Any:
        """while (row < rows && buffers have room && result.next()) { ...; row = row + 1 }"""
        from jpype import JInt

        handles, code = self._handles, Code()
        step = code.static("java.lang.Math", "incrementExact", code.int, code.int)
        for number, column in reversed(list(enumerate(self._columns, 1))):
            for part in reversed(self._parts(code, number, column)):
                step = handles.foldArguments(step, part)
        goes_on = code.result(self._result, "next", code.boolean)
        never = handles.constant(code.boolean, False)
        for column in self._columns:
            if column.ends is not None:
                goes_on = handles.guardWithTest(self._is_full(code, column), never, goes_on)
        of_row = [code.int]
        is_room = code.is_odd(handles.insertArguments(code.compare, 1, [JInt(self._rows)]))
        goes_on = handles.guardWithTest(
            is_room, handles.dropArguments(goes_on, 0, of_row), handles.dropArguments(never, 0, of_row)
        )
        return handles.whileLoop(handles.constant(code.int, JInt(0)), goes_on, step)

    def _parts(self, code: Code, number: int, column: _Column) -> list[Any]:
        """What is done for a column in a row, in this order; each takes the row's number."""
        from jpype import JInt

        handles = self._handles
        getter, type_ = {
            LONG: ("getLong", code.long),
            DOUBLE: ("getDouble", code.double),
            FLOAT: ("getFloat", code.float),
            BOOLEAN: ("getBoolean", code.boolean),
            TEXT: ("getString", code.string),
            BYTES: ("getBytes", code.bytes),
        }[column.kind]
        get = handles.insertArguments(code.result(self._result, getter, type_, code.int), 0, [JInt(number)])
        is_null = code.into(column.nulls, code.result(self._result, "wasNull", code.boolean))
        if column.ends is None:
            return [code.into(column.values, get), is_null]
        append, length = code.buffer(column.values)
        without_null = code.without_null(type_, column.kind)
        added = handles.collectArguments(append, 0, handles.collectArguments(without_null, 0, get))
        return [handles.dropArguments(added, 0, [code.int]), code.into(column.ends, length), is_null]

    def _is_full(self, code: Code, column: _Column) -> Any:
        """Whether length / most is not 0."""
        from jpype import JInt

        handles = self._handles
        _, length = code.buffer(column.values)
        divide = code.static("java.lang.Math", "floorDiv", code.int, code.int, code.int)
        ratio = handles.collectArguments(handles.insertArguments(divide, 1, [JInt(_BUFFER_LENGTH)]), 0, length)
        return code.is_odd(handles.collectArguments(handles.insertArguments(code.compare, 1, [JInt(0)]), 0, ratio))

    @cached_property
    def _handles(self) -> Any:
        return java("java.lang.invoke.MethodHandles")


class Code:
    """Method handles by name."""

    def __init__(self) -> None:
        from jpype import JArray, JByte

        self._handles = java("java.lang.invoke.MethodHandles")
        self._lookup = self._handles.publicLookup()
        self._method_type = java("java.lang.invoke.MethodType").methodType
        self.int, self.long = java("java.lang.Integer").TYPE, java("java.lang.Long").TYPE
        self.double, self.float = java("java.lang.Double").TYPE, java("java.lang.Float").TYPE
        self.boolean, self.void = java("java.lang.Boolean").TYPE, java("java.lang.Void").TYPE
        self.string, self.bytes = java("java.lang.String").class_, JArray(JByte).class_
        self.compare = self.static("java.lang.Integer", "compare", self.int, self.int, self.int)

    def static(self, owner: str, name: str, result: Any, *arguments: Any) -> Any:
        """A static method."""
        return self._lookup.findStatic(java(owner).class_, name, self._method_type(result, list(arguments)))

    def of(self, owner: str, target: Any, name: str, result: Any, *arguments: Any) -> Any:
        """A method of an object."""
        type_ = self._method_type(result, list(arguments))
        return self._lookup.findVirtual(java(owner).class_, name, type_).bindTo(target)

    def result(self, target: Any, name: str, type_: Any, *arguments: Any) -> Any:
        """A method of the result."""
        return self.of("java.sql.ResultSet", target, name, type_, *arguments)

    def into(self, array: Any, value: Any) -> Any:
        """array[row] = value()"""
        put = self._handles.arrayElementSetter(array.getClass()).bindTo(array)
        return self._handles.collectArguments(put, 1, value)

    def is_odd(self, number: Any) -> Any:
        """A boolean of a number that is -1, 0 or 1: Java takes the lowest bit."""
        return self._handles.explicitCastArguments(number, number.type().changeReturnType(self.boolean))

    def buffer(self, target: Any) -> tuple[Any, Any]:
        """How a value is added to a buffer, and how its length is asked."""
        owner = str(target.getClass().getName())
        if owner == "java.lang.StringBuilder":
            append = self.of(owner, target, "append", target.getClass(), self.string)
            return append.asType(self._method_type(self.void, self.string)), self.of(owner, target, "length", self.int)
        return self.of(owner, target, "writeBytes", self.void, self.bytes), self.of(owner, target, "size", self.int)

    def without_null(self, type_: Any, kind: str) -> Any:
        """A value, or an empty one where it is null."""
        from jpype import JArray, JByte

        any_ = java("java.lang.Object").class_
        empty = java("java.lang.String")("") if kind == TEXT else JArray(JByte)(0)
        either = self.static("java.util.Objects", "requireNonNullElse", any_, any_, any_)
        chosen = self._handles.insertArguments(either, 1, [empty])
        return chosen.asType(self._method_type(type_, type_))


def _array(column: _Column, count: int) -> pa.Array:
    import numpy as np

    nulls = np.array(column.nulls)[:count]
    if column.ends is None:
        return pa.array(np.array(column.values)[:count], mask=nulls)
    ends = np.array(column.ends, dtype=np.int64)[:count]
    if column.kind == TEXT:
        data, ends = _utf8(_units(column.values), ends)
        column.values.setLength(0)
    else:
        data = bytes(column.values.toByteArray())
        column.values.reset()
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    validity = None if not nulls.any() else pa.py_buffer(np.packbits(~nulls, bitorder="little"))
    type_ = pa.string() if column.kind == TEXT else pa.binary()
    return pa.Array.from_buffers(type_, count, [validity, pa.py_buffer(offsets), pa.py_buffer(data)])


def _units(builder: Any) -> Any:
    """The 16-bit units of a StringBuilder. Java's own encoders put another character for half of one, silently."""
    import numpy as np
    from jpype import JArray, JChar

    characters = JArray(JChar)(int(builder.length()))
    builder.getChars(0, len(characters), characters, 0)
    return np.asarray(memoryview(characters)) if len(characters) else np.empty(0, np.uint16)


def _utf8(units: Any, ends: Any) -> tuple[bytes, Any]:
    """UTF-16 as UTF-8, with the ends of values that were counted in 16-bit units.

    Raises:
        UnicodeError: A value holds half of a character.
    """
    import numpy as np

    if not len(units) or int(units.max()) < 0x80:
        return units.astype(np.uint8).tobytes(), ends
    text = units.astype("<u2").tobytes().decode("utf-16-le")
    is_half = (units >= 0xD800) & (units < 0xE000)  # a pair of them has four bytes
    widths = 1 + (units >= 0x80) + ((units >= 0x800) & ~is_half)
    before = np.concatenate(([0], np.cumsum(widths)))
    data = text.encode("utf-8")
    starts = np.concatenate(([0], ends[:-1])) if len(ends) else ends
    at_starts = starts[starts < len(units)]
    if ((units[at_starts] >= 0xDC00) & (units[at_starts] < 0xE000)).any():
        raise UnicodeError("a text begins with half of a character")
    return data, before[ends]
