"""Logging in with one of two drivers; what both give is an authenticated, perhaps encrypted, socket.

The drivers know the authentication plugins and the TLS handshake. Results are read from the socket by
`mysql_wire`, several times faster than either driver decodes rows, and without their reading of a file that the
server names (LOAD DATA LOCAL).
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Any

from dvt.connections import mysql_careful
from dvt.connections.connection import Connection
from dvt.connections.mysql_errors import translate
from dvt.errors import ConfigurationError, ConnectionFailedError, MissingDriverError

_MODULES = {"pymysql": "pymysql", "mysql-connector": "mysql.connector"}
_EXTRAS = {"pymysql": "mysql", "mysql-connector": "mysql-connector"}


@dataclass(frozen=True)
class Login:
    """An authenticated session.

    Args:
        socket: Plain or TLS socket, with nothing pending.
        has_query_attributes: Whether statements are preceded by an (empty) list of attributes.
        owner: The driver's object; it closes the socket when it is collected, so it is kept.
    """

    socket: socket.socket
    has_query_attributes: bool
    owner: Any


def chosen_driver(connection: Connection) -> str:
    """The driver that logs in: the option's, or the first installed.

    Raises:
        MissingDriverError: It is not installed.
    """
    wanted = str(connection.options["driver"])
    if wanted == "auto":
        module = connection.require_driver()
        return next(name for name, importable in _MODULES.items() if importable == module)
    import importlib.util

    try:
        is_there = importlib.util.find_spec(_MODULES[wanted]) is not None
    except ModuleNotFoundError:
        is_there = False
    if not is_there:
        raise MissingDriverError(
            f"the driver {wanted} is not installed",
            connection=connection.name,
            remedy=f"Run: pip install 'dvt[{_EXTRAS[wanted]}]'",
        )
    return wanted


def login(connection: Connection, database: str | None) -> Login:
    """Connect and authenticate.

    Args:
        connection: The connection.
        database: The session's current database.

    Raises:
        ConnectionFailedError: And its family.
        ConfigurationError: A TLS file cannot be read, or the database does not exist.
    """
    opener = _with_pymysql if chosen_driver(connection) == "pymysql" else _with_connector
    done = opener(connection, database)
    if _tls_is_required(connection) and not isinstance(done.socket, ssl.SSLSocket):
        done.socket.close()
        raise ConnectionFailedError(
            "TLS was asked for, but the session is not encrypted", connection=connection.name, phase="connect"
        )
    done.socket.settimeout(None)
    return done


def _address(connection: Connection) -> dict[str, Any]:
    if connection.first("unix_socket"):
        return {"unix_socket": str(connection.first("unix_socket"))}
    return {"host": str(connection.first("server", "host")), "port": int(connection.first("port", default=3306))}


def _tls_is_required(connection: Connection) -> bool:
    keys = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity")
    return any(connection.first(key) for key in keys) and not connection.first("ssl_disabled")


def _verifies(connection: Connection) -> bool:
    # Who names a CA wants it checked, unless the profile says otherwise.
    named_ca = bool(connection.first("ssl_ca")) and connection.settings.get("ssl_verify_cert") is None
    return bool(connection.first("ssl_verify_cert", "ssl_verify_identity")) or named_ca


def _tls_context(connection: Connection) -> ssl.SSLContext:
    try:
        ca = connection.first("ssl_ca")
        context = ssl.create_default_context(cafile=str(connection.path("ssl_ca")) if ca else None)
        # Certificates that MySQL makes for itself lack extensions that Python 3.13 asks for by default.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = bool(connection.first("ssl_verify_identity"))
        context.verify_mode = ssl.CERT_REQUIRED if _verifies(connection) else ssl.CERT_NONE
        if connection.first("ssl_cert"):
            key = str(connection.path("ssl_key")) if connection.first("ssl_key") else None
            context.load_cert_chain(str(connection.path("ssl_cert")), key, connection.secret("ssl_key_password"))
    except OSError as error:  # SSLError is one
        raise ConfigurationError(
            f"the TLS files cannot be used: {error}", connection=connection.name, phase="connect"
        ) from error
    return context


def _with_pymysql(connection: Connection, database: str | None) -> Login:
    import pymysql
    from pymysql.constants import CLIENT

    timeout_s = int(connection.options["connect_timeout_s"])
    tls: dict[str, Any] = {}
    if connection.first("ssl_disabled"):
        tls = {"ssl_disabled": True}
    elif _tls_is_required(connection):
        tls = {"ssl": _tls_context(connection)}
    try:
        owner: Any = pymysql.connect(
            **_address(connection),
            user=str(connection.first("username", "user")),
            # As bytes: the driver would encode text as latin1.
            password=(connection.secret("password") or "").encode(),
            database=database,
            charset="utf8mb4",
            connect_timeout=timeout_s,
            read_timeout=timeout_s,
            write_timeout=timeout_s,
            # The capability without `local_infile`: the driver itself never sends a file.
            client_flag=CLIENT.LOCAL_FILES if connection.options["local_infile"] else 0,
            autocommit=True,
            **tls,
        )
    except (pymysql.err.Error, OSError) as error:
        raise translate(error, connection, phase="connect") from error
    except RuntimeError as error:  # only for a package that its way of logging in wants
        raise MissingDriverError(
            str(error), connection=connection.name, remedy="Run: pip install 'dvt[mysql]', or use TLS"
        ) from error
    return Login(owner._sock, False, owner)


def _with_connector(connection: Connection, database: str | None) -> Login:
    import mysql.connector
    from mysql.connector.constants import ClientFlag

    tls: dict[str, Any] = {"ssl_disabled": bool(connection.first("ssl_disabled"))}
    if _tls_is_required(connection):
        _tls_context(connection)  # unreadable files are a configuration error here too
        for key in ("ssl_ca", "ssl_cert", "ssl_key"):
            if connection.first(key):
                tls[key] = str(connection.path(key))
        tls["ssl_verify_cert"] = _verifies(connection)
        tls["ssl_verify_identity"] = bool(connection.first("ssl_verify_identity"))
    local_files = ClientFlag.LOCAL_FILES if connection.options["local_infile"] else -ClientFlag.LOCAL_FILES
    try:
        owner = mysql_careful.connect(
            **_address(connection),
            user=str(connection.first("username", "user")),
            password=connection.secret("password") or "",
            database=database,
            charset="utf8mb4",
            connection_timeout=int(connection.options["connect_timeout_s"]),
            client_flags=[local_files, -ClientFlag.MULTI_STATEMENTS],
            allow_local_infile=bool(connection.options["local_infile"]),
            autocommit=True,
            **tls,
        )
    except (mysql.connector.Error, OSError) as error:
        raise translate(error, connection, phase="connect") from error
    flags = int(owner._client_flags)
    return Login(owner._socket.sock, bool(flags & ClientFlag.CLIENT_QUERY_ATTRIBUTES), owner)
