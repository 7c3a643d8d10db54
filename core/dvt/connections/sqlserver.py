"""SQL Server connections: the keys of an output, what the server compares exactly, and how a session is opened."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from typing import Any

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.retrying import Retries, attempts
from dvt.connections.spec import ConnectionSpec, Option
from dvt.connections.sqlserver_errors import may_pass, translate
from dvt.connections.sqlserver_login import login_of
from dvt.errors import ConfigurationError

__all__ = ["SPEC", "cancel", "connect", "translate"]

_DEFAULT_PORT = 1433
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "(local)", "."})
# Values and rows without a limit. The language stays the login's: it decides how views read dates and count weekdays.
_SESSION = "SET TEXTSIZE 2147483647; SET ROWCOUNT 0"


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    host = str(settings.get("server") or settings.get("host") or "").lower().rstrip(".")
    database = str(settings.get("database") or "").lower()
    return ("localhost" if host in _LOOPBACK else host, int(settings.get("port") or _DEFAULT_PORT), database)


# Texts that are letter for letter the same are equal under every collation; most collations find others equal too, and
# all of them texts that differ by spaces at the end, binary ones as well. LIKE looks at characters as the collation
# takes them together, so that a beginning may not be one. Decimals are sent where both sides have room in 38 digits;
# what the server does beyond is not written down. `datetime` has thirds of milliseconds when it is compared. How a
# float is read from text is not written down either.
_DAYS = ("1753-01-01", "9999-12-31 23:59:59.999999")
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, "tinyint|smallint|int|bigint"),),
        "decimal": (
            Comparing(r"(decimal|numeric)\(1?\d, ?\d+\)", Trust.EXACT, Trust.EXACT, Trust.EXACT, columns=Trust.EXACT),
        ),
        "text": (Comparing(r"n?(var)?char\((\d+|max)\)", equal=Trust.SUPERSET),),
        "date": (Comparing("date", *(Trust.EXACT,) * 3, columns=Trust.EXACT, constants=_DAYS),),
        "timestamp": (
            Comparing(r"datetime2\(\d\)|smalldatetime", *(Trust.EXACT,) * 3, columns=Trust.EXACT, constants=_DAYS),
        ),
        "instant": (Comparing(r"datetimeoffset\(\d\)", *(Trust.EXACT,) * 3, columns=Trust.EXACT, constants=_DAYS),),
        "boolean": (Comparing("bit", equal=Trust.EXACT, unequal=Trust.EXACT),),
        "uuid": (Comparing("uniqueidentifier", equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
)

SPEC = ConnectionSpec(
    type="sqlserver",
    dialect="tsql",
    # The keys of dbt-sqlserver with its aliases. `driver` names an ODBC driver there; here the driver brings its own.
    settings=(
        *("driver", "server", "host", "port", "database", "schema", "UID", "user", "username", "PWD", "password"),
        *("pass", "windows_login", "trusted_connection", "authentication", "auth", "tenant_id", "client_id", "app_id"),
        *("client_secret", "app_secret", "access_token", "access_token_expires_on", "encrypt", "trust_cert"),
        *("TrustServerCertificate", "retries", "login_timeout", "query_timeout", "schema_authorization", "schema_auth"),
        *("trace_flag", "SQL_ATTR_TRACE", "backend"),
    ),
    required=(("server", "host"), "database"),
    secret_settings=("PWD", "password", "pass", "client_secret", "app_secret", "access_token"),
    place=_place,
    options=(
        Option(
            "fractions_as",
            "str",
            "microseconds",
            "how time, datetime2 and datetimeoffset with 7 digits are read: to the microsecond (a value with a seventh"
            " digit stops the run), or as text",
            choices=("microseconds", "text"),
        ),
        Option(
            "offsets_as",
            "str",
            "instant",
            "how datetimeoffset is read: as the moment, without the offset that it was written with, or as text",
            choices=("instant", "text"),
        ),
        Option(
            "replaced_text",
            "str",
            "error",
            "what becomes of a text with U+FFFD, which the driver also puts for half a surrogate pair: the run stops,"
            " or it is kept",
            choices=("error", "keep"),
        ),
        Option(
            "isolation",
            "str",
            "committed",
            "what scans see: what is committed as they go, or one state for all (the database has to allow it)",
            choices=("committed", "snapshot"),
        ),
    ),
    drivers=("mssql_python",),
    extra="sqlserver",
    has_snapshot=False,
    max_identifier_bytes=128,
    catalogue_settings=("database",),
    comparing=_COMPARING,
)


def connect(connection: Connection, cancelled: threading.Event | None = None, *, writes: bool = False) -> Any:
    """Open a session of mssql-python.

    Args:
        connection: The connection.
        cancelled: Ends the waiting for another attempt.
        writes: Whether what it runs is committed, each statement by itself until a transaction is begun, which an
            error undoes whole. Nothing is ever committed if not.

    Raises:
        MissingDriverError: The driver is not installed.
        ConfigurationError: The way to log in is unknown, interactive, or lacks something.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    login = login_of(connection)
    connection.require_driver()
    import mssql_python

    mssql_python.pooling(enabled=False)  # a session that is closed is to be closed on the server
    text = "".join(
        [f"{name}={{{_braced(value)}}};" for name, value in {**_keywords(connection), **login.keywords}.items()]
    )
    wait_s = int(connection.first("login_timeout", default=0)) or int(connection.options["connect_timeout_s"])

    def attempt() -> Any:
        try:
            session = mssql_python.connect(
                text,
                attrs_before=login.attributes or None,
                token_provider=login.provider(connection),
                timeout=wait_s,
                autocommit=True,
            )
            return _configured(session, connection, writes)
        except (mssql_python.Error, mssql_python.Warning, OSError, RuntimeError, ValueError) as error:
            raise translate(error, connection, phase="connect") from error

    return attempts(attempt, tried_again(connection), connection, cancelled=cancelled)


def tried_again(connection: Connection) -> Retries:
    """What is tried again, of logins and of statements that read."""
    return Retries(int(connection.first("retries", default=3)), may_pass, float)


def cancel(cursor: Any) -> None:
    """End what a cursor runs, on the server: ODBC's SQLCancel, which the driver offers for its readers only."""
    import mssql_python

    handle = cursor.hstmt
    if handle is None:
        return
    with contextlib.suppress(mssql_python.Error, RuntimeError):
        handle._cancel()


def _configured(session: Any, connection: Connection, writes: bool) -> Any:
    is_snapshot = connection.options["isolation"] == "snapshot" and not writes  # in which no table is changed
    isolation = "SET TRANSACTION ISOLATION LEVEL " + ("SNAPSHOT" if is_snapshot else "READ COMMITTED")
    cursor = session.cursor()
    cursor.execute("; ".join([_SESSION, isolation, *(["SET XACT_ABORT ON"] if writes else [])]))
    cursor.close()
    limit_s = int(connection.options["statement_timeout_s"]) or int(connection.first("query_timeout", default=0))
    session.timeout = limit_s
    session.autocommit = writes
    return session


def _keywords(connection: Connection) -> dict[str, str]:
    host = str(connection.first("server", "host"))
    # The name of an instance stands for its port.
    server = host if "\\" in host or "," in host else f"{host},{int(connection.first('port', default=_DEFAULT_PORT))}"
    encrypt = connection.settings.get("encrypt")
    given = str(True if encrypt is None else encrypt).lower()
    known = {
        "true": "yes",
        "yes": "yes",
        "mandatory": "yes",
        "false": "no",
        "no": "no",
        "optional": "no",
        "strict": "strict",
    }
    if given not in known:
        raise ConfigurationError(
            f"encrypt is {encrypt!r}", connection=connection.name, remedy="Write true, false or strict in profiles.yml"
        )
    trusts = str(connection.first("trust_cert", "TrustServerCertificate", default=False)).lower() in ("true", "yes")
    return {
        "Server": server,
        "Database": str(connection.first("database")),
        "Encrypt": known[given],
        "TrustServerCertificate": "yes" if trusts else "no",
    }


def _braced(value: str) -> str:
    return value.replace("}", "}}")
