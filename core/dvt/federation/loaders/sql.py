"""What loaders have in common whose engine runs SQL: DDL, counting, and landing by the words of the engine."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pyarrow as pa
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.errors import DataError, DvtError, RelationNotFoundError
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.extractors.scan_sql import count_sql
from dvt.federation.loaders.base import BaseLoader
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.fitting import common_columns
from dvt.federation.loaders.landing import Landing, Words, replacing
from dvt.federation.loaders.unique_key import require_unique_key
from dvt.federation.registry import new_extractor
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation, quote


class SQLLoader(BaseLoader):
    """A loader of an engine that runs SQL. Over `run` and `rows` it has everything but the filling.

    What differs is said as data: `words` for a table that is replaced, `change_words` for one whose rows change,
    `table_options` behind a private table's columns, `begins` and the like for transactions.
    """

    words: ClassVar[Words] = Words()
    change_words: ClassVar[ChangeWords] = ChangeWords()
    table_options: ClassVar[str] = ""
    # Empty where there are no transactions.
    begins: ClassVar[str] = "begin"
    commits: ClassVar[str] = "commit"
    rolls_back: ClassVar[str] = "rollback"
    _describing: BaseExtractor | None = None

    @classmethod
    def landed_by_executors(cls, connection: Connection) -> str:
        """Files, where the output names a folder through which it is loaded."""
        folder = connection.options.get("load_through")
        return f"as files in {folder}" if folder else ""

    @abstractmethod
    def run(self, sql: str) -> None:
        """Run one statement on `session()`; the driver's own errors come out."""

    @abstractmethod
    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""

    def create(self, relation: Relation, schema: pa.Schema, types: list[str]) -> None:
        """CREATE TABLE."""
        columns = [self.column_sql(name, type_) for name, type_ in zip(schema.names, types, strict=True)]
        statement = [self.create_words, relation.sql(self.dialect), "(", ", ".join(columns), ")"]
        self.run(" ".join([*statement, *filter(None, [self.table_options])]))

    @property
    def create_words(self) -> str:
        """CREATE TABLE, of the kind that the connection asks for."""
        return "create table"

    def column_sql(self, name: str, type_: str) -> str:
        """A column's words in CREATE TABLE. A type is SQL text, not an identifier."""
        return " ".join([quote(name, self.dialect), type_])

    def count(self, relation: Relation) -> int:
        """SELECT count(*)."""
        return int(self.rows(count_sql(relation, self.dialect))[0][0])

    def remove(self, relation: Relation) -> None:
        """DROP TABLE IF EXISTS."""
        self.run(" ".join(["drop table if exists", relation.sql(self.dialect)]))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """BEGIN and COMMIT, or ROLLBACK."""
        if not self.begins:
            yield
            return
        self.begin()
        try:
            yield
            self.commit()
        except BaseException:
            with contextlib.suppress(DvtError), self.guarded("land", None):
                self.roll_back()
            raise

    def begin(self) -> None:
        """Open a transaction, where there are any."""
        if self.begins:
            self.run(self.begins)

    def commit(self) -> None:
        """Make what it did last."""
        if self.begins:
            self.run(self.commits)

    def roll_back(self) -> None:
        """Take back the open transaction; a session that is gone has none."""
        if self.begins and self._session is not None:
            self.run(self.rolls_back)

    def execute(self, statements: list[str]) -> None:
        """Run statements in one transaction, where the engine has them."""
        with self.guarded("land", None), self.transaction():
            for statement in statements:
                self.run(statement)

    def ensure_schema(self, relation: Relation) -> None:
        """Create the schema when it is missing; where it exists, no privilege to create one is needed."""
        relation = self.qualified(relation)
        if relation.schema is None:
            return
        with self.guarded("load", relation):
            if not self.has_schema(relation.schema):
                schema = Relation(relation.schema, relation.database).sql(self.dialect)
                self.run(" ".join([self.create_schema_words, schema]))

    create_schema_words: ClassVar[str] = "create schema if not exists"

    def has_schema(self, name: str) -> bool:
        """Whether there is a schema of that name."""
        sql = ["select 1 from information_schema.schemata where schema_name =", self.literal(name)]
        return bool(self.rows(" ".join(sql)))

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        sql = ["select table_type from information_schema.tables where table_name =", self.literal(relation.name)]
        schema = ["and table_schema =", self.literal(relation.schema)] if relation.schema else []
        found = self.rows(" ".join([*sql, *schema]))
        return None if not found else "view" if "VIEW" in str(found[0][0]).upper() else "table"

    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of a relation, as the extractor describes them; None when it does not exist."""
        with self.describer() as extractor:
            self._describing = extractor
            try:
                self.check()
                return extractor.describe(ExtractionConfig(relation=self.qualified(relation)))
            except RelationNotFoundError:
                return None
            finally:
                self._describing = None

    @contextlib.contextmanager
    def describer(self) -> Iterator[BaseExtractor]:
        """What is asked for a relation's columns: an extractor with a session of its own."""
        with new_extractor(self.connection) as extractor:
            yield extractor

    def cancel(self) -> None:
        """End what runs, also where it is a description."""
        super().cancel()
        describing = self._describing
        if describing is not None:
            describing.cancel()

    def landing(self, private: Relation, config: LoadConfig) -> Landing:
        """Replace the table by the engine's way, or change its rows."""
        private, target = self.qualified(private), self.qualified(config.relation)
        with self.guarded("land", target):
            kind = self.kind(target)
            if config.mode == "table" or kind is None:
                return self.replacing(private, target, kind, config)
            if kind == "view":
                raise DataError("the target is a view", remedy="Drop it, or run with --full-refresh")
            return Landing(self.spec.landing, tuple(self.changing(private, target, config)))

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """The private table in place of what is there."""
        columns = self._same_columns(private, target) if self.spec.landing is Way.ROWS and kind == "table" else None
        return replacing(self.words, self.spec.landing, self.dialect, private, target, kind=kind, columns=columns)

    def changing(self, private: Relation, target: Relation, config: LoadConfig) -> list[str]:
        """The private table's rows into the target: append, merge, or delete and insert."""
        changes = self.changes(private, target, config)
        if config.mode != "append":
            self.require_unique_key(private, changes.values, config)
        return changes.statements(config.mode)

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """The statements' parts; refuses columns that the target has not, or whose type would change values."""
        new, old = self.describe(private) or [], self.describe(target) or []
        values = dict.fromkeys(common_columns(new, old))
        columns = [column.name for column in old]
        return Changes(self.change_words, self.dialect, private, target, values, config.unique_key, columns)

    def require_unique_key(self, private: Relation, columns: Any, config: LoadConfig, **more: Any) -> None:
        """Raise when the key is none, or occurs twice in the new rows."""
        first = self.change_words.first
        require_unique_key(private, columns, config, self.dialect, self.first_row, first=first, **more)

    def first_row(self, sql: str) -> Sequence[Any] | None:
        """The first row of a query that gives at most one."""
        return next(iter(self.rows(sql)), None)

    def literal(self, text: str) -> str:
        """A text as the engine reads it."""
        return exp.Literal.string(text).sql(dialect=self.dialect)

    @property
    def dialect(self) -> str:
        """For quoting."""
        return self.connection.dialect

    def _same_columns(self, private: Relation, target: Relation) -> list[str] | None:
        new, old = self.describe(private) or [], self.describe(target) or []
        same = [(c.name, c.native_type) for c in new] == [(c.name, c.native_type) for c in old]
        return [column.name for column in new] if same else None
