"""Hive connections over HiveServer2: the keys of an output, how to log in, and errors as dvt's own."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dvt import errors
from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.reach import require_port, tried_again
from dvt.connections.retrying import attempts
from dvt.connections.spark_errors import fault
from dvt.connections.spec import ConnectionSpec, Option

if TYPE_CHECKING:
    from impala.hiveserver2 import HiveServer2Connection

__all__ = ["SPEC", "connect", "translate"]

_PORT = 10000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# dbt-hive's names of log-ins, and the client's.
_AUTH = {
    "": "NOSASL",
    "insecure": "NOSASL",
    "nosasl": "NOSASL",
    "none": "PLAIN",
    "plain": "PLAIN",
    "ldap": "LDAP",
    "gssapi": "GSSAPI",
    "kerberos": "GSSAPI",
}


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    # One server is one place: a query may name tables of all its databases.
    host = str(settings.get("host") or "localhost").lower().rstrip(".")
    return ("localhost" if host in _LOOPBACK else host, int(settings.get("port") or _PORT))


# A char(n) is compared without the spaces at its end, and behind Spark's Thrift server it is announced as a string:
# equal more often, never less. LIKE has no ESCAPE. Moments have no zone in Hive, and the reader's zone in Spark.
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, "tinyint|smallint|int|bigint"),),
        "text": (Comparing("string", equal=Trust.SUPERSET),),
        "date": (
            Comparing(
                "date",
                *(Trust.EXACT, Trust.EXACT, Trust.EXACT),
                columns=Trust.EXACT,
                constants=("1900-01-01", "9999-12-31"),
            ),
        ),
        "boolean": (Comparing("boolean", equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
    takes_order=False,
)

SPEC = ConnectionSpec(
    type="hive",
    dialect="hive",
    # The keys of dbt-hive, and what it has not: the certificates by which TLS is checked.
    settings=(
        *("host", "port", "schema", "database", "user", "username", "password", "auth_type", "use_ssl"),
        *("use_http_transport", "http_path", "kerberos_service_name", "usage_tracking", "ca_cert", "verify_cert"),
        *("connect_retries", "connect_timeout", "retry_all"),
    ),
    required=("host",),
    place=_place,
    options=(
        # Hive's own default is text, which has no NULL beside the text \N, and no line ends.
        Option(
            "table_format",
            "str",
            "auto",
            "the format of tables that land; auto is orc, and parquet behind Spark's Thrift server",
            choices=("auto", "orc", "parquet"),
        ),
        Option(
            "load_through",
            "str",
            "",
            "`s3a://bucket/folder`, `gs://...`, `abfss://...`, or `file:///folder` of the server's own disk, through"
            " which rows are loaded as Parquet; dvt reaches a bucket with the environment's credentials",
        ),
    ),
    drivers=("impala.hiveserver2",),
    extra="hive",
    has_snapshot=False,
    landing=Way.STEPS,
    transactional_ddl=False,
    max_identifier_bytes=128,
    comparing=_COMPARING,
)


def connect(connection: Connection, cancelled: threading.Event | None = None) -> HiveServer2Connection:
    """Log in. TLS is verified unless the output says `verify_cert: false`.

    Args:
        connection: The connection.
        cancelled: Ends the waiting for another attempt.

    Raises:
        MissingDriverError: The driver is not installed.
        ConfigurationError: A log-in that is not known.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    connection.require_driver()
    from impala.dbapi import connect as open_connection

    auth = str(connection.first("auth_type", default="")).lower()
    if auth not in _AUTH:
        raise errors.ConfigurationError(
            f"auth_type is {auth!r}",
            connection=connection.name,
            remedy="It takes insecure, plain, ldap or kerberos",
        )
    host, port = str(connection.first("host")), int(connection.first("port", default=_PORT))
    verify = connection.settings.get("verify_cert")

    def attempt() -> HiveServer2Connection:
        require_port(connection, host, port)
        try:
            return open_connection(
                host=host,
                port=port,
                auth_mechanism=_AUTH[auth],
                user=connection.first("user", "username"),
                password=connection.secret("password"),
                kerberos_service_name=str(connection.first("kerberos_service_name", default="hive")),
                use_ssl=bool(connection.first("use_ssl", default=False)),
                ca_cert=connection.first("ca_cert"),
                verify_cert=True if verify is None else bool(verify),
                use_http_transport=bool(connection.first("use_http_transport", default=False)),
                http_path=str(connection.first("http_path", default="")),
            )
        except Exception as error:  # thrift's and SASL's errors have no root of their own
            raise translate(error, connection, phase="connect") from error

    return attempts(attempt, tried_again(connection), connection, cancelled=cancelled)


# Numbers of Hive's ErrorMsg: what it could not find, what may not be done.
_NUMBER = re.compile(r"\[Error (\d{5})\]")
_NOT_FOUND = frozenset({"10001", "10002", "10004", "10072"})
_REFUSED = frozenset({"10265", "10314", "40000"})
_COLUMN = re.compile(r"(?:Invalid table alias or column reference|Invalid column reference) '([^']+)'")
_RUN_AGAIN = "Run it again"
_LOGIN = re.compile(r"(?i)bad status: 3|authenticat|Error validating the login|HTTP code 401|HTTP code 403|PLAIN auth")
_NO_GRANT = re.compile(r"(?i)HiveAccessControlException|Permission denied|does not have privileges")


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of the client, of Thrift or of the socket.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    family, words, remedy, column = _judged(error, phase)
    return family(words, connection=connection.name, relation=relation, column=column, phase=phase, remedy=remedy)


def _judged(error: BaseException, phase: str) -> tuple[type[errors.DvtError], str, str | None, str | None]:
    text = str(error) or type(error).__name__
    if phase == "connect" and _LOGIN.search(_first_line(text)):
        return (
            errors.AuthenticationError,
            _first_line(text),
            "Check user, password and auth_type of the connection",
            None,
        )
    if _is_lost(error):
        family = errors.ConnectionFailedError if phase == "connect" else errors.ConnectionLostError
        # A server that wants SASL, or TLS, ends the connection without a word.
        remedy = "Check port, auth_type, use_ssl and use_http_transport" if phase == "connect" else _RUN_AGAIN
        return family, _first_line(text) or "the connection ended", remedy, None
    if _NO_GRANT.search(text):
        return errors.PrivilegeError, _first_line(text), "Grant the login what it lacks", None
    number = _NUMBER.search(text)
    if number and number.group(1) in _NOT_FOUND:
        column = _COLUMN.search(text)
        return errors.RelationNotFoundError, _first_line(text), "Check schema and name", column and column.group(1)
    if number and number.group(1) in _REFUSED:
        return errors.PrivilegeError, _first_line(text), "Grant the login what it lacks", None
    found = fault(text)
    if phase == "connect":
        found = found.of_login("Correct schema in profiles.yml")
    return found.family, found.words, found.remedy, found.column


def _is_lost(error: BaseException) -> bool:
    from thrift.transport.TTransport import TTransportException

    return isinstance(error, (TTransportException, OSError, EOFError))


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:1000]
