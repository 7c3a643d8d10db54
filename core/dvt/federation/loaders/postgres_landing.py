"""How a private table takes the target's place, or its rows go into the target: statements for one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dvt.errors import DataError, InternalError
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.postgres_keep import dbt_index_drops, kept_statements
from dvt.federation.loaders.postgres_target import Target, View, dependent_views, find_target, held_by
from dvt.federation.loaders.unique_key import require_unique_key
from dvt.identifiers import Relation, quote

if TYPE_CHECKING:
    import psycopg

_WORDS = ChangeWords(delete="using", merge="update")
_DROP = {
    "r": "drop table",
    "p": "drop table",
    "v": "drop view",
    "m": "drop materialized view",
    "f": "drop foreign table",
}


class PostgresLanding:
    """The decision for one landing.

    A table that nothing hangs on is dropped and the private one takes its name. Where views, foreign keys, triggers
    or the like hang on it and the columns are the same, the table stays and its rows are exchanged by DELETE and
    INSERT: unlike TRUNCATE they leave the old rows to readers with older snapshots.

    Args:
        session: For reading the catalogue; nothing is changed through it.
        private: The staged table.
        config: What is wanted.
    """

    def __init__(self, session: psycopg.Connection[Any], private: Relation, config: LoadConfig) -> None:
        self._session = session
        self._private = private
        self._config = config
        self._target = config.relation

    def statements(self) -> list[str]:
        """The statements, in order.

        Raises:
            DataError: The target's columns or dependents do not allow it.
            DuplicateKeyError: One key stands in the delta more than once.
        """
        new = find_target(self._session, self._private)
        if new is None:
            raise InternalError(f"the private relation {self._private} is not there")
        old = find_target(self._session, self._target)
        if old is not None and old.kind not in _DROP:
            raise DataError(f"{self._target} is no table or view but of kind {old.kind!r}", remedy="Rename or drop it")
        if self._config.mode == "table" or old is None:
            return self._replace(new, old)
        if old.kind in ("v", "m"):
            raise DataError("the target is a view", remedy="Run with --full-refresh, or drop it")
        return self._add(new, old)

    def _replace(self, new: Target, old: Target | None) -> list[str]:
        rename = " ".join(
            ["alter table", self._private.sql("postgres"), "rename to", quote(self._target.name, "postgres")]
        )
        if old is None:
            return [rename]
        views = dependent_views(self._session, self._target)
        held = held_by(self._session, old) if old.kind != "v" else []
        is_tied = bool(views or held or old.kind in "pf")
        if is_tied and old.kind in "rp" and old.shape == new.shape and not _has_generated(old):
            return self._exchange(new, old)
        if held or old.kind == "p":
            raise self._refusal(new, old, [*held, *(["its partitions"] if old.kind == "p" and not held else [])], views)
        if views and not self._config.drop_dependents:
            raise self._refusal(new, old, [], views)
        drops = [_drop_view(view) for view in views]
        drops.append(" ".join([_DROP[old.kind], self._target.sql("postgres")]))
        if old.kind not in "rp":
            return [*drops, rename]
        keep = self._config.keep_constraints
        return [*drops, rename, *kept_statements(self._session, old, new, self._target, keep_constraints=keep)]

    def _exchange(self, new: Target, old: Target) -> list[str]:
        return [
            # Writers wait until the rows are exchanged, readers do not.
            self._lock(),
            " ".join(["delete from", self._target.sql("postgres")]),
            *dbt_index_drops(self._session, old),
            self._insert(new, old),
            self._drop_private(),
        ]

    def _add(self, new: Target, old: Target) -> list[str]:
        known = {column.name for column in old.columns}
        missing = [column.name for column in new.columns if column.name not in known]
        if missing:
            raise DataError(
                f"the target has no column {missing[0]!r}",
                column=missing[0],
                remedy="Add it (on_schema_change: append_new_columns), or run with --full-refresh",
            )
        if self._config.mode == "append":
            return [self._insert(new, old), self._drop_private()]
        names = [column.name for column in new.columns]
        require_unique_key(self._private, names, self._config, "postgres", self._first_row)
        # MERGE exists from PostgreSQL 15 on only; under the lock the two statements do the same.
        return [self._lock(), *self._changes(new, old).statements(self._config.mode), self._drop_private()]

    def _first_row(self, query: str) -> list[str] | None:
        row = self._session.execute(query.encode()).fetchone()
        return None if row is None else [*map(str, row)]

    def _changes(self, new: Target, old: Target) -> Changes:
        given = {column.name for column in new.columns}
        is_always = any(column.is_identity_always and column.name in given for column in old.columns)
        return Changes(
            _WORDS,
            "postgres",
            self._private,
            self._target,
            {column.name: None for column in new.columns},
            self._config.unique_key,
            overriding="overriding system value" if is_always else "",
        )

    def _lock(self) -> str:
        return " ".join(["lock table", self._target.sql("postgres"), "in share row exclusive mode"])

    def _insert(self, new: Target, old: Target) -> str:
        return self._changes(new, old).insert()

    def _drop_private(self) -> str:
        return " ".join(["drop table", self._private.sql("postgres")])

    def _refusal(self, new: Target, old: Target, held: list[str], views: list[View]) -> DataError:
        names = [*(f"view {view.relation}" for view in views), *held]
        changed = dict(new.shape).items() ^ dict(old.shape).items()
        columns = ", ".join(sorted({name for name, _ in changed})) or "their order"
        remedy = "Drop them" if held else "Drop these views, or run with --full-refresh, which drops them"
        return DataError(
            f"its columns change ({columns}), and on it hang: {', '.join(names)}",
            remedy=f"{remedy}; afterwards create them again",
        )


def _has_generated(target: Target) -> bool:
    return any(column.is_generated for column in target.columns)


def _drop_view(view: View) -> str:
    kind = "drop materialized view" if view.is_materialized else "drop view"
    return " ".join([kind, view.relation.sql("postgres")])
