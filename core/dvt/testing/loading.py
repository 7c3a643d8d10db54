"""Loading: what is there afterwards, in which types, under which names, and what readers see meanwhile."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

from dvt.errors import DataError, DvtError, UnsupportedError
from dvt.identifiers import Relation, quote
from dvt.testing.base import Noted, cases, only_known
from dvt.testing.landing import Lander, LandingContract, numbered_rows, rows_of
from dvt.testing.place import Place
from dvt.testing.streams import NUMBERED, numbered, stream, stream_of, table, typed
from dvt.testing.words import EngineWords, arrow_type, shown

_WIDE_COLUMNS = 200
_LONG_TEXT = 1 << 20
# 40 batches of a megabyte: what holds them all has more than what is allowed.
_BATCHES, _BATCH_ROWS, _TEXT_BYTES = 40, 250, 4096
_LOOKS, _LOADS_AT_MOST = 12, 200


class LoadingContract(LandingContract):
    """Types, tables, names, sizes, readers."""

    def test_every_type_there_and_back(self, words: EngineWords, land: Lander, noted: Noted) -> None:
        tried = list(load_cases(words))
        # Most are columns of one table. What is refused, unread, or never NULL lands by itself.
        alone = [case for case in tried if case.back in ("refused", "unread") or not case.values.null_count]
        together = [case for case in tried if not any(case is other for other in alone)]
        wrong = [message for some in (together, *([case] for case in alone)) if (message := _wrong(some, land, noted))]
        assert not wrong, "\n".join(wrong)
        land.check_clean()

    @pytest.mark.parametrize("case", cases("tables.yml"), ids=lambda case: case["name"])
    def test_tables_land_as_they_are(
        self, place: Place, words: EngineWords, land: Lander, noted: Noted, case: dict[str, Any]
    ) -> None:
        if reason := words.cases.get(case["name"], {}).get("skip"):
            pytest.skip(reason)
        columns, rows = only_known(case["columns"], case["rows"], words)
        for name, refused in words.cases.get(case["name"], {}).get("refused", {}).items():
            with pytest.raises(DataError) as raised:
                land(table(columns, rows, words))
            assert raised.value.column == name
            rows = [row for row in rows if row[list(columns).index(name)] not in refused]
        loaded = table(columns, rows, words)
        result = land(loaded)
        noted.method(result)
        assert words.load_method in ("", result.method)
        assert result.rows == len(rows)
        found = land.table()
        assert found.schema.names == list(columns)
        assert found.schema.types == loaded.schema.types
        assert rows_of(found) == rows_of(loaded)
        with place.loader() as loader:
            described = loader.describe(place.relation("dvt_kit"))
        assert described is not None
        assert [(c.name, c.type) for c in described] == list(zip(found.schema.names, found.schema.types, strict=True))
        if place.ask is not None:
            asked = [_of_row(place, words, columns, row) for row in rows]
            assert [list(place.ask(sql)) for sql in asked] == [["1"]] * len(rows), "\n".join(asked)

    @pytest.mark.parametrize("name", cases("names.yml"))
    def test_names_of_all_kinds(self, words: EngineWords, land: Lander, name: str) -> None:
        if name in words.skipped:
            pytest.skip(words.skipped[name])
        own = "dvt_kit" if words.plain_relations else name
        for text in ("a", "b"):  # the second takes the first one's place
            land(pa.table({"id": [1], name: [text]}), own)
            assert land.table(own).to_pydict() == {"id": [1], name: [text]}
        land.check_clean()

    def test_wide_rows(self, words: EngineWords, land: Lander) -> None:
        wide = pa.table({f"c{number}": pa.array([number, None]) for number in range(_WIDE_COLUMNS)})
        land(wide)
        assert rows_of(land.table()) == rows_of(wide)
        long = pa.table({"id": [1, 2], "name": ["ä" * (_LONG_TEXT // 2), None]})
        land(long, "dvt_kit_long", declared={"name": words.long_text} if words.long_text else {})
        assert land.rows("dvt_kit_long") == rows_of(long)

    def test_many_batches_in_bounded_memory(self, place: Place, words: EngineWords, land: Lander, noted: Noted) -> None:
        gc.collect()
        before, most = pa.total_allocated_bytes(), 0

        def batches() -> Iterator[pa.RecordBatch]:
            nonlocal most
            for number in range(_BATCHES):
                ids = range(number * _BATCH_ROWS, (number + 1) * _BATCH_ROWS)
                texts = pa.array([f"{each}".ljust(_TEXT_BYTES) for each in ids])
                yield pa.RecordBatch.from_arrays([pa.array(ids), texts], schema=NUMBERED)
                most = max(most, pa.total_allocated_bytes() - before)

        declared = {"name": words.long_text} if words.long_text else {}
        result = land(stream(NUMBERED, batches()), streaming_batch_size=_BATCH_ROWS, declared=declared)
        noted.method(result)
        assert result.rows == _BATCHES * _BATCH_ROWS
        assert result.bytes >= result.rows * _TEXT_BYTES
        assert most < words.load_mb << 20
        with place.extractor() as extractor:
            assert extractor.get_row_count(place.relation("dvt_kit")) == result.rows

    def test_another_shape_takes_its_place(self, land: Lander) -> None:
        land(pa.table({"id": [1, 2], "gone": ["a", "b"]}))
        other = pa.table({"name": ["x"], "id": [7]})
        land(other)
        assert land.table().to_pydict() == other.to_pydict()
        land.check_clean()

    def test_a_schema_is_made_once(self, place: Place) -> None:
        with place.loader() as loader:
            for _ in range(2):
                loader.ensure_schema(place.relation("dvt_kit"))

    def test_it_can_be_used_again(self, place: Place, land: Lander) -> None:
        loader = place.loader()
        for number in range(2):
            loader.load(stream(NUMBERED, numbered([number])), land.config())
            assert land.rows() == numbered_rows([number])
        loader.close()
        loader.close()

    def test_readers_see_the_old_table_or_the_new_one(self, place: Place, land: Lander) -> None:
        if not place.connection().landing().is_atomic:
            pytest.skip(place.connection().landing().caution(place.type))
        states = {number: numbered_rows(range(size), f"v{number}") for number, size in enumerate((30, 70))}
        land.numbers(range(30), "v0")
        looks: list[int] = []
        wrong: list[str] = []
        is_over = threading.Event()

        def look() -> None:
            while not is_over.is_set() and not wrong:
                try:
                    seen = land.rows()
                    looks.append(next(number for number, state in states.items() if state == seen))
                except StopIteration:
                    wrong.append(f"a reader saw {len(seen)} rows")
                except DvtError as error:
                    wrong.append(f"a reader saw {error}")

        reader = threading.Thread(target=look)
        reader.start()
        try:
            for number in range(_LOADS_AT_MOST):
                if number % 3 == 2:
                    with pytest.raises(_SourceEndedError):
                        land(stream(NUMBERED, _broken()))
                else:
                    land.numbers(range((30, 70)[number % 2]), f"v{number % 2}")
                if wrong or (len(looks) >= _LOOKS and set(looks) == {0, 1}):
                    break
        finally:
            is_over.set()
            reader.join()
        assert not wrong, wrong
        assert set(looks) == {0, 1}, "the reader did not see both"
        land.check_clean()


class _SourceEndedError(Exception):
    """The source breaks."""


def _broken() -> Iterator[pa.RecordBatch]:
    yield from numbered(range(1_000))
    raise _SourceEndedError


@dataclass(frozen=True)
class LoadCase:
    """One case of `loads.yml`, as an engine is to have it.

    Args:
        name: Its name.
        arrow: The type that is loaded, as the kit calls it.
        values: What is loaded.
        back: What carries it on the way back; "refused", or "unread".
        texts: The values as they are found.
    """

    name: str
    arrow: str
    values: pa.Array
    back: str
    texts: list[str | None]


def load_cases(words: EngineWords) -> Iterator[LoadCase]:
    """All of `loads.yml`, as the engine is to have them."""
    for name, (arrow, texts, *all_there) in cases("loads.yml").items():
        values = typed(texts if all_there else [*texts, None], arrow_type(arrow))
        more: Any = words.loads.get(name, arrow)
        back, expected = more if isinstance(more, list) else (more, shown(values)[: len(texts)])
        yield LoadCase(name, arrow, values, back, [*expected, None][: len(values)])


def _wrong(tried: list[LoadCase], land: Lander, noted: Noted) -> str:
    """What is wrong with cases that land as columns of one table; empty when nothing is."""
    rows = max(len(case.values) for case in tried)
    columns = {f"v{n}": pa.concat_arrays([c.values, pa.nulls(rows - len(c.values), c.values.type)])
               for n, c in enumerate(tried)}  # fmt: skip
    named = "/".join(case.name for case in tried)
    is_refused = tried[0].back == "refused"
    try:
        result = land(stream_of(pa.table({"id": pa.array(range(rows)), **columns})))
        if is_refused:
            return f"{named}: it landed, and it has to be refused"
        if tried[0].back == "unread":
            return "" if result.rows == rows else f"{named}: {result.rows} rows landed"
        found = land.table().sort_by("id")
    except (DataError, UnsupportedError) as error:
        return "" if is_refused and error.column == "v0" else f"{named}: {error}"
    wrong = []
    for number, case in enumerate(tried):
        column = found.column(f"v{number}")
        expected = [*case.texts, *[None] * (rows - len(case.texts))]
        if column.type == arrow_type(case.back) and shown(column) == expected:
            noted.type(case.arrow, column.type)
        else:
            wrong.append(f"{case.name}: {shown(column)} as {column.type}, not {expected} as {case.back}")
    return "\n".join(wrong)


def _of_row(place: Place, words: EngineWords, columns: dict[str, str], row: list[Any]) -> str:
    """How many rows there are with these values, by the engine's own comparison."""
    dialect = place.connection().dialect
    conditions = []
    for (name, kind), value in zip(columns.items(), row, strict=True):
        literal = "is null" if value is None else f"= {words.literal(value, kind)}"
        conditions.append(f"{quote(name, dialect)} {literal}")
    relation: Relation = place.relation("dvt_kit")
    return " ".join(["select count(*) from", relation.sql(dialect), "where", " and ".join(conditions)])
