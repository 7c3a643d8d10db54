"""What the parts of the loader's contract share: loads that are cleaned up, and what is found where they landed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.loaders.base import BaseLoader
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation
from dvt.testing.base import Contract
from dvt.testing.place import Place
from dvt.testing.streams import NUMBERED, numbered, stream, stream_of
from dvt.testing.words import EngineWords, shown

Rows = list[tuple[str | None, ...]]
_RUN = "0c0ffee0"


class Lander:
    """Loads into a place, reads what is there with the extractor, and drops it at the end.

    The extractor's own contract is what makes it an oracle: there it reads what another client wrote.

    Args:
        place: Where.
        words: How it is said there.
    """

    def __init__(self, place: Place, words: EngineWords) -> None:
        self.place, self._words = place, words
        self._made: set[Relation] = set()

    def config(self, name: str = "dvt_kit", **more: Any) -> LoadConfig:
        """A load into a table of the kit's."""
        relation = self.place.relation(name)
        self._made.add(relation)
        return LoadConfig(relation, run_id=_RUN, **more)

    def __call__(self, rows: RowStream | pa.Table, name: str = "dvt_kit", **more: Any) -> LoadResult:
        """Load with a loader of its own."""
        given = stream_of(rows) if isinstance(rows, pa.Table) else rows
        with self.place.loader() as loader:
            return loader.load(given, self.config(name, **more))

    def numbers(self, ids: Any, word: str = "row", **more: Any) -> LoadResult:
        """Load numbered rows."""
        return self(stream(NUMBERED, numbered(ids, word)), **more)

    def table(self, name: str = "dvt_kit", **more: Any) -> pa.Table:
        """What is in a table."""
        request = ExtractionConfig(relation=self.place.relation(name), **more)
        with self.place.extractor() as extractor, extractor.scan(request) as found:
            return found.to_table()

    def rows(self, name: str = "dvt_kit") -> Rows:
        """The rows of a table as texts, in one order."""
        return rows_of(self.table(name))

    def check_clean(self) -> None:
        """No load has left a private table behind."""
        with self.place.loader() as loader:
            for relation in self._made:
                private = loader.private_relation(LoadConfig(relation, run_id=_RUN))
                assert loader.describe(private) is None, f"{private} was left behind"
        if self.place.tables is not None:
            left = [name for name in self.place.tables() if "dvt_" in name and _RUN in name]
            assert not left, f"left behind: {left}"

    def drop_all(self) -> None:
        """Drop the tables."""
        for relation in self._made:
            self.place.execute(self._words.drop_sql(relation, self.place.connection()))


class LandingContract(Contract):
    """Fixtures of all parts of the loader's contract."""

    direction = "loading"

    @pytest.fixture
    def land(self, place: Place, words: EngineWords) -> Iterator[Lander]:
        """What loads the check's tables."""
        lander = Lander(place, words)
        yield lander
        lander.drop_all()


def rows_of(found: pa.Table) -> Rows:
    """Rows as texts, in one order."""
    return sorted(zip(*(shown(column) for column in found.columns), strict=True), key=repr)


def numbered_rows(ids: Any, word: str = "row") -> Rows:
    """What numbered rows are found as."""
    return sorted(((str(number), f"{word} {number}") for number in ids), key=repr)


def cancelled_from_aside(loader: BaseLoader, most: int = 200) -> Iterator[pa.RecordBatch]:
    """Batches of which the sixth comes after another thread has cancelled the load; they end, if nobody ends them."""
    for number, batch in enumerate(numbered(range(most * 50), batch_rows=50)):
        if number == 5:
            other = threading.Thread(target=loader.cancel)
            other.start()
            other.join()
        yield batch
