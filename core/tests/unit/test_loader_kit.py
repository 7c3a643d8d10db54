"""The conformance kit can fail for loaders too: SQLite's with one fault each, and the check that has to find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from servers.places import sqlite_place

from dvt.errors import DataError, DvtError
from dvt.federation.loaders.base import BaseLoader
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling
from dvt.federation.loaders.landing import Landing
from dvt.federation.loaders.sqlite import SQLiteLoader
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation
from dvt.testing import LoaderContract, Place
from dvt.testing.base import Noted, cases
from dvt.testing.landing import Lander
from dvt.testing.words import EngineWords, engine_words


class Faulty(SQLiteLoader):
    """Loads SQLite rightly; what is below changes one thing."""

    def _insert(self, filling: Filling) -> Filled:
        batches = list(filling.stream.batches())
        return super()._insert(self.given(filling, batches))

    def given(self, filling: Filling, batches: list[pa.RecordBatch]) -> Filling:
        columns = filling.stream.columns
        stream = RowStream(columns, iter([self.changed(batch) for batch in batches]))
        parts = (filling.types, filling.batch_rows, filling.check, filling.declared)
        return Filling(filling.relation, stream, *parts)

    def changed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch


class HoldsAllRows(Faulty):
    pass


class TakesEmptyForNull(Faulty):
    def changed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = [
            pa.array([value or None for value in a.to_pylist()], a.type) if a.type == pa.string() else a
            for a in batch.columns
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


class LosesItsLastRow(SQLiteLoader):
    def count(self, relation: Relation) -> int:
        found = super().count(relation)
        self.run(" ".join(["delete from", relation.sql("sqlite"), "where id >= 3"]))
        return found


class LeavesItsTable(SQLiteLoader):
    def remove(self, relation: Relation) -> None:
        return None


class EmptiesFirst(SQLiteLoader):
    def ensure_schema(self, relation: Relation) -> None:
        if self.describe(relation) is not None:
            self.run(" ".join(["delete from", self.qualified(relation).sql("sqlite")]))


class LooksForNoDoubledKey(SQLiteLoader):
    def require_unique_key(self, private: Relation, columns: Any, config: LoadConfig, **more: Any) -> None:
        return None


class AppendsWhenItMerges(SQLiteLoader):
    def landing(self, private: Relation, config: LoadConfig) -> Landing:
        if config.mode == "merge":
            config = LoadConfig(config.relation, "append", run_id=config.run_id)
        return super().landing(private, config)


class GoesOnWhenCancelled(SQLiteLoader):
    def cancel(self) -> None:
        return None


class NamesNoColumn(SQLiteLoader):
    def stage(self, *args: Any, **more: Any) -> Any:
        try:
            return super().stage(*args, **more)
        except DataError as error:
            error.column = None
            raise


def _checks() -> list[tuple[type[SQLiteLoader], str, dict[str, Any]]]:
    tables = {case["name"]: case for case in cases("tables.yml")}
    return [
        (HoldsAllRows, "many_batches_in_bounded_memory", {}),
        (TakesEmptyForNull, "tables_land_as_they_are", {"case": tables["texts of all kinds"]}),
        (LosesItsLastRow, "tables_land_as_they_are", {"case": tables["NULLs that come late"]}),
        (LeavesItsTable, "a_source_that_breaks_leaves_the_old_table", {"mode": "table"}),
        (EmptiesFirst, "a_source_that_breaks_leaves_the_old_table", {"mode": "table"}),
        (EmptiesFirst, "readers_see_the_old_table_or_the_new_one", {}),
        (LooksForNoDoubledKey, "a_doubled_key_is_named", {"mode": "merge"}),
        (AppendsWhenItMerges, "changed_rows_take_the_place_of_their_key", {"mode": "merge"}),
        (GoesOnWhenCancelled, "cancelling_from_another_thread", {}),
        (NamesNoColumn, "a_value_that_does_not_fit_is_named", {}),
        (NamesNoColumn, "every_type_there_and_back", {}),
    ]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with sqlite_place(tmp_path / "kit.sqlite") as found:
        yield found


def _run(place: Place, check: str, more: dict[str, Any]) -> None:
    words: EngineWords = engine_words("sqlite")
    known = {"place": place, "words": words, "land": Lander(place, words), "noted": Noted({}), **more}
    method: Callable[..., None] = getattr(LoaderContract(), f"test_{check}")
    names = method.__code__.co_varnames[1 : method.__code__.co_argcount]
    method(**{name: known[name] for name in names})


@pytest.mark.parametrize(("loader", "check", "more"), _checks(), ids=lambda part: getattr(part, "__name__", None))
def test_a_fault_is_found(
    monkeypatch: pytest.MonkeyPatch, place: Place, loader: type[BaseLoader], check: str, more: dict[str, Any]
) -> None:
    _run(place, check, more)  # without the fault
    monkeypatch.setattr("dvt.testing.place.loader_class", lambda type_: loader)
    with pytest.raises((AssertionError, DvtError, pytest.fail.Exception)):
        _run(place, check, more)
