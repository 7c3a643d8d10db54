"""Asking for less: columns, conditions, limits, hashes. The engine's own answer is the oracle."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from dvt.errors import RelationNotFoundError
from dvt.federation.engines.base import Handle
from dvt.federation.hashing.client import hashed_batch
from dvt.federation.plan.model import Input
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.session import RunSession
from dvt.identifiers import Relation
from dvt.testing.base import Contract, Maker, cases, only_known
from dvt.testing.place import Place
from dvt.testing.words import EngineWords

COLUMNS = {
    "id": "integer",
    "name": "text",
    "amount": "decimal",
    "day": "date",
    "moment": "timestamp",
    "is_open": "boolean",
}
ROWS: list[list[Any]] = [
    [1, "a", "1.50", "2026-01-31", "2026-01-31 23:59:59.000001", True],
    [2, "A", "-0.05", "1970-01-01", "1999-12-31 00:00:00", False],
    [3, "a ", "100.00", "2299-12-31", "2026-06-01 12:00:00.5", True],
    [4, "", "0.00", None, None, None],
    [5, None, None, "2000-02-29", "2000-02-29 01:02:03.123456", False],
    [6, "ß", "12345678.90", "1970-01-01", "1970-01-01 00:00:00", True],
    [7, "é", "7.10", "1969-12-31", "1901-01-01 10:10:10.1", False],
    [8, "abc%_", "1.50", "2026-01-31", "2026-01-31 23:59:59.000001", None],
]


class AskingContract(Contract):
    """Projection, conditions, limits and hashes."""

    @pytest.fixture
    def facts(self, words: EngineWords, made: Maker) -> Relation:
        """A table with a column of each kind that conditions are about."""
        columns, rows = only_known(COLUMNS, ROWS, words)
        return made(columns, rows)

    def test_columns_are_chosen_and_ordered(self, place: Place, made: Maker, facts: Relation) -> None:
        with place.extractor() as extractor:
            request = made.request(facts, columns=("name", "id"))
            assert [column.name for column in extractor.describe(request)] == ["name", "id"]
            with extractor.scan(request) as stream:
                assert stream.schema.names == ["name", "id"]
                assert len(stream.to_table()) == len(ROWS)
            with pytest.raises(RelationNotFoundError, match="nonesuch"):
                extractor.describe(made.request(facts, columns=("id", "nonesuch")))

    def test_conditions_change_no_answer(self, place: Place, words: EngineWords, made: Maker, facts: Relation) -> None:
        known, _ = only_known(COLUMNS, [], words)
        asked = [c for c in cases("conditions.yml") if not any(name in c for name in COLUMNS if name not in known)]
        wrong, sent = [], 0
        with tempfile.TemporaryDirectory() as folder:
            limits: dict[str, Any] = {"memory_bytes": 256 << 20, "threads": 1, "parallel_queries": 1}
            with RunSession(Path(folder), **limits, run_id="contract") as session:
                read = Input(Handle("place", "main", "facts"), place.connection(), facts, declared=made.declared(facts))
                # What is true in the rows is asked once, of all rows, with everything left to the engine.
                truths = ", ".join(f"({condition}) as c{number}" for number, condition in enumerate(asked))
                sql = " ".join(["select id,", truths, "from place.main.facts order by id"])
                with session.query(sql, [read], pushdown=Pushdown.OFF) as run:
                    rows = list(run.stream)
                for number, condition in enumerate(asked):
                    expected = [row["id"] for row in rows if row[f"c{number}"]]
                    sql = " ".join(["select id from place.main.facts where", condition, "order by id"])
                    with session.query(sql, [read], pushdown=Pushdown.FULL) as run:
                        found = [row["id"] for row in run.stream]
                    decisions = run.plan.scans[0].decisions
                    sent += any(d.is_pushed for d in decisions)
                    is_exact = decisions and all(d.is_exact for d in decisions)
                    if is_exact and run.scans[0].rows != len(expected):
                        wrong.append(f"{condition}: {run.scans[0].rows} rows came, {len(expected)} were expected")
                    if found != expected:
                        wrong.append(f"{condition}: {expected} became {found}")
        assert not wrong, "\n".join(wrong)
        is_asked = "pushes conditions" not in words.skipped
        assert bool(sent) is is_asked, f"{sent} conditions were left to the source"

    def test_a_limit_is_kept(self, place: Place, made: Maker, facts: Relation) -> None:
        with place.extractor() as extractor:
            for limit in (0, 3, 100):
                with extractor.scan(made.request(facts, limit=limit)) as stream:
                    assert len(stream.to_table()) == min(limit, len(ROWS))

    def test_hashes_are_those_of_the_rows(self, place: Place, made: Maker, facts: Relation) -> None:
        with place.extractor() as extractor:
            found = extractor.extract_hashes(made.request(facts, key_columns=("id",)))
            with extractor.scan(made.request(facts)) as stream:
                table = stream.to_table()
        batch = hashed_batch(table.combine_chunks().to_batches()[0], table.column_names, ["id"])
        assert found == dict(zip(*(column.to_pylist() for column in batch.columns), strict=True))
        assert len(set(found.values())) == len(ROWS)

    def test_hashes_are_of_the_chosen_columns(
        self, place: Place, words: EngineWords, made: Maker, facts: Relation
    ) -> None:
        column = next(name for name in ("amount", "is_open", "name") if COLUMNS[name] in words.types)
        with place.extractor() as extractor:
            request = made.request(facts, columns=(column,), key_columns=("id",), batch_size=2)
            found = extractor.extract_hashes(request)
        values = {str(row[0]): row[list(COLUMNS).index(column)] for row in ROWS}
        pairs = [(one, other) for one in values for other in values]
        assert all((found[one] == found[other]) is (values[one] == values[other]) for one, other in pairs)
