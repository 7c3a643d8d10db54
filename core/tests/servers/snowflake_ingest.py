"""What the ADBC driver's ingest asks of the emulated Snowflake: a stage of its own, PUT, and COPY by names of columns.

It runs beside `snowflake_stages`, in fakesnow's environment. COPY does what Snowflake documents where the driver says
nothing else: the text `\\N` is NULL, columns are found by their names in any case, files are loaded once.
"""

from __future__ import annotations

import re
from typing import Any

import duckdb
import fakesnow.server

_MADE = re.compile(r"(?is)create or replace temporary stage (ADBC\$BIND) file_format = \((.*)\)$")
_PUT = re.compile(r"(?is)put 'file://[^']*?([^/']+)' @(ADBC\$BIND) overwrite = true$")
_COPY = re.compile(r"(?is)copy into identifier\(\?\) from @(ADBC\$BIND) match_by_column_name = case_insensitive$")
_COUNT = re.compile(r"(?is)select count\(\*\) from identifier\(\?\)$")
_FORM = ("type = parquet", "use_logical_type = true", "binary_as_text = false")


class Ingest:
    """The driver's statements.

    Args:
        stages: What is staged.
    """

    def __init__(self, stages: Any) -> None:
        self._stages = stages
        self._loaded: dict[str, set[str]] = {}

    def answer(self, token: str, sql: str, bound: dict[str, Any]) -> Any:
        """What a statement gives, as `Stages.answer`; None where it is none of these."""
        if found := _MADE.match(sql):
            if not all(word in found.group(2).lower() for word in _FORM):
                return "001003", "42000", f"SQL compilation error: the emulator does not take {found.group(2)}"
            self._stages.files[token, found.group(1)] = {}
            self._loaded[token] = set()
            return ["status"], [["Stage area successfully created."]]
        if found := _PUT.match(sql):
            return self._stages._upload(token, found.group(1), found.group(2), "auto_compress=false overwrite=true")
        if found := _COPY.match(sql):
            return self._copy(token, bound["1"]["value"], found.group(1))
        if _COUNT.match(sql):
            return self._counted(token, bound["1"]["value"])
        return None

    def _counted(self, token: str, table: str) -> Any:
        db = fakesnow.server.sessions[token]._duck_conn
        try:
            return ["COUNT(*)"], [[str(db.execute(f"select count(*) from {table}").fetchall()[0][0])]]
        except duckdb.Error as error:
            return "002003", "42S02", str(error)

    def _copy(self, token: str, table: str, stage: str) -> Any:
        files = {n: b for n, b in self._stages.files[token, stage].items() if n not in self._loaded[token]}
        self._loaded[token].update(files)
        if not files:
            return ["status"], [["Copy executed with 0 files processed."]]
        db = fakesnow.server.sessions[token]._duck_conn
        with self._stages.readable(files.values()) as source:
            try:
                given = {
                    name.lower(): (name, type_) for name, type_, *_ in db.execute(f"describe from {source}").fetchall()
                }
                columns = [row[0] for row in db.execute(f"describe {table}").fetchall()]
                values = [_value(*given[name.lower()]) if name.lower() in given else "null" for name in columns]
                rows = db.execute(f"insert into {table} select {', '.join(values)} from {source}").fetchall()[0][0]
            except duckdb.Error as error:
                return "100038", "22018", str(error)
        told = ("file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen", "first_error")
        return list(told), [[", ".join(files), "LOADED", str(rows), str(rows), "1", "0", ""]]


def _value(name: str, type_: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    return f"nullif({quoted}, '\\N')" if type_ == "VARCHAR" else quoted
