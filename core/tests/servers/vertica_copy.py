"""What the fake Vertica writes: the lines of COPY FROM STDIN, renames of many tables, its catalogue."""

from __future__ import annotations

import re

import pyarrow as pa

from servers.fake_sql import FakeCursor, FakeSQL

CATALOGUE = (
    "create schema fake.v_catalog",
    "create view fake.v_catalog.tables as select schema_name as table_schema, table_name from duckdb_tables()"
    " where database_name = 'fake'",
    "create view fake.v_catalog.views as select schema_name as table_schema, view_name as table_name"
    " from duckdb_views() where database_name = 'fake' and schema_name <> 'v_catalog'",
    "create view fake.v_catalog.schemata as select schema_name from duckdb_schemas() where database_name = 'fake'",
)
_NAME = r'"(?:[^"]|"")*"'
_COPY = re.compile(rf"(?is)^\s*COPY\s+({_NAME}(?:\.{_NAME})?)\s*\((.*)\)\s*FROM\s+STDIN\s(.*)$")
_COLUMN = re.compile(rf"({_NAME})(\s+format\s+'hex')?")
_RENAMES = re.compile(rf"(?is)^\s*(?:/\*.*?\*/\s*)?ALTER\s+TABLE\s+(.*)\s+RENAME\s+TO\s+((?:{_NAME}(?:,\s*)?)+)\s*$")
_WHOLE = re.compile(rf"{_NAME}(?:\.{_NAME})?")
_FIELD = re.compile(r'(?:"((?:\\.|[^\\"])*)"|((?:\\.|[^\\\t\n])*))([\t\n])', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CLAUSES = (
    r"delimiter E'\t'",
    "enclosed by '\"'",
    r"null E'\001'",
    r"escape as E'\\'",
    "enforcelength",
    "abort on error",
)


def copy_of(sql: str) -> tuple[str, list[tuple[str, bool]]] | None:
    """A COPY's table and columns, with whether they come in hexadecimal digits; None for another statement."""
    found = _COPY.match(sql)
    if found is None:
        return None
    missing = [clause for clause in _CLAUSES if clause not in found.group(3)]
    assert not missing, f"{sql} does not say {missing}"
    return found.group(1), [(name, bool(is_hex)) for name, is_hex in _COLUMN.findall(found.group(2))]


def renames_of(sql: str) -> list[str] | None:
    """ALTER TABLE of many, as one statement for each, in their order; None for another statement."""
    found = _RENAMES.match(sql)
    if found is None:
        return None
    old, new = _WHOLE.findall(found.group(1)), re.findall(_NAME, found.group(2))
    assert len(old) == len(new), sql
    return [f"alter table {name} rename to {other}" for name, other in zip(old, new, strict=True)]


def insert_lines(cursor: FakeCursor, table: str, columns: list[tuple[str, bool]], lines: bytes) -> None:
    """Put the lines into the table, as COPY takes them."""
    rows: list[list[str | None]] = [[]]
    end = 0
    for found in _FIELD.finditer(lines.decode()):
        assert found.start() == end, "a part of a line is no field"
        end = found.end()
        enclosed, bare, delimiter = found.groups()
        text = bare.strip(" ") if enclosed is None else enclosed  # as COPY takes what is not enclosed
        rows[-1].append(None if text == "\x01" else _ESCAPED.sub(r"\1", text))
        if delimiter == "\n":
            rows.append([])
    assert rows.pop() == [], "the last line has no end"
    assert all(len(row) == len(columns) for row in rows), "a line has other columns"
    places = [f"c{place}" for place in range(len(columns))]
    given = pa.table({name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(places)})
    read = [f"from_hex({place})" if is_hex else place for place, (_, is_hex) in zip(places, columns, strict=True)]
    with cursor.working():
        cursor.own.register("dvt_copy", given)
        try:
            names = ", ".join(name for name, _ in columns)
            cursor.own.execute(f"insert into fake.{table} ({names}) select {', '.join(read)} from dvt_copy")
        finally:
            cursor.own.unregister("dvt_copy")


def rename_all(engine: FakeSQL, cursor: FakeCursor, statements: list[str]) -> None:
    """Rename them in one step, for all that read."""
    cursor.own.execute("begin")
    try:
        for statement in statements:
            engine.run(statement, cursor=FakeCursor(cursor.own))
        cursor.own.execute("commit")
    except BaseException:
        cursor.own.execute("rollback")
        raise
