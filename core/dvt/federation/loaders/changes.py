"""Rows of a private table into a target that stays: append, merge, delete and insert, as an engine says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dvt.errors import DataError
from dvt.federation.loaders.config import Mode
from dvt.identifiers import Relation, quote, quote_all

_IS_NEW = "dvt_is_new"


@dataclass(frozen=True)
class ChangeWords:
    """What an engine's statements look like; `t` stands for the target, `s` for the private table.

    Args:
        delete: `DELETE FROM t USING s WHERE`, `DELETE FROM t WHERE EXISTS`, `DELETE t FROM t JOIN s`, or
            `DELETE FROM t WHERE (key) IN (SELECT key FROM s)` for engines that cannot refer to the row, "plain" for
            `DELETE FROM t USING s WHERE` without other names. "merge" for engines without transactions: one MERGE that
            takes out and puts in, so that no row is lost between two.
        merge: "merge" for a MERGE statement, "update" for UPDATE ... FROM and an INSERT of the others, "replace" for
            DELETE and INSERT: where all of the target's columns come, they leave the same rows.
        alias: The word before an alias; Oracle has none.
        ends: What a MERGE ends with; SQL Server wants a semicolon.
        first: The end of an ordered query of which one row is wanted.
    """

    delete: Literal["using", "exists", "join", "in", "plain", "merge"] = "exists"
    merge: Literal["merge", "update", "replace"] = "merge"
    alias: str = "as"
    ends: str = ""
    first: str = "limit 1"


@dataclass(frozen=True)
class Changes:
    """The statements for one private table and one target.

    Args:
        words: The engine's.
        dialect: For quoting.
        private: The staged rows.
        target: Where they go.
        values: For each column that comes, what the target gets, over `s`; None takes it as it is.
        key: Columns that identify a row.
        target_columns: All of the target's columns; needed where a merge replaces rows.
        equal: How a key's column of `t` is compared with one of `s`; `{t}` and `{s}` are the quoted columns.
        overriding: Words between an INSERT's column list and its SELECT.
    """

    words: ChangeWords
    dialect: str
    private: Relation
    target: Relation
    values: Mapping[str, str | None]
    key: Sequence[str] = ()
    target_columns: Sequence[str] = ()
    equal: str = "{t} = {s}"
    overriding: str = ""

    def statements(self, mode: Mode) -> list[str]:
        """The statements of a mode, to be run in one transaction where the engine has them."""
        if mode == "append":
            return [self.insert()]
        if mode == "delete+insert":
            return [self.exchange()] if self.words.delete == "merge" else [self.delete(), self.insert()]
        if self.words.merge == "merge":
            return [self.merge()]
        if self.words.merge == "replace":
            self.require_all_columns()
            return [self.delete(), self.insert()]
        return [*self.update(), self.insert(self.absent())]

    @property
    def matches(self) -> str:
        """The condition that a row of `s` has the key of a row of `t`."""
        return self._matches("t", "s")

    def _matches(self, t: str, s: str) -> str:
        names = [quote(name, self.dialect) for name in self.key]
        return " and ".join(self.equal.format(t=f"{t}.{name}", s=f"{s}.{name}") for name in names)

    def insert(self, where: str = "") -> str:
        """Put in the private table's rows."""
        into = ["insert into", self.target.sql(self.dialect), "(" + quote_all(self.values, self.dialect) + ")"]
        given = [self.overriding] if self.overriding else []
        select = ["select", ", ".join(self._values()), "from", self._private]
        return " ".join([*into, *given, *select, *([where] if where else [])])

    def absent(self) -> str:
        """The condition of an INSERT, for rows whose key the target has not."""
        return " ".join(["where not exists (select 1 from", self._target, "where", self.matches + ")"])

    def absent_in_private(self) -> str:
        """The condition of a query, for the target's rows whose key the private table has not."""
        return " ".join(["where not exists (select 1 from", self._private, "where", self.matches + ")"])

    def delete(self) -> str:
        """Take out the target's rows that have a key of the private table's."""
        target = self.target.sql(self.dialect)
        if self.words.delete == "using":
            return " ".join(["delete from", self._target, "using", self._private, "where", self.matches])
        if self.words.delete == "plain":
            named = self._matches(quote(self.target.name, self.dialect), quote(self.private.name, self.dialect))
            return " ".join(["delete from", target, "using", self._plain(), "where", named])
        if self.words.delete == "join":
            return " ".join(["delete t from", self._target, "join", self._private, "on", self.matches])
        if self.words.delete == "exists":
            found = ["where exists (select 1 from", self._private, "where", self.matches + ")"]
            return " ".join(["delete from", self._target, *found])
        names = quote_all(self.key, self.dialect)
        return " ".join(["delete from", target, "where (", names, ") in (select", names, "from", self._plain(), ")"])

    def update(self) -> list[str]:
        """Change the target's rows that have a key of the private table's; nothing where all columns are keys."""
        if not self._changed():
            return []
        sets = ", ".join(f"{name} = {value}" for name, value in self._changed())
        return [" ".join(["update", self._target, "set", sets, "from", self._private, "where", self.matches])]

    def merge(self) -> str:
        """One MERGE."""
        names = quote_all(self.values, self.dialect)
        sets = ", ".join(f"{name} = {value}" for name, value in self._changed())
        changed = ["when matched then update set", sets] if sets else []
        added = ["when not matched then insert (", names, ") values (", ", ".join(self._values()), ")"]
        head = ["merge into", self._target, "using", self._private, "on (", self.matches, ")"]
        return " ".join([*head, *changed, *added]) + self.words.ends

    @property
    def _new_column(self) -> str:
        """A name that no column has."""
        taken = {name.lower() for name in self.values}
        return quote(
            next(n for n in (_IS_NEW + "_" * more for more in range(len(taken) + 1)) if n not in taken), self.dialect
        )

    def exchange(self) -> str:
        """One MERGE that does what DELETE and INSERT do: each new row comes once to take out, and once to put in."""
        names, new, plain = quote_all(self.values, self.dialect), self._new_column, self._plain()
        halves = (["select", names, ",", truth, "as", new, "from", plain] for truth in ("false", "true"))
        source = " union all ".join(" ".join(half) for half in halves)
        using = ["using (", source, ")", self.words.alias, "s on (", self.matches, f"and not s.{new} )"]
        added = [f"when not matched and s.{new} then insert (", names, ") values (", ", ".join(self._values()), ")"]
        return " ".join(["merge into", self._target, *using, "when matched then delete", *added]) + self.words.ends

    def _values(self) -> list[str]:
        return [value or f"s.{quote(name, self.dialect)}" for name, value in self.values.items()]

    def _changed(self) -> list[tuple[str, str]]:
        keys = {name.lower() for name in self.key}
        pairs = zip(self.values, self._values(), strict=True)
        return [(quote(name, self.dialect), value) for name, value in pairs if name.lower() not in keys]

    @property
    def _target(self) -> str:
        return " ".join(filter(None, [self.target.sql(self.dialect), self.words.alias, "t"]))

    @property
    def _private(self) -> str:
        return " ".join(filter(None, [self._plain(), self.words.alias, "s"]))

    def _plain(self) -> str:
        return self.private.sql(self.dialect)

    def require_all_columns(self) -> None:
        """Raise when a merge that replaces rows would lose a column's values."""
        given = {name.lower() for name in self.values}
        for name in self.target_columns:
            if name.lower() not in given:
                raise DataError(
                    "a merge here replaces whole rows, and the model does not give this column of the target",
                    column=name,
                    remedy="Select the column too, or use incremental_strategy: append or delete+insert",
                )
