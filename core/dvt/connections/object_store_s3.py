"""S3, and what speaks its language: credentials, region, and what pyarrow's client is given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dvt.connections.aws import session_of
from dvt.connections.object_store_errors import missing
from dvt.errors import ConfigurationError

if TYPE_CHECKING:
    from dvt.connections.connection import Connection
    from dvt.connections.object_stores import Address

_ROLE_S = 3600
_ROLE_SESSION = "dvt"


def s3_options(connection: Connection, address: Address, endpoint: str | None) -> tuple[dict[str, Any], float | None]:
    """The client's options, and when its credentials end, where dvt fetched them itself.

    Credentials are the keys of the output, the role, the profile, or those that the machine has: the environment, AWS's
    files, the instance. Pyarrow knows these itself; a named profile, and a role that the output's own keys take on,
    need boto3.
    """
    from pyarrow.fs import resolve_s3_region

    credentials, expires = _credentials(connection)
    region = connection.first("region_name") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region is None:
        region = "us-east-1" if endpoint else resolve_s3_region(address.bucket)
    options: dict[str, Any] = {
        **credentials,
        "region": str(region),
        "connect_timeout": float(connection.options["connect_timeout_s"]),
        "background_writes": False,  # those wait in memory, as many as there are
        "session_name": _ROLE_SESSION if "role_arn" in credentials else None,
    }
    if endpoint:
        options["scheme"], _, options["endpoint_override"] = endpoint.partition("://")
    if connection.first("ca_file"):
        options["tls_ca_file_path"] = str(connection.path("ca_file"))
    return {key: value for key, value in options.items() if value is not None}, expires


def endpoint_of_environment() -> str | None:
    """As AWS's own tools name it."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


def _credentials(connection: Connection) -> tuple[dict[str, Any], float | None]:
    key, secret = connection.first("aws_access_key_id"), connection.secret("aws_secret_access_key")
    profile, role = connection.first("aws_profile_name"), connection.first("aws_role_arn")
    if (key is None) != (secret is None):
        raise ConfigurationError(
            "aws_access_key_id and aws_secret_access_key go together",
            connection=connection.name,
            remedy="Add the other",
        )
    if connection.first("anonymous"):
        return {"anonymous": True}, None
    if profile or (role and key):
        return _by_boto3(connection, role)
    if role:
        return {"role_arn": str(role), "external_id": connection.first("aws_external_id")}, None
    if key:
        token = connection.secret("aws_session_token")
        return {"access_key": str(key), "secret_key": secret, "session_token": token}, None
    return {}, None


def _by_boto3(connection: Connection, role: Any) -> tuple[dict[str, Any], float | None]:
    try:
        import boto3  # noqa: F401
    except ImportError as error:
        raise missing("boto3", "aws_profile_name, and aws_role_arn beside keys,", "athena", connection) from error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        session = session_of(connection)
        if role:
            more = {"ExternalId": connection.first("aws_external_id")} if connection.first("aws_external_id") else {}
            taken = session.client("sts").assume_role(
                RoleArn=str(role), RoleSessionName=_ROLE_SESSION, DurationSeconds=_ROLE_S, **more
            )["Credentials"]
            return _named(taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"]), taken[
                "Expiration"
            ].timestamp()
        found = session.get_credentials()
        if found is None:
            raise ValueError("the profile has no credentials")
        frozen = found.get_frozen_credentials()
        ends = getattr(found, "_expiry_time", None)
        return _named(frozen.access_key, frozen.secret_key, frozen.token), ends.timestamp() if ends else None
    except (BotoCoreError, ClientError) as error:
        raise OSError(str(error)) from error


def _named(key: str, secret: str, token: str | None) -> dict[str, Any]:
    from dvt.connections.secrets import register

    for value in (secret, token):
        if value:
            register(value)
    return {"access_key": key, "secret_key": secret, "session_token": token}
