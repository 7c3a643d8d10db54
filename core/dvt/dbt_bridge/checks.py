"""Runners that only read: federated tests, `dvt show`, and freshness of sources that are files."""

from __future__ import annotations

import datetime as dt
import threading
import time
from contextlib import ExitStack
from typing import Any

from dbt.artifacts.schemas.freshness import SourceFreshnessResult
from dbt.artifacts.schemas.run import RunResult, RunStatus
from dbt.task.freshness import FreshnessRunner
from dbt.task.show import ShowRunner
from dbt.task.test import TestResultData, TestRunner

from dvt.dbt_bridge.engine_adapter import agate_table
from dvt.dbt_bridge.failures import shown_by_dbt
from dvt.dbt_bridge.landing import Target
from dvt.dbt_bridge.materializing import OnConnection
from dvt.dbt_bridge.runners import Federated
from dvt.dbt_bridge.wrapping import select_all, select_from
from dvt.errors import UnsupportedError
from dvt.identifiers import Relation

_LONG_AGO = dt.datetime(1, 1, 1, tzinfo=dt.timezone.utc)


class FederatedTest(Federated, TestRunner):
    """A data test over several connections, counted in the engine."""

    def execute_data_test(self, data_test: Any, manifest: Any) -> TestResultData:
        """Count the failing rows; with `store_failures` they are staged and dbt's own macro stores them."""
        with shown_by_dbt(data_test):
            if data_test.config.store_failures or getattr(data_test.config, "store_failures_as", None):
                return self._stored(data_test, manifest)
            return self._counted(data_test)

    def _counted(self, data_test: Any) -> TestResultData:
        config = data_test.config
        calc = config.fail_calc
        # The same statement as dbt's default__get_test_sql, with the project's own SQL in the same places.
        failing = select_all(data_test.compiled_code, config.limit)
        verdicts = f"{calc} {config.warn_if} as should_warn, {calc} {config.error_if} as should_error"
        columns = f"{calc} as failures, {verdicts}"
        sql = "\n".join(["select", columns, "from (", failing, ") as dbt_internal_test"])
        with self.bridge.query(sql, data_test) as run:
            row = next(iter(run.stream))
        return TestResultData(
            failures=int(row["failures"] or 0),
            should_warn=bool(row["should_warn"]),
            should_error=bool(row["should_error"]),
            adapter_response={"dvt": {"lane": "federated"}},
        )

    def _stored(self, data_test: Any, manifest: Any) -> TestResultData:
        target = Target(self.bridge, self.connection, data_test)
        compiled = data_test.compiled_code
        try:
            with ExitStack() as stack:
                with self.bridge.query(compiled, data_test) as run:
                    private, _ = stack.enter_context(target.staged(run.stream))
                relation = self.adapter.Relation.create_from(self.config, data_test)
                name = relation.incorporate(path={"identifier": private.name})
                data_test.compiled_code = select_from(name)
                return super().execute_data_test(data_test, manifest)
        finally:
            data_test.compiled_code = compiled
            target.close()


class FederatedShow(Federated, ShowRunner):
    """`dvt show` of a federated node computes it in the engine."""

    def execute(self, compiled_node: Any, manifest: Any) -> RunResult:
        """The first rows of the result, as stock `show` gives them."""
        started = time.time()
        limit = self.config.args.limit
        sql = select_all(compiled_node.compiled_code, limit if limit >= 0 else None)
        with shown_by_dbt(compiled_node):
            with self.bridge.query(sql, compiled_node) as run:
                table = agate_table(run.stream)
        return RunResult(
            node=compiled_node,
            status=RunStatus.Success,
            timing=[],
            thread_id=threading.current_thread().name,
            execution_time=time.time() - started,
            message=None,
            adapter_response={"dvt": {"lane": "federated"}},
            agate_table=table,
            failures=None,
            batch_results=None,
        )


class FilesFreshness(OnConnection, FreshnessRunner):
    """Freshness of a source without an engine of its own: the newest value, computed in the engine."""

    def execute(self, compiled_node: Any, manifest: Any) -> SourceFreshnessResult:
        """The age of the newest `loaded_at_field`."""
        with shown_by_dbt(compiled_node):
            newest = self._newest(compiled_node)
        now = dt.datetime.now(dt.timezone.utc)
        age = (now - newest).total_seconds()
        return SourceFreshnessResult(
            node=compiled_node,
            status=compiled_node.freshness.status(age),
            thread_id=threading.current_thread().name,
            timing=[],
            execution_time=0,
            message=None,
            adapter_response={"dvt": {"lane": "federated"}},
            failures=None,
            max_loaded_at=newest,
            snapshotted_at=now,
            age=age,
        )

    def _newest(self, source: Any) -> dt.datetime:
        if source.loaded_at_field is None:
            raise UnsupportedError(
                f"freshness of {source.source_name}.{source.name} needs a loaded_at_field",
                remedy="Name the column that holds the time of loading",
            )
        handle = self.bridge.handles.of_node(source)
        name = Relation(handle.name, handle.schema, handle.catalog).sql("duckdb")
        where = ["where", source.freshness.filter] if source.freshness.filter else []
        field = source.loaded_at_field
        sql = " ".join(["select max((", field, ")::timestamptz) as newest from", name, *where])
        with self.bridge.query(sql, source) as run:
            value = next(iter(run.stream))["newest"]
        return _LONG_AGO if value is None else value.astimezone(dt.timezone.utc)
