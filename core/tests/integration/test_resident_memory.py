"""Reading five times the rows needs no more resident memory, on every real engine that streams."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmarks.cases.memory import generator_query

_FEW, _MANY, _WIDTH = 200_000, 1_000_000, 250
# The rows that are more weigh over 200 MB; a batch and what the allocator keeps, a tenth of that.
_MOST_MORE = 80_000_000
_READER = """
import json, sys
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.registry import extractor_class, open_connection

output, query, holds = json.load(sys.stdin)
connection = open_connection("source", output)
rows, held = 0, []
with extractor_class(connection.type)(connection) as extractor:
    with extractor.scan(ExtractionConfig(query=query, batch_size=20_000)) as stream:
        for batch in stream.batches():
            rows += batch.num_rows
            held += [batch] if holds else []
with open("/proc/self/status") as lines:
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
print(json.dumps([rows, peak]))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc"),
]


def _peak_bytes(output: dict[str, Any], rows: int, *, holds: bool = False) -> int:
    """The peak of a process that does nothing but read so many rows; they come by its input, with the password."""
    query = generator_query(output["type"], rows, _WIDTH)
    done = subprocess.run(
        [sys.executable, "-c", _READER],
        input=json.dumps([output, query, holds]),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    read, peak = json.loads(done.stdout)
    assert read == rows
    return int(peak)


def _duckdb(folder: Path) -> dict[str, Any]:
    path = str(folder / "memory.duckdb")
    duckdb.connect(path).close()
    return {"type": "duckdb", "path": path}


def _sqlite(folder: Path) -> dict[str, Any]:
    (folder / "memory.sqlite").touch()
    return {"type": "sqlite", "path": str(folder / "memory.sqlite")}


@pytest.fixture
def output(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The profile output of an engine."""
    files = {"duckdb": _duckdb, "sqlite": _sqlite}
    if request.param in files:
        return files[request.param](tmp_path)
    server = request.getfixturevalue(f"{request.param}_server")
    return dict(server.output(server.create_database("dvt_memory")))


_ENGINES = [
    pytest.param("postgres", marks=pytest.mark.postgres),
    pytest.param("mariadb", marks=pytest.mark.mysql),
    "sqlite",
    "duckdb",
    pytest.param("clickhouse", marks=pytest.mark.clickhouse),
]


@pytest.mark.parametrize("output", _ENGINES, indirect=True)
def test_five_times_the_rows_need_no_more_memory(output: dict[str, Any]):
    assert _peak_bytes(output, _MANY) - _peak_bytes(output, _FEW) < _MOST_MORE


def test_a_reader_that_keeps_its_rows_would_be_found(tmp_path: Path):
    output = _duckdb(tmp_path)
    assert _peak_bytes(output, _MANY, holds=True) - _peak_bytes(output, _FEW, holds=True) > 2 * _MOST_MORE
