"""Load jobs of Parquet: how files are made for them, and what they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dvt.connections.connection import Connection
from dvt.connections.shared_folder import private_bucket
from dvt.connections.store_folder import StoreFolder
from dvt.federation.loaders.file_columns import FileColumns
from dvt.federation.loaders.filling import Filling
from dvt.types.bigquery_landing import sent

if TYPE_CHECKING:
    from google.cloud.bigquery import LoadJobConfig

MOST_URIS = 10_000
"""A load job takes no longer list."""
_LOGIN = ("keyfile", "keyfile_json", "token")


def file_columns(filling: Filling) -> FileColumns:
    """Under their own names, by which a load job goes."""
    return FileColumns.by_native(sent, filling, "BigQuery").under(filling.schema.names)


def load_config(schema: Any) -> LoadJobConfig:
    """Parquet into a table that is there.

    Args:
        schema: The table's; without it BigQuery would choose types by the file.
    """
    from google.cloud.bigquery import LoadJobConfig
    from google.cloud.bigquery.format_options import ParquetOptions

    lists = ParquetOptions()
    lists.enable_list_inference = True
    return LoadJobConfig(
        source_format="PARQUET",
        schema=schema,
        parquet_options=lists,
        write_disposition="WRITE_APPEND",
        create_disposition="CREATE_NEVER",
        labels={"tool": "dvt"},
    )


def job_folder(connection: Connection) -> StoreFolder:
    """A new folder below the one that `dvt.load_through` names, reached with the output's own log-in.

    Raises:
        ConfigurationError: It is none of Google's.
    """
    login = {key: connection.settings[key] for key in _LOGIN if connection.settings.get(key) is not None}
    return private_bucket(connection, "gs", "a load job", login)
