"""What one dbt invocation needs to federate: connections, router, handles, engine and the run's session."""

from __future__ import annotations

import os
import threading
import uuid
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbt.node_types import NodeType

from dvt.dbt_bridge.adapters import DbtConnection, DbtConnections
from dvt.dbt_bridge.bindings import direct_of, engine_of, pushdown_of, require_landing
from dvt.dbt_bridge.handles import HandleBook
from dvt.dbt_bridge.profiles import connections_of
from dvt.dbt_bridge.routing import Router
from dvt.errors import DvtError
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.registry import loader_class
from dvt.federation.settings import ProjectSettings, load_settings

if TYPE_CHECKING:
    from dvt.federation.extractors.methods import Chosen
    from dvt.federation.loaders.base import BaseLoader
    from dvt.federation.session import QueryRun, RunSession

# dbt's own test suites run with it, as an oracle for the federated path.
FORCE_FEDERATED = "DVT_FORCE_FEDERATED"


class Bridge:
    """Made once for a task; everything costly in it is made on first use.

    Args:
        config: dbt's `RuntimeConfig`.
        manifest: dbt's manifest.
    """

    def __init__(self, config: Any, manifest: Any) -> None:
        self.config = config
        self.manifest = manifest
        self.connections = connections_of(config)
        self.dbt_connections = DbtConnections(config, manifest, self.connections.rendered)
        self.router = Router(manifest, self.connections, force_federated=bool(os.environ.get(FORCE_FEDERATED)))
        self.handles = HandleBook(self.connections)
        self.run_id = uuid.uuid4().hex[:8]
        self.plan_only = False  # `dvt plan` reads no data, also not for macros that ask for some
        self._engine: DbtConnection | None = None
        self._session: RunSession | None = None
        self._loaders: set[BaseLoader] = set()
        self._how_loaded: dict[str, Chosen] = {}
        self._is_cancelled = False
        self._lock = threading.RLock()

    @property
    def engine(self) -> DbtConnection:
        """The compute engine as dbt's compiler sees it."""
        with self._lock:
            if self._engine is None:
                from dvt.dbt_bridge.engine_adapter import register_engine

                self._engine = register_engine(self)
            return self._engine

    @property
    def session(self) -> RunSession:
        """The run's federation session."""
        with self._lock:
            if self._session is None:
                from dvt.federation.session import RunSession

                settings = self.settings()
                self._session = RunSession(
                    settings.staging_folder(Path(self.config.project_root) / self.config.target_path),
                    memory_bytes=settings.memory_bytes,
                    threads=settings.engine_threads,
                    parallel_queries=max(int(self.config.threads or 1), 1),
                    run_id=self.run_id,
                    engine=settings.engine,
                    engine_options=settings.engine_options,
                    auto_bytes=settings.auto_bytes,
                    moves=settings.moves,
                )
                if self._is_cancelled:  # before it was made
                    self._session.cancel()
            return self._session

    def pushdown(self, node: Any) -> Pushdown:
        """How much of a node's query may move to its sources."""
        return pushdown_of(node) or self.settings().pushdown

    def direct(self, node: Any) -> bool | None:
        """Whether the engine may be left out for a node; None for nodes that do not land."""
        if node.resource_type not in (NodeType.Model, NodeType.Snapshot):
            return None
        found = direct_of(node)
        # The oracle of dbt's own tests is the engine's path.
        return (self.settings().direct if found is None else found) and not self.router.is_forced

    def query(self, sql: str, node: Any, *, direct: bool | None = None) -> AbstractContextManager[QueryRun]:
        """Run a node's query over everything that the handles name.

        Args:
            sql: The query.
            node: Whose settings count.
            direct: Whether the engine may be left out; only for what lands.
        """
        inputs, pushdown = self.handles.inputs(), self.pushdown(node)
        engine = engine_of(node)
        return self.session.query(sql, inputs, node=node.name, pushdown=pushdown, direct=direct, engine=engine)

    def settings(self) -> ProjectSettings:
        """The project-wide settings of dvt.yml."""
        return load_settings(Path(self.config.project_root) / "dvt.yml")

    def require_drivers(self) -> None:
        """Refuse, before anything runs, a target whose driver federated nodes need and that is not installed.

        dbt's own adapter of the target may be there without it, and is enough for native nodes.

        Raises:
            MissingDriverError: The message names the extra.
            UnsupportedError: It is of a type that is only read.
        """
        default = self.connections.default_name
        for node in self.manifest.nodes.values():
            route = self.router.route(node)
            if route.is_federated and default in (route.connection, *route.inputs):
                self.connections.get(default).require_driver()
                if route.connection == default and node.resource_type in (NodeType.Model, NodeType.Snapshot):
                    require_landing(self.connections.get(default))

    def loader(self, name: str) -> BaseLoader:
        """A loader session for a connection; the caller closes it with `release`."""
        connection = self.connections.get(name)
        made = loader_class(connection.type)(connection)
        with self._lock:
            self._loaders.add(made)
            if self._is_cancelled:
                made.cancel()
        return made

    def how_loaded(self, name: str) -> Chosen:
        """The method by which a connection would be loaded now; it is asked once."""
        if name not in self._how_loaded:
            loader = self.loader(name)
            try:
                self._how_loaded[name] = loader.planned()
            finally:
                self.release(loader)
        return self._how_loaded[name]

    def release(self, loader: BaseLoader) -> None:
        """Close a loader session."""
        with self._lock:
            self._loaders.discard(loader)
        loader.close()

    def cancel(self) -> None:
        """End everything that runs, on the servers too; what would begin afterwards does not."""
        with self._lock:
            self._is_cancelled = True
            loaders, session = list(self._loaders), self._session
        if session is not None:
            session.cancel()
        for loader in loaders:
            with suppress(DvtError):  # one that cannot be reached does not spare the others
                loader.cancel()

    def close(self) -> None:
        """End the run's session and delete what it staged."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()
