"""The words by which Snowflake reads a folder of a bucket: CREATE STAGE over it, with a storage integration.

Source: "CREATE STAGE" and "Bulk loading from Amazon S3" (Google Cloud Storage, Microsoft Azure) in its documentation.
"""

from __future__ import annotations

import re

from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.errors import ConfigurationError
from dvt.identifiers import quote

_AZURE = re.compile(r"abfss://(?P<container>[^@/]+)@(?P<account>[^./]+)\.dfs\.(?P<domain>[^/]+)/(?P<below>.*)")


def require_integration(connection: Connection) -> None:
    """Raise where nothing says how Snowflake is to read the bucket: credentials do not go into statements."""
    if not connection.options["load_integration"]:
        raise ConfigurationError(
            "dvt.load_through is given, and no dvt.load_integration",
            connection=connection.name,
            remedy="Name the storage integration by which Snowflake reads the bucket",
        )


def external_words(connection: Connection, url: str) -> list[str]:
    """What follows CREATE STAGE and its name.

    Args:
        connection: Names the integration.
        url: The folder, as dvt names it.
    """
    integration = str(connection.options["load_integration"])
    place = exp.Literal.string(snowflake_url(url)).sql(dialect="snowflake")
    return ["url =", place, "storage_integration =", quote(folded_name(integration), "snowflake")]


def folded_name(name: str) -> str:
    """A name as it stands in the catalogue, from how a user writes it.

    >>> folded_name("lake_int"), folded_name('"Lake"')
    ('LAKE_INT', 'Lake')
    """
    return name[1:-1].replace('""', '"') if name.startswith('"') and name.endswith('"') else name.upper()


def snowflake_url(url: str) -> str:
    """An address of a folder in Snowflake's words.

    >>> snowflake_url("gs://b/f/"), snowflake_url("abfss://c@a.dfs.core.windows.net/f/")
    ('gcs://b/f/', 'azure://a.blob.core.windows.net/c/f/')
    """
    if found := _AZURE.fullmatch(url):
        return f"azure://{found['account']}.blob.{found['domain']}/{found['container']}/{found['below']}"
    return "gcs://" + url.removeprefix("gs://") if url.startswith("gs://") else url
