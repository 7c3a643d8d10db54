"""Writing on the stand-in for Databricks: COPY INTO, bound rows, DESCRIBE, Delta's rules."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

from servers.databricks_volume import Volumes
from servers.fake_cursor import FakeCursor, FakeSQLError
from servers.fake_sql import FakeSQL

# Delta's documentation: such names need column mapping. Unity Catalog's: no table has these in its name.
_ODD_COLUMN = re.compile(r"[ ,;{}()\n\t=]")
_ODD_TABLE = re.compile(r"[ ./\x00-\x1f\x7f]")
_MOST_FILES = 1000
_GREGORIAN = dt.date(1582, 10, 15)
ROWS = "dvt_rows"


class Writing:
    """One warehouse's tables, as statements over the protocol change them.

    Args:
        engine: What runs SQL.
        volumes: Where files are.
    """

    def __init__(self, engine: FakeSQL, volumes: Volumes) -> None:
        self._engine, self._volumes = engine, volumes
        self._loaded: dict[tuple[str, str], set[str]] = {}  # COPY INTO skips what a table has had
        self.copies: list[dict[str, Any]] = []

    def answer(
        self, statement: str, given: Mapping[str, str], schema: str, cursor: FakeCursor
    ) -> tuple[pa.Table | None, str]:
        """What a statement gives where it is not the engine's; else None, and what the engine is to run."""
        try:
            tree = sqlglot.parse_one(statement, read="databricks")
        except sqlglot.errors.SqlglotError:
            return None, statement  # the engine says so
        if isinstance(tree, exp.Copy):
            return self._copy(tree, schema, cursor), statement
        if isinstance(tree, exp.Describe) and str(tree.args.get("kind")).lower() == "schema":
            return self._schema(tree.this), statement
        if isinstance(tree, exp.Describe):
            return self._table(tree.this, schema, cursor), statement
        if isinstance(tree, exp.Create) and tree.kind == "TABLE":
            self._check(tree, schema)
        if isinstance(tree, (exp.Create, exp.Drop)) and (table := tree.find(exp.Table)):
            self._loaded.pop(_key(table, schema), None)
        if isinstance(tree, exp.Insert) and (rows := tree.find(exp.Inline)):
            cursor.own.register(ROWS, _document(rows, given))
            rows.parent.replace(exp.table_(ROWS, db="main", catalog="temp"))
            return None, tree.sql("databricks")
        return None, statement

    def _copy(self, tree: exp.Copy, schema: str, cursor: FakeCursor) -> pa.Table:
        target, select = tree.this, tree.args["files"][0].this
        options = {name.lower(): value for name, value in _options(tree).items()}
        folder = select.find(exp.Table)
        names = [literal.this for literal in options["files"].find_all(exp.Literal)]
        if len(names) > _MOST_FILES:
            raise FakeSQLError("spark", "[COPY_INTO] The list of FILES has more than 1000 names. SQLSTATE: 42601")
        loaded = self._loaded.setdefault(_key(target, schema), set())
        paths = [folder.name.rstrip("/") + "/" + name for name in names]
        contents = _in_bucket(paths) if folder.name.startswith("s3://") else self._volumes.files
        missing = next((path for path in paths if path not in contents), None)
        if missing:
            raise FakeSQLError("spark", f"[PATH_NOT_FOUND] Path does not exist: {missing}. SQLSTATE: 42K03")
        is_forced = options["copy_options"].get("force") == "true"
        paths = [path for path in paths if is_forced or path not in loaded]
        self.copies.append({"files": names, "lying": len(self._volumes.files), **options["format_options"]})
        rows = 0
        if paths:
            tables = [_read(contents[path], options["format_options"]) for path in paths]
            cursor.own.register(ROWS, pa.concat_tables(tables))
            folder.replace(exp.table_(ROWS, db="main", catalog="temp"))
            self._check_types(target, select, schema, cursor)
            listed = exp.Schema(
                this=target.copy(), expressions=[exp.to_identifier(n, True) for n in select.named_selects]
            )
            insert = exp.Insert(this=listed, expression=select)
            self._engine.run(insert.sql("databricks"), schema, "copy into", cursor)
            rows = sum(table.num_rows for table in tables)
            loaded.update(paths)
        counts = {"num_affected_rows": rows, "num_inserted_rows": rows, "num_skipped_corrupt_files": 0}
        return pa.table({name: [count] for name, count in counts.items()})

    def _check_types(self, target: exp.Table, select: exp.Select, schema: str, cursor: FakeCursor) -> None:
        """COPY INTO writes what the table has, under the names and in the types that it has."""
        there = {name.lower(): native for name, native in self._natives(target, schema).items()}
        if not there:
            raise FakeSQLError("table", "there is no such table", target.name)
        found = self._engine.run(select.sql("databricks"), schema, "", cursor, batch_rows=0)
        for column in found.columns:
            native = there.get(column.name.lower())
            if native is None:
                words = f"A schema mismatch detected when writing to the Delta table: column {column.name}"
                raise FakeSQLError("spark", f"[DELTA_SCHEMA_MISMATCH] {words}. SQLSTATE: 42KDE")
            if column.native is None or _kind(column.native) != _kind(native):
                words = f"Failed to merge fields '{column.name}'"
                raise FakeSQLError("spark", f"[DELTA_FAILED_TO_MERGE_FIELDS] {words}. SQLSTATE: 22005")

    def _natives(self, table: exp.Table, schema: str) -> Mapping[str, exp.DataType]:
        return self._engine.native_columns(table.db or schema, table.name)

    def _schema(self, table: exp.Table) -> pa.Table:
        if not self.has_schema(table.name):
            raise FakeSQLError(
                "spark", f"[SCHEMA_NOT_FOUND] The schema `{table.name}` cannot be found. SQLSTATE: 42704"
            )
        return pa.table({"database_description_item": ["Namespace Name"], "database_description_value": [table.name]})

    def has_schema(self, schema: str) -> bool:
        """Whether there is one of that name."""
        name = exp.Literal.string(schema).sql("databricks")
        asked = f"select 1 from information_schema.schemata where schema_name = {name}"
        return bool(self._engine.run(asked).fetchmany(1))

    def _table(self, table: exp.Table, schema: str, cursor: FakeCursor) -> pa.Table:
        place = exp.column("table_schema").eq(exp.Literal.string(table.db or schema))
        named = exp.column("table_name").eq(exp.Literal.string(table.name))
        asked = exp.select("table_type").from_("information_schema.tables").where(place, named)
        kinds = self._engine.run(asked.sql("databricks")).fetchmany(1)
        if not kinds:
            raise FakeSQLError("table", "there is none", table.name)
        kind = "VIEW" if "VIEW" in kinds[0][0] else "MANAGED"
        query = exp.select("*").from_(table.copy()).limit(0)
        found = self._engine.run(query.sql("databricks"), schema, "", cursor, batch_rows=0)
        natives = [
            (c.native or exp.DataType.build(c.stored, dialect="duckdb")).sql("databricks") for c in found.columns
        ]
        rows = [(column.name, native.lower()) for column, native in zip(found.columns, natives, strict=True)]
        about = [("", ""), ("# Detailed Table Information", ""), ("Catalog", "lake"), ("Database", table.db or schema)]
        rows += [*about, ("Table", table.name), ("Type", kind), ("Provider", "delta")]
        names, types = zip(*rows, strict=True)
        return pa.table({"col_name": names, "data_type": types, "comment": pa.nulls(len(rows), pa.string())})

    def _check(self, tree: exp.Create, schema: str) -> None:
        table = tree.find(exp.Table)
        assert table is not None
        if _ODD_TABLE.search(table.name):
            words = f"`{table.name}` is not a valid name for tables/schemas"
            raise FakeSQLError("spark", f"[INVALID_SCHEMA_OR_RELATION_NAME] {words}. SQLSTATE: 42602")
        columns = [c for c in tree.find_all(exp.ColumnDef) if c.parent is tree.this]
        names = [column.name for column in columns]
        if isinstance(tree.expression, exp.Query):
            found = self._engine.run(tree.expression.sql("databricks"), schema, "", batch_rows=0)
            names = [column.name for column in found.columns]
        folded = [name.lower() for name in names]
        if twice := next((name for name in folded if folded.count(name) > 1), None):
            raise FakeSQLError("spark", f"[COLUMN_ALREADY_EXISTS] The column `{twice}` already exists. SQLSTATE: 42711")
        properties = {p.name: p.text("value") for p in tree.find_all(exp.Property) if type(p) is exp.Property}
        odd = next((name for name in names if _ODD_COLUMN.search(name)), None)
        if odd and properties.get("delta.columnMapping.mode") != "name":
            words = f"Found invalid character(s) among ' ,;{{}}()\\n\\t=' in the column names: {odd}"
            raise FakeSQLError("spark", f"[DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES] {words}. SQLSTATE: 42K05")


def limited(tree: exp.Expr) -> exp.Expr:
    """CREATE TABLE with what Delta checks on write: the length of a varchar."""
    if isinstance(tree, exp.Create):
        for column in tree.find_all(exp.ColumnDef):
            kind = column.args.get("kind")
            if isinstance(kind, exp.DataType) and kind.this == exp.DType.VARCHAR and kind.expressions:
                length = exp.func("length", exp.column(column.this.copy()))
                check = exp.CheckColumnConstraint(this=exp.LTE(this=length, expression=kind.expressions[0].this.copy()))
                column.append("constraints", exp.ColumnConstraint(kind=check))
    return tree


def _document(rows: exp.Inline, given: Mapping[str, str]) -> pa.Table:
    """The rows of `inline(from_json(:rows, 'array<struct<...: string>>', map('mode', 'FAILFAST')))`."""
    read = rows.this
    assert isinstance(read, exp.FromJson)
    assert "FAILFAST" in read.sql(), "rows that cannot be read would be NULLs"
    struct = exp.DataType.build(read.expression.name, dialect="databricks").expressions[0]
    names = [field.name for field in struct.expressions]
    assert all(field.args["kind"].this == exp.DType.TEXT for field in struct.expressions)
    found = json.loads(given[read.this.name])
    return pa.table({name: pa.array([row.get(name) for row in found], pa.string()) for name in names})


def _in_bucket(paths: list[str]) -> dict[str, bytes]:
    """The files that are there, on the S3 of the environment."""
    from pyarrow.fs import FileType, S3FileSystem

    store = S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL_S3"])
    found = {path: store.get_file_info(path.removeprefix("s3://")) for path in paths}
    there = [path for path, info in found.items() if info.type == FileType.File]
    return {path: store.open_input_file(path.removeprefix("s3://")).read() for path in there}


def _options(tree: exp.Copy) -> dict[str, Any]:
    found: dict[str, Any] = {"format_options": {}, "copy_options": {}}
    for each in tree.args["params"]:
        pairs = {p.name: p.text("value") for p in each.expressions if type(p) is exp.Property}
        found[each.name.lower()] = pairs if each.expressions else each.expression
    return found


def _read(content: bytes, options: Mapping[str, str]) -> pa.Table:
    """A Parquet file as Databricks reads it: days before 1582 are Julian ones where nothing else is said."""
    table = pq.read_table(io.BytesIO(content))
    for at, field in enumerate(table.schema):
        if pa.types.is_time(field.type) or pa.types.is_null(field.type):
            words = f"Illegal Parquet type of column {field.name}: {field.type}"
            raise FakeSQLError("spark", f"[PARQUET_TYPE_ILLEGAL] {words}. SQLSTATE: 42846")
        if field.type == pa.date32() and options.get("datetimeRebaseMode", "LEGACY") != "CORRECTED":
            moved = pa.array([day and _julian(day) for day in table.column(at).to_pylist()], pa.date32())
            table = table.set_column(at, field.name, moved)
    return table


def _julian(day: dt.date) -> dt.date:
    """The day that is taken for this one: by two days in the first century, and by other numbers in later ones."""
    return day if day >= _GREGORIAN else day + dt.timedelta(days=2)


def _key(table: exp.Table, schema: str) -> tuple[str, str]:
    return (table.db or schema).lower(), table.name.lower()


def _kind(native: exp.DataType) -> str:
    """A type without the length of its text."""
    if native.this in (exp.DType.VARCHAR, exp.DType.TEXT):
        return "string"
    return native.sql("databricks").lower()
