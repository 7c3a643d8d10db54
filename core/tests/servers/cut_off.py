"""A TCP proxy that can be cut off: a network that fails in the middle."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def cut_off(port: int, after_bytes: int, *, of_the_client: bool, gate: threading.Event | None = None) -> Iterator[int]:
    """The port of a proxy that cuts each connection after so many bytes of one direction.

    Args:
        port: Where the server listens on the loopback address.
        after_bytes: How much of that direction is carried.
        of_the_client: Whether what the client sends is counted, or what the server sends.
        gate: What the server sends waits until it is set.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def carry(source: socket.socket, sink: socket.socket, most: int | None) -> None:
        moved = 0
        with suppress(OSError):
            while data := source.recv(65536):
                moved += len(data)
                if most is not None and moved > most:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()  # so that a sender who fills the buffers is told, too

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            behind = socket.create_connection(("127.0.0.1", port))
            if gate is not None:
                gate.wait()
            limits = (after_bytes, None) if of_the_client else (None, after_bytes)
            threading.Thread(target=carry, args=(client, behind, limits[0]), daemon=True).start()
            threading.Thread(target=carry, args=(behind, client, limits[1]), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
