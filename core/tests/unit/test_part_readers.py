"""Parts read side by side: all of them come, the first failure is raised, and an early end waits for every thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from dvt.errors import InterruptedRunError
from dvt.federation.extractors.part_readers import TURN_OVER, PartReaders, TurnOver


def _part(numbers: range, taken: list[int] | None = None) -> Iterator[pa.RecordBatch]:
    for number in numbers:
        if taken is not None:
            taken.append(number)
        yield pa.RecordBatch.from_pydict({"n": [number]})


def _numbers(readers: PartReaders) -> list[int]:
    return sorted(batch.column(0)[0].as_py() for batch in readers.batches())


def test_all_parts_come_to_their_end():
    readers = PartReaders([_part(range(5)), _part(range(5, 300)), _part(range(300, 300))], lambda: None)
    assert _numbers(readers) == list(range(300))
    readers.close()


def test_a_failure_of_one_part_is_raised_and_the_others_end():
    def failing() -> Iterator[pa.RecordBatch]:
        yield from _part(range(2))
        raise ValueError("the third row")

    taken: list[int] = []
    readers = PartReaders([failing(), _part(range(10**9), taken)], lambda: None)
    with pytest.raises(ValueError, match="the third row"):
        _numbers(readers)
    readers.close()
    held = len(taken)
    assert held == len(taken) < 10**9


def test_an_early_end_wakes_a_part_that_waits_for_its_source():
    source = threading.Event()

    def waiting() -> Iterator[pa.RecordBatch]:
        yield from _part(range(1))
        source.wait()  # as in recv(), until the source is told to stop

    readers = PartReaders([waiting(), _part(range(10**9))], source.set)
    next(readers.batches())
    readers.close()
    assert source.is_set()
    assert threading.active_count() == 1 or not [t for t in threading.enumerate() if t.name.endswith("(_read)")]


def test_who_waits_for_a_batch_learns_that_another_thread_closed():
    source, ends = threading.Event(), []

    def waiting() -> Iterator[pa.RecordBatch]:
        yield from _part(range(1))
        source.wait()

    readers = PartReaders([waiting()], source.set)
    batches = readers.batches()
    next(batches)

    def take() -> None:
        try:
            ends.append(next(batches, None))
        except InterruptedRunError as error:
            ends.append(error)

    taking = threading.Thread(target=take, daemon=True)
    taking.start()
    readers.close()
    taking.join(30)
    [end] = ends
    assert "closed before its end" in str(end)


def test_no_more_batches_wait_than_there_are_parts():
    taken: list[int] = []
    readers = PartReaders([_part(range(10**9), taken), _part(range(10**9), taken)], lambda: None)
    batches = readers.batches()
    for _ in range(3):
        next(batches)
    readers.close()
    assert len(taken) <= 3 + 2 + 2  # given, in the queue, in hand


def _stretches(*stretches: range) -> Iterator[pa.RecordBatch | TurnOver]:
    for stretch in stretches:
        yield from _part(stretch)
        yield TURN_OVER


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_parts_in_turn_give_one_stretch_after_the_other(parts):
    stretches = [range(number * 10, number * 10 + number % 5) for number in range(20)]  # some are empty
    readers = PartReaders([_stretches(*stretches[one::parts]) for one in range(parts)], lambda: None, in_turn=True)
    found = [batch.column(0)[0].as_py() for batch in readers.batches()]
    readers.close()
    assert found == [number for stretch in stretches for number in stretch]


def test_a_failure_is_raised_when_its_turn_comes():
    def failing() -> Iterator[pa.RecordBatch | TurnOver]:
        yield from _stretches(range(10, 12))
        raise ValueError("the second stretch")

    readers = PartReaders([_stretches(range(3), range(20, 22)), failing()], lambda: None, in_turn=True)
    batches = readers.batches()
    found = [next(batches).column(0)[0].as_py() for _ in range(7)]
    assert found == [0, 1, 2, 10, 11, 20, 21]
    with pytest.raises(ValueError, match="the second stretch"):
        next(batches)
    readers.close()


def test_few_batches_wait_for_their_turn():
    taken: list[int] = []
    readers = PartReaders([_part(range(1)), _part(range(10**9), taken)], lambda: None, in_turn=True)
    next(readers.batches())
    readers.close()
    assert len(taken) <= 2 + 1  # in its queue, in hand
