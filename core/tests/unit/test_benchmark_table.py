"""The benchmarks' own arithmetic: medians, ratios, differences, and what is said of peers that fail or differ."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.case import Case, Contender
from benchmarks.measure import Measurement, measure
from benchmarks.run import CaseRuns, run_case
from benchmarks.table import case_table

_SAME = {"rows": "3"}


def _case(*names: str, **more: object) -> Case:
    return Case("copy", "a copy", tuple(Contender(name, ("true",)) for name in names), **more)  # type: ignore[arg-type]


def _cells(table: str, name: str) -> list[str]:
    line = next(line for line in table.splitlines() if line.startswith(f"| {name} "))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_medians_spread_and_ratios_of_the_first_contender_to_the_others():
    ours = [Measurement(wall, 4.0, 300_000_000, _SAME) for wall in (9.0, 3.0, 4.0)]
    theirs = [Measurement(wall, 1.0, 200_000_000, _SAME) for wall in (2.0, 2.5, 1.0)]
    table = case_table(CaseRuns(_case("dvt", "peer"), {"dvt": ours, "peer": theirs}))
    assert _cells(table, "dvt") == ["4.00", "3.00-9.00", "4.00", "300", "", "", ""]
    assert _cells(table, "peer") == ["2.00", "1.00-2.50", "1.00", "200", "2.00x", "4.00x", "1.50x"]


def test_a_difference_is_the_median_of_the_differences_of_each_turn():
    runs = {"dvt": [Measurement(wall, 1, 1) for wall in (2.0, 9.0, 3.0)]}
    runs["dbt"] = [Measurement(wall, 1, 1) for wall in (1.5, 8.7, 1.0)]
    table = case_table(CaseRuns(_case("dvt", "dbt", differences=(("dvt", "dbt"),)), runs))
    assert "- dvt minus dbt: +0.50 s" in table


def test_a_peer_with_another_answer_is_called_wrong_and_a_missing_one_is_named():
    runs = {
        "dvt": [Measurement(1, 1, 1, _SAME)],
        "right": [Measurement(1, 1, 1, dict(_SAME))],
        "fast": [Measurement(0.1, 1, 1, {"rows": "2"})],
    }
    found = CaseRuns(_case("dvt", "right", "fast", missing=("slow (not installed)",)), runs)
    assert found.wrong() == ["fast"]
    assert "- WRONG RESULT: fast" in case_table(found)
    assert "- missing: slow (not installed)" in case_table(found)


def test_a_failed_contender_has_no_figures_and_gives_no_ratio():
    runs = {"dvt": [Measurement(1, 1, 1, error="Traceback\nno such table")], "peer": [Measurement(2, 1, 1, _SAME)]}
    found = CaseRuns(_case("dvt", "peer"), runs)
    assert _cells(case_table(found), "dvt")[0] == "failed: no such table"
    assert _cells(case_table(found), "peer")[4:] == ["", "", ""]
    assert found.wrong() == []


def test_contenders_run_in_turns_each_prepared_and_warm_ups_are_not_counted(tmp_path: Path):
    log: list[str] = []

    def contender(name: str) -> Contender:
        command = (sys.executable, "-c", "pass")
        return Contender(name, command, prepare=lambda: log.append(name), answer=lambda: _SAME)

    case = Case("x", "x", (contender("a"), contender("b")), warm_ups=1)
    found = run_case(case, {}, 2, lambda text: None)
    assert log == ["a", "b"] * 3
    assert [len(runs) for runs in found.runs.values()] == [2, 2]
    assert found.runs["a"][0].answer == _SAME


def test_a_workers_own_times_count_and_its_memory_is_that_of_the_whole_process():
    code = (
        'x = b\'1\' * 60_000_000; print(\'hello\'); print(\'{"seconds": 7, "cpu_seconds": 5, "answer": {"rows": 3}}\')'
    )
    found = measure((sys.executable, "-c", code + "; import time; time.sleep(0.2)"), {})
    assert (found.wall_s, found.cpu_s, found.answer, found.error) == (7, 5, _SAME, "")
    assert found.peak_bytes > 60_000_000


def test_memory_is_that_of_all_children_together():
    child = "import time; x = b'1' * 40_000_000; time.sleep(0.5)"
    code = (
        f"import subprocess as s, sys; [p.wait() for p in [s.Popen([sys.executable, '-c', {child!r}]) for _ in '12']]"
    )
    found = measure((sys.executable, "-c", code), {})
    assert found.error == ""
    assert found.peak_bytes > 80_000_000


def test_what_a_failed_process_said_is_kept():
    found = measure((sys.executable, "-c", "import sys; sys.exit('no such database')"), {})
    assert found.error == "no such database"


def test_a_drain_is_compared_by_as_much_of_an_answer_as_it_has():
    contenders = (Contender("dvt", ("true",)), Contender("drain", ("true",), is_drain=True))
    whole = [Measurement(1.0, 1.0, 1, {"rows": "3", "keys": "6"})]

    def wrong(answer: dict[str, str]) -> list[str]:
        runs = {"dvt": whole, "drain": [Measurement(1.0, 1.0, 1, answer)]}
        return CaseRuns(Case("extract", "a case", contenders), runs).wrong()

    assert wrong({"rows": "3"}) == []
    assert wrong({"rows": "2"}) == ["drain"]
    assert wrong({}) == ["drain"]


def test_a_row_can_have_a_reference_of_its_own():
    contenders = (
        Contender("a: dvt", ("true",), against="a: dvt"),
        Contender("a: vendor", ("true",), against="a: dvt"),
        Contender("b: dvt", ("true",), against="b: dvt"),
        Contender("b: vendor", ("true",), against="b: dvt"),
    )
    walls = {"a: dvt": 2.0, "a: vendor": 1.0, "b: dvt": 30.0, "b: vendor": 10.0}
    runs = {name: [Measurement(wall, wall, 1_000_000, _SAME)] for name, wall in walls.items()}
    table = case_table(CaseRuns(Case("fakes", "fakes", contenders), runs))
    assert _cells(table, "b: dvt")[-3:] == ["", "", ""]
    assert [_cells(table, f"{name}: vendor")[4] for name in "ab"] == ["2.00x", "3.00x"]


def test_what_failed_in_a_ready_table_is_named():
    table = case_table(CaseRuns(Case("memory", "memory", (), failures=("SQLite, 5 rows: it read 4",)), {}))
    assert "- FAILED: SQLite, 5 rows: it read 4" in table
