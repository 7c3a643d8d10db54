"""Who waits for whose keys, where no source knows its sizes: SQLite files that were never analysed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from dvt.federation.engines.base import Handle
from dvt.federation.extraction import ScanStats
from dvt.federation.plan.key_filters import MOST_KEYS, KeyFilter
from dvt.federation.plan.model import Input, ScanPlan
from dvt.federation.plan.predicates import Family
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.plan.reasons import Reason
from dvt.federation.registry import open_connection
from dvt.federation.sampling import Sample, samples_wanted, settled
from dvt.federation.session import RunSession
from dvt.identifiers import Relation

ORDERS, CUSTOMERS, REGIONS = 60_000, 12_000, 500
SQL = "select count(*) as n, sum(o.amount) as amount from o.main.orders o join c.main.customers c on c.id = o.customer"


@pytest.fixture
def inputs(tmp_path: Path) -> list[Input]:
    tables = {
        "o": ("orders (id integer, customer integer, amount integer)", [(i, i % CUSTOMERS, 1) for i in range(ORDERS)]),
        "c": ("customers (id integer, region integer)", [(i, i % REGIONS) for i in range(CUSTOMERS)]),
        "r": ("regions (id integer, name text)", [(i, f"r{i}") for i in range(REGIONS)]),
    }
    found = []
    for name, (table, values) in tables.items():
        path = tmp_path / f"{name}.sqlite"
        with sqlite3.connect(path) as db:
            db.execute("create table " + table)
            db.executemany(f"insert into {table.split()[0]} values ({', '.join('?' * len(values[0]))})", values)
        db.close()
        connection = open_connection(name, {"type": "sqlite", "path": str(path)}, tmp_path)
        relation = Relation(table.split()[0])
        found.append(Input(Handle(name, "main", relation.name), connection, relation))
    return found


def run(tmp_path: Path, inputs: list[Input], sql: str) -> tuple[list[tuple[object, ...]], dict[str, ScanStats]]:
    with RunSession(tmp_path / "w", memory_bytes=256 << 20, threads=2, parallel_queries=1, run_id="1") as session:
        with session.query(sql, inputs, pushdown=Pushdown.FULL) as found:
            rows = [tuple(row.values()) for row in found.stream]
            return rows, {stats.scan.input.relation.name: stats for stats in found.scans}


def test_a_small_relation_is_found_by_its_sample(tmp_path: Path, inputs: list[Input]) -> None:
    rows, scans = run(tmp_path, inputs, f"{SQL} where c.region = 2")
    assert rows == [(120, 120)]
    assert (scans["customers"].rows, scans["orders"].rows) == (24, 120)
    # One side waits, although each was a possible provider of the other.
    assert [len(scan.scan.key_filters) for scan in (scans["customers"], scans["orders"])] == [0, 1]


def test_nothing_waits_for_a_relation_of_many_keys(tmp_path: Path, inputs: list[Input]) -> None:
    rows, scans = run(tmp_path, inputs, SQL)
    assert rows == [(ORDERS, ORDERS)]
    assert not any(scan.scan.key_filters for scan in scans.values())
    assert (scans["customers"].rows, scans["orders"].rows) == (CUSTOMERS, ORDERS)


def test_keys_come_through_a_chain(tmp_path: Path, inputs: list[Input]) -> None:
    """Customers are many by their figure and by their sample, but they wait for a region themselves."""
    for name in "ocr":
        with sqlite3.connect(tmp_path / f"{name}.sqlite") as db:
            db.execute("analyze")
        db.close()
    sql = f"{SQL} join r.main.regions r on r.id = c.region where r.name = 'r3'"
    rows, scans = run(tmp_path, inputs, sql)
    assert rows == [(120, 120)]
    assert (scans["regions"].rows, scans["customers"].rows, scans["orders"].rows) == (1, 24, 120)


def test_the_plan_says_that_a_sample_decides_and_reads_no_row(tmp_path: Path, inputs: list[Input]) -> None:
    with RunSession(tmp_path / "w", memory_bytes=256 << 20, threads=2, parallel_queries=1, run_id="1") as session:
        plan = session.plan(SQL, inputs, Pushdown.FULL)
    told = {scan.input.relation.name: [(d.condition, d.reason) for d in scan.decisions] for scan in plan.scans}
    assert ("customer IN (keys of main.customers.id)", Reason.KEYS_SAMPLED) in told["orders"]


def test_bytes_of_a_sample_count(tmp_path: Path, inputs: list[Input]) -> None:
    _, scans = run(tmp_path, inputs, f"{SQL} where c.region = 2")
    assert scans["customers"].bytes >= 2 * 24 * 8
    assert scans["orders"].bytes >= (120 * 2 + MOST_KEYS) * 8


def key(column: str, provider: str, rows: int | None, provider_rows: int | None) -> KeyFilter:
    return KeyFilter(column, Family.INTEGER, Handle(provider, "main", provider), "id", rows, provider_rows, True)


def scan(connection: Input, name: str, *keys: KeyFilter) -> ScanPlan:
    read = Input(Handle(name, "main", name), connection.connection, Relation(name))
    return ScanPlan(read, ("id", "other"), "", key_filters=keys, limit=7 if name == "limited" else None)


def test_only_what_no_figure_tells_is_sampled(inputs: list[Input]) -> None:
    large = scan(inputs[0], "large", key("other", "small", 1_000_000, 90_000), key("id", "tiny", 1_000_000, 12))
    small, tiny, limited = (scan(inputs[0], name) for name in ("small", "tiny", "limited"))
    wanted = samples_wanted([large, small, tiny, limited])
    assert {handle.name: (s.scan.columns, s.scan.limit) for handle, s in wanted.items()} == {
        "small": (("id",), MOST_KEYS + 1)
    }
    unknown = scan(inputs[0], "unknown", key("other", "limited", None, None))
    wanted = samples_wanted([unknown, limited])
    assert {handle.name: (s.scan.columns, s.scan.limit) for handle, s in wanted.items()} == {
        "unknown": (("other",), MOST_KEYS + 1),
        "limited": (("id",), 7),
    }


@pytest.mark.parametrize(
    ("sample", "is_kept"),
    [
        (Sample(12, {"id": 12}), True),
        (Sample(MOST_KEYS, {"id": MOST_KEYS}), True),
        (Sample(MOST_KEYS + 1, {"id": MOST_KEYS + 1}), False),
        (Sample(MOST_KEYS + 1, {"id": 40}), True),
    ],
)
def test_a_sample_keeps_or_drops_a_filter(inputs: list[Input], sample: Sample, is_kept: bool) -> None:
    large = scan(inputs[0], "large", key("other", "small", 1_000_000, 90_000))
    found = settled([large], {Handle("small", "main", "small"): sample})
    assert bool(found[0].key_filters) is is_kept


def test_nothing_waits_in_a_circle(inputs: list[Input]) -> None:
    """A known figure says that one waits for the other; the sample of its own filter says the contrary."""
    sure = KeyFilter("other", Family.INTEGER, Handle("b", "main", "b"), "id", 100_000, 1_000)
    scans = [scan(inputs[0], "a", sure), scan(inputs[0], "b", key("other", "a", 1_000, 100_000))]
    found = settled(scans, {Handle("a", "main", "a"): Sample(10, {"id": 10})})
    assert Counter({s.input.handle.name: len(s.key_filters) for s in found}) == Counter(a=0, b=1)
