"""The conformance kit can fail: extractors with one fault each, and the check that has to find it."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sqlglot import exp

from dvt.errors import ConfigurationError, DvtError
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.extractors.key_ranges import key_ranges
from dvt.federation.extractors.sqlite import SQLiteExtractor
from dvt.federation.stream import HowRead, RowStream
from dvt.testing import ExtractorContract, Place, Tag
from dvt.testing.asking import COLUMNS, ROWS
from dvt.testing.base import Maker, Noted, cases, only_known
from dvt.testing.page import Shown, page
from dvt.testing.words import EngineWords, ValueCase, engine_words


class Faulty(SQLiteExtractor):
    """Reads SQLite rightly; what is below changes one thing."""

    def scan(self, request: ExtractionConfig) -> RowStream:
        stream = super().scan(self.asked(request))
        return RowStream(stream.columns, self.given(stream), close=stream.close, method=stream.method)

    def asked(self, request: ExtractionConfig) -> ExtractionConfig:
        return request

    def given(self, stream: RowStream) -> Iterator[pa.RecordBatch]:
        yield from stream.batches()


class LosesItsLastBatch(Faulty):
    def given(self, stream: RowStream) -> Iterator[pa.RecordBatch]:
        batches = list(stream.batches())
        yield from batches[:-1] or batches


class TakesEmptyForNull(Faulty):
    def given(self, stream: RowStream) -> Iterator[pa.RecordBatch]:
        for batch in stream.batches():
            arrays = [pc.if_else(pc.equal(a, ""), None, a) if a.type == pa.string() else a for a in batch.columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


class ReadsAllAtOnce(Faulty):
    def asked(self, request: ExtractionConfig) -> ExtractionConfig:
        return replace(request, batch_size=1_000_000)


class ForgetsTheLimit(Faulty):
    def asked(self, request: ExtractionConfig) -> ExtractionConfig:
        return replace(request, limit=None)


class ForgetsConditions(Faulty):
    def asked(self, request: ExtractionConfig) -> ExtractionConfig:
        return replace(request, predicates=())


class LosesTheThirdRow(Faulty):
    def given(self, stream: RowStream) -> Iterator[pa.RecordBatch]:
        for batch in stream.batches():
            yield batch.filter(pa.array([index != 2 for index in range(batch.num_rows)]))


class EndsQuietlyWhenCancelled(Faulty):
    def cancel(self) -> None:
        self.is_cancelled = True

    def given(self, stream: RowStream) -> Iterator[pa.RecordBatch]:
        for batch in stream.batches():
            if not getattr(self, "is_cancelled", False):
                yield batch


class HearsNoCancel(Faulty):
    def cancel(self) -> None:
        """The rest comes, as if nothing had been."""


class TellsItsPath(Faulty):
    def describe(self, request: ExtractionConfig) -> Any:
        raise DvtError(f"cannot describe with {self.connection.settings}")


class InParts(SQLiteExtractor):
    """SQLite in ranges of the key, one after the other: no way to read it, but rightly done."""

    whole_because = ""

    def scan(self, request: ExtractionConfig) -> RowStream:
        if request.split is None:
            return super().scan(request)
        parts = self.parts(key_ranges(request.split.column, pa.int64(), [7, 40], "sqlite"))
        streams = [super(InParts, self).scan(replace(request, predicates=(part,))) for part in parts]
        batches = (batch for stream in streams for batch in stream.batches())
        return RowStream(streams[0].columns, batches, how=HowRead(len(parts)))

    def parts(self, parts: list[exp.Expr]) -> list[exp.Expr]:
        return parts


class LosesNullKeys(InParts):
    def parts(self, parts: list[exp.Expr]) -> list[exp.Expr]:
        return [exp.and_(part, exp.column("id", quoted=True).is_(exp.null()).not_()) for part in parts]


class ReadsAMarkTwice(InParts):
    def parts(self, parts: list[exp.Expr]) -> list[exp.Expr]:
        return [part.transform(lambda n: exp.LTE(**n.args) if isinstance(n, exp.LT) else n) for part in parts]


class ForgetsToSplit(InParts):
    def parts(self, parts: list[exp.Expr]) -> list[exp.Expr]:
        return [exp.true()]


class _Broken(Place):
    """A place whose extractors have a fault."""

    faulty: type[BaseExtractor]

    def extractor(self, **options: Any) -> BaseExtractor:
        return self.faulty(self.connection(**options))


@pytest.fixture
def words() -> EngineWords:
    return engine_words("sqlite")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[_Broken]:
    path = tmp_path / "kit.sqlite"
    with sqlite3.connect(path, isolation_level=None) as db:
        found = _Broken("sqlite", Tag.REAL, {"type": "sqlite", "path": str(path)}, db.execute)
        yield found
    db.close()


@pytest.fixture
def made(place: _Broken, words: EngineWords) -> Maker:
    return Maker(place, words)


FAULTS: list[tuple[type[BaseExtractor], str]] = [
    (LosesItsLastBatch, "streams_in_batches_and_bounded_memory"),
    (ReadsAllAtOnce, "streams_in_batches_and_bounded_memory"),
    (TakesEmptyForNull, "tables_come_as_they_are"),
    (ForgetsTheLimit, "a_limit_is_kept"),
    (ForgetsConditions, "conditions_change_no_answer"),
    (LosesTheThirdRow, "tables_come_as_they_are"),
    (LosesTheThirdRow, "columns_are_chosen_and_ordered"),
    (LosesTheThirdRow, "hashes_are_those_of_the_rows"),
    (EndsQuietlyWhenCancelled, "cancelling_from_another_thread"),
    (HearsNoCancel, "cancelling_from_another_thread"),
    (TellsItsPath, "unknown_relations_and_columns"),
]


@pytest.mark.parametrize(("faulty", "check"), FAULTS, ids=lambda value: getattr(value, "__name__", value))
def test_a_fault_is_found(
    place: _Broken, words: EngineWords, made: Maker, faulty: type[BaseExtractor], check: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    object.__setattr__(place, "faulty", SQLiteExtractor)
    _run(check, place, words, made)
    object.__setattr__(place, "faulty", faulty)
    monkeypatch.setattr("dvt.federation.session.new_extractor", faulty)
    with pytest.raises((AssertionError, DvtError)):
        _run(check, place, words, made)


@pytest.mark.parametrize("faulty", [LosesNullKeys, ReadsAMarkTwice, ForgetsToSplit])
def test_a_fault_of_parts_is_found(
    place: _Broken, words: EngineWords, made: Maker, faulty: type[BaseExtractor]
) -> None:
    object.__setattr__(place, "faulty", InParts)
    _run("split_with_null_keys", place, words, made)
    object.__setattr__(place, "faulty", faulty)
    with pytest.raises(AssertionError):
        _run("split_with_null_keys", place, words, made)


def _run(check: str, place: _Broken, words: EngineWords, made: Maker) -> None:
    contract = ExtractorContract()
    columns, rows = only_known(COLUMNS, ROWS, words)
    arguments: dict[str, Any] = {"place": place, "words": words, "made": made, "noted": Noted({})}
    found = getattr(contract, f"test_{check}")
    names = found.__code__.co_varnames[: found.__code__.co_argcount]
    if "facts" in names:
        arguments["facts"] = made(columns, rows)
    given = {name: value for name, value in arguments.items() if name in names}
    if "case" in names:
        for case in cases("tables.yml"):
            found(**given, case=case)
    else:
        found(**given)


def test_words_are_based_on_others() -> None:
    postgres, odbc = engine_words("postgres"), engine_words("generic", "generic-odbc-postgres")
    assert odbc.types == postgres.types
    assert (odbc.numbers, odbc.method) == (postgres.numbers, "odbc_streaming")
    assert "conditions_change_no_answer" in odbc.skipped
    assert "conditions_change_no_answer" not in postgres.skipped
    carried = [{(v.native, v.literal): v.arrow for v in words.values} for words in (postgres, odbc)]
    assert [values["real", "1.5"] for values in carried] == ["float", "double"]
    assert carried[0].keys() < carried[1].keys()


def test_words_take_away_what_they_are_based_on(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("based_on: [sqlite, generic-adbc-duckdb]\ntypes: {double: null}\nvalues: [[blob, \"x'00ff'\"]]")
    words = engine_words("mine", file)
    assert "double" not in words.types
    assert words.types["text"] == ("varchar", "string")
    assert "x'00ff'" not in [value.literal for value in words.values]
    assert "conditions_change_no_answer" not in words.skipped


def test_what_has_to_be_refused_and_is_not(place: _Broken, words: EngineWords) -> None:
    object.__setattr__(place, "faulty", SQLiteExtractor)
    check = ExtractorContract().test_every_type_by_value
    refused = ValueCase("integer", "'a text'", "refused", declared="bigint")
    check(place, replace(words, values=[refused]), Noted({}))
    for carried in (replace(refused, literal="1"), replace(refused, arrow="int64", text="1")):
        with pytest.raises(AssertionError, match="integer"):
            check(place, replace(words, values=[carried]), Noted({}))


def test_an_engine_without_words_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no words for type nonesuch"):
        engine_words("nonesuch")


def test_the_page_counts_outcomes_and_says_why_checks_were_left_out() -> None:
    text = page({"b": Shown("real", {"one": "passed", "two": "failed"}, methods={"copy_streaming", "cursor_streaming"}),
                 "a": Shown("fake", {"one": "skipped"}, {"one: there is no login"})})  # fmt: skip
    assert "| a | fake | - | 0 | 0 | 1 |\n| b | real | copy_streaming, cursor_streaming | 1 | 1 | 0 |" in text
    assert "- **a**: one: there is no login" in text
    assert "- **b**: two" in text


_PLUGIN = """
import sqlite3
from dataclasses import replace
import pytest
from dvt.federation.extractors.sqlite import SQLiteExtractor
from dvt.testing import ExtractorContract, Place, Tag

class LosesDates(SQLiteExtractor):
    def scan(self, request):
        of_values = request.relation.name == "dvt_kit_value"
        has_date = of_values and self.describe(request)[0].native_type.lower() == "date"
        stream = super().scan(replace(request, limit=0) if has_date else request)
        stream.method = "guessing" if of_values else stream.method
        return stream

class WrongPlace(Place):
    def extractor(self, **options):
        return LosesDates(self.connection(**options))

class TestRight(ExtractorContract):
    kind, label = Place, "right"

    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory):
        path = tmp_path_factory.mktemp("kit") / "kit.sqlite"
        with sqlite3.connect(path, isolation_level=None) as db:
            yield cls.kind("sqlite", Tag.REAL, {"type": "sqlite", "path": str(path)}, db.execute, name=cls.label)
        db.close()

class TestWrong(TestRight):
    kind, label = WrongPlace, "wrong"
"""


def test_a_run_of_the_kit_makes_the_page(tmp_path: Path) -> None:
    """What a class records by itself: methods and types of checks that passed, of others nothing."""
    (tmp_path / "test_plugin.py").write_text(_PLUGIN)
    chosen = "tables_come and truth or every_type or a_wrong_login"
    options = ["-p", "dvt.testing.page", "--engines-page", "page.md", "-p", "no:cacheprovider", "-q", "-k", chosen]
    run = subprocess.run([sys.executable, "-m", "pytest", *options], cwd=tmp_path, capture_output=True, text=True)
    assert "1 failed, 3 passed, 2 skipped" in run.stdout, run.stdout + run.stderr
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| right | real | cursor_streaming | 2 | 0 | 1 |\n| wrong | real | cursor_streaming | 1 | 1 | 1 |" in text
    right, wrong = re.findall(r"#### \w+\n\n(.*)", text)
    assert right == "`blob` binary, `boolean` bool, `date` date32[day], `integer` int64, `text` string"
    assert wrong == "`boolean` bool, `integer` int64"
