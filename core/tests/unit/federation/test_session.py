"""RunSession over real DuckDB engines and an in-memory source: values, snapshots, sharing, failures, cancellation."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from federation_memory_source import Servers

from dvt.errors import (
    ConfigurationError,
    DataError,
    InterruptedRunError,
    PlanError,
    RelationNotFoundError,
    ResourceError,
)
from dvt.federation.session import RunSession
from dvt.identifiers import Relation

MB = 1 << 20
Start = Callable[..., RunSession]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    sessions: list[RunSession] = []

    def make(servers: Servers, memory_bytes: int = 512 * MB, parallel_queries: int = 1) -> RunSession:
        session = RunSession(
            tmp_path / "work",
            memory_bytes=memory_bytes,
            threads=2,
            parallel_queries=parallel_queries,
            run_id="0000beef",
            extractor_factory=servers.factory,
        )
        sessions.append(session)
        return session

    yield make
    for session in sessions:
        session.close()


def shop(**options: bool) -> Servers:
    return Servers(
        **options,
        crm={
            "customers": pa.table({"customer": [1, 2, 3], "city": ["Ulm", "Rom", None], "note": ["a", "b", "c"]}),
            "calls": pa.table({"customer": [1, 1], "minutes": [5, 6]}),
        },
        erp={"orders": pa.table({"id": [10, 11, 12], "customer": [1, 1, 3], "amount": [5, 7, 9]})},
    )


def rows(session: RunSession, sql: str, servers: Servers, node: str | None = None) -> list[dict[str, object]]:
    with session.query(sql, servers.inputs(), node=node) as run:
        return run.stream.to_table().to_pylist()


JOIN = """
select c.city, sum(o.amount)::int as amount
from crm.s.customers c join erp.s.orders o on o.customer = c.customer group by c.city order by amount
"""


def test_a_join_over_two_connections(start: Start) -> None:
    servers = shop()
    with start(servers).query(JOIN, servers.inputs()) as run:
        assert run.stream.to_table().to_pylist() == [{"city": None, "amount": 9}, {"city": "Ulm", "amount": 12}]
        found = {
            str(s.scan.input.relation): (s.rows, s.method, s.shared, s.bytes > 0, s.scan.columns) for s in run.scans
        }
        assert found == {
            "s.customers": (3, "memory", False, True, ("customer", "city")),
            "s.orders": (3, "memory", False, True, ("customer", "amount")),
        }
        assert run.plan.scans[0].sql == 'SELECT "customer", "city" FROM "s"."customers"'
    assert servers["crm"].sessions == [[("customers", ("customer", "city"))]], "calls is not mentioned, so not read"


def test_a_self_join_reads_its_relation_once_and_sees_all_rows_twice(start: Start) -> None:
    servers = shop()
    sql = "select a.id as x, b.id as y from erp.s.orders a join erp.s.orders b using (customer) order by x, y"
    assert [tuple(row.values()) for row in rows(start(servers), sql, servers)] == [
        (10, 10), (10, 11), (11, 10), (11, 11), (12, 12)
    ]  # fmt: skip
    assert servers["erp"].sessions == [[("orders", ("id", "customer"))]]


def test_zero_rows_keep_the_schema(start: Start) -> None:
    servers = shop()
    servers["erp"].tables["orders"] = servers["erp"].tables["orders"].slice(0, 0)
    with start(servers).query("select id, amount, 1::hugeint as h from erp.s.orders", servers.inputs()) as run:
        table = run.stream.to_table()
    assert table.num_rows == 0
    assert table.schema == pa.schema([("id", pa.int64()), ("amount", pa.int64()), ("h", pa.decimal128(38, 0))])


def test_all_scans_of_one_connection_are_one_session(start: Start) -> None:
    servers = shop()
    sql = "select count(*) as n from crm.s.customers, crm.s.calls, erp.s.orders"
    assert rows(start(servers), sql, servers) == [{"n": 18}]
    assert [sorted(name for name, _ in session) for session in servers["crm"].sessions] == [["calls", "customers"]]
    assert servers["crm"].open_sessions == servers["erp"].open_sessions == 0


def test_a_relation_is_described_once_until_it_is_written(start: Start) -> None:
    servers = shop()
    session = start(servers)
    for _ in range(3):
        rows(session, "select id from erp.s.orders", servers)
    assert servers["erp"].describes == 1
    servers["erp"].tables["orders"] = pa.table({"id": [1], "extra": [2]})
    session.forget(servers.connection("erp"), Relation("ORDERS", "s", "db"))
    assert rows(session, "from erp.s.orders", servers) == [{"id": 1, "extra": 2}]
    assert servers["erp"].describes == 2


def test_announced_scans_are_read_once_and_their_files_go_with_the_last_reader(start: Start, tmp_path: Path) -> None:
    servers = shop()
    session = start(servers)
    first, second = JOIN, "select customer, sum(amount)::int as s from erp.s.orders group by all order by 1"
    for sql in (first, second):
        session.announce(session.plan(sql, servers.inputs()))
    with session.query(first, servers.inputs()) as run:
        assert {str(s.scan.input.relation): s.shared for s in run.scans} == {"s.customers": False, "s.orders": True}
        assert run.stream.to_table().num_rows == 2
    assert list(tmp_path.rglob("*.parquet"))
    assert rows(session, second, servers) == [{"customer": 1, "s": 12}, {"customer": 3, "s": 9}]
    assert len(servers["erp"].sessions) == 1
    assert not list(tmp_path.rglob("*.parquet"))
    assert rows(session, second, servers)[0]["s"] == 12, "a query that nobody announced reads for itself"
    assert len(servers["erp"].sessions) == 2


def test_concurrent_readers_wait_for_the_one_that_stages(start: Start) -> None:
    servers = shop()
    session = start(servers, parallel_queries=4)
    sql = "select sum(amount)::int as s from erp.s.orders"
    plan = session.plan(sql, servers.inputs())
    for _ in range(4):
        session.announce(plan)
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(rows(session, sql, servers))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[{"s": 21}]] * 4
    # The last reader may find itself alone and stream; nobody else reads the source again.
    assert len(servers["erp"].sessions) == 1


def test_scans_of_one_snapshot_are_read_together_for_all_queries(start: Start) -> None:
    both = "select count(*) as n from crm.s.customers, crm.s.calls"
    one = "select count(*) as n from crm.s.customers"
    for has_snapshot in (True, False):
        servers = shop(has_snapshot=has_snapshot)
        session = start(servers)
        for sql in (both, one):
            session.announce(session.plan(sql, servers.inputs()))
        assert rows(session, both, servers) == [{"n": 6}]
        assert rows(session, one, servers) == [{"n": 3}]
        read = [name for session_ in servers["crm"].sessions for name, _ in session_]
        assert (read.count("customers"), read.count("calls")) == (1, 1)
        session.close()


_FEW = ("select amount from erp.s.orders where customer = 3", [{"amount": 9}])
_MORE = ("select customer as c, amount from erp.s.orders where id >= 12", [{"c": 3, "amount": 9}])
_LARGEST = "select max(id)::int as i, max(customer)::int as c, max(amount)::int as a from erp.s.orders"
_EVERY = (_LARGEST, [{"i": 12, "c": 3, "a": 9}])


@pytest.mark.parametrize("queries", [(_FEW, _MORE), (_FEW, _EVERY), (_FEW, _MORE, _EVERY)], ids=len)
def test_queries_that_ask_for_other_columns_and_rows_share_their_union(
    start: Start, queries: tuple[tuple[str, list[dict[str, int]]], ...]
) -> None:
    servers = shop()
    session = start(servers)
    for sql, _ in queries:
        session.announce(session.plan(sql, servers.inputs()))
    for sql, expected in queries:
        assert rows(session, sql, servers) == expected
    assert len(servers["erp"].sessions) == 1


def test_a_failed_staging_is_not_handed_on(start: Start) -> None:
    servers = shop()
    session = start(servers)
    sql = "select sum(amount)::int as s from erp.s.orders"
    for _ in range(3):
        session.announce(session.plan(sql, servers.inputs()))

    def fail(relation: str) -> None:
        raise DataError("a value cannot be carried", column="amount")

    servers["erp"].before_batch = fail
    with pytest.raises(DataError) as caught:
        rows(session, sql, servers, node="model.revenue")
    assert str(caught.value) == (
        "DVT400 node model.revenue, connection erp, relation s.orders, column amount (extract): "
        "a value cannot be carried"
    )
    servers["erp"].before_batch = lambda relation: None
    assert rows(session, sql, servers) == [{"s": 21}]


def test_a_written_relation_is_staged_anew(start: Start) -> None:
    servers = shop()
    session = start(servers)
    sql = "select sum(amount)::int as s from erp.s.orders"
    for _ in range(3):
        session.announce(session.plan(sql, servers.inputs()))
    assert rows(session, sql, servers) == [{"s": 21}]
    servers["erp"].tables["orders"] = pa.table({"id": [1], "customer": [1], "amount": [100]})
    session.forget(servers.connection("erp"), Relation("orders", "s"))
    assert rows(session, sql, servers) == [{"s": 100}]


def test_what_parquet_cannot_hold_is_not_staged(start: Start) -> None:
    servers = Servers(a={"t": pa.table({"i": pa.array([pa.MonthDayNano([1, 2, 3000])]), "k": [1]})})
    session = start(servers)
    for _ in range(2):
        session.announce(session.plan("select i, k from a.s.t", servers.inputs()))
    with session.query("select i, k from a.s.t", servers.inputs()) as run:
        assert run.stream.to_table().column("i")[0].as_py() == pa.MonthDayNano([1, 2, 3000])
        assert not run.scans[0].shared


def test_remnants_of_a_killed_run_do_not_count(start: Start, tmp_path: Path) -> None:
    for name in ("run_0000beef", "run_dead0000"):
        remnant = tmp_path / "work" / name
        remnant.mkdir(parents=True)
        (remnant / "running.lock").touch()
        (remnant / "half.part").mkdir()
    servers = shop()
    session = start(servers)
    assert rows(session, "select count(*) as n from erp.s.orders", servers) == [{"n": 3}]
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["run_0000beef"]
    assert not list(tmp_path.rglob("*.part"))
    session.close()
    assert not (tmp_path / "work").exists()


def test_the_folder_of_a_live_run_is_left_alone(start: Start, tmp_path: Path) -> None:
    servers = shop()
    first, second = start(servers), start(servers)
    with first.query("select id from erp.s.orders", servers.inputs()):
        with pytest.raises(ConfigurationError, match="still going on"):
            rows(second, "select id from erp.s.orders", servers)
        assert (tmp_path / "work" / "run_0000beef").is_dir()


def test_staged_files_are_private_and_hold_no_secret(start: Start, tmp_path: Path) -> None:
    servers = shop()
    session = start(servers)
    sql = "select sum(amount)::int as s from erp.s.orders"
    for _ in range(2):
        session.announce(session.plan(sql, servers.inputs()))
    rows(session, sql, servers)
    manifest = next(tmp_path.rglob("manifest.json"))
    content = json.loads(manifest.read_text())
    assert content["scans"] == [
        {
            "file": "part_0.parquet",
            "relation": "s.orders",
            "rows": 3,
            "bytes": 24,
            "method": "memory",
            "schema": {"amount": "int64"},
            "parts": 1,
            "whole_because": "",
            "passed_over": [],
        }
    ]
    assert b"hunter2" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for path in (tmp_path / "work").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_failing_scan_ends_the_others(start: Start) -> None:
    servers = Servers(
        slow={"t": pa.table({"a": list(range(100_000))})}, bad={"t": pa.table({"a": list(range(100_000))})}
    )
    failed, reached = threading.Event(), threading.Event()

    def wait(relation: str) -> None:
        reached.set()
        assert failed.wait(30)
        while not servers["slow"].cancelled:
            pass

    def fail(relation: str) -> None:
        assert reached.wait(30)
        failed.set()
        raise DataError("boom")

    servers["slow"].before_batch, servers["bad"].before_batch = wait, fail
    with pytest.raises(DataError, match=r"connection bad, relation s.t .*boom"):
        rows(start(servers), "select count(*) from slow.s.t, bad.s.t", servers)
    assert servers["slow"].cancelled == 1
    assert servers["slow"].open_sessions == servers["bad"].open_sessions == 0


def test_cancel_ends_an_extraction(start: Start) -> None:
    servers = shop()
    session = start(servers)
    servers["erp"].before_batch = lambda relation: session.cancel()
    with pytest.raises(InterruptedRunError):
        rows(session, "select id from erp.s.orders", servers)
    assert servers["erp"].open_sessions == 0
    with pytest.raises(InterruptedRunError):
        rows(session, "select city from crm.s.customers", servers)
    assert not servers["crm"].sessions


def test_cancel_ends_a_computation(start: Start) -> None:
    servers = Servers(a={"t": pa.table({"i": list(range(200_000))})})
    session = start(servers)
    sql = "select count(*) from a.s.t x, a.s.t y where x.i * y.i % 7 = 3"
    timer = threading.Timer(1.0, session.cancel)
    timer.start()
    with pytest.raises(InterruptedRunError):
        rows(session, sql, servers)


def test_cancel_while_the_result_streams(start: Start) -> None:
    servers = Servers(a={"t": pa.table({"i": list(range(200_000))})})
    session = start(servers)
    with session.query("select i from a.s.t", servers.inputs(), batch_rows=2048) as run:
        assert run.stream.read_batch(10) is not None
        session.cancel()
        with pytest.raises(InterruptedRunError):
            run.stream.to_table()


def test_the_budget_is_divided_and_spills(start: Start, tmp_path: Path) -> None:
    size = 2_000_000
    table = pa.table({"k": list(range(size)), "v": [f"{i:032d}" for i in range(size)]})
    servers = Servers(a={"t": table})
    # DuckDB 1.5 needs more room than 2.0 to join while it spills.
    session = start(servers, memory_bytes=240 * MB, parallel_queries=2)
    assert session.query_memory_bytes == 120 * MB
    sql = "select x.k, x.v, y.v as w from a.s.t x join a.s.t y on x.k = y.k order by x.v desc"
    with session.query(sql, servers.inputs()) as run:
        spilled = sum(path.stat().st_size for path in (tmp_path / "work").rglob("duckdb_temp*"))
        assert spilled > 20 * MB
        assert table.nbytes > session.query_memory_bytes / 1.6
        first = run.stream.read_batch(2)
        assert first is not None
        assert first.column("k").to_pylist() == [size - 1, size - 2]
        assert sum(batch.num_rows for batch in run.stream.batches()) == size - 2
    assert not list((tmp_path / "work").rglob("duckdb_temp*"))


def test_too_little_memory_is_a_resource_error(start: Start) -> None:
    servers = Servers(a={"t": pa.table({"k": list(range(1_000_000))})})
    session = start(servers, memory_bytes=24 * MB)
    with pytest.raises(ResourceError, match="memory_limit"):
        rows(session, "select list(k || 'some text that takes room' order by -k) from a.s.t", servers)


def test_unknown_names(start: Start) -> None:
    servers = shop()
    session = start(servers)
    with pytest.raises(PlanError, match=r"crm\.s\.customer is not an input.*did you mean 'crm\.s\.customers'"):
        session.plan("select 1 from crm.s.customer", servers.inputs())
    with pytest.raises(PlanError, match=r'node m.*"nmae" not found'):
        rows(session, "select nmae from crm.s.customers", servers, node="m")
    del servers["crm"].tables["calls"]
    inputs = [*shop().inputs()]
    with pytest.raises(RelationNotFoundError, match=r"connection crm, relation s\.calls \(describe\)"):
        session.plan("select 1 from crm.s.calls", inputs)
    with pytest.raises(PlanError, match="'id' twice"):
        rows(session, "select customer as id, note as id from crm.s.customers", servers)
