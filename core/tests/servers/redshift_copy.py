"""COPY of Parquet as Redshift documents it: by the columns' places, each native type from its own Parquet type.

What its documentation says ("COPY from columnar data formats", "Using a manifest to specify data files", "Errors when
loading Parquet": an incompatible schema is an error), and no conversions: a number of another width, a decimal of
another scale, a text that is too long in bytes, TIME, INTERVAL, and SUPER without SERIALIZETOJSON are refused.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

_NAME = r"(?:\"(?:[^\"]|\"\")*\"|\w+)"
_TABLE = rf"(?P<table>{_NAME}(?:\.{_NAME})*)"
CREATE = re.compile(rf"(?is)^create (?:temporary )?table {_TABLE} \((?P<columns>.*)\)$")
COPY = re.compile(rf"(?is)^copy {_TABLE} from '(?P<url>s3://[^']+)' (?P<rest>.*)$")
_REST = re.compile(r"(?is)^iam_role (?:default|'[^']*(?:''[^']*)*') format as parquet( manifest)?$")
_TYPE = re.compile(r"(?i)([a-z ]+?)\s*(?:\((\d+)(?:,\s*(\d+))?\))?$")
_NAMES = {
    **dict.fromkeys(("smallint", "int2"), ("INT32", "Int(bitWidth=16, isSigned=true)", "None")),
    **dict.fromkeys(("integer", "int", "int4"), ("INT32", "None")),
    **dict.fromkeys(("bigint", "int8"), ("INT64", "None")),
    **dict.fromkeys(("real", "float4"), ("FLOAT", "None")),
    **dict.fromkeys(("double precision", "float8", "float"), ("DOUBLE", "None")),
    **dict.fromkeys(("boolean", "bool"), ("BOOLEAN", "None")),
    "date": ("INT32", "Date"),
    **dict.fromkeys(("varchar", "char", "character", "character varying"), ("BYTE_ARRAY", "String")),
    **dict.fromkeys(("varbyte", "varbinary"), ("BYTE_ARRAY", "None")),
}
_MOMENTS = ("timestamp", "timestamptz", "timestamp without time zone", "timestamp with time zone")
_LONGEST = {"varbyte": 1_024_000, "varbinary": 1_024_000}


@dataclass
class Copies:
    """What a cluster remembers for COPY.

    Args:
        tables: The columns' types of tables that were made, by the table's name as the statement had it.
        folder: Where the files for PostgreSQL lie.
        statements: The COPYs that were asked for.
    """

    tables: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    folder: tempfile.TemporaryDirectory[str] | None = None
    statements: list[str] = field(default_factory=list)

    def created(self, sql: str) -> str:
        """Remember a table, and give PostgreSQL's words for it."""
        found = CREATE.match(sql)
        assert found is not None
        self.tables[found["table"]] = [_named(part) for part in _split(found["columns"])]
        return re.sub(r"varbyte\(\d+\)", "varbyte", sql)

    def file(self, sql: str, s3_url: str | None) -> tuple[str, int]:
        """The statement by which PostgreSQL reads what the files hold, and how many rows it is."""
        self.statements.append(sql)
        found = COPY.match(sql)
        assert found is not None
        rest = _REST.match(found["rest"])
        if rest is None:
            raise ValueError(f"syntax error at or near {found['rest']!r}")
        columns = self.tables[found["table"]]
        files = _listed(found["url"], s3_url) if rest[1] else _below(found["url"], s3_url)
        rows = 0
        if self.folder is None:
            self.folder = tempfile.TemporaryDirectory()
            os.chmod(self.folder.name, 0o755)
        path = Path(self.folder.name) / f"{len(self.statements)}.csv"
        with path.open("wb") as file:
            for body in files:
                rows += _written(body, columns, file)
        path.chmod(0o644)
        return f"copy {found['table']} from '{path}' (format csv)", rows

    def close(self) -> None:
        """Nothing is left."""
        if self.folder is not None:
            self.folder.cleanup()


def _split(columns: str) -> list[str]:
    """The columns of a CREATE TABLE: at commas that are in no parentheses and in no name."""
    parts, depth, is_name, start = [], 0, False, 0
    for index, letter in enumerate(columns):
        if letter == '"':
            is_name = not is_name
        elif not is_name:
            depth += (letter == "(") - (letter == ")")
            if letter == "," and not depth:
                parts.append(columns[start:index].strip())
                start = index + 1
    return [*parts, columns[start:].strip()]


def _named(part: str) -> tuple[str, str]:
    if part.startswith('"'):
        end = re.match(r'"(?:[^"]|"")*"', part)
        assert end is not None
        return end[0], part[end.end() :].strip()
    name, _, type_ = part.partition(" ")
    return name, type_.strip()


def _objects(s3_url: str | None) -> Any:
    import boto3

    return boto3.client("s3", endpoint_url=s3_url)


def _listed(url: str, s3_url: str | None) -> list[bytes]:
    """The files of a manifest. For Parquet each entry says the file's length."""
    client = _objects(s3_url)
    bodies = []
    for entry in json.loads(_body(client, url))["entries"]:
        if "content_length" not in entry.get("meta", {}):
            raise ValueError("Manifest file is not in correct json format: meta.content_length is missing")
        body = _body(client, entry["url"])
        if len(body) != entry["meta"]["content_length"]:
            raise ValueError(f"Spectrum Scan Error: content_length of {entry['url']} is not {len(body)}")
        bodies.append(body)
    return bodies


def _below(url: str, s3_url: str | None) -> list[bytes]:
    """All files whose key begins with a prefix."""
    client = _objects(s3_url)
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    found = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    if not found:
        raise ValueError("The specified S3 prefix does not exist")
    return [_body(client, f"s3://{bucket}/{item['Key']}") for item in found]


def _body(client: Any, url: str) -> bytes:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())


def _written(body: bytes, columns: list[tuple[str, str]], file: Any) -> int:
    """The rows of one file, as lines for PostgreSQL."""
    found = pq.ParquetFile(pa.py_buffer(body), coerce_int96_timestamp_unit="us")
    if len(found.schema) != len(columns):
        raise ValueError(
            f"Unmatched number of columns between table and file. Table columns: {len(columns)},"
            f" Data columns: {len(found.schema)}"
        )
    for index, (name, type_) in enumerate(columns):
        _check(name, type_, found.schema.column(index))
    for batch in found.iter_batches():
        arrays = [_text(array, *column) for array, column in zip(batch.columns, columns, strict=True)]
        names = [str(index) for index in range(len(arrays))]
        options = pacsv.WriteOptions(include_header=False, quoting_style="needed")
        pacsv.write_csv(pa.RecordBatch.from_arrays(arrays, names), file, write_options=options)
    return int(found.metadata.num_rows)


def _check(name: str, type_: str, column: Any) -> None:
    kind = _TYPE.match(type_)
    assert kind is not None, type_
    logical = str(column.logical_type)
    base = kind[1].lower()
    if base in _MOMENTS:
        is_read = column.physical_type == "INT96" or ("Timestamp" in logical and "nanoseconds" not in logical)
    elif base in ("numeric", "decimal"):
        is_read = logical == f"Decimal(precision={kind[2]}, scale={kind[3] or 0})"
    elif base in _NAMES:
        physical, *logicals = _NAMES[base]
        is_read = column.physical_type == physical and logical in logicals
    else:  # TIME, TIMETZ, INTERVAL, GEOMETRY; SUPER, which takes what is nested, and with SERIALIZETOJSON only
        raise ValueError(f"Unsupported column type {type_} found during copy from PARQUET: column {name}")
    if not is_read:
        raise ValueError(
            f"Spectrum Scan Error. File has an incompatible Parquet schema for column {name}."
            f" Column type: {type_}, Parquet schema: {column.physical_type} ({logical})"
        )


def _text(array: pa.Array, name: str, type_: str) -> pa.Array:
    kind = _TYPE.match(type_)
    assert kind is not None
    base, size = kind[1].lower(), int(kind[2] or _LONGEST.get(kind[1].lower(), 256))
    if pa.types.is_string(array.type) or pa.types.is_binary(array.type):
        if (pc.max(pc.binary_length(array)).as_py() or 0) > size:
            raise ValueError(
                f"The length of the data column {name} is longer than the length defined in the table."
                f" Table: {size}, Data: {pc.max(pc.binary_length(array))}"
            )
        if pa.types.is_binary(array.type):
            return pa.array([None if value is None else value.hex() for value in array.to_pylist()], pa.string())
    if pa.types.is_timestamp(array.type) and base in ("timestamp", "timestamp without time zone"):
        return array.cast(pa.timestamp("us"))
    return array
