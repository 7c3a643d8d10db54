"""Seeds in bulk: dbt reads the file, chooses the types and makes the table; only the rows take another way."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from typing import Any

import agate
import pyarrow as pa
from dbt.context.providers import generate_runtime_model_context
from dbt.task.seed import SeedRunner

from dvt.dbt_bridge.failures import shown_by_dbt
from dvt.dbt_bridge.landing import Target
from dvt.dbt_bridge.materializing import OnConnection
from dvt.dbt_bridge.overlays import with_macros
from dvt.dbt_bridge.publishing import publish_files
from dvt.errors import ConfigurationError, DataError, DvtError
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import quote_all

# Below, another login costs more than dbt's own inserts.
LEAST_ROWS = 2_000
_BATCH_ROWS = 20_000
_ROWS_MACRO = "macro.dbt.default__load_csv_rows"
_STOCK_NAME = "dvt_stock_load_csv_rows"


class UnlikeTextError(Exception):
    """A value whose text would be read as another one: the column's name is its argument."""


class Seeding:
    """What dbt's seed materialization calls while it loads one seed, through dvt's macro.

    Args:
        make_target: Gives the place where the seed lands; a small one has no use for a session of its own.
        stack: Drops what was staged and ends the session, when the seed has landed or failed.
    """

    def __init__(self, make_target: Callable[[], Target], stack: ExitStack) -> None:
        self._make_target = make_target
        self._stack = stack
        self._dialect = ""
        self.private_name = ""

    def stages(self, table: agate.Table, types: list[str]) -> bool:
        """Whether the rows stand in a private table now, with dbt's types; where not, dbt's own inserts are to run."""
        if len(table.rows) < LEAST_ROWS:
            return False
        names = list(table.column_names)
        columns = [ColumnSchema(name, pa.string()) for name in names]
        declared = dict(zip(names, types, strict=True))
        target = self._make_target()
        self._stack.callback(target.close)
        self._dialect = target.loader.connection.dialect
        with shown_by_dbt(target.node):
            try:
                stream = RowStream(columns, text_batches(table, names))
                private, _ = self._stack.enter_context(target.staged(stream, declared))
            except (UnlikeTextError, ConfigurationError):
                return False  # a type that is none, as `serial` is none, is for the CREATE TABLE of dbt's alone
            except DvtError as error:
                error.relation = str(target.relation)  # the private one says nothing to who reads it
                raise
        self.private_name = private.name
        return True

    def select(self, private: Any, names: list[str]) -> str:
        """The query that gives the staged rows, in the order of the file's columns."""
        return " ".join(["select", quote_all(names, self._dialect), "from", str(private)])


class BulkSeed(OnConnection, SeedRunner):
    """dbt's own runner and materialization of a seed, where the loader is faster than statements with values."""

    def run_with_hooks(self, manifest: Any) -> Any:
        """Run with a `load_csv_rows` that stages; one of the adapter's or the project's own still goes before it."""
        return super().run_with_hooks(_with_staging(manifest, self.connection.manifest(manifest)))

    def execute(self, model: Any, manifest: Any) -> Any:
        """Seed; the private table is gone afterwards."""
        with ExitStack() as stack:
            stack.callback(model.config._extra.pop, "dvt_seeding", None)
            make = partial(Target, self.bridge, self.connection, model)
            model.config._extra["dvt_seeding"] = Seeding(make, stack)
            try:
                return super().execute(model, manifest)
            except BaseException:
                # A transaction that has read the private table keeps it from being dropped.
                self.adapter.connections.rollback_if_open()
                raise


class FilesSeed(OnConnection, SeedRunner):
    """A seed as a file of a folder, with the types that dbt gives its columns; no SQL of dbt's runs there."""

    def execute(self, model: Any, manifest: Any) -> Any:
        """Write the file, and put it in place by a rename."""
        with shown_by_dbt(model):
            table = generate_runtime_model_context(model, self.config, manifest)["load_agate_table"]()
            given, names = model.config.column_types or {}, list(table.column_names)
            types = {name: given.get(name) or self.adapter.convert_type(table, at) for at, name in enumerate(names)}
            target = Target(self.bridge, self.connection, model)
            try:
                stream = RowStream([ColumnSchema(name, pa.string()) for name in names], text_batches(table, names))
                with target.staged(stream, types) as (private, loaded):
                    result = publish_files(model, target, private, is_incremental=False)
            except UnlikeTextError as error:
                raise DataError(
                    "an instant with a zone stands in a column of timestamps without one",
                    column=str(error),
                    remedy="Declare it: `column_types: {" + str(error) + ": timestamptz}`",
                ) from error
            finally:
                target.close()
        result.message = f"CREATE {loaded.rows}"
        result.agate_table = table
        return result


def text_batches(table: agate.Table, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The table's values as the texts in which a database reads them back exactly.

    Raises:
        UnlikeTextError: There is a value that has no such text.
    """
    writers = [_writer(column) for column in table.columns]
    for start in range(0, len(table.rows), _BATCH_ROWS):
        rows = [row.values() for row in table.rows[start : start + _BATCH_ROWS]]
        arrays = [
            pa.array(list(map(write, cells)), pa.string())
            for write, cells in zip(writers, zip(*rows, strict=True), strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, names=names)


def _writer(column: agate.Column) -> Callable[[Any], str | None]:
    kind, name = column.data_type, str(column.name)
    if isinstance(kind, agate.Text):
        return lambda value: value
    if isinstance(kind, agate.Boolean):
        return lambda value: None if value is None else "true" if value else "false"
    return lambda value: _text(value, name)


def _text(value: Any, column: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        if value.tzinfo is not None:  # dbt's own statement converts it to the session's zone, a text would lose it
            raise UnlikeTextError(column)
        return value.isoformat(sep=" ")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, int):
        return str(value)
    raise UnlikeTextError(column)


def _with_staging(stock: Any, overlay: Any) -> Any:
    """A manifest in which dbt's `default__load_csv_rows` is dvt's, and dbt's own has another name."""
    theirs = overlay.macros.get(_ROWS_MACRO)
    ours = next((macro for macro in overlay.macros.values() if macro.name == "dvt_load_csv_rows"), None)
    if theirs is None or ours is None:
        return stock
    kept, put = copy.copy(theirs), copy.copy(theirs)
    kept.name, kept.unique_id = _STOCK_NAME, f"macro.dbt.{_STOCK_NAME}"
    kept.macro_sql = theirs.macro_sql.replace("default__load_csv_rows", _STOCK_NAME, 1)
    put.macro_sql = ours.macro_sql.replace(ours.name, "default__load_csv_rows", 1)
    return with_macros(overlay, {_ROWS_MACRO: put, kept.unique_id: kept})
