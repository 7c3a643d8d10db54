"""Athena connections: the keys of an output, the clients of AWS, and errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dvt import errors
from dvt.connections.aws import session_of
from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.spec import ConnectionSpec, Option


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    where = settings.get("endpoint_url") or settings.get("region_name")
    return ("athena", where, settings.get("aws_profile_name"), settings.get("database") or "awsdatacatalog")


# Athena is Trino: varchars compare by their bytes, and have no collations. A moment's constant would be cast to
# thousandths of a second, floats have NaN, decimals of many digits may overflow: they are not asked.
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, "tinyint|smallint|integer|bigint"),),
        "text": (
            Comparing(r"varchar|string", Trust.EXACT, Trust.EXACT, Trust.EXACT, prefix=Trust.EXACT),
            Comparing("char", equal=Trust.SUPERSET),
        ),
        "date": (Comparing.all(Trust.EXACT, "date"),),
        "boolean": (Comparing("boolean", equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
)

SPEC = ConnectionSpec(
    type="athena",
    dialect="athena",
    # The keys of dbt-athena; those that only concern its materializations are accepted and not read.
    settings=(
        *("s3_staging_dir", "s3_data_dir", "s3_data_naming", "s3_tmp_table_dir", "region_name", "schema", "database"),
        *("catalog", "work_group", "skip_workgroup_check", "aws_profile_name", "aws_access_key_id", "endpoint_url"),
        *("aws_secret_access_key", "aws_session_token", "poll_interval", "debug_query_state", "num_retries"),
        *("num_boto3_retries", "spark_work_group", "seed_s3_upload_args", "lf_tags_database"),
    ),
    unread=(("num_iceberg_retries", "it is for writing Iceberg tables, and none is written"),),
    required=("s3_staging_dir", "region_name"),
    secret_settings=("aws_secret_access_key", "aws_session_token"),
    place=_place,
    options=(
        Option(
            "fetch",
            "str",
            "unload",
            "how rows come: unloaded to s3_staging_dir as Parquet, or in pages of 1000 through the API",
            choices=("unload", "pages"),
        ),
        Option(
            "keep_files_s",
            "int",
            3600,
            "seconds for which a replaced table's files stay for queries that have begun",
            minimum=0,
        ),
    ),
    drivers=("boto3",),
    extra="athena",
    landing=Way.STATEMENT,
    has_snapshot=False,
    max_identifier_bytes=255,
    catalogue_settings=("database", "catalog"),
    comparing=_COMPARING,
)


def connect(connection: Connection) -> Any:
    """The client of Athena's API; nothing is sent yet. Throttling and its like are tried again `num_retries` times.

    Raises:
        MissingDriverError: boto3 is not installed.
        AuthenticationError: The profile does not exist.
    """
    connection.require_driver()
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    retries = int(connection.first("num_boto3_retries", "num_retries", default=5))
    config = Config(
        connect_timeout=connection.options["connect_timeout_s"],
        retries={"max_attempts": retries, "mode": "standard"},
    )
    try:
        return session_of(connection).client("athena", endpoint_url=connection.first("endpoint_url"), config=config)
    except (BotoCoreError, ValueError) as error:
        raise translate(error, connection, phase="connect") from error


class QueryFailedError(Exception):
    """A query that Athena says has failed, or was stopped."""


# What Athena's and AWS's errors begin with.
_BY_WORDS: tuple[tuple[str, type[errors.DvtError], str], ...] = (
    (
        r"UnrecognizedClient|InvalidSignature|SignatureDoesNotMatch|ExpiredToken|InvalidClientTokenId|NoCredentials"
        r"|Unable to locate credentials|config profile .* could not be found|security token",
        errors.AuthenticationError,
        "Check aws_profile_name, the access keys, or the environment",
    ),
    (
        r"AccessDenied|Access ?Denied|PERMISSION_DENIED|not authorized|Insufficient (Lake|permissions)",
        errors.PrivilegeError,
        "Grant the identity what it lacks, on the catalogue and on the buckets",
    ),
    (
        r"TABLE_NOT_FOUND|SCHEMA_NOT_FOUND|COLUMN_NOT_FOUND|CATALOG_NOT_FOUND|(Table|Schema|Column) .*does not exist"
        r"|cannot be resolved|EntityNotFound",
        errors.RelationNotFoundError,
        "Check database, schema, relation and column",
    ),
    (
        r"work ?group .*(not found|disabled)|output (location|bucket)|NoSuchBucket|bucket does not exist",
        errors.ConfigurationError,
        "Check work_group and s3_staging_dir",
    ),
    (r"EXCEEDED_TIME_LIMIT|timed? ?out", errors.TimeoutExceededError, "Read less, or raise the workgroup's limit"),
    (
        r"DIVISION_BY_ZERO|INVALID_CAST_ARGUMENT|NUMERIC_VALUE_OUT_OF_RANGE|HIVE_BAD_DATA|INVALID_FUNCTION_ARGUMENT",
        errors.DataError,
        "Correct the value at the source, or cast it in a query",
    ),
    (r"EXCEEDED_\w*MEMORY|EXHAUSTED|Throttling|TooManyRequests|limit exceeded", errors.ResourceError, "Run it again"),
    (r"cancel+ed", errors.InterruptedRunError, "The query was stopped"),
)


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of boto3, of S3's reader or of a query.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    from botocore.exceptions import HTTPClientError

    if isinstance(error, errors.DvtError):
        return error.at(connection=connection.name, relation=relation, phase=phase)
    place: dict[str, Any] = {"connection": connection.name, "relation": relation, "phase": phase}
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, HTTPClientError):
        return errors.ConnectionFailedError(message, remedy="Check region_name, endpoint_url and the network", **place)
    for pattern, family, remedy in _BY_WORDS:
        if re.search(pattern, message, re.IGNORECASE | re.DOTALL):
            return family(message, remedy=remedy, **place)
    if phase == "connect":
        return errors.ConnectionFailedError(message, remedy="Check region_name and endpoint_url", **place)
    if isinstance(error, OSError):
        return errors.ConnectionLostError(message, remedy="Run it again", **place)
    return errors.QueryError(message, remedy="Correct the query", **place)
