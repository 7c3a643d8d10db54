"""Writes Vertica: COPY FROM STDIN into a private table, and one ALTER TABLE that renames three."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.connections.landing_ways import Way
from dvt.connections.vertica import SPEC, connect, end_session, run, translate
from dvt.errors import DvtError
from dvt.federation.loaders.changes import ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Landing
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation, quote
from dvt.types.landing_texts import named
from dvt.types.vertica_landing import NULL, vertica_texts, vertica_type

if TYPE_CHECKING:
    import vertica_python

_PIECE_BYTES = 8 << 20
# One bad row ends the load, and a text that is too long is bad: Vertica would put it aside, or cut it.
_FORMAT = (
    "from stdin delimiter E'\\t' enclosed by '\"' null E'\\001' escape as E'\\\\' record terminator E'\\n'"
    " enforcelength abort on error"
)


class VerticaLoader(SQLLoader):
    """Writes to one Vertica database."""

    spec = SPEC
    change_words = ChangeWords(delete="exists", merge="merge")

    def connect(self) -> vertica_python.Connection:
        """A session of the database."""
        return connect(self.connection, self.cancelled)

    def disconnect(self, session: vertica_python.Connection) -> None:
        """End it."""
        end_session(session)

    def interrupt(self, session: vertica_python.Connection) -> None:
        """The protocol's request, over a connection of its own."""
        import vertica_python

        try:
            session.cancel()
        except (vertica_python.Error, OSError):
            return  # the server is not there: nothing runs

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the driver, the server or the socket raises."""
        import vertica_python

        is_own = isinstance(error, (vertica_python.Error, OSError))
        return translate(error, self.connection, phase=phase, relation=relation) if is_own else None

    def run(self, sql: str) -> None:
        """Run one statement."""
        self.rows(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        return run(self.session(), sql)

    def begin(self) -> None:
        """The session is told not to commit by itself."""
        self.session().autocommit = False

    def commit(self) -> None:
        """COMMIT, and by itself again."""
        super().commit()
        self._session.autocommit = True

    def roll_back(self) -> None:
        """ROLLBACK, and by itself again; a session that is gone has nothing open."""
        super().roll_back()
        if self._session is not None:
            self._session.autocommit = True

    def native_type(self, field: pa.Field) -> str | None:
        """Vertica's type for a column."""
        return vertica_type(field.type)

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """One COPY."""
        return [LoadMethod("copy_stdin", fill=self._copy)]

    def _copy(self, filling: Filling) -> Filled:
        session: vertica_python.Connection = self.session()
        columns = "(" + ", ".join(self._column(field) for field in filling.schema) + ")"
        source = _Source(_lines(filling))
        try:
            session.cursor().copy(" ".join(["copy", filling.relation.sql(self.dialect), columns, _FORMAT]), source)
        except Exception:
            if source.error is not None:  # the driver says that sending failed; this is why
                raise source.error from None
            raise
        return Filled(bytes=source.sent)

    def _column(self, field: pa.Field) -> str:
        name = quote(field.name, self.dialect)
        return name + " format 'hex'" if pa.types.is_binary(field.type) else name

    def qualified(self, relation: Relation) -> Relation:
        """With the connection's schema."""
        return Relation(relation.name, relation.schema or self.connection.first("schema"))

    def has_schema(self, name: str) -> bool:
        """Whether there is a schema of that name."""
        sql = ["select 1 from v_catalog.schemata where schema_name =", self.literal(name)]
        return bool(self.rows(" ".join(sql)))

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        place = ["where table_schema =", self.literal(relation.schema or ""), "and table_name ="]
        for kind, select in (("table", "select 1 from v_catalog.tables"), ("view", "select 1 from v_catalog.views")):
            if self.rows(" ".join([select, *place, self.literal(relation.name)])):
                return kind
        return None

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """Three renames in one statement; what was there is dropped under the private name."""
        if kind != "table":
            return super().replacing(private, target, kind, config)
        spare = target.sibling(f"{private.name}_old")
        old = ", ".join(relation.sql(self.dialect) for relation in (target, private, spare))
        new = ", ".join(quote(relation.name, self.dialect) for relation in (spare, target, private))
        return Landing(Way.STATEMENT, (" ".join(["alter table", old, "rename to", new]),))


class _Source:
    """What the driver reads the lines from, and why it could not."""

    def __init__(self, pieces: Iterator[memoryview]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.sent = 0
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """The next bytes, none at the end."""
        try:
            while not self._rest:
                self._rest = next(self._pieces)
        except StopIteration:
            return b""
        except BaseException as error:
            self.error = error
            raise
        part, self._rest = self._rest[:size], self._rest[size:]
        self.sent += len(part)
        return bytes(part)


def _lines(filling: Filling) -> Iterator[memoryview]:
    names = filling.schema.names
    for batch in filling.batches(_PIECE_BYTES):
        fields = [
            named(partial(vertica_texts, native=native), column, name, "Vertica")
            for column, name, native in zip(batch.columns, names, filling.types, strict=True)
        ]
        fields[-1] = pc.binary_join_element_wise(pc.coalesce(fields[-1], NULL), "\n", "")
        lines = pc.binary_join_element_wise(*fields, "\t", null_handling="replace", null_replacement=NULL)
        if len(lines):
            yield memoryview("".join(lines.to_pylist()).encode())
