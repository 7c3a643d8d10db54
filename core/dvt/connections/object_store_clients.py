"""Pyarrow's clients of object stores, made from plain values: another process can make the same one.

Spark's executors run this in dvt's own package, beside PyArrow alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from dvt.connections.secrets import register

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

LOCAL = "local"
"""The kind of a folder that is none of an object store."""
_ATTEMPTS = 5
# Pyarrow's own limit for Google's is a quarter of an hour.
_RETRIED_S = 30
_SECRETS = ("secret_key", "session_token", "access_token", "account_key", "sas_token", "client_secret")


def client(kind: str, options: Mapping[str, Any]) -> FileSystem:
    """The client.

    Args:
        kind: "s3", "gs", "az" or `LOCAL`.
        options: What pyarrow's class takes, as JSON has it: a moment is in seconds since 1970.

    Raises:
        ImportError, TypeError: This pyarrow is too old for it.
    """
    register_secrets(options)
    if kind == "s3":
        from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

        return S3FileSystem(**options, retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS))
    if kind == "gs":
        from pyarrow.fs import GcsFileSystem

        given = dict(options)
        if "credential_token_expiration" in given:
            ends = dt.datetime.fromtimestamp(given["credential_token_expiration"], dt.timezone.utc)
            given["credential_token_expiration"] = ends
        return GcsFileSystem(**given, retry_time_limit=dt.timedelta(seconds=_RETRIED_S))
    if kind == LOCAL:
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem()
    from pyarrow.fs import AzureFileSystem

    return AzureFileSystem(**options)


def register_secrets(options: Mapping[str, Any]) -> None:
    """Let `redact` know what is secret among a client's options."""
    for name in _SECRETS:
        if value := options.get(name):
            register(str(value))
    # Azure's client writes the token's parts in another order when it tells what it asked.
    for signature in parse_qs(str(options.get("sas_token") or "").removeprefix("?")).get("sig", ()):
        register(signature)
