"""The statements that put a staged private table in place of, or into, its target.

MySQL commits before and after each DDL statement. A table lands by one RENAME of several tables, which readers see
as one step; the other modes change rows only, in one transaction, after the DDL on the private table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from dvt.connections.mysql_session import Session
from dvt.errors import DataError
from dvt.federation.extractors.mysql_schema import CatalogueColumn, catalogue, text_literal
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.unique_key import require_unique_key
from dvt.identifiers import Relation, private_name, quote

_MOST_INDEXED = 4  # of 191 characters each: InnoDB's keys have at most 3072 bytes
_INDEXED_CHARACTERS = 191
_LONG_TYPES = ("text", "blob", "json")
# After the DDL, which has ended the transaction of whoever runs the statements: without it each of the following would
# commit on its own, and a failure in the middle would leave the target half changed.
_BEGIN = "start transaction"


@dataclass(frozen=True)
class Target:
    """What stands under the target's name.

    Args:
        is_view: Whether it is a view.
        is_transactional: Whether its storage engine has transactions.
        comment: The table's comment.
    """

    is_view: bool
    is_transactional: bool
    comment: str


@dataclass(frozen=True)
class MySQLLanding:
    """One landing: where from, where to, and how.

    Args:
        session: Used to read the catalogue only.
        private: The staged table.
        config: The request; its relation has a schema.
    """

    session: Session
    private: Relation
    config: LoadConfig

    def statements(self) -> list[str]:
        """The statements, in their order.

        Raises:
            DataError: The target's columns, engine or dependents do not allow it.
        """
        target = find_target(self.session, self.config.relation)
        if target is None:
            return [self._rename([(self.private, self.config.relation)])]
        if self.config.mode == "table":
            return self._replace(target)
        if target.is_view or not target.is_transactional:
            what = "a view" if target.is_view else "a table of an engine without transactions"
            raise self._refusal(f"the target is {what}", "Make it an InnoDB table, or run with --full-refresh")
        return self._change()

    def _replace(self, target: Target) -> list[str]:
        relation = self.config.relation
        old = relation.sibling(private_name(relation.name, f"{self.config.run_id}_old", 64))
        kind = "view" if target.is_view else "table"
        swap = [self._rename([(relation, old), (self.private, relation)]), " ".join(["drop", kind, old.sql("mysql")])]
        if target.is_view:
            return swap
        self._require_no_dependents()
        return [*self._keep_comments(target), *swap]

    def _rename(self, pairs: Sequence[tuple[Relation, Relation]]) -> str:
        steps = (" ".join([old.sql("mysql"), "to", new.sql("mysql")]) for old, new in pairs)
        return " ".join(["rename table", ", ".join(steps)])

    def _require_no_dependents(self) -> None:
        """Foreign keys would go on pointing at the old table, triggers would go with it. Views go by name."""
        relation = self.config.relation
        schema, name = text_literal(relation.schema or ""), text_literal(relation.name)
        keys = " ".join(
            [
                "select constraint_name, table_schema, table_name from information_schema.key_column_usage",
                *("where referenced_table_schema =", schema, "and referenced_table_name =", name),
            ]
        )
        for key, key_schema, key_table in self.session.rows(keys):
            raise self._refusal(
                f"the foreign key {key} of {key_schema}.{key_table} refers to the table that is to be replaced",
                "Drop the foreign key, or land incrementally",
            )
        triggers = " ".join(
            [
                "select trigger_name from information_schema.triggers",
                *("where event_object_schema =", schema, "and event_object_table =", name),
            ]
        )
        found = [row[0] for row in self.session.rows(triggers)]
        if found and not self.config.drop_dependents:
            raise self._refusal(
                f"replacing the table would drop its triggers: {', '.join(str(t) for t in found)}",
                "Drop them, or run with --full-refresh",
            )

    def _keep_comments(self, target: Target) -> list[str]:
        comments = {c.name: c.comment for c in catalogue(self.session, self.config.relation) if c.comment}
        changes = [f"comment = {text_literal(target.comment)}"] if target.comment else []
        for column in catalogue(self.session, self.private):
            if column.name in comments:
                changes.append(_commented(column, comments[column.name]))
        return [" ".join(["alter table", self.private.sql("mysql"), ", ".join(changes)])] if changes else []

    def _change(self) -> list[str]:
        """Append, delete+insert or merge."""
        new = {column.name: column for column in catalogue(self.session, self.private)}
        old = {column.name: column for column in catalogue(self.session, self.config.relation)}
        missing = [name for name in new if name not in old]
        if missing:
            raise self._refusal(
                f"the target lacks the columns {', '.join(missing)}",
                "Add them to the target, or run with --full-refresh",
                missing[0],
            )
        if self.config.mode == "append":
            return [self._insert(list(new))]
        keys = self.config.unique_key
        # NULL is a key like any other here: it is compared by `<=>`.
        asked = (self.private, new, self.config, "mysql", lambda query: next(iter(self.session.rows(query)), None))
        require_unique_key(*asked, null_is_a_key=True)
        for key in keys:
            if key not in new:
                raise self._refusal(f"the unique key's column '{key}' is not in the result", "Correct unique_key", key)
        target, private = self.config.relation.sql("mysql"), self.private.sql("mysql")
        # Full names, because an alias in a DELETE of several tables needs a current database.
        matched = " and ".join(_equal(private, new[key], target, old[key]) for key in keys)
        if self.config.mode == "delete+insert":
            index = self._alter([_index([new[key] for key in keys])])
            return [index, _BEGIN, self._delete(matched), self._insert(list(new))]
        return self._merge(new, keys, matched)

    def _merge(self, new: dict[str, CatalogueColumn], keys: Sequence[str], matched: str) -> list[str]:
        """Mark the private rows that the target has, update from those, insert the others.

        The mark spares a search of the target, which may lack an index on the key, for each row.
        """
        mark = quote(private_name("matched", self.config.run_id), "mysql")
        target, private = self.config.relation.sql("mysql"), self.private.sql("mysql")
        joined = (target, "join", private, "on", matched)
        quoted = [quote(name, "mysql") for name in new if name not in keys]
        values = [f"{target}.{name} = {private}.{name}" for name in quoted]
        statements = [
            self._alter([f"add column {mark} tinyint null", _index([new[key] for key in keys])]),
            _BEGIN,
            " ".join(["update", *joined, f"set {private}.{mark} = 1"]),
        ]
        if values:
            statements.append(" ".join(["update", *joined, "set", ", ".join(values)]))
        return [*statements, self._insert(list(new), " ".join(["where", f"s.{mark}", "is null"]))]

    def _alter(self, changes: Sequence[str]) -> str:
        return " ".join(["alter table", self.private.sql("mysql"), ", ".join(changes)])

    def _delete(self, matched: str) -> str:
        target, private = self.config.relation.sql("mysql"), self.private.sql("mysql")
        return " ".join(["delete", target, "from", target, "join", private, "on", matched])

    def _insert(self, names: Sequence[str], where: str = "") -> str:
        values = dict.fromkeys(names)
        return Changes(ChangeWords(), "mysql", self.private, self.config.relation, values).insert(where)

    def _refusal(self, message: str, remedy: str, column: str | None = None) -> DataError:
        return DataError(
            message,
            connection=self.session.connection.name,
            relation=str(self.config.relation),
            column=column,
            phase="land",
            remedy=remedy,
        )


def find_target(session: Session, relation: Relation) -> Target | None:
    """What the server finds under a name, None when there is nothing."""
    rows = session.rows(
        " ".join(
            [
                "select t.table_name, t.table_type, e.transactions, t.table_comment, @@lower_case_table_names",
                "from information_schema.tables as t left join information_schema.engines as e on e.engine = t.engine",
                *("where t.table_schema =", text_literal(relation.schema or "")),
                *("and t.table_name =", text_literal(relation.name)),
            ]
        )
    )
    # The catalogue compares without case; the server does so only where it was told to.
    exact = [row for row in rows if row[0] == relation.name] or [row for row in rows if row[4] != "0"]
    if not exact:
        return None
    _, kind, transactions, comment, _ = exact[0]
    is_view = "VIEW" in (kind or "")
    return Target(is_view, transactions == "YES", "" if is_view else comment or "")


def _equal(private: str, new: CatalogueColumn, target: str, old: CatalogueColumn) -> str:
    """The NULL-safe comparison of a key's column, under the private table's collation.

    Where the target has another collation, its value is brought to the private table's: two collations cannot be
    compared, and the private one tells all texts apart.
    """
    name = quote(new.name, "mysql")
    theirs = f"{target}.{name}"
    if new.collation and old.collation and new.collation != old.collation:
        charset = new.collation.split("_", maxsplit=1)[0]
        theirs = f"convert({theirs} using {charset}) collate {new.collation}"
    return f"{private}.{name} <=> {theirs}"


def _index(columns: Sequence[CatalogueColumn]) -> str:
    parts = []
    for column in columns[:_MOST_INDEXED]:
        is_long = column.native.base.endswith(_LONG_TYPES)
        parts.append(quote(column.name, "mysql") + (f"({_INDEXED_CHARACTERS})" if is_long else ""))
    return f"add index ({', '.join(parts)})"


def _commented(column: CatalogueColumn, comment: str) -> str:
    """A MODIFY clause that gives a private table's column a comment and leaves the rest as it is."""
    collation = f"collate {column.collation}" if column.collation and column.native.base != "json" else ""
    null = "null" if column.nullable else "not null"
    words = ["modify column", quote(column.name, "mysql"), column.native.text, collation, null]
    return " ".join([*filter(None, words), "comment", text_literal(comment)])


def with_schema(relation: Relation, schema: str | None) -> Relation:
    """The relation with a schema, so that statements do not depend on the session's current one."""
    return relation if relation.schema else dataclasses.replace(relation, schema=schema)
