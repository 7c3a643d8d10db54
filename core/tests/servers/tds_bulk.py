"""SQL Server's bulk load as it comes over the wire: the client's COLMETADATA and ROW tokens.

Values come out in the server's own words, as `tds` takes them: a `datetime2(6)` is the text that SQL Server prints.
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from servers import tds
from servers.tds import Column

_DAY_ONE = dt.date(1, 1, 1)
_MAX = 0xFFFF
_UNKNOWN = 0xFFFFFFFFFFFFFFFE
_COLMETADATA, _ROW, _NBCROW, _DONE = 0x81, 0xD1, 0xD2, 0xFD


class Body:
    """The bytes of a bulk load, read from front to end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        self.at += size
        assert self.at <= len(self.data), "the bulk load ends within a value"
        return self.data[self.at - size : self.at]

    def number(self, form: str) -> int:
        """The next number, in `struct`'s form."""
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])


@dataclass(frozen=True)
class Incoming:
    """A column that comes.

    Args:
        type: What holds its values for DuckDB.
        read: Reads the next value, None for NULL.
    """

    type: pa.DataType
    read: Callable[[Body], Any]


def bulk_rows(data: bytes) -> pa.Table:
    """The rows of a bulk load, columns by their place."""
    body = Body(data)
    columns: list[Incoming] = []
    values: list[list[Any]] = []
    while body.at < len(data):
        mark = body.number("<B")
        if mark == _COLMETADATA:
            columns = [_column(body) for _ in range(body.number("<H"))]
            values = [[] for _ in columns]
        elif mark in (_ROW, _NBCROW):
            nulls = int.from_bytes(body.take((len(columns) + 7) // 8), "little") if mark == _NBCROW else 0
            for place, (column, into) in enumerate(zip(columns, values, strict=True)):
                into.append(None if nulls >> place & 1 else column.read(body))
        elif mark == _DONE:
            break
        else:
            raise AssertionError(f"the fake knows no token {mark:#x} in a bulk load")
    arrays = [pa.array(each, column.type) for each, column in zip(values, columns, strict=True)]
    return pa.table(arrays, names=[f"c{place}" for place in range(len(arrays))])


def bulk_answer(columns: list[Column]) -> bytes:
    """What a client asks before a bulk load: open transactions, the table's columns, and their collations."""
    open_, write = tds.row_writer([Column("", "int", False)])
    parts = [open_ + write([0]) + tds.done(1, more=True), tds.row_writer(columns)[0] + tds.done(0, more=True)]
    told = [("colid", "int"), ("name", "nvarchar(128)"), ("tds_collation", "binary(5)"), ("collation", "nvarchar(128)")]
    head, write = tds.row_writer([Column(name, type_) for name, type_ in told])
    rows = [
        (place, c.name, tds.collation_bytes(c.collation) if c.collation else None, c.collation)
        for place, c in enumerate(columns, 1)
    ]
    return b"".join([*parts, head, *map(write, rows), tds.done(len(rows))])


def _column(body: Body) -> Incoming:
    body.take(6)  # user type and flags
    mark = body.number("<B")
    column = _incoming(mark, body)
    body.take(2 * body.number("<B"))
    return column


def _incoming(mark: int, body: Body) -> Incoming:
    if mark in (0x26, 0x30, 0x34, 0x38, 0x7F):
        size = body.number("<B") if mark == 0x26 else 0
        return Incoming(pa.int64(), _sized(_integer, {0x30: 1, 0x34: 2, 0x38: 4, 0x7F: 8}.get(mark), size))
    if mark in (0x68, 0x32):
        size = body.number("<B") if mark == 0x68 else 0
        return Incoming(pa.bool_(), _sized(lambda d: bool(d[0]), 1 if mark == 0x32 else None, size))
    if mark in (0x6D, 0x3B, 0x3E):
        size = body.number("<B") if mark == 0x6D else 0
        return Incoming(pa.float64(), _sized(_float, {0x3B: 4, 0x3E: 8}.get(mark), size))
    if mark in (0x6A, 0x6C):
        _, _, scale = body.take(3)
        return Incoming(pa.string(), _sized(lambda d: format(_decimal(d, scale), "f")))
    if mark == 0x28:
        return Incoming(pa.date32(), _sized(_day))
    if mark in (0x29, 0x2A, 0x2B):
        scale = body.number("<B")
        return Incoming(pa.string(), _sized(lambda d: _moment(mark, d, scale)))
    if mark == 0x24:
        body.take(1)
        return Incoming(pa.string(), _sized(lambda d: str(uuid.UUID(bytes_le=d))))
    if mark in (0xE7, 0xEF, 0xA7, 0xAF):
        size, _ = body.number("<H"), body.take(5)
        code_page = "utf-16le" if mark in (0xE7, 0xEF) else "cp1252"
        return Incoming(pa.string(), _long(lambda d: d.decode(code_page), size))
    if mark in (0xA5, 0xAD):
        return Incoming(pa.binary(), _long(bytes, body.number("<H")))
    raise AssertionError(f"the fake takes no type {mark:#x} in a bulk load")


def _sized(decode: Callable[[bytes], Any], fixed: int | None = None, most: int = 0) -> Callable[[Body], Any]:
    def read(body: Body) -> Any:
        size = fixed or body.number("<B")
        assert not most or size <= most, "a value is longer than its column"
        return decode(body.take(size)) if size else None

    return read


def _long(decode: Callable[[bytes], Any], size: int) -> Callable[[Body], Any]:
    def counted(body: Body) -> Any:
        length = body.number("<H")
        assert length == _MAX or length <= size, "a value is longer than its column"
        return None if length == _MAX else decode(body.take(length))

    def in_parts(body: Body) -> Any:
        length = body.number("<Q")
        if length == 2**64 - 1:
            return None
        parts = []
        while part := body.number("<I"):
            parts.append(body.take(part))
        data = b"".join(parts)
        assert length in (_UNKNOWN, len(data)), "a value has another length than it was announced with"
        return decode(data)

    return in_parts if size == _MAX else counted


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=len(data) > 1)  # a tinyint has no sign


def _float(data: bytes) -> float:
    value = float(struct.unpack("<f" if len(data) == 4 else "<d", data)[0])
    assert value - value == 0, "SQL Server takes neither NaN nor infinities"
    return value


def _decimal(data: bytes, scale: int) -> Decimal:
    digits = tuple(map(int, str(int.from_bytes(data[1:], "little"))))
    return Decimal((0 if data[0] else 1, digits, -scale))


def _day(data: bytes) -> dt.date:
    return _DAY_ONE + dt.timedelta(int.from_bytes(data, "little"))


def _clock(ticks: int, scale: int) -> str:
    seconds, parts = divmod(ticks, 10**scale)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{parts:0{scale}}" if scale else text


def _moment(mark: int, data: bytes, scale: int) -> str:
    size = 3 if scale <= 2 else 4 if scale <= 4 else 5
    ticks = int.from_bytes(data[:size], "little")
    if mark == 0x29:
        return _clock(ticks, scale)
    day, minutes = _day(data[size : size + 3]), 0
    if mark == 0x2B:  # the wire has the moment in UTC
        minutes = struct.unpack("<h", data[size + 3 :])[0]
    days, ticks = divmod(ticks + minutes * 60 * 10**scale, 86_400 * 10**scale)
    text = f"{(day + dt.timedelta(days)).isoformat()} {_clock(ticks, scale)}"
    sign = "-" if minutes < 0 else "+"
    return f"{text} {sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if mark == 0x2B else text
