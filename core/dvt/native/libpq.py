"""Finding the libpq that a PostgreSQL driver has loaded, so that C may call it on the driver's own connection.

psycopg's wheels bring a libpq of their own, its C implementation and its Python implementation take the system's, and
so does psycopg2 built from source: several libraries may be loaded at once, also two of one version, each with an
OpenSSL of its own. The driver's is the one that its extension module is linked to. One is taken only if it says of the
connection what the driver says.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_NEEDED = ("PQlibVersion", "PQbackendPID", "PQsocket", "PQgetCopyData", "PQputCopyData", "PQfreemem", "PQconsumeInput")

# They keep the GIL, for the time in which another thread could close the connection that is asked about.
_OF_NOTHING = ctypes.PYFUNCTYPE(ctypes.c_int)
_OF_CONNECTION = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True)
class Libpq:
    """The functions of a libpq, and a connection that is its own.

    Args:
        library: The library; ctypes lets go of the GIL while it calls one of its functions.
        connection: The address of a `PGconn`; it stands only as long as the driver's connection is open.
        socket: The connection's file descriptor.
    """

    library: ctypes.CDLL
    connection: int
    socket: int

    def address(self, name: str) -> int:
        """The address of a function."""
        return ctypes.cast(getattr(self.library, name), ctypes.c_void_p).value or 0


def of_psycopg(session: psycopg.Connection[Any]) -> Libpq | str:
    """The libpq of a connection of psycopg 3, or the reason why there is none."""
    from psycopg import pq

    connection = session.pgconn.pgconn_ptr
    if not connection:
        return "the session is closed"
    version, pid, socket = pq.version(), session.pgconn.backend_pid, session.pgconn.socket
    known = [*_of_python_implementation(pq.__impl__), *_linked_to(type(session.pgconn).__module__)]
    return _found(known, int(connection), version, pid, socket)


def of_psycopg2(session: Any) -> Libpq | str:
    """The libpq of a connection of psycopg2, or the reason why there is none."""
    import psycopg2.extensions  # type: ignore[import-untyped]

    connection = getattr(session, "pgconn_ptr", None)  # since 2.8
    if not connection:
        return "psycopg2 does not give its connection's address"
    version, pid = psycopg2.extensions.libpq_version(), session.get_backend_pid()
    return _found(_linked_to("psycopg2._psycopg"), int(connection), version, pid, session.fileno())


def _found(known: list[ctypes.CDLL], connection: int, version: int, pid: int, socket: int) -> Libpq | str:
    why_not = []
    for library in itertools.chain(known, _loaded()):  # the memory map takes 10 ms to read: only if it has to be
        why = _unfit(library, connection, version, pid, socket)
        if why is None:
            return Libpq(library, connection, socket)
        why_not.append(f"{library._name}: {why}")
    return "; ".join(why_not) or "the driver's libpq was not found"


def _unfit(library: ctypes.CDLL, connection: int, version: int, pid: int, socket: int) -> str | None:
    missing = [name for name in _NEEDED if not hasattr(library, name)]
    if missing:
        return f"it has no {missing[0]}"
    own = _asked(library, "PQlibVersion")
    if own != version:  # only one of the same version may be asked about the connection
        return f"it is version {own}, the driver's is {version}"
    said = [_asked(library, name, connection) for name in ("PQbackendPID", "PQsocket")]
    return None if said == [pid, socket] else "it does not know the driver's connection"


def _asked(library: ctypes.CDLL, name: str, *connection: int) -> int:
    type_ = _OF_CONNECTION if connection else _OF_NOTHING
    return int(type_((name, library))(*connection))


def _of_python_implementation(name: str) -> list[ctypes.CDLL]:
    if name != "python":
        return []
    from psycopg.pq import _pq_ctypes

    library = getattr(_pq_ctypes, "pq", None)
    return [library] if isinstance(library, ctypes.CDLL) else []


def _linked_to(module: str) -> list[ctypes.CDLL]:
    """An extension module, by which the functions of the libraries that it is linked to are found, but on Windows."""
    path = getattr(sys.modules.get(module), "__file__", None)
    return list(_opened([path])) if path and not path.endswith(".py") else []


def _loaded() -> Iterator[ctypes.CDLL]:
    """The libraries of this process that are a libpq."""
    return _opened(_paths())


def _opened(paths: list[str]) -> Iterator[ctypes.CDLL]:
    mode = getattr(os, "RTLD_NOLOAD", 0) | getattr(os, "RTLD_NOW", 0)
    for path in paths:
        with contextlib.suppress(OSError):  # not loaded, or its file is no longer there
            yield ctypes.CDLL(path, mode=mode)


def _paths() -> list[str]:
    maps = Path("/proc/self/maps")
    if maps.exists():
        lines = maps.read_text(errors="surrogateescape").splitlines()
        mapped = {line.split(maxsplit=5)[5] for line in lines if line.count("/") and len(line.split(maxsplit=5)) == 6}
        return sorted(path for path in mapped if Path(path).name.startswith("libpq"))
    return sorted(str(path) for path in _beside_drivers())


def _beside_drivers() -> Iterator[Path]:
    for name in ("psycopg_binary", "psycopg_c", "psycopg2"):
        module = sys.modules.get(name)
        if module is None or not module.__file__:
            continue
        package = Path(module.__file__).parent
        beside = (package.with_name(f"{name}.libs"), package.with_name(f"{name}_binary.libs"))
        for folder in (package, package / ".dylibs", *beside):
            yield from folder.glob("libpq*")
