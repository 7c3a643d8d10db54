"""COPY of Parquet files from S3 (moto's) into a table of the fake Firebolt, in the form that its reference documents.

Columns are found by the names that the mapping says, and have to be of the table's type; each file has to have them
all. The bucket is read with the credentials of the statement. What fails is told with the statement, as it was sent:
that nothing of its secrets is told further is dvt's affair.
"""

from __future__ import annotations

import io
import re
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from servers.fake_cursor import FakeCursor, FakeSQLError
from servers.fake_sql import FakeSQL

ROLE, EXTERNAL_ID = "arn:aws:iam::123456789012:role/firebolt-reads", "a-dvt-id"
_NAME = r'"(?:[^"]|"")*"'
_COPY = re.compile(
    rf"(?is)^copy into (?:({_NAME})\.)?({_NAME}) \( ((?:{_NAME} \w+(?:, )?)+) \) from '(s3://[^']+/)' with"
    r" credentials = \( ((?:\w+ = '(?:[^']|'')*' ?)+)\) pattern = '([^']+)' type = parquet auto_create = false"
    r" allow_column_mismatch = false max_errors_per_file = 0$"
)
_READ = {
    "BOOLEAN": pa.bool_(), "INT": pa.int32(), "BIGINT": pa.int64(), "REAL": pa.float32(),
    "DOUBLE PRECISION": pa.float64(), "TEXT": pa.string(),
}  # fmt: skip
_ROWS = "dvt_files"


def copy(engine: FakeSQL, cursor: FakeCursor, sql: str) -> bool:
    """Run a COPY; False for another statement."""
    if not sql.lower().startswith("copy "):
        return False
    found = _COPY.match(sql)
    if found is None:
        raise FakeSQLError("syntax", f"syntax error in {sql}")
    schema, table = (_plain(part) if part else "main" for part in found.groups()[:2])
    natives = engine.native_columns(schema, table)
    if not natives:
        raise FakeSQLError("table", f"there is none: {sql}", table)
    mapped = [(_plain(name), source) for name, source in re.findall(rf"({_NAME}) (\w+)", found[3])]
    read = [f"cast({source} as {natives[name].sql('duckdb')})" for name, source in mapped]
    into = f"{engine.database}.{_quoted(schema)}.{_quoted(table)} ({', '.join(_quoted(name) for name, _ in mapped)})"
    for body in _files(found[4], found[6], _client(found[5], sql)):
        file = pq.read_table(io.BytesIO(body))
        for name, source in mapped:
            _check(file.schema, source, natives[name].sql("postgres"), sql)
        with cursor.working():
            cursor.own.register(_ROWS, file)
            try:
                cursor.own.execute(f"insert into {into} select {', '.join(read)} from {_ROWS}")
            finally:
                cursor.own.unregister(_ROWS)
    return True


def with_bytes(tree: exp.Expr) -> exp.Expr:
    """A query whose casts of columns of texts to bytes read hexadecimal digits, as PostgreSQL and Firebolt do."""
    for cast in list(tree.find_all(exp.Cast)):
        if cast.to.this == exp.DataType.Type.VARBINARY and isinstance(cast.this, exp.Column):
            digits = exp.Anonymous(this="substr", expressions=[cast.this.copy(), exp.Literal.number(3)])
            cast.replace(exp.Anonymous(this="unhex", expressions=[digits]))
    return tree


def _check(schema: pa.Schema, source: str, native: str, sql: str) -> None:
    if source not in schema.names:
        raise FakeSQLError("query", f"column {source} is not in the file: {sql}")
    if _READ.get(native) != schema.field(source).type:
        raise FakeSQLError("query", f"{schema.field(source)} is not read into {native}: {sql}")


def _client(words: str, sql: str) -> Any:
    """Of S3, with the credentials of the statement; a role's are the environment's, here."""
    import boto3

    given = dict(re.findall(r"(\w+) = '((?:[^']|'')*)'", words))
    if "AWS_ROLE_ARN" in given:
        if given not in ({"AWS_ROLE_ARN": ROLE}, {"AWS_ROLE_ARN": ROLE, "AWS_ROLE_EXTERNAL_ID": EXTERNAL_ID}):
            raise FakeSQLError("query", f"Access Denied to assume the role: {sql}")
        return boto3.client("s3")
    names = {"AWS_ACCESS_KEY_ID": "aws_access_key_id", "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
             "AWS_SESSION_TOKEN": "aws_session_token"}  # fmt: skip
    return boto3.client("s3", **{names[name]: value for name, value in given.items()})


def _files(url: str, pattern: str, client: Any) -> list[bytes]:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    found = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    keys = [item["Key"] for item in found if fnmatchcase(item["Key"].removeprefix(prefix), pattern)]
    return [bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]


def _plain(quoted: str) -> str:
    return quoted[1:-1].replace('""', '"')


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
