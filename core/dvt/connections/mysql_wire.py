"""The command phase of the MySQL protocol over an authenticated socket: statements out, packets in.

Layouts are those of the protocol's manual (dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html and
mariadb.com/kb/en/clientserver-protocol/), for a session without CLIENT_DEPRECATE_EOF and without compression.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

import numpy as np

from dvt.connections.mysql_errors import ServerError
from dvt.connections.mysql_rows import Rows
from dvt.native.mysql_rows import Walk

_LONGEST = 0xFFFFFF  # a packet of this length is continued in the next one
_BUFFER_BYTES = 4 << 20
_COM_QUERY = b"\x03"
_EOF, _ERROR, _LOCAL_INFILE = 0xFE, 0xFF, 0xFB
_header = struct.Struct("<I").unpack_from


@dataclass(frozen=True)
class Field:
    """One column of a result, as its definition packet says.

    Args:
        name: Name in the result.
        type_code: Number of the type.
        charset: Number of the collation; 63 is binary.
        length: Longest text in bytes.
        flags: Bits such as NOT_NULL (1) and UNSIGNED (32).
        decimals: Digits after the point.
    """

    name: str
    type_code: int
    charset: int
    length: int
    flags: int
    decimals: int


@dataclass(frozen=True)
class Outcome:
    """What a statement without rows did.

    Args:
        affected_rows: Rows changed.
        warning_count: Warnings and notes it left.
    """

    affected_rows: int
    warning_count: int


class Wire:
    """One conversation; the buffer holds what was received and not yet read.

    Args:
        connected: The socket, of a session that is logged in.
        has_query_attributes: Whether the session has CLIENT_QUERY_ATTRIBUTES.
        walk: The native codec's way to find packets; None for Python's.
    """

    def __init__(self, connected: socket.socket, has_query_attributes: bool, walk: Walk | None = None) -> None:
        self._socket = connected
        self._native_walk = walk
        # No attributes, one set of them: what a session with CLIENT_QUERY_ATTRIBUTES puts before each statement.
        self._prefix = _COM_QUERY + (b"\x00\x01" if has_query_attributes else b"")
        self._buffer = bytearray(_BUFFER_BYTES)
        self._start = self._end = 0
        self._sequence = 0

    def ask(self, sql: str) -> None:
        """Send a statement."""
        self._sequence = 0
        self.write(self._prefix + sql.encode())

    def quit(self) -> None:
        """Tell the server that the session ends."""
        self._sequence = 0
        self.write(b"\x01")

    def write(self, payload: bytes | memoryview) -> None:
        """Send one logical packet, cut where it is too long for one on the wire."""
        rest = memoryview(payload)
        while True:
            part = rest[:_LONGEST]
            rest = rest[_LONGEST:]
            try:
                self._socket.sendall(b"".join((len(part).to_bytes(3, "little"), bytes((self._sequence,)), part)))
            except OSError as error:
                raise ServerError(2006, f"the server ended the session ({error})") from error
            self._sequence = (self._sequence + 1) % 256
            if len(part) < _LONGEST:
                return

    def read_packet(self) -> bytes:
        """One logical packet.

        Raises:
            ServerError: It is an error packet, or the connection broke.
        """
        parts: list[bytes] = []
        while True:
            self._receive(4)
            size = _header(self._buffer, self._start)[0] & _LONGEST
            self._receive(4 + size)
            number = self._buffer[self._start + 3]
            begin = self._start + 4
            parts.append(bytes(self._buffer[begin : begin + size]))
            self._start = begin + size
            is_error = len(parts) == 1 and parts[0][:1] == b"\xff"
            if is_error:
                raise server_error(parts[0])
            self._check_sequence(number)
            if size < _LONGEST:
                return b"".join(parts)

    def read_outcome(self) -> Outcome:
        """The answer to a statement that gives no rows."""
        return outcome(self.read_packet())

    def read_fields(self) -> list[Field]:
        """The column definitions that begin a result; none when the statement gave no rows."""
        first = self.read_packet()
        if first[0] == 0:
            return []
        if first[0] == _LOCAL_INFILE:
            # Only `send_file` follows a statement of ours that loads; any other request is not honoured.
            self.write(b"")
            self.read_packet()
            raise ServerError(2027, "the server asked for a file that no statement of ours offers")
        count, _ = _length(first, 0)
        fields = [_field(self.read_packet()) for _ in range(count)]
        self.read_packet()  # the end of the definitions
        return fields

    def begins_file(self) -> bool:
        """Whether the server now waits for the file of LOAD DATA LOCAL. The file name it sends is not looked at."""
        return self.read_packet()[0] == _LOCAL_INFILE

    def read_rows(self, most: int) -> Rows | None:
        """Complete row packets, waiting for one at least; None at the end of the result.

        Args:
            most: At most that many rows.

        Raises:
            ServerError: The server stopped the result, or the connection broke.
        """
        starts: list[int] = []
        self._receive(4)
        position = self._start
        while True:
            position = self._walk(position, starts, most)
            if not starts:
                size = _header(self._buffer, self._start)[0] & _LONGEST
                if size == _LONGEST:
                    return Rows.of_one(self.read_packet())
                self._receive(4 + size)
                position = self._start  # the bytes may have been moved to the buffer's front
            elif self._is_last(starts[-1], position) or len(starts) >= most or self._cannot_grow(position):
                break
            else:
                self._receive_more()
        return self._taken(starts, position)

    def _walk(self, position: int, starts: list[int], most: int) -> int:
        """Collect the payload starts of complete packets; gives the position behind the last one."""
        if self._native_walk is not None:
            position, found = self._native_walk(self._buffer, position, self._end, most - len(starts))
            starts.extend(found)
            return position
        buffer, end, header, add = self._buffer, self._end - 4, _header, starts.append
        while position <= end:
            size = header(buffer, position)[0] & _LONGEST
            after = position + 4 + size
            if after > end + 4 or size == _LONGEST:
                break
            add(position + 4)
            position = after
            if len(starts) >= most:
                break
        return position

    def _cannot_grow(self, position: int) -> bool:
        """Whether the packet at a position has to wait: the buffer is full, or it is one of a long row."""
        is_full = self._end == len(self._buffer)
        return is_full or (self._end - position >= 4 and _header(self._buffer, position)[0] & _LONGEST == _LONGEST)

    def _is_last(self, start: int, after: int) -> bool:
        first = self._buffer[start]
        return first == _ERROR or (first == _EOF and after - start < 9)

    def _taken(self, starts: list[int], position: int) -> Rows | None:
        is_last = self._is_last(starts[-1], position)
        data = np.frombuffer(self._buffer, dtype=np.uint8)
        at = np.array(starts, dtype=np.int64)
        numbers = (np.arange(len(at)) + self._sequence) & 0xFF
        is_ordered = bool((data[at - 1] == numbers).all())
        if is_last:
            last = bytes(self._buffer[starts[-1] : position])
            if last[0] == _ERROR:
                self._start = position
                raise server_error(last)
            position, at = starts[-1] - 4, at[:-1]
        if not is_ordered:
            raise ServerError(2027, "packets came out of order")
        self._sequence = (self._sequence + len(at)) % 256
        self._start = position
        if len(at):
            return Rows(data, at, position)
        self.read_packet()
        return None

    def _receive(self, wanted: int) -> None:
        """Have at least `wanted` unread bytes in the buffer."""
        have = self._end - self._start
        if have >= wanted:
            return
        if have == 0:
            self._start = self._end = 0
        if self._start + wanted > len(self._buffer):
            # A new buffer where it has to grow: arrays may still look into the old one.
            target = self._buffer if wanted <= len(self._buffer) else bytearray(wanted + _BUFFER_BYTES)
            target[:have] = self._buffer[self._start : self._end]
            self._buffer, self._start, self._end = target, 0, have
        while self._end - self._start < wanted:
            self._receive_more()

    def _receive_more(self) -> None:
        with memoryview(self._buffer) as view:
            try:
                count = self._socket.recv_into(view[self._end :])
            except OSError as error:
                raise ServerError(2013, f"the connection to the server was lost ({error})") from error
        if count == 0:
            raise ServerError(2013, "the connection to the server was lost")
        self._end += count

    def _check_sequence(self, number: int) -> None:
        if number != self._sequence:
            raise ServerError(2027, "packets came out of order")
        self._sequence = (self._sequence + 1) % 256


def server_error(packet: bytes) -> ServerError:
    """The error that an error packet tells."""
    text = packet[9:] if packet[3:4] == b"#" else packet[3:]
    return ServerError(int.from_bytes(packet[1:3], "little"), text.decode("utf-8", "replace"))


def outcome(packet: bytes) -> Outcome:
    """What an OK packet says."""
    affected, at = _length(packet, 1)
    _, at = _length(packet, at)
    return Outcome(affected, int.from_bytes(packet[at + 2 : at + 4], "little"))


def _length(packet: bytes, at: int) -> tuple[int, int]:
    """A length-encoded integer and the position behind it."""
    first = packet[at]
    if first < 0xFB:
        return first, at + 1
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(packet[at + 1 : at + 1 + width], "little"), at + 1 + width


def _field(packet: bytes) -> Field:
    at = 0
    texts: list[bytes] = []
    for _ in range(6):  # catalogue, database, alias of the table, table, name, name in the table
        size, at = _length(packet, at)
        texts.append(packet[at : at + size])
        at += size
    charset, length, type_code, flags, decimals = struct.unpack_from("<HIBHB", packet, at + 1)
    return Field(texts[4].decode(), type_code, charset, length, flags, decimals)
