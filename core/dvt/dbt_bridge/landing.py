"""Landing a federated result: stage it with the loader, put it in place with dbt's materialization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dvt.dbt_bridge.bindings import file_options_of, verify_of
from dvt.errors import UnsupportedError
from dvt.federation.loaders.base import BaseLoader, LoadConfig, LoadResult, Mode
from dvt.federation.stream import RowStream
from dvt.federation.verifying.level import Verify
from dvt.federation.verifying.verifier import Verifier, words_of
from dvt.identifiers import Relation

if TYPE_CHECKING:
    from dvt.connections.connection import Connection
    from dvt.dbt_bridge.bridge import Bridge

# Materializations of dbt's own packages that land one table anew.
_PLAIN = ("table", "view")
_OWN_PACKAGES_PREFIX = "dbt"
_MODES: dict[str, Mode] = {"append": "append", "merge": "merge", "delete+insert": "delete+insert"}


@dataclass(frozen=True)
class Landing:
    """How the `dvt_land` materialization puts a private relation in place.

    Args:
        statements: SQL in the landing's dialect, in order.
        relation_type: What the target is afterwards, "table" or "view".
        is_new_table: Whether indexes have to be made.
    """

    statements: tuple[str, ...]
    relation_type: str = "table"
    is_new_table: bool = True


@dataclass
class Target:
    """The place where one node lands, for the time of one run of it.

    Args:
        bridge: The invocation's bridge.
        connection: `DbtConnection` of the landing.
        node: The node.
    """

    bridge: Bridge
    connection: Any
    node: Any
    loader: BaseLoader = field(init=False)

    def __post_init__(self) -> None:
        self.loader = self.bridge.loader(self.connection.name)

    @property
    def relation(self) -> Relation:
        """The node's relation as the loader takes it."""
        handle = self.bridge.handles.of_node(self.node)
        found = self.bridge.handles.find(handle.catalog, handle.schema, handle.name)
        assert found is not None
        return found.relation

    @property
    def private(self) -> Relation:
        """The run-scoped private relation beside it."""
        batch = getattr(self.node, "batch", None)
        relation = self.relation
        if batch is not None:  # batches of one model may run at the same time
            relation = relation.sibling(f"{relation.name}_{batch.event_time_start:%Y%m%d%H%M%S}")
        config = LoadConfig(relation=relation, run_id=self.bridge.run_id, file_options=file_options_of(self.node))
        return self.loader.private_relation(config)

    @contextmanager
    def staged(
        self, stream: RowStream, declared: Mapping[str, str] | None = None
    ) -> Iterator[tuple[Relation, LoadResult]]:
        """Load a stream into the private relation; it is gone afterwards, whatever happens.

        Args:
            stream: The rows.
            declared: Native types for columns; those of the node's contract when None.
        """
        private = self.private
        types = self._declared() if declared is None else declared
        batch_rows = int(self.loader.connection.options["batch_rows"])
        level = verify_of(self.node)
        verifier = Verifier(level, self.loader.connection, types) if level is not Verify.COUNT else None
        watched = verifier.watched(stream) if verifier else stream
        try:
            result = self.loader.stage(watched, private, declared=types, batch_rows=batch_rows)
            if verifier:
                verifier.check(private, self.relation)
            yield private, result
        finally:
            self.drop(private)

    @contextmanager
    def created(self, sql: str) -> Iterator[Relation]:
        """A private relation made by a query that runs on the landing itself."""
        private = self.private
        try:
            self.loader.execute(self.loader.creating(private, sql))
            yield private
        finally:
            self.drop(private)

    def drop(self, private: Relation) -> None:
        """Drop a private relation; what has failed before remains the error, and rows that have landed are in place."""
        import sys

        self.loader.drop_or_tell(private, "" if sys.exc_info()[1] else "the rows are in place; ")

    def close(self) -> None:
        """End the loader session and let readers of this run see the new state."""
        self.bridge.release(self.loader)
        self.bridge.session.forget(self.loader.connection, self.relation)

    def _declared(self) -> dict[str, str]:
        contract = getattr(self.node.config, "contract", None)
        if contract is None or not contract.enforced:
            return {}
        return {column.name: column.data_type for column in self.node.columns.values() if column.data_type}

    def load_config(self, mode: Mode, *, full_refresh: bool) -> LoadConfig:
        """What the loader has to know to put the private relation in place."""
        key = self.node.config.get("unique_key")
        keys = tuple(key) if isinstance(key, list) else (str(key),) if key else ()
        contract = getattr(self.node.config, "contract", None)
        return LoadConfig(
            relation=self.relation,
            mode=mode,
            unique_key=keys,
            run_id=self.bridge.run_id,
            drop_dependents=full_refresh,
            keep_indexes=not self.node.config.get("indexes"),
            keep_constraints=not (contract and contract.enforced),
            file_options=file_options_of(self.node),
        )


def check_verifiable(node: Any, connection: Connection) -> None:
    """Refuse a `dvt_verify` that the landing has no words for, before anything is read."""
    if verify_of(node) is not Verify.COUNT:
        words_of(verify_of(node), connection)


def incremental_mode(node: Any, connection_type: str) -> Mode:
    """The loader's mode for an incremental model on an engine without a dbt adapter.

    Raises:
        UnsupportedError: The strategy, or an option of it, exists only on engines with an adapter.
    """
    for option in ("incremental_predicates", "merge_update_columns", "merge_exclude_columns"):
        if node.config.get(option):
            raise UnsupportedError(
                f"{option} does not exist for landings of type {connection_type}",
                remedy="Remove it, or land the model on a connection with a dbt adapter",
            )
    strategy = node.config.get("incremental_strategy") or ("merge" if node.config.get("unique_key") else "append")
    mode = _MODES.get(str(strategy))
    if mode is None:
        raise UnsupportedError(
            f"incremental_strategy '{strategy}' does not exist for landings of type {connection_type}",
            remedy=f"Use one of {', '.join(_MODES)}",
        )
    if mode != "append" and not node.config.get("unique_key"):
        raise UnsupportedError(
            f"incremental_strategy '{strategy}' needs a unique_key", remedy="Add unique_key to the model's config"
        )
    return mode


def uses_own_macro(manifest: Any, project: str, materialization: str, adapter_type: str) -> bool:
    """Whether a materialization is the user's (or a package's), not dbt's: then it runs as it is written."""
    macro = manifest.find_materialization_macro_by_name(project, materialization, adapter_type)
    if macro is None:
        return False
    package = str(macro.package_name)
    return not (package == _OWN_PACKAGES_PREFIX or package.startswith(_OWN_PACKAGES_PREFIX + "_"))


def is_plain(materialization: str) -> bool:
    """Whether a materialization lands one whole table."""
    return materialization in _PLAIN
