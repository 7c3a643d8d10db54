"""Stages of the emulated Snowflake: PUT, COPY of Parquet through a SELECT, and CLONE, which fakesnow has not.

It runs beside `snowflake_http`, in fakesnow's environment. COPY takes the few forms that dvt sends and no others, and
does with them what Snowflake documents: NULL_IF is `\\N` where nothing is said, a text in another form than the one
that a function names is an error, and one bad value loads nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.server
from pyarrow import fs

_TEXT = r"(?:[^'\\]|''|\\.)*"
_NAME = r'(?:"(?:[^"]|"")+"|\w+)'
_PLACE = rf"{_NAME}(?:\.{_NAME})*"
_MADE = re.compile(rf"(?is)create temporary stage ({_PLACE})$")
_OVER = re.compile(rf"(?is)create temporary stage ({_PLACE}) url = 's3://([^']+)/' storage_integration = \"LAKE\"$")
_DROPPED = re.compile(rf"(?is)drop stage if exists ({_PLACE})$")
_PUT = re.compile(r"(?is)put 'file://([^']+)' '@((?:[^']|'')+)/'\s+(.*)$")
_COPY = re.compile(
    rf"(?is)copy into ({_PLACE}) \((.*)\) from \(select (.*) from '@((?:[^']|'')+)/'\)"
    r" file_format = \((.*)\) on_error = (\w+)$"
)
_CLONE = re.compile(rf"(?is)create or replace (?:transient )?table ({_PLACE}) clone ({_PLACE})( copy grants)?$")
_GRANT = re.compile(rf"(?is)grant (\w+) on table ({_PLACE}) to role (\w+)$")
_COMMENT = re.compile(rf"(?is)comment on column ({_PLACE})\.({_NAME}) is '({_TEXT})'$")
_TOLD = re.compile(rf"(?is)comment on table ({_PLACE}) is '({_TEXT})'$")
# One column of the SELECT: a cast, or a function of the text, and perhaps a cast of that.
_VALUE = re.compile(
    r"(?is)(?:(?P<function>\w+)\()?\$1:(?P<slot>c\d+)::(?P<type>\w+(?:\(\d+, \d+\))?)"
    r"(?P<more>[^)]*)\)?(?:::(?P<cast>\w+))?$"
)
_FORMS = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "HH24:MI:SS.FF6": "%H:%M:%S.%f",
    "YYYY-MM-DD HH24:MI:SS.FF6": "%Y-%m-%d %H:%M:%S.%f",
    "YYYY-MM-DD HH24:MI:SS.FF9": "%Y-%m-%d %H:%M:%S.%n",
    "YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM": "%Y-%m-%d %H:%M:%S.%f%z",
}
_TIMES = {"to_date": "DATE", "to_time": "TIME", "to_timestamp_ntz": "TIMESTAMP", "to_timestamp_tz": "TIMESTAMPTZ"}
_DDL = re.compile(r"(?i)(create|alter|drop|comment|grant)\b")
_TOLD_IN = "_fs_global._fs_information_schema._fs_tables_ext"
_COPIED = ("file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen", "first_error")
Failure = tuple[str, str, str]


class Stages:
    """What is staged, by session; stages are temporary, and end with their session.

    Args:
        address: Where the client sends files.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.files: dict[tuple[str, str], dict[str, bytes]] = {}
        self.uploads: dict[str, tuple[str, str, str]] = {}
        self.grants: dict[str, set[str]] = {}
        self.store: dict[str, str] = {}
        self.over: dict[tuple[str, str], str] = {}

    def names(self) -> list[str]:
        """The stages that there are."""
        return [name for _, name in self.files]

    def ended(self, token: str) -> None:
        """A session has ended."""
        for key in [key for key in self.files if key[0] == token]:
            del self.files[key]

    def took(self, number: str, body: bytes) -> None:
        """A file came."""
        token, stage, name = self.uploads.pop(number)
        self.files[token, stage][name] = body

    def answer(self, token: str, sql: str) -> dict[str, Any] | tuple[list[str], list[list[str]]] | Failure | None:
        """What a statement gives: a client's orders, names and rows, a failure, or None where it is not ours.

        DDL commits in Snowflake; fakesnow leaves it in the transaction that is open.
        """
        sql = re.sub(r"(?s)^(\s*/\*.*?\*/)*\s*", "", sql).strip()
        if _DDL.match(sql):  # it commits what is open, and then itself
            with contextlib.suppress(duckdb.TransactionException):
                fakesnow.server.sessions[token]._duck_conn.execute("commit")
        if found := _MADE.match(sql):
            self.files[token, found.group(1)] = {}
            return ["status"], [["Stage area successfully created."]]
        if found := _OVER.match(sql):
            self.files[token, found.group(1)] = {}
            self.over[token, found.group(1)] = found.group(2)
            return ["status"], [["Stage area successfully created."]]
        if found := _DROPPED.match(sql):
            self.over.pop((token, found.group(1)), None)
            self.files.pop((token, found.group(1)), None)
            return ["status"], [["successfully dropped."]]
        if found := _PUT.match(sql):
            return self._upload(token, *found.groups())
        if found := _GRANT.match(sql):
            self.grants.setdefault(found.group(2), set()).add(f"{found.group(1)} {found.group(3)}".lower())
            return ["status"], [["Statement executed successfully."]]
        if found := _CLONE.match(sql):
            return self._clone(token, *found.groups())
        if found := _COMMENT.match(sql):
            comment = _said(found.group(3), quoted=True)
            return self._run(token, f"comment on column {found.group(1)}.{found.group(2)} is '{comment}'")
        if found := _TOLD.match(sql):
            names = [name.strip('"') if '"' in name else name.upper() for name in re.findall(_NAME, found.group(1))]
            place = [*["SHOP", "PUBLIC"][: 3 - len(names)], *names]
            db = fakesnow.server.sessions[token]._duck_conn
            db.execute(f"delete from {_TOLD_IN} where ext_table_name = ?", place[2:])
            db.execute(f"insert into {_TOLD_IN} values (?, ?, ?, ?)", [*place, _said(found.group(2))])
            return ["status"], [["Statement executed successfully."]]
        if found := _COPY.match(sql):
            return self._copy(token, *found.groups())
        if re.match(r"(?i)merge into ", sql):  # DuckDB's own; fakesnow takes none whose condition has brackets
            return self._run(token, sql)
        return _unknown(sql) if re.match(r"(?i)(copy|put)\b", sql) else None

    def _upload(self, token: str, name: str, stage: str, options: str) -> dict[str, Any] | Failure:
        place = stage.replace("''", "'")
        if (token, place) not in self.files:
            return "002003", "02000", f"SQL compilation error:\nStage '{place}' does not exist or not authorized."
        if "auto_compress=false" not in options.lower() or "overwrite=true" not in options.lower():
            return _unknown(options)  # else the client packs the file, or asks whether it is there
        number = uuid.uuid4().hex
        self.uploads[number] = token, place, name
        where = {"locationType": "GCS", "location": "bucket/", "path": "", "region": "here", "creds": {}}
        more = {"storageAccount": None, "isClientSideEncrypted": False, "endPoint": None}
        url = f"{self.address}/dvt/stage/{number}"
        return {
            "stageInfo": {**where, **more, "presignedUrl": url},
            "presignedUrls": [url],
            "src_locations": [name],
            "parallel": 4,
            "threshold": 209715200,
            "autoCompress": False,
            "overwrite": True,
            "sourceCompression": "none",
            "clientShowEncryptionParameter": False,
            "encryptionMaterial": [],
            "queryId": str(uuid.uuid4()),
            "command": "UPLOAD",
            "kind": None,
            "operation": "Node",
        }

    def _clone(
        self, token: str, target: str, source: str, keeps: str | None
    ) -> tuple[list[str], list[list[str]]] | Failure:
        if not keeps:
            self.grants.pop(target, None)
        return self._run(token, f"create or replace table {target} as from {source}")

    def _run(self, token: str, sql: str) -> tuple[list[str], list[list[str]]] | Failure:
        try:
            fakesnow.server.sessions[token]._duck_conn.execute(sql)
        except duckdb.Error as error:
            return "002003" if isinstance(error, duckdb.CatalogException) else "001003", "42000", str(error)
        return ["status"], [["Statement executed successfully."]]

    def _external(self, path: str) -> dict[str, bytes]:
        """The files of a folder on S3: all that lie there, as COPY without a pattern takes them."""
        store = fs.S3FileSystem(**self.store)
        found = store.get_file_info(fs.FileSelector(path))
        return {info.path: store.open_input_file(info.path).read() for info in found if info.type == fs.FileType.File}

    def _copy(
        self, token: str, table: str, columns: str, select: str, stage: str, form: str, on_error: str
    ) -> tuple[list[str], list[list[str]]] | Failure:
        key = token, stage.replace("''", "'")
        files = self._external(self.over[key]) if key in self.over else self.files.get(key)
        if files is None:
            return "002003", "02000", f"SQL compilation error:\nStage '{stage}' does not exist or not authorized."
        if not form.lower().startswith("type = parquet") or on_error.lower() != "abort_statement":
            return _unknown(form)
        null = None if "null_if = ()" in form.lower() else "\\N"
        values = [_value(text, null) for text in re.split(r",\s+(?=(?:\w+\()?\$1:)", select)]
        if None in values:
            return _unknown(select)
        db = fakesnow.server.sessions[token]._duck_conn
        with self.readable(files.values()) as source:
            given = f"select {', '.join(map(str, values))} from {source}"
            try:
                rows = db.execute(f"insert into {table} ({columns}) {given}").fetchall()[0][0]
            except duckdb.Error as error:
                message = str(error).replace('"', "'")
                return "100038", "22018", f"{message}\n  File '{next(iter(files))}', line 1, character 1"
        return list(_COPIED), [[", ".join(files), "LOADED", str(rows), str(rows), "1", "0", ""]]

    @staticmethod
    @contextlib.contextmanager
    def readable(bodies: Collection[bytes]) -> Iterator[str]:
        """Parquet files as DuckDB names them in FROM, while it lasts."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{number}.parquet" for number, _ in enumerate(bodies)]
            for path, body in zip(paths, bodies, strict=True):
                path.write_bytes(body)
            yield f"read_parquet({json.dumps([str(path) for path in paths])})"


def _value(text: str, null: str | None) -> str | None:
    """A column of the SELECT as DuckDB says it, None for what is not known."""
    found = _VALUE.match(text.strip())
    if found is None:
        return None
    slot, type_ = found["slot"], found["type"].lower()
    if found["function"] is None:
        if type_ == "varchar":
            return _text(slot, null)
        return f"{slot}::{'double' if type_ == 'float' else type_.replace('number', 'decimal')}"
    function, more = found["function"].lower(), found["more"].strip(", ").strip("'")
    given = _text(slot, null)
    if type_ != "varchar":
        return None
    if function in _TIMES and more in _FORMS:
        return f"strptime({given}, '{_FORMS[more]}')::{_TIMES[function]}"
    if function == "to_number" and re.fullmatch(r"\d+, \d+", more):
        return f"{given}::decimal({more})"
    if function == "to_binary" and more == "HEX":
        return f"unhex({given})"
    return f"json({given})" if function == "parse_json" and not more else None


def _said(body: str, *, quoted: bool = False) -> str:
    """A literal's text, in which a backslash or a quote stands before what is meant as it is."""
    text = re.sub(r"\\(.)|'(')", lambda found: found.group(1) or found.group(2), body)
    return text.replace("'", "''") if quoted else text


def _text(slot: str, null: str | None) -> str:
    return slot if null is None else f"nullif({slot}, '{null}')"


def _unknown(sql: str) -> Failure:
    return "001003", "42000", f"SQL compilation error: the emulator does not take {sql}"
