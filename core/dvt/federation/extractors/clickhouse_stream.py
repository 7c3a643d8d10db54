"""An Arrow stream out of an HTTP body, which counts as whole only when nothing is missing and nothing follows."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator, Iterator
from typing import Any

import pyarrow as pa

from dvt.connections.clickhouse_errors import CutOffError, ServerError, error_number

_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_TAIL_BYTES = 16_384
_PIECE_BYTES = 1 << 20


class ArrowBody:
    """The body of a response, as Arrow reads a file. What came last is kept: an exception of the server stands there.

    Args:
        response: urllib3's, not read yet.
    """

    closed = False

    def __init__(self, response: Any) -> None:
        self._response = response
        self._pieces: Iterator[bytes] = response.stream(_PIECE_BYTES, decode_content=True)
        self._rest = b""
        self._tail = b""
        self._failure: Exception | None = None

    def readable(self) -> bool:
        """Arrow asks."""
        return True

    def read(self, size: int) -> bytes:
        """As many bytes as are wanted; fewer only at the end, or where the connection broke."""
        parts, missing = [], size
        while missing > 0:
            piece = self._rest or self._piece()
            if not piece:
                break
            self._rest = piece[missing:]
            parts.append(piece[:missing])
            missing -= len(parts[-1])
        return b"".join(parts)

    def _piece(self) -> bytes:
        import urllib3

        try:
            piece = next(self._pieces, b"")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._failure = error
            return b""
        self._tail = (self._tail + piece[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        return piece

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """The record batches.

        Raises:
            ServerError: The server failed on the way.
            CutOffError: The body ended before the stream did.
        """
        try:
            with pa.ipc.open_stream(self) as reader:
                yield from reader
        except (pa.ArrowInvalid, pa.ArrowSerializationError, OSError) as error:
            raise self._failed(error) from error
        # Arrow takes the end of the body for the end of the stream.
        if self._rest or not self._tail.endswith(_END) or self._piece() or self._failure is not None:
            raise self._failed(self._failure)

    def _failed(self, error: Exception | None) -> Exception:
        """What the server wrote behind the rows, or that the connection broke."""
        while self._failure is None and self._piece():
            pass
        text = self._tail.decode("utf-8", "replace")
        start = text.rfind("Code: ")
        if start >= 0 and error_number(text[start:]):
            return ServerError(text[start:].strip())
        return CutOffError(f"the result is cut off: {self._failure or error or 'its end is missing'}")

    def cut(self) -> None:
        """End the connection; safe while another thread reads from it."""
        connection = getattr(self._response, "connection", None)
        sock = getattr(connection, "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back when it was read to its end, close it otherwise."""
        self._response.close()
