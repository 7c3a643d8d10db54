"""Trino connections: the keys of an output, and what every statement is sent with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dvt.connections import trino_login
from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.spec import ConnectionSpec, Option
from dvt.connections.trino_errors import translate
from dvt.errors import ConfigurationError

if TYPE_CHECKING:
    import requests
    from trino.client import TrinoRequest

__all__ = ["SPEC", "TrinoLogin", "connect", "translate"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
_PORTS = {"http": 8080, "https": 443}
# A page is answered within a second or so; what takes long is a storage that sends a segment.
_ANSWER_S = 60


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    # One coordinator is one place: a query may name relations of all its catalogues.
    host = str(settings.get("host") or "localhost").lower().rstrip(".")
    return ("localhost" if host in _LOOPBACK else host, int(settings.get("port") or 0))


# By Trino's reference of types: texts compare by their code points without any collation, whatever the connector does
# below. char(n) is padded to be compared, NaN is nothing's equal and on no side of a number, and IN takes 0.0 and -0.0
# for what the release takes them for. Moments with more digits than microseconds are not sent.
_EXACT = (Trust.EXACT, Trust.EXACT, Trust.EXACT)
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, "tinyint|smallint|integer|bigint"),),
        # With a constant, a wide decimal may need more digits than there are: the server would stop.
        "decimal": (Comparing(r"decimal\(([1-9]|1\d|2[0-8]),\d+\)", *_EXACT),),
        "double": (Comparing("double", equal=Trust.EXACT, unequal=Trust.EXACT, takes_lists=False),),
        "text": (Comparing(r"varchar(\(\d+\))?", *_EXACT, prefix=Trust.EXACT),),
        "date": (Comparing.all(Trust.EXACT, "date"),),
        "timestamp": (Comparing(r"timestamp\([0-6]\)", *_EXACT),),
        "instant": (Comparing(r"timestamp\([0-6]\) with time zone", *_EXACT),),
        "boolean": (Comparing("boolean", equal=Trust.EXACT, unequal=Trust.EXACT),),
        "uuid": (Comparing("uuid", equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
)

SPEC = ConnectionSpec(
    type="trino",
    dialect="trino",
    # The keys of dbt-trino. Bindings are not used, so that prepared_statements_enabled is accepted and not read.
    settings=(
        *("host", "port", "user", "method", "password", "impersonation_user", "jwt_token", "client_certificate"),
        *("client_private_key", "keytab", "principal", "krb5_config", "service_name", "mutual_authentication"),
        *("force_preemptive", "hostname_override", "sanitize_mutual_error_response", "delegate", "database"),
        *("catalog", "schema", "http_scheme", "cert", "http_headers", "session_properties", "roles", "client_tags"),
        *("retries", "timezone", "suppress_cert_warning", "prepared_statements_enabled"),
    ),
    required=("host",),
    secret_settings=("password", "jwt_token"),
    place=_place,
    options=(
        Option("download_threads", "int", 4, "threads that download and decode a result's spooled segments", minimum=1),
        Option(
            "statement_characters",
            "int",
            1_000_000,
            "characters of an INSERT at most: the server's query.max-length",
            minimum=10_000,
        ),
        Option(
            "load_through",
            "str",
            "",
            "`s3://bucket/folder`, `gs://...` or `abfss://...` through which rows are loaded as Parquet; dvt reaches it"
            " with the environment's credentials",
        ),
        Option(
            "load_catalog",
            "str",
            "",
            "the catalogue of the Hive connector that reads load_through; the output's own when not given",
        ),
        Option("load_schema", "str", "", "the schema in it for external tables; the output's own when not given"),
    ),
    drivers=("trino",),
    extra="trino",
    has_snapshot=False,
    landing=Way.STEPS,
    transactional_ddl=False,
    max_identifier_bytes=128,
    catalogue_settings=("database", "catalog"),
    comparing=_COMPARING,
)


@dataclass(frozen=True)
class TrinoLogin:
    """What statements are sent with.

    Args:
        request: Sends them, and logs in with each.
        once: The same, for what must not be sent again where its answer is lost: a statement that writes.
        http: Holds the sockets.
    """

    request: TrinoRequest
    once: TrinoRequest
    http: requests.Session


def connect(connection: Connection) -> TrinoLogin:
    """What sends statements; nothing is sent yet.

    Raises:
        MissingDriverError: The client is not installed.
        ConfigurationError: The output says what cannot be.
    """
    connection.require_driver()
    from trino import constants
    from trino.client import ClientSession, TrinoRequest

    from dvt.connections.http_session import VerifyingSession

    authentication = trino_login.authentication(connection)
    scheme = trino_login.scheme(connection)
    http = VerifyingSession(trino_login.verification(connection))
    if connection.first("suppress_cert_warning"):
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    retries = connection.settings.get("retries")
    try:
        session = ClientSession(
            user=connection.first("impersonation_user", "user"),
            catalog=connection.first("database", "catalog"),
            schema=connection.first("schema"),
            source="dvt",
            properties=_properties(connection),
            headers=trino_login.headers(connection),
            client_tags=connection.first("client_tags"),
            roles=connection.first("roles"),
            # Not this machine's: a statement means the same wherever it is sent from.
            timezone=str(connection.first("timezone", default="UTC")),
            encoding=_encodings(),
        )
        tries = max(1, int(constants.DEFAULT_MAX_ATTEMPTS if retries is None else retries))
        senders = [
            TrinoRequest(
                str(connection.first("host")),
                int(connection.first("port", default=_PORTS[scheme])),
                session,
                http_session=http,
                http_scheme=scheme,
                auth=authentication,
                max_attempts=most,
                request_timeout=(float(connection.options["connect_timeout_s"]), float(_ANSWER_S)),
            )
            for most in (tries, 1)
        ]
        return TrinoLogin(senders[0], senders[1], http)
    except (ValueError, KeyError, AttributeError) as error:  # an unknown zone, a header that is reserved
        raise ConfigurationError(
            f"the output cannot be used: {error}", connection=connection.name, remedy="Correct it in profiles.yml"
        ) from error


def _properties(connection: Connection) -> dict[str, str]:
    own = connection.settings.get("session_properties") or {}
    if not isinstance(own, Mapping):
        raise ConfigurationError(
            f"session_properties is {own!r}", connection=connection.name, remedy="Write it as a mapping in profiles.yml"
        )
    limit_s = int(connection.options["statement_timeout_s"])
    shown = {str(k): str(v).lower() if isinstance(v, bool) else str(v) for k, v in own.items()}
    return {**shown, **({"query_max_run_time": f"{limit_s}s"} if limit_s else {})}


def _encodings() -> list[str]:
    """The encodings of segments that can be read here; without any, rows come in the answers themselves."""
    import importlib.util

    known = {"json+zstd": "zstandard", "json+lz4": "lz4", "json": "json"}
    return [encoding for encoding, module in known.items() if importlib.util.find_spec(module) is not None]
