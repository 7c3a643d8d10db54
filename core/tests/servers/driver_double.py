"""What the doubles of drivers share: a module put in the place of the vendor's, and an engine that knows native types.

A double stands where the vendor's client would: nothing is sent, and nothing of the client is run. What it shows is
what dvt asks of a driver, and what dvt makes of the values and errors that the vendor's documents and sources say it
gives.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from sqlglot import exp

from servers.fake_sql import FakeResult, FakeSQL, FakeSQLError

_CREATE = re.compile(r"(?is)^\s*create\s+(?:multiset\s+)?table\s+((?:\"(?:[^\"]|\"\")*\"|\w+|\.)+)\s*\((.*)\)\s*$")
_DROP = re.compile(r"(?is)^\s*drop\s+table\s+(?:if\s+exists\s+)?(.+?)\s*$")
_COLUMN = re.compile(r"(?s)^\s*(\"(?:[^\"]|\"\")*\"|\w+)\s+(.*?)\s*$")
_PART = re.compile(r"\"((?:[^\"]|\"\")*)\"|(\w+)")


@contextmanager
def installed(modules: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Within it, these modules are what an import gives."""
    before = {name: sys.modules.get(name) for name in modules}
    for name, content in modules.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        for key, value in content.items():
            setattr(module, key, value)
        sys.modules[name] = module
    try:
        yield
    finally:
        for name, module_before in before.items():
            if module_before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module_before


class NativeSQL(FakeSQL):
    """`FakeSQL` whose tables are created with any type at all: it is remembered as it was written.

    Args:
        storage: DuckDB's type for a native one.
    """

    def __init__(self, dialect: str, storage: Any, rewrite: Any) -> None:
        super().__init__(dialect, rewrite=rewrite)
        self.storage = storage

    def define(self, *statements: str) -> None:
        """Run statements in DuckDB's own words."""
        for statement in statements:
            self._root.execute(statement)

    def run(self, sql: str, schema: str = "main", said: str | None = None, *more: Any) -> FakeResult:
        """Run one statement."""
        if created := _CREATE.match(sql):
            self.statements.append(sql)
            return self._create(*created.groups(), schema)
        if dropped := _DROP.match(sql):
            *owner, name = parts(dropped.group(1))
            self._tables.pop(((owner or [schema])[0].lower(), name.lower()), None)
        return super().run(sql, schema, said, *more)

    def _create(self, table: str, listed: str, schema: str) -> FakeResult:
        *owner, name = parts(table)
        columns = [_column(item) for item in _split(listed)]
        stored = ", ".join(f"{_quoted(column)} {self.storage(native)}" for column, native in columns)
        cursor = self.cursor()
        cursor.own.execute(
            f"create table {_quoted(self.database)}.{_quoted((owner or [schema])[0])}.{_quoted(name)} ({stored})"
        )
        self._tables[((owner or [schema])[0].lower(), name.lower())] = {
            column: exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=native) for column, native in columns
        }
        return FakeResult([], cursor)

    def natives(self, schema: str, table: str) -> dict[str, str]:
        """The columns of a table with their types."""
        return {name: native_text(native) for name, native in self.native_columns(schema, table).items()}


def native_text(native: exp.DataType | None) -> str:
    """A native type as it was written; of a cast, as sqlglot writes it."""
    if native is None:
        return ""
    if native.this == exp.DataType.Type.USERDEFINED:
        return str(native.args["kind"])
    return native.sql(dialect="oracle").upper()


def created_table(sql: str) -> tuple[str, ...] | None:
    """The parts of the name of a table that a statement creates."""
    found = _CREATE.match(sql)
    return tuple(parts(found.group(1))) if found else None


def dropped_table(sql: str) -> tuple[str, ...] | None:
    """The parts of the name of a table that a statement drops."""
    found = _DROP.match(sql)
    return tuple(parts(found.group(1))) if found else None


def blank_padded(tree: exp.Expr, ignore_case: bool) -> exp.Expr:
    """Texts that are compared with literals as these engines do: blanks at the end do not count, nor case, if so."""

    def own(node: exp.Expr) -> exp.Expr:
        trimmed = exp.Anonymous(this="rtrim", expressions=[node])
        return exp.Lower(this=trimmed) if ignore_case else trimmed

    def is_text(node: exp.Expr | None) -> bool:
        return isinstance(node, exp.Literal) and node.is_string

    for node in list(tree.find_all(exp.EQ, exp.In)):
        if isinstance(node.parent, exp.Update):
            continue  # what it sets
        if isinstance(node, exp.EQ) and is_text(node.expression):
            node.set("expression", own(node.expression.copy()))
            node.set("this", own(node.this.copy()))
        elif isinstance(node, exp.In) and node.expressions and all(map(is_text, node.expressions)):
            node.set("expressions", [own(item.copy()) for item in node.expressions])
            node.set("this", own(node.this.copy()))
    for with_ in tree.find_all(exp.With):
        with_.set("recursive", True)
    return tree


def parts(name: str) -> list[str]:
    """The parts of a name in SQL."""
    return [quoted.replace('""', '"') or plain for quoted, plain in _PART.findall(name)]


def _column(item: str) -> tuple[str, str]:
    found = _COLUMN.match(item)
    if not found:
        raise FakeSQLError("syntax", f"no column: {item}")
    return parts(found.group(1))[0], found.group(2)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _split(text: str) -> list[str]:
    found, depth, start, in_name = [], 0, 0, False
    for index, letter in enumerate(text):
        in_name ^= letter == '"'
        depth += 0 if in_name else (letter == "(") - (letter == ")")
        if letter == "," and not depth and not in_name:
            found.append(text[start:index])
            start = index + 1
    return [*found, text[start:]]
