"""Reading: what comes, in which types and batches, and that nothing stays open."""

from __future__ import annotations

import gc
from typing import Any

import pyarrow as pa
import pytest

from dvt.errors import DataError, UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig, Split
from dvt.identifiers import Relation, quote
from dvt.testing.base import Contract, Maker, Noted, cases, only_known
from dvt.testing.place import Place
from dvt.testing.words import EngineWords, ValueCase, arrow_type, shown

MANY_ROWS = 20_000
_BATCH_ROWS = 500
# What a scan may hold in Arrow's memory beside what is left of it: some batches of 20 bytes a row.
_MOST_BYTES = 8 << 20


class ReadingContract(Contract):
    """Connect, describe, stream, stop early, zero rows, NULLs, types, names."""

    def test_connects_and_tells_its_version(self, place: Place) -> None:
        with place.extractor() as extractor:
            assert any(letter.isdigit() for letter in extractor.ping())

    def test_closing_twice_is_allowed(self, place: Place) -> None:
        extractor = place.extractor()
        extractor.close()
        extractor.close()

    @pytest.mark.parametrize("case", cases("tables.yml"), ids=lambda case: case["name"])
    def test_tables_come_as_they_are(
        self, place: Place, words: EngineWords, made: Maker, noted: Noted, case: dict[str, Any]
    ) -> None:
        case = {**case, **words.cases.get(case["name"], {})}
        if case.get("skip"):
            pytest.skip(case["skip"])
        columns, rows = only_known(case["columns"], case["rows"], words)
        relation = made(columns, rows)
        request = made.request(relation)
        with place.extractor() as extractor:
            described = extractor.describe(request)
            with extractor.scan(request) as stream:
                assert words.method in ("", stream.method)
                noted.method(stream)
                table = stream.to_table()
        assert [column.name for column in described] == list(columns)
        types = case.get("schema") or [words.types[kind][1] for kind in columns.values()]
        assert [column.type for column in described] == [arrow_type(name) for name in types]
        assert table.schema.types == [column.type for column in described]
        found = sorted(zip(*(shown(column) for column in table.columns), strict=True), key=lambda row: int(row[0] or 0))
        expected = [[_text(value, type_) for value, type_ in zip(row, table.schema.types, strict=True)] for row in rows]
        assert [list(row) for row in found] == case.get("expected", expected)
        for kind, column in zip(columns.values(), table.columns, strict=True):
            if column.null_count < len(column):
                noted.type(words.types[kind][0], column.type)

    def test_every_type_by_value(self, place: Place, words: EngineWords, noted: Noted) -> None:
        wrong = [message for value in words.values if (message := _wrong(place, words, value, noted))]
        assert not wrong, "\n".join(wrong)
        assert words.values, "the engine's file of words has no values"

    @pytest.mark.parametrize("name", cases("names.yml"))
    def test_names_of_all_kinds(self, place: Place, words: EngineWords, made: Maker, name: str) -> None:
        if name in words.skipped:
            pytest.skip(words.skipped[name])
        own = "dvt_kit" if words.plain_relations else name
        relation = made({"id": "integer", name: "text"}, [[1, "a"]], name=own)
        with place.extractor() as extractor:
            request = made.request(relation, columns=(name, "id"))
            with extractor.scan(request) as stream:
                assert stream.to_table().to_pydict() == {name: ["a"], "id": [1]}
            assert extractor.get_row_count(relation) == 1

    def test_streams_in_batches_and_bounded_memory(
        self, place: Place, words: EngineWords, made: Maker, noted: Noted
    ) -> None:
        relation = _many(place, words, made)
        gc.collect()
        before, most, rows, largest = pa.total_allocated_bytes(), 0, 0, 0
        seen = set()
        with place.extractor(batch_rows=_BATCH_ROWS) as extractor:
            with extractor.scan(made.request(relation)) as stream:
                noted.method(stream)
                for batch in stream.batches():
                    rows, largest = rows + batch.num_rows, max(largest, batch.num_rows)
                    seen.update(batch.column(0).to_pylist())
                    most = max(most, pa.total_allocated_bytes() - before)
                assert stream.rows_read == rows
        assert rows == len(seen) == MANY_ROWS
        assert largest <= _BATCH_ROWS
        assert most < _MOST_BYTES

    def test_an_early_stop_leaves_nothing_open(self, place: Place, words: EngineWords, made: Maker) -> None:
        relation = _many(place, words, made)
        with place.extractor(batch_rows=_BATCH_ROWS) as extractor:
            with extractor.scan(made.request(relation)) as stream:
                first = stream.read_batch(10)
                assert first is not None
                assert first.num_rows == 10
            assert place.running is None or place.running() == 0
            # The session is as good as new.
            assert extractor.get_row_count(relation) == MANY_ROWS

    def test_split_with_null_keys(self, place: Place, words: EngineWords, made: Maker) -> None:
        keys = [*[7] * 40, *[None] * 15, *range(1, 61), 5_000_000]
        relation = made({"id": "integer", "name": "text"}, [[key, f"row {row}"] for row, key in enumerate(keys)])
        with place.extractor() as extractor:
            if extractor.whole_because:
                pytest.skip(extractor.whole_because)
            with extractor.scan(ExtractionConfig(relation=relation)) as stream:
                whole = _as_bag(stream.to_table())
        with place.extractor() as extractor:
            with extractor.scan(ExtractionConfig(relation=relation, split=Split("id", 3))) as stream:
                assert 1 < stream.how.parts <= 3, stream.how.whole_because
                found = _as_bag(stream.to_table())
            # What read the parts has gone, and its session is as good as new.
            assert extractor.get_row_count(relation) == len(keys)
        assert found == whole
        assert len(whole) == len(keys)

    def test_a_query_of_its_own(self, place: Place, words: EngineWords, made: Maker) -> None:
        relation = made({"id": "integer", "name": "text"}, [[1, "a"], [2, "b"], [3, None]])
        dialect = place.connection().dialect
        query = " ".join(["select * from", relation.sql(dialect), "where", quote("id", dialect), "> 1"])
        with place.extractor() as extractor:
            declared = made.declared(relation)
            described = extractor.describe(ExtractionConfig(query=query, declared=declared))
            with extractor.extract_stream(query, declared=declared) as stream:
                table = stream.to_table()
        assert [column.name for column in described] == table.column_names
        assert sorted(table.column(0).to_pylist()) == [2, 3]

    def test_it_can_be_used_again_after_its_end(self, place: Place, made: Maker) -> None:
        relation = made({"id": "integer", "name": "text"}, [[1, "a"]])
        for _ in range(2):
            with place.extractor() as extractor:
                for _ in range(2):
                    with extractor.scan(made.request(relation, columns=("name",))) as stream:
                        assert stream.to_table().to_pydict() == {"name": ["a"]}


def _as_bag(table: pa.Table) -> list[str]:
    """The rows in one order, equal ones as often as they came."""
    return sorted(map(repr, table.to_pylist()))


def _many(place: Place, words: EngineWords, made: Maker) -> Relation:
    if not words.numbers:
        pytest.skip("the engine's file of words has no statement that makes many rows")
    relation = made({"id": "integer", "name": "text"}, name="dvt_kit_many")
    place.execute(words.numbers.format(table=relation.sql(place.connection().dialect), n=MANY_ROWS))
    return relation


def _wrong(place: Place, words: EngineWords, value: ValueCase, noted: Noted) -> str:
    """What is wrong with one value; empty when it came as it was written."""
    relation, connection = place.relation("dvt_kit_value"), place.connection()
    place.execute(words.drop_sql(relation, connection))
    column = f"v {value.native}"
    place.execute(words.create.format(table=relation.sql(connection.dialect), columns=column))
    try:
        place.execute(" ".join(["insert into", relation.sql(connection.dialect), "values", f"({value.literal})"]))
        declared = {"v": value.declared} if value.declared else {}
        with place.extractor() as extractor:
            with extractor.scan(ExtractionConfig(relation=relation, declared=declared)) as stream:
                noted.method(stream)
                found = stream.to_table().column(0)
    except (DataError, UnsupportedError) as error:
        is_told = value.arrow == "refused" and str(error.column).lower() == "v"
        return "" if is_told else f"{value.native} {value.literal}: {error}"
    finally:
        place.execute(words.drop_sql(relation, connection))
    if value.arrow == "refused":
        return f"{value.native} {value.literal}: {shown(found)} as {found.type}, and it has to be refused"
    if found.type == arrow_type(value.arrow) and shown(found) == [value.text]:
        noted.type(value.native, found.type)
        return ""
    return f"{value.native} {value.literal}: {shown(found)} as {found.type}, not {value.text} as {value.arrow}"


def _text(value: Any, type_: pa.DataType) -> str | None:
    """A case's value as the kit shows it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return shown(
            pa.array([value]).cast(pa.int64()).cast(type_) if pa.types.is_integer(type_) else pa.array([value])
        )[0]
    return str(value)
