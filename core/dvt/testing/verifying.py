"""Verifying: what landed is compared with what was sent, by the engine's own sums and hashes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from dvt.errors import UnsupportedError, VerificationError
from dvt.federation.verifying.level import Verify
from dvt.federation.verifying.verifier import Verifier
from dvt.testing.landing import Lander, LandingContract
from dvt.testing.loading import load_cases
from dvt.testing.place import Place
from dvt.testing.streams import stream, stream_of
from dvt.testing.words import EngineWords

_WORDS = ["a", "größe |~ 漢字", "it's", "~N", None]
Change = Callable[[pa.RecordBatch], pa.RecordBatch]


class VerifyingContract(LandingContract):
    """A value that the way changes is found before anybody sees it."""

    def test_sums_find_a_changed_number(self, place: Place, words: EngineWords, land: Lander) -> None:
        if not _is_known(Verify.SUMS, place, words):
            return
        every = _table(words)
        _verified(Verify.SUMS, every, land)
        with pytest.raises(VerificationError, match="column id: the values sent add up to") as raised:
            _verified(Verify.SUMS, every, land, lambda batch: _with(batch, "id", pa.array([7] * len(batch))))
        assert raised.value.relation == str(place.relation("dvt_kit"))
        present, rows = every.num_rows - every["word"].null_count, every.num_rows
        with pytest.raises(VerificationError, match=f"column word: {present} values were sent, {rows} are there"):
            _verified(Verify.SUMS, every, land, lambda batch: _with(batch, "word", batch["word"].fill_null("b")))
        land.check_clean()

    def test_hashes_find_a_changed_text(self, place: Place, words: EngineWords, land: Lander) -> None:
        if not _is_known(Verify.HASH, place, words):
            return
        every = _table(words)
        _verified(Verify.HASH, every, land)
        with pytest.raises(VerificationError, match="hashes do not add up") as raised:
            _verified(Verify.HASH, every, land, lambda batch: _with(batch, "word", _other_letter(batch["word"])))
        assert raised.value.relation == str(place.relation("dvt_kit"))
        land.check_clean()


def _is_known(level: Verify, place: Place, words: EngineWords) -> bool:
    """Whether the place compares so; if not, it says so before anything is read."""
    if level.value in words.verifies:
        return True
    with pytest.raises(UnsupportedError, match=f"cannot be compared by {level.value}"):
        Verifier(level, place.connection())
    return False


def _table(words: EngineWords) -> pa.Table:
    """All types that the engine takes, with numbers and texts that every engine takes before them."""
    cases = [case for case in load_cases(words) if case.back not in ("refused", "unread") and case.values.null_count]
    kept = [case.values for case in cases]
    rows = max(map(len, kept))
    filled = [pa.concat_arrays([values, pa.nulls(rows - len(values), values.type)]) for values in kept]
    columns = {f"v{number}": values for number, values in enumerate(filled)}
    texts = [*_WORDS, *["b"] * rows][:rows]
    return pa.table({"id": pa.array(range(rows), pa.int64()), "word": texts, **columns})


def _verified(level: Verify, sent: pa.Table, land: Lander, change: Change = lambda batch: batch) -> None:
    """Load a table, of which something is changed after it was looked at."""
    config = land.config()
    verifier = Verifier(level, land.place.connection())
    watched = verifier.watched(stream_of(sent))

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in watched.batches():
            yield change(batch)

    with land.place.loader() as loader:
        loader.load(stream(sent.schema, batches()), config, lambda private: verifier.check(private, config.relation))


def _with(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    return batch.set_column(batch.schema.get_field_index(name), name, values.cast(batch.schema.field(name).type))


def _other_letter(texts: pa.Array) -> pa.Array:
    return pa.array(["c" if text == "a" else text for text in texts.to_pylist()], pa.string())
