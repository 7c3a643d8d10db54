"""A port that refuses, until it is opened before a server: one that starts a little later than its client."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_RESET = struct.pack("ii", 1, 0)  # what is not sent yet is thrown away, and the other side told


class LatePort:
    """A loopback port of its own that leads to a server's once it is open.

    Args:
        behind: The server's port.
    """

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))  # bound, and not listening: whoever connects is refused
        self.number: int = self._listener.getsockname()[1]
        self.taken = 0
        self.was_asked = threading.Event()

    def open(self, *, breaks: bool = False) -> None:
        """From now on it answers.

        Args:
            breaks: It resets each connection instead.
        """
        self._listener.listen()
        threading.Thread(target=self._serve, args=(breaks,), daemon=True).start()

    def close(self) -> None:
        """It refuses again."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, breaks: bool) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.taken += 1
                self.was_asked.set()
                if breaks:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._behind))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_carry, args=(source, sink), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def late_port(behind: int) -> Iterator[LatePort]:
    """A port that still refuses; the caller opens it."""
    port = LatePort(behind)
    try:
        yield port
    finally:
        port.close()
