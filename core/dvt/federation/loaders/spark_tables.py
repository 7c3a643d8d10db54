"""What the loaders of Spark and Hive share: what SHOW and DESCRIBE tell, and tables that are only added to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from dvt.errors import DataError, RelationNotFoundError
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.landing import Words
from dvt.federation.loaders.setting_aside import SettingAside
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation, quote, quote_all

_NEXT = "_next"


class SparkTables(SettingAside, SQLLoader):
    """A loader of Spark's family. Each statement is committed by itself.

    Rows of a table in plain files cannot be changed: a new table is made of those that stay and the new ones, and takes
    the old one's place as a whole table does.
    """

    words = Words(rename="alter table {private} rename to {target}")
    change_words = ChangeWords(delete="exists", merge="replace")
    create_schema_words = "create database if not exists"
    begins = ""
    default_schema: ClassVar[str] = "default"

    def qualified(self, relation: Relation) -> Relation:
        """With the connection's schema."""
        schema = relation.schema or str(self.connection.first("schema", "database", default=self.default_schema))
        return Relation(relation.name, schema, relation.database)

    def has_schema(self, name: str) -> bool:
        """Whether there is a database of that name."""
        return name.lower() in {str(row[0]).lower() for row in self.rows("show databases")}

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        about = self.about(relation)
        if about is None:
            return None
        return "view" if "view" in (about.get("type") or about.get("table type", "")).lower() else "table"

    def about(self, relation: Relation) -> dict[str, str] | None:
        """What DESCRIBE says of a relation beside its columns, by lower-case words; None where there is none."""
        told = self._described(relation)
        return None if told is None else told[1]

    def _described(self, relation: Relation) -> tuple[dict[str, str], dict[str, str]] | None:
        """The types of the columns by name, and what else is said."""
        try:
            with self.guarded("land", relation):
                rows = self.rows(" ".join(["describe formatted", relation.sql(self.dialect)]))
        except RelationNotFoundError:
            return None
        columns: dict[str, str] = {}
        more: dict[str, str] = {}
        found = columns
        for row in rows:
            name, value = str(row[0] or "").strip(), str(row[1] or "").strip()
            if name.startswith("#") and name != "# col_name":
                found = more
            elif name and name != "# col_name":
                found.setdefault(name.rstrip(":").lower(), value)
        return columns, more

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """Refuses also texts for columns that pad or cut them: their types do not show in a result."""
        changes = super().changes(private, target, config)
        types = (self._described(target) or ({}, {}))[0]
        for name in changes.values:
            if types.get(name.lower(), "").lower().startswith(("char(", "varchar(")):
                message = f"the target holds {types[name.lower()]}, the new rows texts of any length"
                raise DataError(message, column=name, remedy="Make the column a string, or run with --full-refresh")
        return changes

    def changing(self, private: Relation, target: Relation, config: LoadConfig) -> list[str]:
        """Append to the target; or make the table anew and put it in the target's place."""
        if config.mode == "append":
            return super().changing(private, target, config)
        changes = self.changes(private, target, config)
        self.require_unique_key(private, changes.values, config)
        if config.mode == "merge":
            changes.require_all_columns()
        return self._rebuilt(private, target, changes)

    def _rebuilt(self, private: Relation, target: Relation, changes: Changes) -> list[str]:
        following, old = self._next(private), target.sql(self.dialect)
        into = ["insert into", following.sql(self.dialect)]  # by their places, which are the target's
        kept = ["select", quote_all(changes.target_columns, self.dialect), "from", old, "as t where not exists"]
        match = ["( select 1 from", private.sql(self.dialect), "as s where", changes.matches, ")"]
        new = ["select", ", ".join(self._given(changes)), "from", private.sql(self.dialect), "as s"]
        made = ["create table", following.sql(self.dialect), "like", old]
        swap = self.set_aside(private, following, target)
        return [" ".join(made), " ".join([*into, *kept, *match]), " ".join([*into, *new]), *swap]

    def _given(self, changes: Changes) -> Sequence[str]:
        """What each column of the target gets from the new rows."""
        given = {name.lower() for name in changes.values}
        columns = ((name, quote(name, self.dialect)) for name in changes.target_columns)
        return [f"s.{quoted}" if name.lower() in given else "null" for name, quoted in columns]

    def _next(self, private: Relation) -> Relation:
        return private.sibling(private.name[: self.spec.max_identifier_bytes - len(_NEXT)] + _NEXT)

    def remove(self, relation: Relation) -> None:
        """Drop a private table, and what may have been made beside it."""
        self.run(" ".join(["drop table if exists", self._next(relation).sql(self.dialect)]))
        super().remove(relation)
