"""Pushdown off, safe and full give one answer: a fixed run of the fuzzer on every pair, and the cases that it found.

`hatch run fuzz --count N` hunts with new seeds. This run changes by nothing; `DVT_FUZZ_COUNT` makes it longer.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fuzz.bench import Bench
from fuzz.cases import case_files, read_case
from fuzz.compare import difference
from fuzz.hunt import LEVELS, Hunt
from fuzz.mutants import LOST_RULES, NAIVE, naive, without_rule
from fuzz.places import ClickHousePlace, MySQLPlace, Place, PostgresPlace
from fuzz.worlds import PAIRS, local_place

COUNT = int(os.environ.get("DVT_FUZZ_COUNT", "1000"))
# Files answer few conditions, and only through code that their own tests run over.
COUNT_WITH_FILES = int(os.environ.get("DVT_FUZZ_COUNT", "120"))
SEED = 20_000
# A pair's queries are asked in parts, so that workers can share them; each has schemas of its own.
PART_COUNT = 250
PART_SEEDS = 1_000
# Queries within which a wrong planner has to be caught, and the schema from which on they are asked: the first of this
# sequence in which it was caught, so that it is caught soon.
MUTANT_COUNT = 2000
MUTANT_SEED = 21_000
MUTANT_SEEDS = {
    "<> under a case-insensitive collation": MUTANT_SEED + 12,
    "a limit without its order": MUTANT_SEED + 1,
    "the filter of one aggregate": MUTANT_SEED + 2,
    "what an engine's comparisons are worth": MUTANT_SEED + 1,
    "whether a join's condition has to be checked again": MUTANT_SEED + 13,
    "how a source tells groups apart": MUTANT_SEED + 4,
}

PlaceOf = Callable[[str], Place]


@pytest.fixture(scope="module")
def place_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PlaceOf:
    """Places by engine; a server that is not installed skips the test that wants it."""
    made: dict[str, Place] = {}

    def place(engine: str) -> Place:
        if engine not in made:
            if engine == "postgres":
                made[engine] = PostgresPlace(request.getfixturevalue("postgres_server"))
            elif engine == "mysql":
                made[engine] = MySQLPlace(request.getfixturevalue("mariadb_server"))
            elif engine == "clickhouse":
                made[engine] = ClickHousePlace(request.getfixturevalue("clickhouse_server"))
            else:
                made[engine] = local_place(engine, tmp_path_factory.mktemp("places"))
        return made[engine]

    return place


def _parts() -> Iterator[object]:
    """Every pair's queries: how many, and from which seed on."""
    for pair in PAIRS:
        left = COUNT_WITH_FILES if "parquet" in pair else COUNT
        for number in itertools.count():
            count = min(left, PART_COUNT)
            yield pytest.param(pair, count, SEED + number * PART_SEEDS, id="-".join((*pair, str(number + 1))))
            left -= count
            if left <= 0:
                break


@pytest.mark.slow
@pytest.mark.parametrize(("pair", "count", "seed"), list(_parts()))
def test_a_fixed_run_of_random_queries(
    pair: tuple[str, str], count: int, seed: int, place_of: PlaceOf, tmp_path: Path
) -> None:
    hunt = Hunt((place_of(pair[0]), place_of(pair[1])), count, seed, tmp_path)
    tally = hunt.run(print)
    print(tally.line())
    assert not tally.found, tally.found[0].report
    assert tally.asked == count
    # A run of empty answers, or of refused queries, would prove nothing.
    assert tally.pushed > count / 10
    assert tally.empty < count / 2
    assert tally.refused + tally.failed < count
    assert len(tally.shapes) > min(count / 10, 10)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAIVE, *LOST_RULES])
def test_a_planner_that_is_wrong_is_caught(name: str, place_of: PlaceOf, tmp_path: Path) -> None:
    wrong = naive(NAIVE[name]) if name in NAIVE else without_rule(name)
    with wrong:
        seed = MUTANT_SEEDS.get(name, MUTANT_SEED)
        hunt = Hunt((place_of("postgres"), place_of("mysql")), MUTANT_COUNT, seed, tmp_path, shrinks=False)
        tally = hunt.run(print)
    assert tally.found, f"{tally.asked} queries did not find it"


def _as_parameter(path: Path) -> object:
    """A case that is known to be wrong still turns red when it is mended, so that its note goes."""
    known = read_case(path).known
    marks = [pytest.mark.xfail(strict=True, reason=known)] if known else []
    return pytest.param(path, id=path.stem, marks=marks)


@pytest.mark.parametrize("path", [_as_parameter(path) for path in case_files()])
def test_a_case_that_was_found(path: Path, place_of: PlaceOf, tmp_path: Path) -> None:
    case = read_case(path)
    with Bench((place_of(case.pair[0]), place_of(case.pair[1])), case.tables, tmp_path) as bench:
        expected = bench.expected(case.query)
        for level in LEVELS:
            is_second = bool(case.before)
            found = bench.together(case.before, case.query, level) if is_second else bench.afresh(case.query, level)
            what = difference(expected, found, case.is_ordered)
            assert not what, f"{what} at {level.value}\n{case.query}\noff:\n{expected}\n{level.value}:\n{found}"
