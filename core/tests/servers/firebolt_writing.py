"""What the fake Firebolt does itself where statements write: INSERT ... VALUES, and transactions over HTTP.

A transaction is what a request names in its parameters: BEGIN answers with an id and a sequence number, which the next
request has to bring, and each answer has the next one. A statement that fails ends it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import sqlglot
from sqlglot import exp

from servers.fake_cursor import FakeCursor, FakeSQLError
from servers.fake_sql import FakeSQL
from servers.fake_transaction import Transaction

UPDATE, REMOVE = "Firebolt-Update-Parameters", "Firebolt-Remove-Parameters"
_ID, _SEQUENCE = "transaction_id", "transaction_sequence_id"
_NAME = r'"(?:[^"]|"")*"'
_INSERT = re.compile(rf"(?is)^insert into (?:({_NAME})\.)?({_NAME}) \( ((?:{_NAME}(?:, )?)+) \) values \(")
_DROP = re.compile(rf"(?is)^drop table (?:if exists )?((?:{_NAME}\.)?({_NAME}))( cascade)?$")
_TEXT = r"E'((?:[^'\\]|''|\\.)*)'"
_CELL = re.compile(
    rf"(?is)(?:cast\({_TEXT} as ([a-z ]+(?:\([0-9, ]+\))?)\)|{_TEXT}|(null|true|false)|(-?\d+))(, \(?|\)(?:, \()?)"
)
_ROWS = "dvt_rows"


@dataclass
class Transactions:
    """Those that are open, by their ids."""

    engine: FakeSQL
    is_known: bool = True  # whether the server knows BEGIN
    begun: list[str] = field(default_factory=list)
    _open: dict[str, tuple[Transaction, int]] = field(default_factory=dict)

    def begin(self) -> dict[str, str]:
        """The headers that tell of a new one."""
        if not self.is_known:
            raise FakeSQLError("syntax", "syntax error at BEGIN")
        transaction, name = Transaction(self.engine), uuid.uuid4().hex
        transaction.set_automatic(False)
        self._open[name] = transaction, 1
        self.begun.append(name)
        return {UPDATE: f"{_ID}={name},{_SEQUENCE}=1"}

    def cursor(self, parameters: Mapping[str, str]) -> tuple[FakeCursor, dict[str, str]]:
        """What runs a request's statement, and the headers of its answer."""
        if _ID not in parameters:
            return self.engine.cursor(), {}
        name = parameters[_ID]
        if name not in self._open:
            raise FakeSQLError("query", "transaction is not active")
        transaction, number = self._open[name]
        if parameters.get(_SEQUENCE) != str(number):
            raise FakeSQLError("query", f"transaction sequence {parameters.get(_SEQUENCE)} is not {number}")
        self._open[name] = transaction, number + 1
        return transaction.cursor(), {UPDATE: f"{_ID}={name},{_SEQUENCE}={number + 1}"}

    def end(self, word: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """COMMIT or ROLLBACK; none is open where a statement has failed."""
        found = self._open.pop(parameters.get(_ID, ""), None)
        if found is None:
            raise FakeSQLError("query", f"{word} without an active transaction")
        found[0].end(word)
        return {REMOVE: f"{_ID},{_SEQUENCE}"}

    def failed(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """A statement has failed: what was done in its transaction is undone."""
        return self.end("rollback", parameters) if parameters.get(_ID) in self._open else {}


def drop_views(engine: FakeSQL, cursor: FakeCursor, sql: str) -> None:
    """What DROP TABLE does to the views that stand on the table: it fails, or they go with it where it says CASCADE."""
    found = _DROP.match(sql)
    if found is None:
        return
    asked = "select schema_name, view_name, sql from duckdb_views() where not internal"
    views = [(schema, view) for schema, view, text in cursor.own.execute(asked).fetchall()
             if _plain(found.group(2)) in _tables(text)]  # fmt: skip
    if views and not found.group(3):
        raise FakeSQLError("query", f"cannot drop {found.group(1)}: {len(views)} views depend on it")
    for schema, view in views:
        cursor.own.execute(f"drop view {engine.database}.{_quoted(schema)}.{_quoted(view)}")


def _tables(view: str) -> set[str]:
    """The names of the tables that a CREATE VIEW reads."""
    query = sqlglot.parse_one(view, read="duckdb").expression
    return {table.name for table in query.find_all(exp.Table)}


def insert(engine: FakeSQL, cursor: FakeCursor, sql: str) -> bool:
    """Run an INSERT ... VALUES of typed literals; False for another statement."""
    head = _INSERT.match(sql)
    if head is None:
        return False
    schema, table = (_plain(part) if part else "main" for part in head.groups()[:2])
    natives = engine.native_columns(schema, table)
    if not natives:
        raise FakeSQLError("table", "there is none", table)
    names = [_plain(name) for name in re.findall(_NAME, head.group(3))]
    kinds = [natives[name] for name in names]
    columns: list[list[str | None]] = [[] for _ in names]
    at, place = head.end(), 0
    while at < len(sql):
        cell = _CELL.match(sql, at)
        if cell is None:
            raise FakeSQLError("syntax", f"syntax error at {sql[at : at + 40]}")
        columns[place].append(_value(cell, kinds[place]))
        at, place = cell.end(), place + 1
        if cell.group(6).startswith(")"):
            assert place == len(names), "a row has other columns"
            place = 0
    given = pa.table({f"c{n}": pa.array(column, pa.string()) for n, column in enumerate(columns)})
    read = [f"unhex(c{n}[3:])" if kind.sql("postgres") == "BYTEA" else f"cast(c{n} as {kind.sql('duckdb')})"
            for n, kind in enumerate(kinds)]  # fmt: skip
    with cursor.working():
        cursor.own.register(_ROWS, given)
        try:
            into = f"{engine.database}.{_quoted(schema)}.{_quoted(table)} ({', '.join(map(_quoted, names))})"
            cursor.own.execute(f"insert into {into} select {', '.join(read)} from {_ROWS}")
        finally:
            cursor.own.unregister(_ROWS)
    return True


def _value(cell: re.Match[str], kind: exp.DataType) -> str | None:
    """A cell's text; a literal goes only into a column of its own type, so that the server casts nothing."""
    typed, type_, text, word, digits = cell.groups()[:5]
    if word and word.lower() == "null":
        return None
    own = kind.sql("postgres")
    said = exp.DataType.build(type_, dialect="postgres").sql("postgres") if type_ else None
    is_own = (
        said == own if said else own == "TEXT" if text is not None else own == "BOOLEAN" if word
        else own in ("INT", "BIGINT")
    )  # fmt: skip
    if not is_own:
        raise FakeSQLError("query", f"column is of type {own}, the expression {cell.group(0)[:60]} is not")
    found = typed if type_ else text
    if found is None:
        return word or digits
    assert "\0" not in found
    return re.sub(r"''|\\\\", lambda mark: mark.group(0)[0], found)


def _plain(quoted: str) -> str:
    return quoted[1:-1].replace('""', '"')


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
