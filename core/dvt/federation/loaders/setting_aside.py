"""Landing where a table can only be renamed: the old one goes aside, and comes back where the new one cannot come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dvt.connections.landing_ways import Way
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.landing import Landing
from dvt.identifiers import Relation, private_name, quote

if TYPE_CHECKING:
    from dvt.federation.loaders.sql import SQLLoader as _Base
else:
    _Base = object


class SettingAside(_Base):
    """For `SQLLoader`s that cannot replace a table, or not one with other columns, in one step: rename, rename, drop.

    Readers find no table between the first two, for as long as they take. Nothing is dropped before the new table is
    there: where the second rename fails, the old one gets its name back as soon as the private table is dropped.
    """

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._aside: dict[Relation, tuple[Relation, Relation]] = {}

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """The statements; a view is dropped first, which takes no time and loses no rows."""
        landing = super().replacing(private, target, kind, config)
        return self.in_steps(private, target) if kind == "table" and not landing.is_atomic else landing

    def in_steps(self, private: Relation, target: Relation) -> Landing:
        """The private table in place of a table."""
        return Landing(Way.STEPS, tuple(self.set_aside(private, private, target)), is_atomic=False)

    @property
    def rename_words(self) -> str:
        """How a table is renamed, as in `Words`."""
        return self.words.rename

    def set_aside(self, private: Relation, new: Relation, target: Relation) -> list[str]:
        """Rename, rename, drop.

        Args:
            private: The private table, with which what is put aside comes back.
            new: What takes the target's place.
            target: The table.
        """
        old = target.sibling(private_name(private.name, "old", self.spec.max_identifier_bytes))
        self._aside[private] = old, target
        drop = " ".join(["drop table", old.sql(self.dialect)])
        return [self._renamed(target, old), self._renamed(new, target), drop]

    def _renamed(self, old: Relation, new: Relation) -> str:
        names = {"private": old.sql(self.dialect), "target": new.sql(self.dialect)}
        return self.rename_words.format(**names, bare=quote(new.name, self.dialect))

    def execute(self, statements: list[str]) -> None:
        """Renames are committed each by itself, and want no transaction around them."""
        if not self._aside:
            super().execute(statements)
            return
        with self.guarded("land", None):
            for statement in statements:
                self.run(statement)

    def remove(self, relation: Relation) -> None:
        """Drop a private table; what was put aside for it and was not replaced takes its place again."""
        super().remove(relation)
        self.put_back(relation)

    def put_back(self, private: Relation) -> None:
        """Give an old table its name again, where nothing else has got it; called when its private table is gone."""
        old, target = self._aside.pop(private, (None, None))
        if old is not None and target is not None and self.kind(old) and not self.kind(target):
            self.run(self._renamed(old, target))
