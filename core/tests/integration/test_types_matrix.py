"""Every type of every source into every target, through the engine: by value, in the databases' own words.

The way is that of a federated model: extractor, DuckDB engine, loader. What both sides hold is then asked of their own
clients and compared under the documented spellings of `types_kinds`. A value that a target cannot hold is refused by
the column's name, and leaves nothing behind.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from integration.types_cases import DK, MY, PG, SL, SOURCES, TARGETS, Case, held_by
from integration.types_kinds import landed, oracle, spelled
from integration.types_sides import Rows, Side
from integration.types_world import sides, sources, wide_table

from dvt.errors import DataError
from dvt.federation.engines.base import Handle
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.plan.model import Input
from dvt.federation.registry import loader_class
from dvt.federation.session import RunSession

pytestmark = [pytest.mark.postgres, pytest.mark.mysql]


@dataclass
class Matrix:
    """All sides, the run, and what was moved already."""

    sources: dict[str, Side]
    targets: dict[str, Side]
    run: RunSession
    moved: dict[tuple[str, str], tuple[Rows, Rows] | BaseException]

    def move(self, source: str, target: str, table: str, to: str, sql: str = "select * from src.s.t") -> int:
        return self.carry(self.sources[source], self.targets[target], table, to, sql)

    def carry(self, there: Side, here: Side, table: str, to: str, sql: str = "select * from src.s.t") -> int:
        inp = Input(Handle("src", "s", "t"), there.connection, there.relation(table), declared=there.declared)
        with self.run.query(sql, [inp]) as query, loader_class(here.connection.type)(here.connection) as loader:
            return loader.load(query.stream, LoadConfig(here.relation(to), run_id="deadbeef")).rows


@pytest.fixture(scope="module")
def matrix(
    postgres_server: object, mariadb_server: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Matrix]:
    folder: Path = tmp_path_factory.mktemp("matrix")
    there = sources(postgres_server, mariadb_server, folder, "matrix_source")
    here = sides(postgres_server, mariadb_server, folder, "matrix_target")
    with RunSession(folder / "run", memory_bytes=512 << 20, threads=2, parallel_queries=1, run_id="1") as run:
        yield Matrix(there, here, run, {})


def _moved(matrix: Matrix, source: str, target: str) -> tuple[Rows, Rows]:
    """The texts of both sides after one run; a run that failed fails each of its tests."""
    if (source, target) not in matrix.moved:
        matrix.moved[source, target] = _outcome(matrix, source, target)
    found = matrix.moved[source, target]
    if isinstance(found, BaseException):
        raise found
    return found


def _outcome(matrix: Matrix, source: str, target: str) -> tuple[Rows, Rows] | BaseException:
    cases, there, here = held_by(target, SOURCES[source]), matrix.sources[source], matrix.targets[target]
    wide_table(there, cases, f"for_{target}", target)
    try:
        rows = matrix.move(source, target, f"for_{target}", f"from_{source}")
    except DataError as error:
        return error
    asked = ["id", *(case.shown.replace("{c}", case.name) or oracle(source, case.kind, case.name) for case in cases)]
    found = there.ask(f"for_{target}", asked)
    assert rows == len(found)
    return found, here.ask(f"from_{source}", ["id", *(oracle(target, case.kind, case.name) for case in cases)])


ACCEPTED = [
    pytest.param(source, target, number, id=f"{source}-{target}-{case.name}")
    for source in SOURCES
    for target in TARGETS
    for number, case in enumerate(held_by(target, SOURCES[source]), 1)
]


@pytest.mark.parametrize(("source", "target", "number"), ACCEPTED)
def test_values_arrive_as_they_are(matrix: Matrix, source: str, target: str, number: int) -> None:
    case = held_by(target, SOURCES[source])[number - 1]
    there, here = _moved(matrix, source, target)
    wanted = [(row[0], landed(target, case.kind, row[number])) for row in there]
    found = [(row[0], spelled(case.kind, row[number])) for row in here]
    assert len(found) == len(wanted)
    assert [pair for pair in zip(wanted, found, strict=True) if pair[0] != pair[1]] == []
    held = sum(target not in value.refused_by for value in case.values)
    assert sum(text is not None for _, text in wanted) == held, "the oracle sees each value, and NULL for the others"


REFUSED = [
    pytest.param(source, target, case, value.literal, id=f"{source}-{target}-{case.name}-{value.literal[:24]}")
    for source in SOURCES
    for case in SOURCES[source]
    for value in case.values
    for target in (TARGETS if len(value.refused_by) < len(TARGETS) else (DK,))
    if target in value.refused_by
]


@pytest.mark.parametrize(("source", "target", "case", "literal"), REFUSED)
def test_what_cannot_be_held_is_refused_by_name(
    matrix: Matrix, source: str, target: str, case: Case, literal: str
) -> None:
    there, here = matrix.sources[source], matrix.targets[target]
    there.execute(
        [
            "drop table if exists refused",
            f"create table refused (id integer, {there.column(case.name, case.declared)})",
            f"insert into refused values (1, {literal})",
        ]
    )
    matrix.run.forget(there.connection, there.relation("refused"))
    before = here.tables()
    with pytest.raises(DataError) as caught:
        matrix.move(source, target, "refused", "landed")
    assert caught.value.column == case.name, str(caught.value)
    assert caught.value.code == "DVT400"
    assert caught.value.remedy, "the error says what to do"
    assert here.tables() == before


@pytest.mark.parametrize("source", [PG, MY, SL, DK])
def test_what_was_staged_as_parquet_is_the_same(matrix: Matrix, source: str) -> None:
    """A scan that two models share goes through Parquet files; intervals are never staged."""
    _moved(matrix, source, DK)
    there, here = matrix.sources[source], matrix.targets[DK]
    cases = [case for case in SOURCES[source] if case.kind != "interval" or case.declared != "interval"]
    sql = f"select id, {', '.join(case.name for case in cases)} from src.s.t"
    inp = Input(Handle("src", "s", "t"), there.connection, there.relation(f"for_{DK}"))
    for _ in range(2):
        matrix.run.announce(matrix.run.plan(sql, [inp]))
    with matrix.run.query(sql, [inp]) as query, loader_class("duckdb")(here.connection) as loader:
        loader.load(query.stream, LoadConfig(here.relation(f"staged_{source}"), run_id="deadbeef"))
        assert [scan.shared for scan in query.scans] == [True]
    matrix.run.withdraw(query.plan)
    asked = ["id", *(oracle(DK, case.kind, case.name) for case in cases)]
    assert here.ask(f"staged_{source}", asked) == here.ask(f"from_{source}", asked)


@pytest.mark.parametrize("target", TARGETS)
def test_sums_beyond_64_bits(matrix: Matrix, target: str) -> None:
    """DuckDB adds integers in 128 bits; the sum lands as a number of 38 digits, or is refused by name."""
    there, here = matrix.sources[PG], matrix.targets[target]
    there.execute(
        [
            "drop table if exists addends",
            "create table addends (n bigint)",
            "insert into addends select 9223372036854775807 from generate_series(1, 3)",
        ]
    )
    sql = "select 1 as id, sum(n) as total from src.s.t"
    if target == SL:
        with pytest.raises(DataError, match="total"):
            matrix.move(PG, target, "addends", "sums", sql)
        assert "sums" not in here.tables()
    else:
        matrix.move(PG, target, "addends", "sums", sql)
        assert here.ask("sums", ["id", "total"]) == [["1", "27670116110564327421"]]


@pytest.mark.parametrize("target", [PG, MY, SL])
def test_a_value_refused_in_a_late_batch_leaves_the_old_table(matrix: Matrix, target: str) -> None:
    there, here = matrix.sources[DK], matrix.targets[target]
    bad = "case when n = 119999 then '2024-01-01 00:00:00.000000001' else '2024-01-01' end::timestamp_ns"
    there.execute([f"create or replace table late as select n as id, {bad} as at from range(120000) t(n)"])
    here.execute(["drop table if exists kept", "create table kept (id integer)", "insert into kept values (7)"])
    matrix.run.forget(there.connection, there.relation("late"))
    before = here.tables()
    with pytest.raises(DataError) as caught:
        matrix.move(DK, target, "late", "kept")
    assert caught.value.column == "at"
    assert here.tables() == before
    assert here.ask("kept", ["id"]) == [["7"]]


RANDOM_ROWS = 1000
_RANDOM = (
    "id integer, d double, f float, n decimal(38,9), m decimal(38,30), i bigint, u ubigint, ts timestamp, s varchar"
)


def _random_values() -> list[str]:
    """Statements that fill DuckDB's table `random_values` with random bits of each type; the same in each run."""
    generator = random.Random(20240229)

    def real(code: str, width: int) -> str:
        while True:
            (value,) = struct.unpack(code, generator.randbytes(width))
            if math.isfinite(value) and value:
                return repr(value)

    def text() -> str:
        made = "".join(chr(generator.choice(characters)) for _ in range(9))
        return "'" + made.replace("'", "''") + "'"

    characters = (*range(1, 0x300), *range(0x1F600, 0x1F640))
    rows = []
    for number in range(RANDOM_ROWS):
        digits = "".join(generator.choices("0123456789", k=38))
        parts = [
            *(str(number), f"'{real('<d', 8)}'", f"'{real('<f', 4)}'", f"'{digits[:29]}.{digits[29:]}'"),
            *(
                f"'-{digits[:8]}.{digits[8:38]}'",
                str(generator.getrandbits(64) - 2**63),
                str(generator.getrandbits(63)),
            ),
            f"make_timestamp({generator.randint(-62135596800000000, 253402300799999999)})",
            text(),
        ]
        rows.append(f"({', '.join(parts)})")
    return [
        f"create or replace table random_values ({_RANDOM})",
        f"insert into random_values values {', '.join(rows)}",
    ]


@pytest.mark.parametrize("engine", TARGETS)
def test_random_values_there_and_back(matrix: Matrix, engine: str) -> None:
    kinds = {"d": "double", "f": "float", "n": "decimal", "m": "decimal", "i": "int", "u": "int", "ts": "timestamp"}
    kinds["s"] = "text"
    if engine == SL:  # it refuses decimals of which a double would lose digits
        del kinds["n"], kinds["m"]
    sql = f"select id, {', '.join(kinds)} from src.s.t"
    first, middle, last = matrix.sources[DK], matrix.targets[engine], matrix.targets[DK]
    first.execute(_random_values())
    matrix.run.forget(first.connection, first.relation("random_values"))
    assert matrix.carry(first, middle, "random_values", "random_there", sql) == RANDOM_ROWS
    matrix.run.forget(middle.connection, middle.relation("random_there"))
    for column in _RANDOM.split(", "):
        middle.column(*column.split(" "))
    assert matrix.carry(middle, last, "random_there", f"random_back_{engine}") == RANDOM_ROWS
    for name, kind in kinds.items():
        wanted = [spelled(kind, text) for (text,) in first.ask("random_values", [oracle(DK, kind, name)])]
        for side, where, table in ((middle, engine, "random_there"), (last, DK, f"random_back_{engine}")):
            found = [spelled(kind, text) for (text,) in side.ask(table, [oracle(where, kind, name)])]
            assert [pair for pair in zip(wanted, found, strict=True) if pair[0] != pair[1]] == [], (name, table)
