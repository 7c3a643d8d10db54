"""What the fake Exasol writes: IMPORT of CSV out of the tunnel, transactions, renames, the catalogue's columns."""

from __future__ import annotations

import io
import re
import socket
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as csv
import sqlglot
from sqlglot import exp

from servers.fake_sql import FakeCursor, FakeSQL, FakeSQLError

_NAME = r'"(?:[^"]|"")*"'
_IMPORT = re.compile(
    rf"(?is)^\s*IMPORT\s+INTO\s+({_NAME}(?:\.{_NAME})?)\s*\((.*?)\)\s*FROM\s+CSV\s+AT\s+'https?://[^:]+:(\d+)'(.*)$"
)
_RENAME = re.compile(rf"(?is)^\s*(?:/\*.*?\*/\s*)?RENAME\s+TABLE\s+({_NAME}(?:\.{_NAME})?)\s+TO\s+({_NAME})\s*$")
_CLAUSES = ("FILE '000.csv'", "ENCODING = 'UTF8'", "ROW SEPARATOR = 'LF'", "COLUMN SEPARATOR = ','", "DELIMITER = '\"'")


def import_of(sql: str) -> tuple[str, str, int] | None:
    """An IMPORT's table, columns and the port of its tunnel; None for another statement."""
    found = _IMPORT.match(sql)
    if found is None:
        return None
    missing = [clause for clause in _CLAUSES if clause not in found.group(4)]
    assert not missing, f"{sql} does not say {missing}"
    return found.group(1), found.group(2), int(found.group(3))


def said_to_sqlglot(sql: str) -> str:
    """A statement in words that sqlglot knows."""
    found = _RENAME.match(sql)
    return sql if found is None else f"ALTER TABLE {found.group(1)} RENAME TO {found.group(2)}"


def lines_of(tunnel: socket.socket) -> bytes:
    """Ask for the file, and take it to its end.

    Raises:
        ConnectionError: The tunnel ended before the rows did.
    """
    tunnel.sendall(b"GET /000.csv HTTP/1.1\r\nHost: localhost\r\n\r\n")
    parts = []
    with tunnel.makefile("rb") as answer:
        while (line := answer.readline()) != b"\r\n":
            if not line:
                raise ConnectionError("no answer")
        while size := int(_line(answer), 16):
            part = answer.read(size)
            if len(part) < size or answer.read(2) != b"\r\n":
                raise ConnectionError("a chunk is not whole")
            parts.append(part)
    return b"".join(parts)


def _line(answer: BinaryIO) -> bytes:
    line = answer.readline()
    if not line:
        raise ConnectionError("it ended in the middle")
    return line


def insert_lines(engine: FakeSQL, cursor: FakeCursor, schema: str, table: str, columns: str, lines: bytes) -> int:
    """Put CSV into a table; empty texts are NULL. Gives the number of rows."""
    if not lines:
        return 0
    names = [column.name for column in sqlglot.parse_one(f"select {columns}", read="exasol").selects]
    places = [f"c{place}" for place in range(len(names))]
    found = csv.read_csv(
        io.BytesIO(lines),
        read_options=csv.ReadOptions(column_names=places, block_size=len(lines) + 1, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(places, pa.string()), null_values=[""], strings_can_be_null=True
        ),
    )
    parsed = sqlglot.parse_one(table, into=exp.Table, read="exasol")
    natives = {n.lower(): t for n, t in engine.native_columns(parsed.db or schema, parsed.name).items()}
    _require_short(found, names, natives)
    with cursor.working():
        cursor.own.register("dvt_import", found)
        try:
            listed = ", ".join(places)
            cursor.own.execute(f"insert into fake.{table} ({columns}) select {listed} from dvt_import")
        finally:
            cursor.own.unregister("dvt_import")
    return found.num_rows


def _require_short(found: pa.Table, names: list[str], natives: dict[str, exp.DataType]) -> None:
    """DuckDB's texts have no length; Exasol's have, and it says where one is too long."""
    for place, name in enumerate(names):
        native = natives.get(name.lower())
        size = next((int(part.name) for part in native.expressions), None) if native is not None else None
        if native is None or not native.is_type("varchar", "char") or size is None:
            continue
        for row, value in enumerate(found.column(place).to_pylist()):
            if value is not None and len(value) > size:
                message = f"ETL-3050: [Column={place} Row={row}] [Transformation of value='{value[:9]}' failed - data"
                raise FakeSQLError("query", f"{message} exception - string data, right truncation]")


def list_columns(engine: FakeSQL) -> None:
    """Fill EXA_ALL_COLUMNS with the types that the tables were created with."""
    with engine.cursor().own as db:
        db.execute("begin; delete from fake.main.EXA_ALL_COLUMNS")
        for (schema, table), columns in list(engine.natives.items()):
            for name, native in columns.items():
                bare = native.copy()
                bare.set("nullable", None)
                row = [schema, table, name, bare.sql(dialect="exasol").upper()]
                db.execute("insert into fake.main.EXA_ALL_COLUMNS values (?, ?, ?, ?)", row)
        db.execute("commit")
