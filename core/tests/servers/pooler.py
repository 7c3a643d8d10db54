"""A pooler before PostgreSQL, which may refuse statements and tells what was asked; before others it only counts."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

# Lengths and numbers of PostgreSQL's first packets (manual, "Message Formats").
_ENCRYPTION = frozenset({80877103, 80877104})


@dataclass
class Pooler:
    """What it was asked.

    Args:
        port: Where it listens.
        refused: What it says of statements that begin so: SQLSTATE and words.
        connections: How many clients came.
        statements: Their statements, in lower case.
    """

    port: int
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)
    connections: int = 0
    statements: list[str] = field(default_factory=list)

    def asked(self, words: str) -> int:
        """How many statements hold these words."""
        return sum(words in statement for statement in self.statements)


@contextmanager
def pooler(port: int, *, speaks_postgres: bool = True, **refused: tuple[str, str]) -> Iterator[Pooler]:
    """A pooler before the server at a port of this machine.

    Args:
        port: The server's.
        speaks_postgres: Whether statements can be told apart.
        refused: For each first word of a statement, the SQLSTATE and the words with which it is refused.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    made = Pooler(listener.getsockname()[1], refused)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            made.connections += 1
            behind = socket.create_connection(("127.0.0.1", port))
            ask = _statements if speaks_postgres else _carry
            threading.Thread(target=ask, args=(client, behind, made), daemon=True).start()
            threading.Thread(target=_carry, args=(behind, client, made), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield made
    finally:
        listener.close()


def _carry(source: socket.socket, sink: socket.socket, made: Pooler) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _end(source, sink)


def _statements(client: socket.socket, behind: socket.socket, made: Pooler) -> None:
    with suppress(OSError, EOFError):
        while True:
            length, number = struct.unpack("!ii", _exactly(client, 8))
            if number in _ENCRYPTION:
                client.sendall(b"N")
                continue
            behind.sendall(struct.pack("!ii", length, number) + _exactly(client, length - 8))
            break
        while True:
            tag, length = struct.unpack("!ci", _exactly(client, 5))
            body = _exactly(client, length - 4)
            if tag in b"QP":
                text = body.rstrip(b"\0") if tag == b"Q" else body.split(b"\0")[1]
                statement = " ".join(text.decode().lower().split())
                made.statements.append(statement)
                if tag == b"Q" and (refusal := made.refused.get(statement.split()[0])):
                    client.sendall(_error(*refusal))
                    continue
            behind.sendall(struct.pack("!ci", tag, length) + body)
    _end(client, behind)


def _error(state: str, words: str) -> bytes:
    fields = f"SERROR\0VERROR\0C{state}\0M{words}\0\0".encode()
    # To the client the transaction is as it was: the statements of the tests are refused outside of one, or roll back.
    return struct.pack("!ci", b"E", len(fields) + 4) + fields + struct.pack("!cic", b"Z", 5, b"I")


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
