"""Estimated rows and bytes: by hand from the source's figures, the documented selectivities and Arrow's widths."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from federation_memory_source import MemoryExtractor, Servers
from local_engines import connection
from sqlglot import parse_one

from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import TableStatistics
from dvt.federation.plan.estimates import fixed_width, selectivity
from dvt.federation.plan.model import Input
from dvt.federation.session import RunSession
from dvt.identifiers import Relation
from dvt.types.vocabulary import UUID

TABLE = pa.table({"id": pa.array([1], pa.int64()), "n": pa.array([1], pa.int32()), "w": ["x"], "v": ["y"]})


def start(tmp_path: Path, servers: Servers | None = None) -> RunSession:
    factory = servers.factory if servers else None
    return RunSession(
        tmp_path / "work",
        memory_bytes=1 << 28,
        threads=1,
        parallel_queries=1,
        run_id="00000003",
        extractor_factory=factory,
    )


@pytest.mark.parametrize(
    ("condition", "share"),
    [
        ("a = 1", 0.1),
        ("a <> 1", 0.9),
        ("a < 1", 1 / 3),
        ("a in (1, 2, 3)", 0.3),
        ("a in (1, 2, 3, 4, 5, 6, 7, 8, 9)", 0.5),
        ("a is null", 0.1),
        ("not a is null", 0.9),
        ("a like 'x%' escape '!'", 0.1),
        ("a = 1 and b = 2", 0.01),
        ("(a = 1 or b = 2)", 0.19),
        ("a >= 1 and a <= 2", 1 / 9),
        ("f(a)", 1 / 3),
    ],
)
def test_selectivity(condition: str, share: float) -> None:
    assert selectivity(parse_one(condition, read="duckdb")) == pytest.approx(share)


@pytest.mark.parametrize(
    ("type_", "width"),
    [
        (pa.int64(), 8),
        (pa.decimal128(10, 2), 16),
        (pa.date32(), 4),
        (UUID, 16),
        (pa.month_day_nano_interval(), 16),
        (pa.binary(), None),
        (pa.json_(), None),
        (pa.list_(pa.int32()), None),
        (pa.struct({"a": pa.int32()}), None),
    ],
)
def test_widths(type_: pa.DataType, width: float | None) -> None:
    assert fixed_width(type_) == width


@pytest.mark.parametrize(
    ("known", "query", "rows", "size"),
    [
        (TableStatistics(), "select id from crm.s.t", None, None),
        (TableStatistics(), "select id from crm.s.t limit 7", 7, 56),
        (TableStatistics(1000), "select id, n from crm.s.t", 1000, 12_000),
        (TableStatistics(1000), "select w from crm.s.t", 1000, 36_000),
        (TableStatistics(1000), "select id from crm.s.t limit 7", 7, 56),
        (TableStatistics(3), "select id from crm.s.t limit 7", 3, 24),
        (TableStatistics(0), "select id from crm.s.t", 0, 0),
        # 60 bytes a row, of which the numbers have 12, and the two texts 24 each with an offset of four.
        (TableStatistics(1000, 60_000), "select id, w from crm.s.t", 1000, 36_000),
        (TableStatistics(1000, 1_000), "select w from crm.s.t", 1000, 5_000),
        # Of a row's 84 bytes by type, 8 and 36.
        (TableStatistics(None, 84_000), "select id from crm.s.t", None, 8_000),
        (TableStatistics(None, 84_000), "select v from crm.s.t", None, 36_000),
    ],
)
def test_rows_and_bytes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    known: TableStatistics,
    query: str,
    rows: int | None,
    size: int | None,
) -> None:
    servers = Servers(crm={"t": TABLE})
    monkeypatch.setattr(MemoryExtractor, "statistics", lambda self, request: known)
    with start(tmp_path, servers) as session:
        (scan,) = session.estimated(session.plan(query, servers.inputs()).scans)
        assert (scan.estimated_rows, scan.estimated_bytes) == (rows, size)


def test_filters_and_limits_of_a_real_source(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    pq.write_table(pa.table({"id": range(9000), "n": pa.array(range(9000), pa.int32())}), tmp_path / "lake/t.parquet")
    (tmp_path / "lake" / "c.csv").write_text("id,n\n" + "1,2\n" * 1000)
    con = connection("files", tmp_path, "lake", path="lake")
    inputs = [
        Input(Handle("lake", "raw", name), con, Relation(name), declared={"id": "bigint", "n": "bigint"})
        for name in "tc"
    ]
    want = {
        "select id from lake.raw.t": (9000, 72_000),
        "select n from lake.raw.t": (9000, 36_000),
        "select id from lake.raw.t where id = 3": (900, 7_200),
        "select id from lake.raw.t where id = 3 and id < 9 and id <> 5 limit 20": (20, 160),
        "select id from lake.raw.c": (None, 4005 // 2),
        "select id from lake.raw.c where id = 3": (None, 4005 // 2),
    }
    with start(tmp_path) as session:
        for query, figures in want.items():
            plan = session.plan(query, inputs)
            (scan,) = session.estimated(plan.scans)
            assert (scan.estimated_rows, scan.estimated_bytes) == figures, query
            assert (scan,) == plan.scans  # an estimate makes no other scan of it
