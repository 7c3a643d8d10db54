"""What holds of reading in parts, whatever the engine: each row once, one snapshot, and nothing left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pytest

from dvt import errors
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig, Split
from dvt.federation.stream import HowRead
from dvt.identifiers import Relation


@dataclass(frozen=True)
class Found:
    """What came of a relation.

    Args:
        rows: As texts, in one order.
        how: As the stream tells it.
        batches: How many rows each batch had.
    """

    rows: list[str]
    how: HowRead
    batches: list[int]

    @property
    def told(self) -> tuple[int, str]:
        """How many parts there were, and why there was but one."""
        return self.how.parts, self.how.whole_because


@dataclass(frozen=True)
class Side:
    """A database with relations to be read in parts.

    Args:
        opened: An extractor of it, with options.
        schema: Where its relations are, where that has to be said.
        sessions: How many sessions of extractors there are.
    """

    opened: Callable[..., BaseExtractor]
    schema: str | None
    sessions: Callable[[], int]

    def request(self, table: str, split: Split | None = None, *columns: str) -> ExtractionConfig:
        """A request for a relation, or some columns of it."""
        return ExtractionConfig(relation=Relation(table, self.schema), split=split, columns=columns or None)

    def read(self, table: str, split: Split | None = None, **options: object) -> Found:
        """Read all of a relation."""
        with self.opened(**options) as extractor, extractor.scan(self.request(table, split)) as stream:
            batches = list(stream.batches())
            table_ = pa.Table.from_batches(batches, stream.schema)
            # Python has no infinite dates.
            dates = [pa.int32() if column.type == pa.date32() else column.type for column in table_.columns]
            texts = [column.cast(type_).to_pylist() for column, type_ in zip(table_.columns, dates, strict=True)]
            rows = sorted(map(repr, zip(*texts, strict=True)))
            return Found(rows, stream.how, [batch.num_rows for batch in batches])

    def gone(self, but: int = 0) -> bool:
        """Whether sessions that were ended have gone; the server takes its time."""
        deadline = time.monotonic() + 30
        while (found := self.sessions()) != but and time.monotonic() < deadline:
            time.sleep(0.1)
        return found == but


def holds_every_row_once(side: Side, table: str, column: str, parts: int, **options: object) -> None:
    """In at least so many parts come the rows that come as a whole."""
    whole = side.read(table, **options)
    assert whole.told == (1, "")
    split = side.read(table, Split(column, 3), **options)
    assert split.rows == whole.rows
    assert split.how.whole_because == ""
    assert parts <= split.how.parts <= 3


def is_read_whole(side: Side, table: str, column: str, reason: str, *, are_steady: bool = True) -> None:
    """Whatever is asked for, there is one part, and it is told why."""
    whole, found = side.read(table), side.read(table, Split(column, 3))
    assert (found.how.parts, reason in found.how.whole_because) == (1, True), found.how
    if are_steady:
        assert found.rows == whole.rows


@contextmanager
def writing(write: Callable[[Callable[[], bool]], None]) -> Iterator[None]:
    """While the body runs, another thread writes, until it is told to stop."""
    stop = threading.Event()
    writer = threading.Thread(target=write, args=(stop.is_set,))
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def stops_early(side: Side, table: str, rows: int) -> None:
    """A stream that is closed takes the sessions of its parts with it; the extractor goes on."""
    with side.opened(batch_rows=10) as extractor:
        with extractor.scan(side.request(table, Split("id", 3))) as stream:
            assert stream.how.parts == 3
            assert stream.read_batch(10).num_rows == 10  # type: ignore[union-attr]
            assert side.gone(but=4)
        assert side.gone(but=1)
        assert extractor.get_row_count(Relation(table, side.schema)) == rows
    assert side.gone()


def is_cancelled(side: Side, table: str) -> None:
    """Who reads is told so, and no session is left."""
    with side.opened(batch_rows=10) as extractor, extractor.scan(side.request(table, Split("id", 3))) as stream:
        stream.read_batch(10)
        extractor.cancel()
        with pytest.raises(errors.InterruptedRunError):
            stream.to_table()
    assert side.gone()


def ends_all_when_one_fails(
    side: Side, table: str, refusal: tuple[type[errors.DvtError], str], other: str, rows: int
) -> None:
    """The failure of a part is the stream's; the extractor goes on, in its snapshot."""
    with side.opened(batch_rows=10) as extractor:
        with extractor.scan(side.request(table, Split("id", 3))) as stream:
            assert stream.how.parts == 3
            with pytest.raises(refusal[0], match=refusal[1]):
                stream.to_table()
        assert extractor.get_row_count(Relation(other, side.schema)) == rows
    assert side.gone()
