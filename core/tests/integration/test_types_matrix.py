"""Every type of every source into every SQL target, through the engine: by value, in the databases' own words.

The way is that of a federated model: extractor, DuckDB engine, loader. What both sides hold is then asked of their own
clients and compared under the documented spellings of `types_kinds`. A value that a target cannot hold is refused by
the column's name, and leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from integration.types_cases import DK, MY, PG, SETUP, SL, SOURCES, TARGETS, Case
from integration.types_kinds import oracle, spelled
from integration.types_sides import DuckDB, MariaDB, Postgres, Rows, Side, SQLite

from dvt.errors import DataError
from dvt.federation.engines.base import Handle
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.plan.model import Input
from dvt.federation.registry import loader_class
from dvt.federation.session import RunSession

pytestmark = [pytest.mark.postgres, pytest.mark.mysql]
_ENGINES = {PG: "duckdb"}


@dataclass
class Matrix:
    """All sides, the run, and what was moved already."""

    sources: dict[str, Side]
    targets: dict[str, Side]
    run: RunSession
    moved: dict[tuple[str, str], tuple[Rows, Rows] | BaseException]

    def move(self, source: str, target: str, table: str, to: str, sql: str = "select * from src.s.t") -> int:
        there, here = self.sources[source], self.targets[target]
        inp = Input(Handle("src", "s", "t"), there.connection, there.relation(table))
        with self.run.query(sql, [inp]) as query, loader_class(here.connection.type)(here.connection) as loader:
            return loader.load(query.stream, LoadConfig(here.relation(to), run_id="deadbeef")).rows


@pytest.fixture(scope="module")
def matrix(
    postgres_server: object, mariadb_server: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Matrix]:
    folder: Path = tmp_path_factory.mktemp("matrix")

    def sides(name: str) -> dict[str, Side]:
        return {
            PG: Postgres(postgres_server, f"matrix_{name}"),
            MY: MariaDB(mariadb_server, f"matrix_{name}"),
            SL: SQLite(folder / f"{name}.sqlite"),
            DK: DuckDB(folder / f"{name}.duckdb"),
        }

    sources = sides("source")
    for engine, side in sources.items():
        side.execute(list(SETUP[engine]))
    with RunSession(folder / "run", memory_bytes=512 << 20, threads=2, parallel_queries=1, run_id="1") as run:
        yield Matrix(sources, sides("target"), run, {})


def _wide_table(side: Side, cases: tuple[Case, ...], table: str, accepted_by: str) -> None:
    """A column for each case, a row for each number of a value; a row of NULLs."""
    columns = ", ".join(f"{case.name} {case.declared}" for case in cases)
    statements = [f"create table {table} (id integer, {columns})", f"insert into {table} (id) values (-1)"]
    kept = {case.name: [v.literal for v in case.values if accepted_by not in v.refused_by] for case in cases}
    for row in range(max(map(len, kept.values()))):
        filled = {name: literals[row] for name, literals in kept.items() if row < len(literals)}
        statements.append(f"insert into {table} (id, {', '.join(filled)}) values ({row}, {', '.join(filled.values())})")
    side.execute(statements)


def _moved(matrix: Matrix, source: str, target: str) -> tuple[Rows, Rows]:
    """The texts of both sides after one run; a run that failed fails each of its tests."""
    if (source, target) not in matrix.moved:
        matrix.moved[source, target] = _outcome(matrix, source, target)
    found = matrix.moved[source, target]
    if isinstance(found, BaseException):
        raise found
    return found


def _outcome(matrix: Matrix, source: str, target: str) -> tuple[Rows, Rows] | BaseException:
    cases, there, here = SOURCES[source], matrix.sources[source], matrix.targets[target]
    _wide_table(there, cases, f"for_{target}", target)
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
    for number, case in enumerate(SOURCES[source], 1)
]


@pytest.mark.parametrize(("source", "target", "number"), ACCEPTED)
def test_values_arrive_as_they_are(matrix: Matrix, source: str, target: str, number: int) -> None:
    case = SOURCES[source][number - 1]
    there, here = _moved(matrix, source, target)
    wanted = [(row[0], spelled(case.kind, row[number])) for row in there]
    assert [(row[0], spelled(case.kind, row[number])) for row in here] == wanted
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
            f"create table refused (id integer, {case.name} {case.declared})",
            f"insert into refused values (1, {literal})",
        ]
    )
    matrix.run.forget(there.connection, there.relation("refused"))
    before = here.tables()
    with pytest.raises(DataError) as caught:
        matrix.move(source, target, "refused", "landed")
    assert caught.value.column == case.name, str(caught.value)
    assert caught.value.code == DataError.code
    assert caught.value.remedy, "the error says what to do"
    assert here.tables() == before
