"""ClickHouse connections over HTTP: the keys of an output, the settings of every statement, and how to log in."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dvt.connections.clickhouse_errors import may_pass, translate
from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.retrying import MayPass, Retries, attempts
from dvt.connections.spec import ConnectionSpec, Option
from dvt.errors import ConfigurationError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

__all__ = [
    "SPEC",
    "connect",
    "default_database",
    "kill",
    "new_query_id",
    "statement_settings",
    "translate",
    "write_settings",
]

_PORTS = {False: 8123, True: 8443}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
# What a profile of the server may have set so that a result ends early and looks whole.
_OVERFLOWS = (
    *("read_overflow_mode", "read_overflow_mode_leaf", "result_overflow_mode", "timeout_overflow_mode"),
    *("timeout_overflow_mode_leaf", "group_by_overflow_mode", "sort_overflow_mode", "distinct_overflow_mode"),
    *("join_overflow_mode", "set_overflow_mode", "transfer_overflow_mode"),
)
# Every value has one form, whatever the server or the profile say; a statement only reads. 2 lets it carry settings.
_EXACT: Mapping[str, str] = {
    **dict.fromkeys(_OVERFLOWS, "throw"),
    "session_timezone": "UTC",
    "limit": "0",
    "offset": "0",
    "extremes": "0",
    "transform_null_in": "0",
    "optimize_min_equality_disjunction_chain_length": "1000000",  # it would make an IN of equalities: -0.0 is lost
    "print_pretty_type_names": "0",
    "output_format_arrow_string_as_string": "0",  # whether it is UTF-8 is checked here, by column
    "output_format_arrow_fixed_string_as_fixed_byte_array": "1",
    "output_format_arrow_low_cardinality_as_dictionary": "0",
    "output_format_arrow_compression_method": "lz4_frame",
    "cancel_http_readonly_queries_on_client_close": "1",
    "readonly": "2",
}
# What is written is what is there when the statement has ended. Equal blocks are no repetition of each other.
_WRITING: Mapping[str, str] = {
    "session_timezone": "UTC",
    "async_insert": "0",
    "insert_deduplicate": "0",
    "mutations_sync": "2",
    "enable_time_time64_type": "1",
    "date_time_overflow_behavior": "throw",
    "input_format_null_as_default": "0",
    "insert_null_as_default": "0",
    "input_format_arrow_allow_missing_columns": "0",
    "transform_null_in": "0",
    "throw_on_max_partitions_per_insert_block": "0",
}


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    # One server is one place: a query may name tables of all its databases.
    host = str(settings.get("host") or "localhost").lower().rstrip(".")
    port = int(settings.get("port") or _PORTS[bool(settings.get("secure"))])
    return ("localhost" if host in _LOOPBACK else host, port)


def _wrapped(pattern: str) -> str:
    return rf"(lowcardinality\()?(nullable\()?({pattern})\)*"


# Integers of all widths and signs compare by value. A decimal compares exactly with a constant that is cast to one;
# with an integer column it overflows, and may say nothing of it. NaN is nothing's equal and on no side of a number,
# while it is the largest one in the engine. Text compares by its bytes, which is the order of UTF-8's characters.
# Enums compare by number, UUIDs in no order of their text, FixedString refuses constants that are longer. Constants
# beyond what releases before 26 hold are not sent: there they would become the nearest day that is. Lists are for whole
# numbers, texts and UUIDs: IN takes 0.0 and -0.0 for two numbers, and refuses values of another type than the column's.
_DAYS = ("1900-01-02", "2299-12-30")
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, _wrapped(r"u?int(8|16|32|64)")),),
        "decimal": (Comparing(_wrapped(r"decimal\(.*\)"), Trust.EXACT, Trust.EXACT, Trust.EXACT, takes_lists=False),),
        "double": (Comparing(_wrapped("float64"), equal=Trust.EXACT, unequal=Trust.EXACT, takes_lists=False),),
        "text": (Comparing(_wrapped("string"), Trust.EXACT, Trust.EXACT, Trust.EXACT, prefix=Trust.EXACT),),
        "date": (
            Comparing(
                _wrapped("date(32)?"),
                *(Trust.EXACT, Trust.EXACT, Trust.EXACT),
                columns=Trust.EXACT,
                constants=_DAYS,
                takes_lists=False,
            ),
        ),
        "instant": (
            Comparing(
                _wrapped(r"datetime(\('[^']*'\))?|datetime64\([0-6](, *'[^']*')?\)"),
                *(Trust.EXACT, Trust.EXACT, Trust.EXACT),
                columns=Trust.EXACT,
                constants=_DAYS,
                takes_lists=False,
            ),
        ),
        "boolean": (Comparing(_wrapped("bool"), equal=Trust.EXACT, unequal=Trust.EXACT),),
        "uuid": (Comparing(_wrapped("uuid"), equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
)

SPEC = ConnectionSpec(
    type="clickhouse",
    dialect="clickhouse",
    # The keys of dbt-clickhouse; those that only concern its materializations are accepted and not read.
    settings=(
        *("host", "port", "user", "password", "schema", "database", "secure", "verify", "ca_cert"),
        *("client_cert", "client_cert_key", "server_host_name", "connect_timeout", "send_receive_timeout"),
        *("custom_settings", "compression", "compress_block_size", "retries", "driver"),
        *("cluster", "cluster_mode", "use_lw_deletes", "check_exchange", "local_suffix", "local_db_prefix"),
        *("allow_automatic_deduplication", "database_engine"),
    ),
    unread=(
        ("sync_request_timeout", "only the native protocol has it, and this reads over HTTP"),
        ("tcp_keepalive", "only the native protocol has it, and this reads over HTTP"),
    ),
    required=("host",),
    place=_place,
    options=(
        Option(
            "strings_as",
            "str",
            "text",
            "how String and FixedString are read: as text (bytes that are no UTF-8 stop the run, a FixedString's"
            " padding is cut), or as bytes",
            choices=("text", "binary"),
        ),
        Option(
            "time_as",
            "str",
            "time",
            "how Time columns are read: as a time of day (other values stop the run), or as text",
            choices=("time", "text"),
        ),
    ),
    drivers=("clickhouse_connect",),
    extra="clickhouse",
    has_snapshot=False,
    landing=Way.STATEMENT,
    transactional_changes=False,
    transactional_ddl=False,
    max_identifier_bytes=200,
    comparing=_COMPARING,
)


def default_database(connection: Connection) -> str:
    """The database in which names without one are looked up."""
    return str(connection.first("schema", "database", default="default"))


def connect(connection: Connection, cancelled: threading.Event | None = None) -> Client:
    """Log in; the driver asks the server for its version. What may pass is tried again `retries` times.

    Args:
        connection: The connection.
        cancelled: Ends the waiting for another attempt.

    Raises:
        MissingDriverError: The driver is not installed.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    connection.require_driver()
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import ClickHouseError

    if connection.first("driver") == "native":
        raise ConfigurationError(
            "ClickHouse is read over HTTP, and this output says `driver: native`",
            connection=connection.name,
            remedy="Make an output with the HTTP port (8123, or 8443 with TLS) and `driver: http`",
        )
    secure = bool(connection.first("secure", default=False))
    more = {
        key: connection.first(key)
        for key in ("ca_cert", "client_cert", "client_cert_key", "server_host_name")
        if connection.first(key)
    }
    verify = connection.settings.get("verify")

    def attempt() -> Client:
        try:
            return clickhouse_connect.get_client(
                host=str(connection.first("host")),
                port=int(connection.first("port", default=_PORTS[secure])),
                username=str(connection.first("user", default="default")),
                password=connection.secret("password") or "",
                database=default_database(connection),
                interface="https" if secure else "http",
                verify=True if verify is None else verify,
                compress=False,  # Arrow's batches are compressed by themselves
                connect_timeout=int(
                    connection.first("connect_timeout", default=connection.options["connect_timeout_s"])
                ),
                send_receive_timeout=int(connection.first("send_receive_timeout", default=300)),
                client_name="dvt",
                query_limit=0,
                # A session is locked while a result is read: the query could not be killed through it.
                autogenerate_session_id=False,
                **more,
            )
        except (ClickHouseError, OSError, ValueError) as error:
            raise translate(error, connection, phase="connect") from error

    return attempts(attempt, tried_again(connection, may_pass), connection, cancelled=cancelled)


def tried_again(connection: Connection, passing: MayPass) -> Retries:
    """As often as the output says."""
    return Retries(int(connection.first("retries", default=1)), passing)


def new_query_id() -> str:
    """A name by which a query can be killed."""
    return f"dvt-{uuid.uuid4()}"


def statement_settings(connection: Connection, query_id: str, batch_rows: int | None = None) -> dict[str, Any]:
    """The settings with which a statement is sent: the output's own, and over them what keeps values exact."""
    limit_s = int(connection.options["statement_timeout_s"])
    is_zstd = connection.first("compression") == "zstd"
    return {
        **_own_settings(connection),
        **_EXACT,
        **({"output_format_arrow_compression_method": "zstd"} if is_zstd else {}),
        **({"max_execution_time": limit_s} if limit_s else {}),
        **({"max_block_size": batch_rows} if batch_rows else {}),
        "query_id": query_id,
    }


def write_settings(connection: Connection, query_id: str) -> dict[str, Any]:
    """The settings with which rows are written: nothing is put in a value's place, and nothing is done later."""
    limit_s = int(connection.options["statement_timeout_s"])
    return {
        **_own_settings(connection),
        **_WRITING,
        **({"max_execution_time": limit_s} if limit_s else {}),
        "query_id": query_id,
    }


def _own_settings(connection: Connection) -> Mapping[str, Any]:
    own = connection.settings.get("custom_settings") or {}
    if not isinstance(own, Mapping):
        raise ConfigurationError(
            f"custom_settings is {own!r}", connection=connection.name, remedy="Write it as a mapping in profiles.yml"
        )
    return own


def kill(client: Client, query_id: str) -> None:
    """Ask the server to end a query. Whoever may not kill has its query ended by the connection that is closed."""
    from clickhouse_connect.driver.exceptions import ClickHouseError

    try:
        client.command("KILL QUERY WHERE query_id = {id:String} ASYNC", parameters={"id": query_id})
    except (ClickHouseError, OSError):
        return
