"""Replacing tables where DDL has no transaction: the old one is kept under another name until the new one is there."""

from __future__ import annotations

import contextlib
import dataclasses
from abc import abstractmethod

from dvt.errors import DvtError
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.landing import Landing
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation, private_name


class RenamingLoader(SQLLoader):
    """A loader of an engine whose DDL commits. Between two renames readers see no table; no failure takes the rows."""

    _away: tuple[Relation, Relation] | None = None  # the name under which a target is kept, and its own

    @abstractmethod
    def renamed(self, relation: Relation, name: str) -> str:
        """The statement that gives a table another name."""

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """Where columns change, the old table is out of the way before the new one is there, and kept until then."""
        landing = super().replacing(private, target, kind, config)
        self._away = None
        if landing.is_atomic or kind != "table":
            return landing
        name = private_name(config.relation.name, "old" + config.run_id, self.spec.max_identifier_bytes)
        old = self.qualified(target.sibling(name))
        self._away = (old, target)
        drop = " ".join(["drop table", old.sql(self.dialect)])
        return dataclasses.replace(landing, statements=(self.renamed(target, old.name), landing.statements[-1], drop))

    def execute(self, statements: list[str]) -> None:
        """In one transaction. DDL has none: the old table gets its name back where the new one does not get it."""
        if self._away is None:
            super().execute(statements)
            return
        with self.guarded("land", None):
            for number, statement in enumerate(statements):
                try:
                    self.run(statement)
                except BaseException:
                    if number == 1:
                        self.rename_back()
                    raise

    def rename_back(self) -> None:
        """Give the old table its name again; the first error is the one to tell."""
        if self._away is not None:
            old, target = self._away
            with contextlib.suppress(DvtError), self.guarded("land", target):
                self.run(self.renamed(old, target.name))
