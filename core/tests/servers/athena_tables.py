"""Athena's tables that are files: their DDL, where Glue (moto's) keeps them, and how a query reads them.

As Athena does it: DDL is Hive's, with backticks and Hive's types, and refuses names with other characters. A query
looks a table up when it begins, lists its folder, and reads the Parquet files that lie there by the columns' names; a
file of another type is an error, as is one that has gone meanwhile. Moments are read in thousandths of a second. DROP
TABLE leaves the files.
"""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

from servers.fake_sql import FakeSQL, FakeSQLError

_EXTERNAL = re.compile(
    r"(?is)^create external table `(?P<schema>[^`]+)`\.`(?P<name>[^`]+)` \((?P<columns>.*)\) stored as parquet"
    r" location '(?P<location>s3://[^']+/)'$"
)
_AS = re.compile(
    r"(?is)^create table (?P<table>\S+) with \(format = 'PARQUET', write_compression = 'SNAPPY',"
    r" external_location = '(?P<location>s3://[^']+/)'\) as\s+(?P<query>.*)$"
)
_DROP = re.compile(r"(?is)^drop table (?:if exists )?`(?P<schema>[^`]+)`\.`(?P<name>[^`]+)`$")
_SCHEMA = re.compile(r"(?is)^create schema (?:if not exists )?`?(?P<schema>\w+)`?$")
_COLUMN = re.compile(r"`([^`]+)` ([a-z]+(?:\(\d+(?:,\s*\d+)?\))?)")
_WORD = re.compile(r"[a-z0-9_]+")
_ARROW = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ms"),
}
_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"


class HiveTables:
    """The tables of one service.

    Args:
        sql: What runs queries.
    """

    def __init__(self, sql: FakeSQL) -> None:
        self._sql = sql
        self._numbers = itertools.count()
        self._glue: Any = None
        self._s3: Any = None

    @property
    def is_on(self) -> bool:
        """Whether there is a Glue."""
        return self._glue is not None

    def start(self, address: str) -> None:
        """There is one, and an S3."""
        import boto3

        self._glue = boto3.client("glue", endpoint_url=address)
        self._s3 = boto3.client("s3", endpoint_url=address)
        self._make_schema("main")

    def ddl(self, sql: str) -> bool:
        """Run a statement of DDL; False for what is none of these."""
        sql = re.sub(r"(?s)^\s*(?:/\*.*?\*/\s*)*", "", sql).strip()
        if found := _SCHEMA.match(sql):
            self._make_schema(found["schema"].lower())
        elif found := _EXTERNAL.match(sql):
            listed = _COLUMN.findall(found["columns"])
            if ", ".join(f"`{name}` {type_}" for name, type_ in listed) != found["columns"].strip():
                raise FakeSQLError("syntax", f"mismatched input: {found['columns']}")
            self._make(found["schema"], found["name"], listed, found["location"])
        elif found := _AS.match(sql):
            self._make_as(found["table"], found["query"], found["location"])
        elif found := _DROP.match(sql):
            if self.table(found["schema"], found["name"]) is not None:
                self._glue.delete_table(DatabaseName=found["schema"], Name=found["name"])
        else:
            return False
        return True

    def table(self, schema: str, name: str) -> dict[str, Any] | None:
        """What Glue has under a name."""
        try:
            return dict(self._glue.get_table(DatabaseName=schema, Name=name)["Table"])
        except self._glue.exceptions.EntityNotFoundException:
            return None

    def names(self, schema: str = "main") -> list[str]:
        """The tables of a schema."""
        return [table["Name"] for table in self._glue.get_tables(DatabaseName=schema)["TableList"]]

    def _make_schema(self, schema: str) -> None:
        if schema not in [each["Name"] for each in self._glue.get_databases()["DatabaseList"]]:
            self._glue.create_database(DatabaseInput={"Name": schema})
        if schema != "main":
            self._sql.cursor().own.execute(f'create schema if not exists "{self._sql.database}"."{schema}"')

    def _make(self, schema: str, name: str, columns: list[tuple[str, str]], location: str) -> None:
        for word in (name, *(column for column, _ in columns)):
            if not _WORD.fullmatch(word):
                raise FakeSQLError("syntax", f"InvalidInputException: name {word!r}")
        listed = [{"Name": column, "Type": type_} for column, type_ in columns]
        storage = {"Columns": listed, "Location": location, "SerdeInfo": {"SerializationLibrary": _SERDE}}
        given = {"Name": name, "StorageDescriptor": storage, "PartitionKeys": [], "TableType": "EXTERNAL_TABLE"}
        self._glue.create_table(DatabaseName=schema, TableInput={**given, "Parameters": {"EXTERNAL": "TRUE"}})

    def _make_as(self, table: str, query: str, location: str) -> None:
        parsed = sqlglot.parse_one(table, read="trino", into=exp.Table)
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        if self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents"):
            raise FakeSQLError("hive", f"HIVE_PATH_ALREADY_EXISTS: {location}")
        with self.read(query) as read:
            result = self._sql.run(read, batch_rows=100_000)
            assert result.reader is not None
            rows = result.reader.read_all()
        fields = [pa.field(field.name, _kept(field.type)) for field in rows.schema]
        rows = rows.cast(pa.schema(fields), safe=False)
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink)
        if rows.num_rows:
            self._s3.put_object(Bucket=bucket, Key=f"{prefix}{uuid.uuid4().hex}", Body=sink.getvalue().to_pybytes())
        columns = [(field.name.lower(), _hive(field.type)) for field in fields]
        self._make(parsed.db or "main", parsed.name, columns, location)

    @contextmanager
    def read(self, sql: str) -> Iterator[str]:
        """A query over what the tables' files hold as it begins."""
        made: list[str] = []
        try:
            tree = sqlglot.parse_one(sql, read="trino") if self.is_on else None
        except sqlglot.errors.SqlglotError:
            tree = None
        if tree is None or not isinstance(tree, exp.Query):
            yield sql
            return
        cursor = self._sql.cursor().own
        try:
            if "information_schema" in sql.lower():
                self._listed(tree)
            for table in list(tree.find_all(exp.Table)):
                found = self.table(table.db.lower() or "main", table.name.lower())
                if found is None or table.db.lower() == "information_schema":
                    continue
                name = f"files_{next(self._numbers)}"
                rows = _for_duckdb(self._rows(found))
                cursor.register("own_rows", rows)
                cursor.execute(f'create table "{self._sql.database}".main.{name} as select * from own_rows')
                made.append(name)
                bare = exp.alias_(
                    exp.table_(name, db="main", catalog=self._sql.database), table.alias_or_name, table=True
                )
                table.replace(bare)
            yield tree.sql(dialect="trino") if made or "information_schema" in sql.lower() else sql
        finally:
            for name in made:
                cursor.execute(f'drop table "{self._sql.database}".main.{name}')

    def _listed(self, tree: exp.Expr) -> None:
        """Glue's tables among those that the information schema lists."""
        for table in list(tree.find_all(exp.Table)):
            if table.name.lower() != "tables":
                continue
            own = exp.select("table_schema", "table_name", "table_type").from_(table.copy())
            for database in self._glue.get_databases()["DatabaseList"]:
                for name in self.names(database["Name"]):
                    words = (database["Name"], name, "BASE TABLE")
                    own = own.union(exp.select(*(exp.Literal.string(word) for word in words)), distinct=False)
            table.replace(own.subquery("tables"))

    def _rows(self, table: dict[str, Any]) -> pa.Table:
        columns = [(column["Name"], _arrow(column["Type"])) for column in table["StorageDescriptor"]["Columns"]]
        schema = pa.schema([(name, type_) for name, type_ in columns])
        bucket, _, prefix = table["StorageDescriptor"]["Location"].removeprefix("s3://").partition("/")
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        found = []
        for item in itertools.chain.from_iterable(page.get("Contents", ()) for page in pages):
            if item["Key"].rpartition("/")[2].startswith(("_", ".")) or not item["Size"]:
                continue  # hidden files, and what stands for folders
            try:
                body = self._s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            except self._s3.exceptions.NoSuchKey as error:
                raise FakeSQLError("hive", f"HIVE_CURSOR_ERROR: {item['Key']} does not exist") from error
            found.append(_of_file(pq.read_table(pa.py_buffer(body)), schema))
        return pa.concat_tables([schema.empty_table(), *found])


def _of_file(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    arrays = []
    names = {name.lower(): name for name in rows.schema.names}
    for field in schema:
        if field.name not in names:
            arrays.append(pa.nulls(rows.num_rows, field.type))
            continue
        column = rows.column(names[field.name])
        is_moment = pa.types.is_timestamp(field.type) and pa.types.is_timestamp(column.type)
        if column.type != field.type and not is_moment:
            raise FakeSQLError(
                "hive",
                f"Field {field.name}'s type {column.type} in parquet file is incompatible with type {field.type}"
                " defined in table schema",
            )
        arrays.append(column.cast(pa.timestamp("us")).cast(field.type, safe=False) if is_moment else column)
    return pa.Table.from_arrays(arrays, schema=schema)


def _for_duckdb(rows: pa.Table) -> pa.Table:
    """With moments of the one type that DuckDB and the API's metadata call timestamp."""
    micros = {pa.timestamp("ms"): pa.timestamp("us")}
    return rows.cast(pa.schema([(field.name, micros.get(field.type, field.type)) for field in rows.schema]))


def _arrow(hive: str) -> pa.DataType:
    if found := re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", hive):
        return pa.decimal128(int(found[1]), int(found[2]))
    return pa.string() if hive.startswith("varchar") else _ARROW[hive]


def _kept(type_: pa.DataType) -> pa.DataType:
    """What a table of files has of a type."""
    return pa.timestamp("ms") if pa.types.is_timestamp(type_) else type_


def _hive(type_: pa.DataType) -> str:
    if pa.types.is_decimal(type_):
        return f"decimal({type_.precision},{type_.scale})"
    return next(name for name, each in _ARROW.items() if each == type_)
