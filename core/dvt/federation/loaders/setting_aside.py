"""Landing where a table can only be renamed: the old one goes aside, and comes back where the new one cannot come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dvt.connections.landing_ways import Way
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.landing import Landing
from dvt.identifiers import Relation, quote

if TYPE_CHECKING:
    from dvt.federation.loaders.sql import SQLLoader as _Base
else:
    _Base = object

_SUFFIX = "_old"


class SettingAside(_Base):
    """For `SQLLoader`s of `Way.STEPS`: rename, rename, drop.

    Readers find no table between the first two, for as long as they take. Nothing is dropped before the new table is
    there: where the second rename fails, the old one gets its name back as soon as the private table is dropped.
    """

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._aside: dict[Relation, tuple[Relation, Relation]] = {}

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """The statements; a view is dropped first, which takes no time and loses no rows."""
        if kind != "table":
            return super().replacing(private, target, kind, config)
        return Landing(Way.STEPS, tuple(self.set_aside(private, private, target)), is_atomic=False)

    def set_aside(self, private: Relation, new: Relation, target: Relation) -> list[str]:
        """Rename, rename, drop.

        Args:
            private: The private table, with which what is put aside comes back.
            new: What takes the target's place.
            target: The table.
        """
        old = target.sibling(private.name[: self.spec.max_identifier_bytes - len(_SUFFIX)] + _SUFFIX)
        self._aside[private] = old, target
        drop = " ".join(["drop table", old.sql(self.dialect)])
        return [self._renamed(target, old), self._renamed(new, target), drop]

    def _renamed(self, old: Relation, new: Relation) -> str:
        names = {"private": old.sql(self.dialect), "target": new.sql(self.dialect)}
        return self.words.rename.format(**names, bare=quote(new.name, self.dialect))

    def remove(self, relation: Relation) -> None:
        """Drop a private table; what was put aside for it and was not replaced takes its place again."""
        super().remove(relation)
        old, target = self._aside.pop(relation, (None, None))
        if old is not None and target is not None and self.kind(old) and not self.kind(target):
            self.run(self._renamed(old, target))
