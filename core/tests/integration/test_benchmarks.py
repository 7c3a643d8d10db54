"""The benchmarks run, and every contender that is there gives the same result. No time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from servers.mariadb import missing_programs

from benchmarks.tpch import generator

_ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.postgres
def test_two_cases_at_a_tiny_scale(tmp_path: Path):
    if generator() is None:
        pytest.skip("tpchgen-cli is not installed")
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "copy", "join-q5", "--scale", "0.001", "--runs", "1", "--json", figures],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    copy, join = json.loads(figures.read_text())
    assert (copy["case"], join["case"]) == ("copy", "join-q5")
    assert {"dvt", "COPY | COPY, text", "COPY | COPY, binary"} <= set(copy["runs"])
    for case in (copy, join):
        assert case["wrong"] == []
        ours = case["runs"]["dvt"][0]
        assert ours["wall_s"] > 0
        assert ours["peak_bytes"] > 1_000_000
        if "DuckDB ATTACH" not in case["runs"]:
            assert any(line.startswith("DuckDB ATTACH (") for line in case["missing"])
    # lineitem at scale 0.001 has 6,005 rows: the specification's dbgen gives that number.
    assert copy["runs"]["dvt"][0]["answer"]["figures"].split("|")[0] == "6005"
    assert "| DuckDB ATTACH" in done.stdout or "missing: DuckDB ATTACH" in done.stdout


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.mysql
def test_what_leaves_the_sources_is_counted():
    if generator() is None or missing_programs():
        pytest.skip("tpchgen-cli or MariaDB is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "bytes", "--scale", "0.001"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if "| Q" in line]
    assert [cells[0] for cells in lines] == [f"Q{number}" for number in range(1, 23)]
    for name, needed, off, safe, full, *_ in lines:
        assert int(off) >= int(safe) >= int(full) > 0, name
        assert int(off) >= int(needed), name
    # Query 1 at scale 0.001: lineitem has 6,005 rows, of which the specification's condition leaves out a few.
    assert (int(lines[0][2]), int(lines[0][1])) == (6005, 5914)


@pytest.mark.slow
@pytest.mark.postgres
def test_every_way_of_extracting_has_the_same_answer(tmp_path: Path):
    if generator() is None:
        pytest.skip("tpchgen-cli is not installed")
    figures = tmp_path / "figures.json"
    cases = ["extract-parquet", "extract-arrow", "extract-sqlite"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *cases, "--scale", "0.001", "--runs", "1", "--json", figures],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {case["case"]: case for case in json.loads(figures.read_text())}
    assert {name: case["wrong"] for name, case in found.items()} == {name: [] for name in cases}
    # The specification's dbgen gives these numbers of rows at scale 0.001.
    for case, rows in zip(cases, ("6005", "6005", "1500"), strict=True):
        answers = {name: runs[0]["answer"]["rows"] for name, runs in found[case]["runs"].items()}
        assert set(answers.values()) == {rows}, answers
    assert {"COPY drain, csv", "COPY drain, binary"} <= set(found["extract-parquet"]["runs"])
    assert {"dvt", "sqlite3 fetchmany"} <= set(found["extract-sqlite"]["runs"])
