"""Seeds in Parquet and JSON: the rows land as those of a model do, with the types that the file gives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import agate
import pyarrow as pa
from dbt.task.run import ModelRunner
from dbt.task.seed import SeedRunner

from dvt.dbt_bridge.failures import shown_by_dbt
from dvt.dbt_bridge.landing import Target
from dvt.dbt_bridge.materializing import Lands
from dvt.dbt_bridge.publishing import publish_files
from dvt.dbt_bridge.seed_rows import seed_rows
from dvt.errors import ConfigurationError
from dvt.federation.stream import RowStream

_SHOWN_ROWS = 10  # what dbt's --show prints at most


class DataSeed(Lands, SeedRunner):
    """A seed of another format than CSV. It is replaced whole, and readers see the old rows or the new ones."""

    _shown: agate.Table | None = None

    def execute(self, model: Any, manifest: Any) -> Any:
        """Stage the file's rows, and put them in place with dbt's hooks, grants and docs."""
        model.compiled_code = None  # a seed has none, and the landing's statements take its place
        try:
            with shown_by_dbt(model):
                return self._execute(model, manifest)
        finally:
            del model.compiled_code

    def _execute(self, model: Any, manifest: Any) -> Any:
        given = dict(model.config.column_types or {})
        target = Target(self.bridge, self.connection, model)
        try:
            with seed_rows(_path(model), given) as stream:
                _require_columns(given, stream.schema.names)
                with target.staged(self._watched(stream), given) as (private, loaded):
                    if target.loader.spec.runs_sql:
                        full_refresh = self._is_full_refresh(model)
                        result = self._replace(model, manifest, target, private, full_refresh)
                    else:
                        result = publish_files(model, target, private, is_incremental=False)
        finally:
            target.close()
        result.message, result.agate_table = f"INSERT {loaded.rows}", self._shown
        return result

    def _build_run_model_result(self, model: Any, context: Any, *args: Any) -> Any:
        return ModelRunner._build_run_model_result(self, model, context, *args)

    def _watched(self, stream: RowStream) -> RowStream:
        """The stream; its first rows are kept for `--show`."""
        names = stream.schema.names
        self._shown = agate.Table([], names, [agate.Text()] * len(names))

        def batches() -> Iterator[pa.RecordBatch]:
            for number, batch in enumerate(stream.batches()):
                if not number:
                    first = [
                        [_said(value) for value in row.values()] for row in batch.slice(0, _SHOWN_ROWS).to_pylist()
                    ]
                    self._shown = agate.Table(first, names, [agate.Text()] * len(names))
                yield batch

        return RowStream(stream.columns, batches(), method=stream.method)


def _path(model: Any) -> Path:
    """The file, also of a seed in a package."""
    return Path(model.root_path or "") / str(model.original_file_path)


def _said(value: Any) -> str | None:
    return None if value is None else str(value)


def _require_columns(given: dict[str, Any], names: list[str]) -> None:
    for name in given:
        if name not in names:
            raise ConfigurationError(
                f"column_types names a column that the file has not; it has {', '.join(names)}",
                column=name,
                remedy="Correct column_types of the seed",
            )
