"""UNLOAD: the cluster's nodes write a result to S3 as Parquet, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dvt.connections.aws import session
from dvt.connections.connection import Connection
from dvt.connections.redshift_login import aws_credentials
from dvt.errors import ConfigurationError
from dvt.federation.extractors.s3_parquet import S3Folder, s3_folder
from dvt.federation.stream import ColumnSchema
from dvt.types.redshift import RedshiftType
from dvt.types.vocabulary import MICROS_UTC


class Unload:
    """One result on its way through S3.

    Args:
        connection: A redshift connection with `unload_to`.
        query: The query.
        described: Its columns.
    """

    def __init__(
        self, connection: Connection, query: str, described: Sequence[tuple[ColumnSchema, RedshiftType]]
    ) -> None:
        self._connection = connection
        self._query = query
        self._described = described
        self.folder = private_folder(connection, "unload_to")

    def sql(self) -> str:
        """The statement. Columns have names of their own: the result's may be alike, or fold to one.

        Moments are written as UTC's wall time, because Parquet files of Redshift name no zone.
        """
        names = [f"c{index}" for index in range(len(self._described))]
        items = [_item(name, kind) for name, (_, kind) in zip(names, self._described, strict=True)]
        named = f"as dvt_unload({', '.join(names)})"
        inner = " ".join(["select", ", ".join(items), "from (\n" + self._query + "\n)", named])
        role = authorization(self._connection, "unload_to", "unload_role")
        return f"unload ({literal(inner)}) to {literal(self.folder.url)} {role} format as parquet"

    def batches(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The rows that were written."""
        columns = [column for column, _ in self._described]
        written = [_as_written(column) for column in columns]
        for batch in self.folder.batches(written, batch_rows):
            arrays = [
                _read(array, column, kind) for array, (column, kind) in zip(batch.columns, self._described, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=pa.schema([(c.name, c.type) for c in columns]))


def private_folder(connection: Connection, option: str) -> S3Folder:
    """A new prefix below the one that an option names, reached with the output's AWS credentials."""
    own = aws_credentials(connection)
    found = session(
        profile_name=own.get("profile"),
        aws_access_key_id=own.get("access_key_id"),
        aws_secret_access_key=own.get("secret_access_key"),
        region_name=connection.first("region"),
    )
    return s3_folder(connection.options[option], found, None, connection.name).private()


def authorization(connection: Connection, option: str, *roles: str) -> str:
    """The words by which the cluster is let into a bucket.

    Args:
        connection: The connection.
        option: The option that names the bucket.
        roles: Options that name the role; the first that is given counts.
    """
    role = next((connection.options[name] for name in roles if connection.options[name]), "")
    if not role:
        raise ConfigurationError(
            f"dvt.{option} is given without dvt.{roles[0]}",
            connection=connection.name,
            remedy="Name the role with which the cluster uses the bucket: its ARN, or `default`",
        )
    return "iam_role default" if role == "default" else f"iam_role {literal(role)}"


def literal(text: str) -> str:
    """A text in quotes; Redshift takes a backslash for the beginning of an escape."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _item(name: str, kind: RedshiftType) -> str:
    return f"{name} at time zone 'UTC' as {name}" if kind.type == MICROS_UTC else name


def _as_written(column: ColumnSchema) -> ColumnSchema:
    if column.type == MICROS_UTC:
        return ColumnSchema(column.name, pa.timestamp("us"), native_type=column.native_type)
    return column


def _read(array: pa.Array, column: ColumnSchema, kind: RedshiftType) -> pa.Array:
    if kind.is_padded:
        return pc.utf8_rtrim(array, " ")
    return array.cast(column.type) if column.type == MICROS_UTC else array
