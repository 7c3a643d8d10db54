"""Tables of the Trino fake's catalogue `files`: Parquet where it lies on S3, as the Hive connector reads it.

Written from Trino's reference of the Hive connector. Columns are found by their names, and have to be of the declared
type; moments have thousandths unless the catalogue says otherwise. A statement sees the files of its own time.
"""

from __future__ import annotations

import io
import re

import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

from servers.fake_sql import FakeSQL, FakeSQLError

CATALOG, SCHEMA = "files", "landing"
_LOCATION = re.compile(r"(?is)^\s*create table (?P<made>.*\)) with \( external_location = 's3://(?P<at>[^']*)',"
                       r" format = 'PARQUET' \)$")  # fmt: skip
_READ = {
    "boolean": pa.bool_(), "integer": pa.int32(), "int": pa.int32(), "bigint": pa.int64(), "real": pa.float32(),
    "double": pa.float64(), "varchar": pa.string(), "varbinary": pa.binary(), "date": pa.date32(),
}  # fmt: skip


class ExternalTables:
    """The tables, and where their files lie."""

    def __init__(self, engine: FakeSQL) -> None:
        self._engine = engine
        self._at: dict[str, str] = {}
        engine.attach(CATALOG)
        engine.cursor().own.execute(f'create schema "{CATALOG}"."{SCHEMA}"')

    def names(self) -> list[str]:
        """The tables that there are."""
        return list(self._at)

    def as_seen(self, sql: str) -> str:
        """The statement without the words of an external table; what it reads is brought in before."""
        made = _LOCATION.match(sql)
        if made is not None:
            created = "create table " + made["made"]
            tree = sqlglot.parse_one(created, read="trino")
            self._check(tree)
            self._at[tree.find(exp.Table).name] = made["at"]
            return created
        if sql.startswith("drop table"):
            for name in self._named(sql):
                del self._at[name]
        else:
            for name in self._named(sql):
                self._bring(name)
        return sql

    def _named(self, sql: str) -> list[str]:
        return [name for name in self._at if f'"{CATALOG}"."{SCHEMA}"."{name}"' in sql]

    def _check(self, tree: exp.Expr) -> None:
        table = tree.find(exp.Table)
        assert table is not None
        if table.catalog != CATALOG:
            raise FakeSQLError("query", f"Catalog '{table.catalog}' table property 'external_location' does not exist")
        for column in tree.find_all(exp.ColumnDef):
            kind = column.args["kind"]
            if kind.this in (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ):
                raise FakeSQLError("query", f"Incorrect timestamp precision for {kind.sql('trino')}")

    def _bring(self, name: str) -> None:
        """What the files hold now, as rows."""
        own = self._engine.cursor().own
        quoted = f'"{CATALOG}"."{SCHEMA}"."{name}"'
        own.execute(f"delete from {quoted}")
        columns = self._engine.native_columns(SCHEMA, name)
        for file in _files(self._at[name]):
            for column, native in columns.items():
                word = native.sql("trino").lower()
                held, wanted = file.schema.field(column).type, _READ.get(word)
                if held != wanted and not (pa.types.is_decimal(held) and word.startswith("decimal")):
                    raise FakeSQLError("query", f"Unsupported Trino column type ({word}) for Parquet column {column}")
            own.register("dvt_external", file.select(list(columns)))
            own.execute(f"insert into {quoted} select * from dvt_external")


def _files(at: str) -> list[pa.Table]:
    import boto3

    client = boto3.client("s3")
    bucket, _, prefix = at.partition("/")
    found = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    bodies = [client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in found if item["Size"]]
    return [pq.read_table(io.BytesIO(body)) for body in bodies]
