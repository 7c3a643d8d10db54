"""Generic connections through a module of Python's DB-API: executemany, with the objects that PEP 249 names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from dvt.errors import UnsupportedError
from dvt.federation.extractors.generic_dbapi import DbapiMethod
from dvt.federation.loaders.generic_writer import Rows, Writer
from dvt.identifiers import quote
from dvt.types.generic_landing import plain_values, sent_texts

# How the modules' `paramstyle` writes the parameter of a number.
_STYLES: dict[str, Callable[[int], str]] = {
    "qmark": lambda _: "?",
    "format": lambda _: "%s",
    "pyformat": lambda _: "%s",
    "numeric": lambda number: f":{number}",
    "named": lambda number: f":{number}",
}
# Their statements begin no transaction by themselves where they are DDL.
_BEGINS = frozenset({"sqlite3"})


class DbapiWriter(DbapiMethod, Writer):
    """One DB-API connection."""

    load_name = "dbapi_executemany"

    def run(self, sql: str) -> None:
        """Run one statement."""
        with self._cursor_for_writing() as cursor:
            cursor.execute(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        with self._cursor_for_writing() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    @contextlib.contextmanager
    def _cursor_for_writing(self) -> Iterator[Any]:
        self._end()
        cursor = self._session.cursor()
        try:
            yield cursor
        except BaseException:
            if not self._is_open:
                with contextlib.suppress(*self.errors):
                    self._session.rollback()
            raise
        finally:
            with contextlib.suppress(*self.errors):
                cursor.close()
        if not self._is_open:
            self._session.commit()

    def begin(self) -> None:
        """A session is always in one; it is not committed from here on."""
        if self._module is not None and self._module.__name__ in _BEGINS:
            self._session.execute("begin")
        self._is_open = True

    def insert(self, rows: Rows) -> int | None:
        """One executemany a batch, and one commit."""
        statement = self._statement(rows)
        with self._cursor_for_writing() as cursor:
            for batch in rows.batches:
                columns = [column.to_pylist() for column in rows.sent(self._sent, batch)]
                cursor.executemany(statement, list(zip(*columns, strict=True)))
                rows.check()
        return None

    def _statement(self, rows: Rows) -> str:
        style = str(getattr(self._module, "paramstyle", ""))
        if style not in _STYLES:
            raise UnsupportedError(f"the module's paramstyle is {style!r}", remedy="Use another driver")
        names = ", ".join(quote(name, self.dialect) for name in rows.schema.names)
        head = " ".join(["insert into", rows.relation.sql(self.dialect), "(", names, ") values ("])
        if style in ("format", "pyformat"):
            head = head.replace("%", "%%")
        return head + ", ".join(_STYLES[style](number) for number in range(1, len(rows.schema) + 1)) + ")"

    def _sent(self, array: pa.Array) -> pa.Array:
        type_ = array.type
        if self.family.name != "sqlite":
            return plain_values(array)
        is_kept = pa.types.is_floating(type_) or pa.types.is_binary(type_) or pa.types.is_boolean(type_)
        is_kept = is_kept or (pa.types.is_integer(type_) and type_ != pa.uint64())
        return array if is_kept else sent_texts(array, self.family)  # it has no other types
