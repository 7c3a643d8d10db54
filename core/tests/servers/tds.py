"""SQL Server's wire format (MS-TDS 7.4) as far as a result needs it: packets, tokens, and each type's own bytes.

Every type is written as the specification has it ([MS-TDS] 2.2.5.4 to 2.2.5.6), so that the vendor's client reads what
a server would send. Values are given in the server's own words: a `datetime2(7)` is the text that SQL Server prints.
"""

from __future__ import annotations

import datetime as dt
import re
import struct
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

HEADER_BYTES = 8
REPLY, BATCH, RPC, ATTENTION, BULK, TRANSACTION, LOGIN, PRELOGIN = 4, 1, 3, 6, 7, 14, 16, 18
LATIN1, CYRILLIC, UTF8 = "SQL_Latin1_General_CP1_CI_AS", "Cyrillic_General_CI_AS", "Latin1_General_100_CI_AS_SC_UTF8"
BINARY = "Latin1_General_BIN2"
# Of code page 1252, into which the fake lets bytes that stand for no character.
ANY_BYTES = "Latin1_General_CI_AI"
# What stands for half of a surrogate pair: no engine of ours holds one.
HALF_A_PAIR = "\U000ffffd"
_NOT_SENT = 0xFFFF
_PLP_BYTES = 3000
# The collation's bytes on the wire, and Python's name of its code page.
_COLLATIONS = {
    LATIN1: (bytes.fromhex("0904d00034"), "cp1252"),
    CYRILLIC: (bytes.fromhex("1904d00000"), "cp1251"),
    UTF8: (bytes.fromhex("0904d02600"), "utf-8"),
    BINARY: (bytes.fromhex("0904000100"), "cp1252"),
    ANY_BYTES: (bytes.fromhex("0904f00000"), "latin-1"),
}
_DAY_ONE = dt.date(1, 1, 1)
_YEAR_1900 = dt.date(1900, 1, 1)

Writer = Callable[[Any], bytes]


@dataclass(frozen=True)
class Column:
    """A column of a result.

    Args:
        name: Its name.
        type: Its type as SQL Server names it: "decimal(10,2)".
        nullable: Whether it may be NULL.
        collation: Of a text column.
    """

    name: str
    type: str
    nullable: bool = True
    collation: str | None = None


def b_varchar(text: str) -> bytes:
    """A text whose length in characters is a byte."""
    return bytes([len(text.encode("utf-16le")) // 2]) + text.encode("utf-16le")


def us_varchar(text: str) -> bytes:
    """A text whose length in characters are two bytes."""
    return struct.pack("<H", len(text.encode("utf-16le")) // 2) + text.encode("utf-16le")


def token(mark: int, body: bytes) -> bytes:
    """A token with its length."""
    return bytes([mark]) + struct.pack("<H", len(body)) + body


def change(kind: int, new: bytes, old: bytes = b"\0") -> bytes:
    """ENVCHANGE."""
    return token(0xE3, bytes([kind]) + new + old)


def error(number: int, message: str, severity: int = 16) -> bytes:
    """ERROR."""
    where = b_varchar("fake") + b_varchar("") + struct.pack("<i", 1)
    return token(0xAA, struct.pack("<iBB", number, 1, severity) + us_varchar(message) + where)


def done(rows: int | None = None, *, more: bool = False, failed: bool = False, attention: bool = False) -> bytes:
    """DONE."""
    status = (0x10 if rows is not None else 0) | more | (0x02 if failed else 0) | (0x20 if attention else 0)
    return struct.pack("<BHHQ", 0xFD, status, 0xC1, rows or 0)


def login_reply(database: str, packet_bytes: int) -> bytes:
    """What a server says to whom it lets in."""
    collation = _COLLATIONS[LATIN1][0]
    acknowledged = b"\x01\x74\x00\x00\x04" + b_varchar("Microsoft SQL Server") + bytes([16, 0, 3, 232])
    return (
        change(1, b_varchar(database), b_varchar("master"))
        + change(7, bytes([5]) + collation)
        + change(2, b_varchar("us_english"))
        + token(0xAD, acknowledged)
        + change(4, b_varchar(str(packet_bytes)), b_varchar("4096"))
    )


def prelogin_reply() -> bytes:
    """Version 16, and no encryption."""
    options = [(0, struct.pack(">BBHH", 16, 0, 1000, 0)), (1, b"\x02"), (2, b"\0"), (4, b"\0")]
    head, data, offset = b"", b"", 5 * len(options) + 1
    for mark, value in options:
        head += struct.pack(">BHH", mark, offset + len(data), len(value))
        data += value
    return head + b"\xff" + data


def login_fields(packet: bytes) -> dict[str, str]:
    """User, password and database of a LOGIN7 packet."""
    fields = {}
    for name, at in (("user", 40), ("password", 44), ("program", 48), ("database", 68)):
        offset, length = struct.unpack_from("<HH", packet, at)
        raw = packet[offset : offset + 2 * length]
        if name == "password":
            raw = bytes(((byte ^ 0xA5) << 4 & 0xF0) | ((byte ^ 0xA5) >> 4) for byte in raw)
        fields[name] = raw.decode("utf-16le")
    return fields


def collation_bytes(name: str) -> bytes:
    """A collation as it is on the wire."""
    return _COLLATIONS[name][0]


def row_writer(columns: Sequence[Column]) -> tuple[bytes, Callable[[Sequence[Any]], bytes]]:
    """COLMETADATA of the columns, and what writes a row of values as ROW."""
    kinds = [_type(column) for column in columns]
    head = b"\x81" + struct.pack("<H", len(columns))
    for (info, _), column in zip(kinds, columns, strict=True):
        head += struct.pack("<IH", 0, 8 | column.nullable) + info + b_varchar(column.name)
    writers = [writer for _, writer in kinds]

    def write(row: Sequence[Any]) -> bytes:
        return b"\xd1" + b"".join(writer(value) for writer, value in zip(writers, row, strict=True))

    return head, write


_FIXED = {
    "bit": (0x32, 0x68, 1, lambda v: bytes([bool(v)])),
    "tinyint": (0x30, 0x26, 1, lambda v: bytes([v])),
    "smallint": (0x34, 0x26, 2, lambda v: struct.pack("<h", v)),
    "int": (0x38, 0x26, 4, lambda v: struct.pack("<i", v)),
    "bigint": (0x7F, 0x26, 8, lambda v: struct.pack("<q", v)),
    "real": (0x3B, 0x6D, 4, lambda v: struct.pack("<f", v)),
    "float": (0x3E, 0x6D, 8, lambda v: struct.pack("<d", v)),
    "money": (0x3C, 0x6E, 8, lambda v: struct.pack("<iI", *divmod(_scaled(v, 4), 1 << 32))),
    "smallmoney": (0x7A, 0x6E, 4, lambda v: struct.pack("<i", _scaled(v, 4))),
    "datetime": (0x3D, 0x6F, 8, lambda v: _datetime(v)),
    "smalldatetime": (0x3A, 0x6F, 4, lambda v: _smalldatetime(v)),
}


def _type(column: Column) -> tuple[bytes, Writer]:
    """TYPE_INFO and what writes a value."""
    base, _, rest = column.type.lower().partition("(")
    arguments = rest.rstrip(")").replace(" ", "").split(",") if rest else []
    if base in _FIXED:
        fixed, nullable, size, write = _FIXED[base]
        if not column.nullable:
            return bytes([fixed]), write
        return bytes([nullable, size]), lambda v: b"\0" if v is None else bytes([size]) + write(v)
    if base in ("decimal", "numeric"):
        precision, scale = int(arguments[0]), int(arguments[1])
        return bytes([0x6A, 17, precision, scale]), lambda v: _counted(v, lambda d: _decimal(d, scale))
    if base == "date":
        return b"\x28", lambda v: _counted(v, lambda d: _days(d))
    if base in ("time", "datetime2", "datetimeoffset"):
        scale = int(arguments[0]) if arguments else 7
        mark = {"time": 0x29, "datetime2": 0x2A, "datetimeoffset": 0x2B}[base]
        return bytes([mark, scale]), lambda v: _counted(v, lambda text: _moment(base, text, scale))
    if base == "uniqueidentifier":
        return b"\x24\x10", lambda v: _counted(v, lambda text: uuid.UUID(str(text)).bytes_le)
    if base in ("binary", "varbinary", "rowversion", "timestamp"):
        return _bytes_type(0xAD if base != "varbinary" else 0xA5, arguments or ["8"], b"", bytes)
    if base in ("char", "varchar", "nchar", "nvarchar"):
        wire, code_page = _COLLATIONS[column.collation or LATIN1]
        mark = {"char": 0xAF, "varchar": 0xA7, "nchar": 0xEF, "nvarchar": 0xE7}[base]
        if base.startswith("n"):
            return _bytes_type(mark, arguments or ["1"], wire, _utf16, 2)
        return _bytes_type(mark, arguments or ["1"], wire, lambda text: text.encode(code_page))
    raise NotImplementedError(f"the fake sends no {column.type}: it has to be asked for by a cast")


def _utf16(text: str) -> bytes:
    return text.replace(HALF_A_PAIR, "\ud800").encode("utf-16le", "surrogatepass")


def _bytes_type(
    mark: int, arguments: list[str], collation: bytes, encode: Callable[[Any], bytes], width: int = 1
) -> tuple[bytes, Writer]:
    if arguments[0] == "max":
        return bytes([mark]) + struct.pack("<H", _NOT_SENT) + collation, lambda v: _chunks(v, encode)
    size = int(arguments[0]) * width

    def write(value: Any) -> bytes:
        if value is None:
            return struct.pack("<H", _NOT_SENT)
        data = encode(value)
        return struct.pack("<H", len(data)) + data

    return bytes([mark]) + struct.pack("<H", size) + collation, write


def _chunks(value: Any, encode: Callable[[Any], bytes]) -> bytes:
    """A value of unlimited length, in parts (PLP). Its length is told: mssql-python 1.16 hangs over bytes without."""
    if value is None:
        return b"\xff" * 8
    data = encode(value)
    parts = [struct.pack("<Q", len(data))]
    for start in range(0, len(data), _PLP_BYTES):
        part = data[start : start + _PLP_BYTES]
        parts.append(struct.pack("<I", len(part)) + part)
    return b"".join(parts) + struct.pack("<I", 0)


def _counted(value: Any, encode: Callable[[Any], bytes]) -> bytes:
    if value is None:
        return b"\0"
    data = encode(value)
    return bytes([len(data)]) + data


def _decimal(value: Decimal, scale: int) -> bytes:
    whole = _scaled(value, scale)
    return bytes([whole >= 0]) + abs(whole).to_bytes(16, "little")


def _scaled(value: Decimal, scale: int) -> int:
    """A decimal as a number of its last places; Decimal's own arithmetic rounds to 28 digits."""
    sign, digits, exponent = value.as_tuple()
    return (-1 if sign else 1) * int("".join(map(str, digits))) * 10 ** (scale + int(exponent))


def _days(day: dt.date) -> bytes:
    return (day - _DAY_ONE).days.to_bytes(3, "little")


_CLOCK = re.compile(r"(\d+):(\d+)(?::(\d+)(?:\.(\d{1,7}))?)?")


def _ticks(text: str, scale: int) -> int:
    hour, minute, second, fraction = _CLOCK.fullmatch(text).groups()  # type: ignore[union-attr]
    parts = int((fraction or "0").ljust(7, "0")) // 10 ** (7 - scale)
    return (int(hour) * 3600 + int(minute) * 60 + int(second or 0)) * 10**scale + parts


def _moment(base: str, text: str, scale: int) -> bytes:
    size = 3 if scale <= 2 else 4 if scale <= 4 else 5
    words = str(text).split(" ")
    if base == "time":
        return _ticks(words[0], scale).to_bytes(size, "little")
    day, clock = dt.date.fromisoformat(words[0]), words[1] if len(words) > 1 else "00:00"
    minutes = 0
    if base == "datetimeoffset":
        sign, hours, rest = re.fullmatch(r"([+-])(\d\d):(\d\d)", words[2]).groups()  # type: ignore[union-attr]
        minutes = (int(hours) * 60 + int(rest)) * (-1 if sign == "-" else 1)
    # The wire has the moment in UTC.
    ticks = _ticks(clock, scale) - minutes * 60 * 10**scale
    days, ticks = divmod(ticks, 86_400 * 10**scale)
    data = ticks.to_bytes(size, "little") + ((day - _DAY_ONE).days + days).to_bytes(3, "little")
    return data + struct.pack("<h", minutes) if base == "datetimeoffset" else data


def _datetime(text: str) -> bytes:
    day, clock = str(text).split(" ")
    ticks = round(_ticks(clock, 3) * 3 / 10)
    return struct.pack("<iI", (dt.date.fromisoformat(day) - _YEAR_1900).days, ticks)


def _smalldatetime(text: str) -> bytes:
    day, clock = str(text).split(" ")
    return struct.pack("<HH", (dt.date.fromisoformat(day) - _YEAR_1900).days, _ticks(clock, 0) // 60)
