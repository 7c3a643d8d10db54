"""A gate before a server: what a client sends goes through until a request of a certain kind, which waits there."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_BLOCK = 1 << 16


class Gate:
    """A forwarder on a free loopback port.

    Args:
        port: The server's.
        held: What stands in the first line of a request that is held.
    """

    def __init__(self, port: int, held: bytes) -> None:
        self._port, self._held = port, held
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open = threading.Event()
        self._waiting: list[int] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def waiting(self) -> list[int]:
        """The ports of the clients whose request was held, in the order in which they came."""
        return list(self._waiting)

    def release(self) -> None:
        """Let through what waits, and what comes."""
        self._open.set()

    def close(self) -> None:
        """Take no more clients."""
        self.release()
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, (_, port) = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                for one, other, watched in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass, args=(one, other, port, watched), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, port: int, watched: bool) -> None:
        with contextlib.suppress(OSError):  # either side has gone
            while block := one.recv(_BLOCK):
                if watched and self._held in block.partition(b"\r\n")[0] and not self._open.is_set():
                    self._waiting.append(port)
                    self._open.wait()
                other.sendall(block)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def gate(address: str, held: bytes) -> Iterator[Gate]:
    """A gate before a server, by its address."""
    made = Gate(int(address.rsplit(":", 1)[1]), held)
    try:
        yield made
    finally:
        made.close()
