"""Changing rows of a table that stays: append, merge, delete and insert."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dvt.errors import DataError, DuplicateKeyError
from dvt.testing.landing import Lander, LandingContract, numbered_rows, rows_of
from dvt.testing.words import EngineWords

_KEYED = ("merge", "delete+insert")


class ChangingContract(LandingContract):
    """Incremental modes."""

    def test_append(self, land: Lander) -> None:
        land.numbers([1, 2], mode="append")  # nothing is there yet
        assert land.rows() == numbered_rows([1, 2])
        land(pa.table({"name": ["row 2", None], "id": [2, 3]}), mode="append")  # in another order
        assert land.rows() == sorted([("1", "row 1"), ("2", "row 2"), ("2", "row 2"), ("3", None)], key=repr)
        land.check_clean()

    @pytest.mark.parametrize("mode", _KEYED)
    def test_changed_rows_take_the_place_of_their_key(self, words: EngineWords, land: Lander, mode: str) -> None:
        _require(mode, words)
        land(pa.table({"a": [1, 1, 2, None], "b": ["x", "y", "x", "z"], "n": [1, 2, 3, 4]}))
        delta = pa.table({"a": [1, 2, 3], "b": ["x", "y", "x"], "n": [10, 20, None]})
        whole = pa.table(
            {"a": [1, 1, 2, 2, 3, None], "b": ["x", "y", "x", "y", "x", "z"], "n": [10, 2, 3, 20, None, 4]}
        )
        for _ in range(2):  # the second time changes nothing
            land(delta, mode=mode, unique_key=("a", "b"))
            assert land.rows() == rows_of(whole)
        land.check_clean()

    @pytest.mark.parametrize("mode", ["append", *_KEYED])
    def test_no_new_rows_change_nothing(self, words: EngineWords, land: Lander, mode: str) -> None:
        _require(mode, words)
        land.numbers([1, 2])
        for _ in range(2):
            assert land.numbers([], mode=mode, unique_key=("id",)).rows == 0
            assert land.rows() == numbered_rows([1, 2])
        land.check_clean()

    @pytest.mark.parametrize("mode", _KEYED)
    def test_a_doubled_key_is_named(self, words: EngineWords, land: Lander, mode: str) -> None:
        _require(mode, words)
        _require(f"a doubled key in {mode}", words)
        land.numbers([1, 7])
        with pytest.raises(DuplicateKeyError, match=r"id = '?7'?") as raised:
            land.numbers([7, 8, 7], "new", mode=mode, unique_key=("id",))
        assert raised.value.column == "id"
        assert raised.value.connection == "kit"
        assert land.rows() == numbered_rows([1, 7])
        land.check_clean()

    @pytest.mark.parametrize("mode", ["append", *_KEYED])
    def test_a_column_that_the_target_has_not(self, words: EngineWords, land: Lander, mode: str) -> None:
        _require(mode, words)
        land.numbers([1])
        with pytest.raises(DataError) as raised:
            land(pa.table({"id": [2], "extra": ["x"]}), mode=mode, unique_key=("id",))
        assert raised.value.column == "extra"
        assert raised.value.remedy
        assert land.rows() == numbered_rows([1])
        land.check_clean()


def _require(what: str, words: EngineWords) -> None:
    if what in words.skipped:
        pytest.skip(words.skipped[what])
