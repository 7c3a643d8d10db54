"""BigQuery connections: the keys of an output, how jobs run, and the clients of its two interfaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dvt.connections.bigquery_errors import translate
from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.spec import ConnectionSpec, Option
from dvt.errors import ConfigurationError
from dvt.identifiers import Relation

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, QueryJobConfig
    from google.cloud.bigquery_storage import BigQueryReadClient, BigQueryWriteClient

__all__ = ["SPEC", "connect", "job_config", "qualified", "read_client", "table_path", "translate", "write_client"]


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    # Names without a project mean that of the output.
    project = settings.get("project") or settings.get("database") or ""
    return (str(settings.get("api_endpoint") or ""), str(project), str(settings.get("location") or "").lower())


# Values compare as in the compute engine: text by its bytes (unless the column has a collation, which its type then
# tells), instants and days from year 1 to 9999. NaN is on no side of a number. Arrays, JSON and geographies are not
# compared. What a constant is in BigQuery's words depends on the column: see `bigquery_words`.
_DAYS = ("0001-01-01", "9999-12-31")
_MOMENT = Comparing(
    "date|datetime|timestamp", *(Trust.EXACT, Trust.EXACT, Trust.EXACT), columns=Trust.EXACT, constants=_DAYS
)
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, "int64"),),
        "decimal": (Comparing.all(Trust.EXACT, r"(big)?numeric(\(.*\))?"),),
        "double": (Comparing("float64", equal=Trust.EXACT, unequal=Trust.EXACT, takes_lists=False),),
        "text": (
            Comparing("string", *(Trust.EXACT, Trust.EXACT, Trust.EXACT), prefix=Trust.EXACT, columns=Trust.EXACT),
            Comparing("string collate .*", equal=Trust.SUPERSET),
        ),
        "date": (_MOMENT,),
        "timestamp": (_MOMENT,),
        "instant": (_MOMENT,),
        "boolean": (Comparing("bool", equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
)

SPEC = ConnectionSpec(
    type="bigquery",
    dialect="bigquery",
    # The keys of dbt-bigquery; those that only concern its materializations are accepted and not read.
    settings=(
        *("method", "project", "database", "dataset", "schema", "execution_project", "quota_project", "location"),
        *("api_endpoint", "priority", "maximum_bytes_billed", "reservation", "impersonate_service_account"),
        *("job_retry_deadline_seconds", "job_retries", "retries", "job_creation_timeout_seconds"),
        *("job_execution_timeout_seconds", "timeout_seconds", "job_link_info_level_log", "keyfile", "keyfile_json"),
        *("token", "refresh_token", "client_id", "client_secret", "token_uri", "scopes"),
        *("workload_pool_provider_path", "service_account_impersonation_url", "token_endpoint"),
        *("compute_region", "dataproc_region", "dataproc_cluster_name", "gcs_bucket", "submission_method"),
        "dataproc_batch",
    ),
    required=("method", ("project", "database"), ("dataset", "schema")),
    secret_settings=("keyfile_json", "token", "refresh_token", "client_secret"),
    place=_place,
    options=(
        Option(
            "bignumeric_scale",
            "int",
            9,
            "digits after the point for `BIGNUMERIC` without precision; a value with more digits stops the run",
            minimum=0,
        ),
        Option("read_streams", "int", 4, "streams in which one table or result is read at once", minimum=1),
        Option(
            "storage_endpoint",
            "str",
            "",
            "address of the Storage APIs, Read and Write, where it is not Google's own (a private endpoint; `http://`"
            " means without TLS, for an emulator)",
        ),
        Option(
            "load_through",
            "str",
            "",
            "`gs://bucket/folder` through which load jobs read rows as Parquet; dvt reaches it as the output's login",
        ),
        Option(
            "load_with",
            "str",
            "jobs",
            "what loads: load jobs of Parquet, which are free of charge, or the Storage Write API (storage_write),"
            " which is billed by the byte and waits in no queue of jobs; a table with a column that it does not take"
            " as Arrow is loaded by jobs all the same",
            choices=("jobs", "storage_write"),
        ),
    ),
    drivers=("google.cloud.bigquery_storage",),
    extra="bigquery",
    catalogue_settings=("project", "database"),
    has_snapshot=False,
    landing=Way.STATEMENT,
    max_identifier_bytes=1024,
    comparing=_COMPARING,
)


def project(connection: Connection) -> str:
    """The project in which names without one are looked up."""
    return str(connection.first("project", "database"))


def qualified(relation: Relation, connection: Connection) -> Relation:
    """A relation with its dataset and project."""
    dataset = relation.schema or str(connection.first("dataset", "schema"))
    return Relation(relation.name, dataset, relation.database or project(connection))


def table_path(relation: Relation) -> str:
    """A qualified relation as the Storage Read API names it."""
    return f"projects/{relation.database}/datasets/{relation.schema}/tables/{relation.name}"


def connect(connection: Connection) -> Client:
    """A client of the REST interface; nothing is asked yet.

    Raises:
        MissingDriverError: The driver is not installed.
        ConfigurationError: The method is unknown, or what it needs is missing.
        AuthenticationError: There are no such credentials.
    """
    connection.require_driver()
    from google.api_core.client_info import ClientInfo
    from google.api_core.client_options import ClientOptions
    from google.cloud.bigquery import Client

    from dvt.connections.bigquery_login import credentials

    options = ClientOptions(
        api_endpoint=connection.first("api_endpoint"), quota_project_id=connection.first("quota_project")
    )
    return Client(
        project=str(connection.first("execution_project", default=project(connection))),
        credentials=credentials(connection),
        location=connection.first("location"),
        client_info=ClientInfo(user_agent="dvt"),
        client_options=options,
    )


def read_client(connection: Connection, login: Any) -> BigQueryReadClient:
    """A client of the Storage Read API, with a channel of its own: closing it ends its streams.

    Args:
        connection: The connection.
        login: The credentials of the REST client.
    """
    from google.cloud.bigquery_storage import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

    if channel := _plain_channel(connection):
        return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
    return BigQueryReadClient(credentials=login, client_options=_storage_options(connection))


def write_client(connection: Connection, login: Any) -> BigQueryWriteClient:
    """The same for the Storage Write API."""
    from google.cloud.bigquery_storage import BigQueryWriteClient
    from google.cloud.bigquery_storage_v1.services.big_query_write.transports import BigQueryWriteGrpcTransport

    if channel := _plain_channel(connection):
        return BigQueryWriteClient(transport=BigQueryWriteGrpcTransport(channel=channel))
    return BigQueryWriteClient(credentials=login, client_options=_storage_options(connection))


def _plain_channel(connection: Connection) -> Any:
    """A channel without TLS, for an emulator; None where the endpoint is another."""
    endpoint = str(connection.options["storage_endpoint"])
    if not endpoint.startswith("http://"):
        return None
    import grpc

    # No limit, as in the clients' own channels.
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    return grpc.insecure_channel(endpoint.removeprefix("http://"), options=options)


def _storage_options(connection: Connection) -> dict[str, str]:
    endpoint, quota = connection.options["storage_endpoint"], connection.first("quota_project")
    given = {"api_endpoint": endpoint, "quota_project_id": quota}
    return {key: str(value) for key, value in given.items() if value}


def job_config(connection: Connection, **more: Any) -> QueryJobConfig:
    """How a query runs: the output's priority, limits and reservation.

    Raises:
        ConfigurationError: A key holds something that BigQuery does not take.
    """
    from google.cloud.bigquery import DatasetReference, QueryJobConfig

    limit_s = int(connection.options["statement_timeout_s"]) or timeout_s(connection)
    priority = str(connection.first("priority", default="interactive")).upper()
    billed = str(connection.first("maximum_bytes_billed", default=""))
    if priority not in ("INTERACTIVE", "BATCH") or not (billed == "" or billed.isdigit()):
        raise ConfigurationError(
            f"priority is {priority.lower()!r}, maximum_bytes_billed is {billed!r}",
            connection=connection.name,
            remedy="priority is interactive or batch, maximum_bytes_billed a whole number: correct profiles.yml",
        )
    given = {
        "maximum_bytes_billed": int(billed) if billed else None,
        "reservation": connection.first("reservation"),
        "job_timeout_ms": int(limit_s * 1000) if limit_s else None,
    }
    return QueryJobConfig(
        priority=priority,
        use_legacy_sql=False,
        labels={"tool": "dvt"},
        default_dataset=DatasetReference(project(connection), str(connection.first("dataset", "schema"))),
        **{key: value for key, value in given.items() if value is not None},
        **more,
    )


def timeout_s(connection: Connection) -> float | None:
    """Seconds that a job may run, None for no limit."""
    given = connection.first("job_execution_timeout_seconds", "timeout_seconds")
    return float(given) if given else None
