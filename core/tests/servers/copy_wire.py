"""A server that speaks as much of PostgreSQL's protocol as one COPY takes, and answers each query with given bytes.

The messages are those of the manual's chapter "Frontend/Backend Protocol", version 3.0.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A message with its length."""
    return kind + struct.pack(">i", len(body) + 4) + body


def copied(columns: int, pieces: Sequence[bytes], rows: int) -> bytes:
    """The answer to a COPY to the client: its pieces as messages, and what follows them."""
    head = message(b"H", struct.pack(">bh", 1, columns) + struct.pack(">h", 1) * columns)
    data = b"".join(message(b"d", piece) for piece in pieces)
    return head + data + message(b"c") + message(b"C", b"COPY %d\0" % rows) + message(b"Z", b"I")


_GREETING = b"".join(
    [
        message(b"R", struct.pack(">i", 0)),
        *(message(b"S", setting) for setting in (b"server_version\x0015.4\0", b"client_encoding\0UTF8\0")),
        message(b"K", struct.pack(">ii", 1, 1)),
        message(b"Z", b"I"),
    ]
)


@contextmanager
def answering(answers: Sequence[bytes]) -> Iterator[int]:
    """The port of a server whose connections get these answers, one each, and then the end."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            for answer in answers:
                client, _ = listener.accept()
                with client, suppress(OSError):
                    _converse(client, answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def _converse(client: socket.socket, answer: bytes) -> None:
    client.recv(65536)  # the start, in one piece on the loopback
    client.sendall(_GREETING)
    client.recv(65536)  # the query
    client.sendall(answer)
    client.shutdown(socket.SHUT_WR)
    while client.recv(65536):  # closed with something unread, what was sent might be lost
        pass
