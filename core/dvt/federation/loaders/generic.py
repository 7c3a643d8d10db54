"""Writes any database through a driver of one of four kinds, and reads back what it wrote before anybody sees it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.generic import SPEC, dialect_of, method_of
from dvt.connections.generic_errors import translate
from dvt.connections.generic_family import family_name
from dvt.errors import ConfigurationError, DataError, DvtError, RelationNotFoundError, UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.loaders.changes import Changes
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.fitting import common_columns
from dvt.federation.loaders.generic_check import ReadBack, SameSession
from dvt.federation.loaders.generic_words import dealings, is_view
from dvt.federation.loaders.generic_writer import Rows, Sending, Writer
from dvt.federation.loaders.landing import Landing, replacing
from dvt.federation.loaders.setting_aside import SettingAside
from dvt.federation.loaders.sql import SQLLoader
from dvt.federation.loaders.unique_key import require_unique_key
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation
from dvt.types.generic_landing import FAMILIES, KINDS, Family
from dvt.types.native_fits import fits

_PIECE_BYTES = 8 << 20
# A declared type goes into DDL as it stands: words, and numbers in parentheses.
_DECLARABLE = re.compile(r"[A-Za-z][\w ]*(\(\s*\d+\s*(,\s*\d+\s*)*\))?[\w ]*")


# DB-API drivers make objects of documents, which have lost their text. SQLite's ODBC driver takes the first value's
# length for that of all bytes of an array.
_SPOILT = {("dbapi", "postgres"): {"json": "text"}, ("odbc", "sqlite"): {"binary": ""}}


class GenericLoader(SettingAside, SQLLoader):
    """Writes to one connection: as what is known of its database says (`generic_words.py`), else in standard SQL."""

    spec = SPEC

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._known = dealings(connection)
        self._family = family_of(connection)
        self._read_back: ReadBack | None = None
        self._writer = _uncalled(connection)  # knows what its driver raises, also where it could not log in

    def connect(self) -> Writer:
        """Log in by the output's method."""
        if dialect_of(self.connection) == "duckdb":  # other sessions of this run would open the file beside this one
            raise UnsupportedError(
                "DuckDB's file cannot be opened twice by a process, and its driver does not say so",
                connection=self.connection.name,
                remedy="Make an output of `type: duckdb`",
            )
        self._writer = writer = writer_of(self.connection)
        writer.connect()
        for statement in self._known.settings:
            writer.run(statement)
        return writer

    def disconnect(self, session: Writer) -> None:
        """End it."""
        session.close()

    def interrupt(self, session: Writer) -> None:
        """As far as the driver can."""
        session.cancel()

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the driver raises."""
        if not isinstance(error, self._writer.errors):
            return None
        return translate(error, self.connection, phase=phase, relation=relation)

    def run(self, sql: str) -> None:
        """Run one statement."""
        self.session().run(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        found: list[Sequence[Any]] = self.session().rows(sql)
        return found

    def begin(self) -> None:
        """By the driver's own means."""
        self.session().begin()

    def commit(self) -> None:
        """By the driver's own means."""
        self._session.commit()

    def roll_back(self) -> None:
        """By the driver's own means; a session that is gone has nothing open."""
        if self._session is not None:
            self._session.roll_back()

    def native_type(self, field: pa.Field) -> str | None:
        """The database's type for a column, as far as it is known, or as `dvt.column_types` says."""
        return self._family.native(field.type, _given_types(self.connection))

    def check_declared(self, type_: str, column: str) -> None:
        """The text goes into DDL as it stands."""
        if not _DECLARABLE.fullmatch(type_.strip()):
            raise DataError(f"{type_!r} is no type's name", column=column, remedy="Correct data_type in the contract")

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """The one that the output names."""
        return [LoadMethod(self._writer.load_name, self._writer.kind, fill=self._fill)]

    def _fill(self, filling: Filling) -> Filled:
        self._read_back = None
        batches = filling.batches(_PIECE_BYTES)
        if self.connection.options["check_loads"] == "values":
            self._read_back = ReadBack(filling.schema, truth_is_a_number=self._family.truth[0] == "1")
            batches = self._read_back.passing(batches)
        rows = Rows(filling.relation, filling.schema, batches, filling.check, self._sending(filling))
        return Filled(taken=self.session().insert(rows))

    def _sending(self, filling: Filling) -> list[Sending]:
        return [
            Sending(field.name, fits(native, self.dialect), self._family)
            for field, native in zip(filling.schema, filling.types, strict=True)
        ]

    def accept(self, filling: Filling) -> None:
        """Read everything back, unless the output says that the driver is to be trusted."""
        if self._read_back is not None:
            self._read_back.check(SameSession(self.session()), filling.relation)

    def remove(self, relation: Relation) -> None:
        """DROP TABLE, where there is one: not every database has IF EXISTS."""
        if self.kind(relation) is not None:
            self.run(" ".join(["drop table", relation.sql(self.dialect)]))
        self.put_back(relation)

    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of a relation, as the extractor describes them, in the same session."""
        with self.guarded("describe", relation):
            relation = self.qualified(relation)
            if self._known.kind and self.kind(relation) is None:
                return None
            return self._described(relation)

    def _described(self, relation: Relation) -> list[ColumnSchema] | None:
        try:
            return SameSession(self.session()).describe(ExtractionConfig(relation=relation))
        except RelationNotFoundError:
            return None

    def qualified(self, relation: Relation) -> Relation:
        """With the schema of the output or of the session, where it is known how to ask."""
        if relation.schema:
            return relation
        own = self.connection.first("schema")
        if own is None and self._known.own_schema:
            own = self.rows(self._known.own_schema)[0][0]
        return dataclasses.replace(relation, schema=str(own)) if own else relation

    def has_schema(self, name: str) -> bool:
        """Whether there is a schema of that name; where it is not known how to ask, it is taken for granted."""
        return not self._known.schemata or name in self.schemas()

    def schemas(self) -> list[str]:
        """Names of schemas; none where it is not known how to ask."""
        return [str(row[0]) for row in self.rows(self._known.schemata)] if self._known.schemata else []

    @property
    def create_schema_words(self) -> str:  # type: ignore[override]
        """Standard SQL; it is said only where there is none of the name."""
        return "create schema"

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        if not self._known.kind:
            return None if self._described(relation) is None else "table"
        place = {"name": self.literal(relation.name), "schema": self.literal(relation.schema or "")}
        found = self.rows(self._known.kind.format(**place))
        return None if not found else "view" if is_view(str(found[0][0])) else "table"

    def listed(self, schema: str | None) -> list[tuple[str, str]]:
        """Names and kinds of a schema's relations; none where it is not known how to ask."""
        if not self._known.listed:
            return []
        own = self.qualified(Relation("x", schema)).schema or ""
        found = self.rows(self._known.listed.format(schema=self.literal(own)))
        return [(str(name), "view" if is_view(str(kind)) else "table") for name, kind in found]

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """By the way that the database has."""
        words = self._known.words
        if words.exchange:
            spare = target.sibling(f"{private.name}_old").sql(self.dialect)
            exchange = words.exchange.replace("{spare}", spare.replace("{", "{{").replace("}", "}}"))
            words = dataclasses.replace(words, exchange=exchange)
        landing = replacing(words, self.connection.landing(), self.dialect, private, target, kind=kind)
        return self.in_steps(private, target) if kind == "table" and not landing.is_atomic else landing

    @property
    def rename_words(self) -> str:
        """Of this database."""
        return self._known.words.rename

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """Refuses columns that the target has not, or whose type is another."""
        new, old = self.describe(private) or [], self.describe(target) or []
        if self._family.name == "sqlite":
            new, old = self._declared_in(private), self._declared_in(target)
        values = dict.fromkeys(common_columns(new, old))
        columns = [column.name for column in old]
        return Changes(self._known.changes, self.dialect, private, target, values, config.unique_key, columns)

    def _declared_in(self, relation: Relation) -> list[ColumnSchema]:
        """SQLite's own names of types: what drivers say of a column is what its first rows hold."""
        from dvt.types.sqlite import arrow_type

        found = self.rows(" ".join(["select name, type from pragma_table_info(", self.literal(relation.name), ")"]))
        types = [(str(name), str(type_), arrow_type(str(type_)) or pa.string()) for name, type_ in found]
        return [ColumnSchema(name, type_, True, native) for name, native, type_ in types]

    def require_unique_key(self, private: Relation, columns: Any, config: LoadConfig, **more: Any) -> None:
        """Raise when the key is none, or occurs twice in the new rows."""
        first = self._known.changes.first
        require_unique_key(private, columns, config, self.dialect, self.first_row, first=first, **more)

    def landing(self, private: Relation, config: LoadConfig) -> Landing:
        """As for any SQL engine, by the way of this one."""
        return dataclasses.replace(super().landing(private, config), way=self.connection.landing())

    @property
    def dialect(self) -> str:
        """For quoting."""
        return dialect_of(self.connection)


def writer_of(connection: Connection) -> Writer:
    """What writes by the output's method; it is not logged in."""
    writer = _uncalled(connection)
    writer.family = family_of(connection)
    return writer


def _uncalled(connection: Connection) -> Writer:
    method, dialect = method_of(connection), dialect_of(connection)
    if method == "adbc":
        from dvt.federation.loaders.generic_adbc import AdbcWriter

        return AdbcWriter(connection, dialect)
    if method == "odbc":
        from dvt.federation.loaders.generic_odbc import OdbcWriter

        return OdbcWriter(connection, dialect)
    if method == "jdbc":
        from dvt.federation.loaders.generic_jdbc import JdbcWriter

        return JdbcWriter(connection, dialect)
    from dvt.federation.loaders.generic_dbapi import DbapiWriter

    return DbapiWriter(connection, dialect)


def family_of(connection: Connection) -> Family:
    """What is known of the database's types."""
    found = FAMILIES.get(family_name(connection), Family(""))
    return dataclasses.replace(found, types={**found.types, **_SPOILT.get((method_of(connection), found.name), {})})


def _given_types(connection: Connection) -> dict[str, str]:
    given = connection.options["column_types"] or {}
    for kind, type_ in given.items():
        if kind not in KINDS or not isinstance(type_, str):
            raise ConfigurationError(
                f"dvt.column_types has {kind!r}: {type_!r}",
                connection=connection.name,
                remedy=f"Give types' names for {', '.join(KINDS)}",
            )
    return dict(given)
