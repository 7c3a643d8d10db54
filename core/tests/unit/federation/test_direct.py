"""Which queries are a read of one relation and nothing else, by the plan of a session over tables in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from federation_memory_source import Servers

from dvt.errors import ConnectionLostError, InterruptedRunError, PlanError
from dvt.federation.plan.reasons import Reason
from dvt.federation.plan.router import Lane
from dvt.federation.session import RunSession

DATA = {
    "id": pa.array([1, 2, 3], pa.int64()),
    "Name": pa.array(["Ann", None, "Cid"]),
    "pair": pa.array([{"a": 1}, None, {"a": 3}]),
    "parts": pa.array([[1], [], None], pa.list_(pa.int32())),
    "deep": pa.array([[[1]], [], None], pa.list_(pa.list_(pa.int32()))),
}


@pytest.fixture
def servers() -> Servers:
    return Servers(crm={"t": pa.table(DATA), "u": pa.table({"id": [1]})}, erp={"o": pa.table({"id": [1]})})


@pytest.fixture
def session(servers: Servers, tmp_path: Path) -> Iterator[RunSession]:
    made = RunSession(
        tmp_path,
        memory_bytes=1 << 29,
        threads=2,
        parallel_queries=1,
        run_id="0000beef",
        extractor_factory=servers.factory,
    )
    with made:
        yield made


DIRECT = [
    "select id from crm.s.t",
    "select t.id from crm.s.t",
    "select x.id as a, NAME as b, id as c from crm.s.t as x",
    "select id, name, parts from crm.s.t where 1 = 1 and true",
    "select * exclude (pair, deep) from crm.s.t",
    "with src as (select * from crm.s.t), r as (select id as k, name as n from src) select n, k from r",
    "with src as (select * from crm.s.t), r as (select id as k from src) select * from r",
    "select a from (select id as a from (select id, name from crm.s.t) x) y",
    'select "id" as "Order" from crm.s.t',
    "with unused as (select 1 as x) select id from crm.s.t",
    "from crm.s.t select name",
]


@pytest.mark.parametrize("sql", DIRECT)
def test_a_direct_query_gives_what_the_engine_gives(session: RunSession, servers: Servers, sql: str) -> None:
    assert session.plan(sql, servers.inputs(), direct=True).federated_because is None
    with session.query(sql, servers.inputs(), direct=False) as run:
        assert run.lane is Lane.FEDERATED
        wanted = run.stream.to_table()
    with session.query(sql, servers.inputs(), direct=True) as run:
        assert run.lane is Lane.DIRECT
        table = run.stream.to_table()
        assert [(s.rows, s.method, s.shared) for s in run.scans] == [(3, "memory", False)]
    assert table.schema.equals(wanted.schema)
    assert table.to_pylist() == wanted.to_pylist()
    assert servers["crm"].open_sessions == 0


NOT_DIRECT = {
    "select id + 1 as id from crm.s.t": Reason.DIRECT_SHAPE,
    "select id, 1 as one from crm.s.t": Reason.DIRECT_SHAPE,
    "select id::int as id from crm.s.t": Reason.DIRECT_SHAPE,
    "select lower(name) as name from crm.s.t": Reason.DIRECT_SHAPE,
    "select count(*) as n from crm.s.t": Reason.DIRECT_SHAPE,
    "select distinct id from crm.s.t": Reason.DIRECT_SHAPE,
    "select distinct on (name) id from crm.s.t": Reason.DIRECT_SHAPE,
    "select id from crm.s.t group by id": Reason.DIRECT_SHAPE,
    "select id from crm.s.t group by all": Reason.DIRECT_SHAPE,
    "select id, row_number() over (order by id) as n from crm.s.t": Reason.DIRECT_SHAPE,
    "select id from crm.s.t qualify row_number() over (order by id) = 1": Reason.DIRECT_SHAPE,
    "select id from crm.s.t using sample 2": Reason.DIRECT_SHAPE,
    "select id from crm.s.t tablesample 50%": Reason.DIRECT_SHAPE,
    "select unnest(parts) as p from crm.s.t": Reason.DIRECT_SHAPE,
    "select t.id, p.p from crm.s.t, unnest(t.parts) as p(p)": Reason.DIRECT_SHAPE,
    "select t from crm.s.t": Reason.DIRECT_SHAPE,
    "select pair.a from crm.s.t": Reason.DIRECT_SHAPE,
    "select columns('i.*') from crm.s.t": Reason.DIRECT_SHAPE,
    "select * replace (id + 1 as id) from crm.s.t": Reason.DIRECT_SHAPE,
    "select id from crm.s.t union all select id from crm.s.t": Reason.DIRECT_SHAPE,
    "select a.id from crm.s.t a join crm.s.t b on a.id = b.id": Reason.DIRECT_SHAPE,
    "select id from crm.s.t where id in (select id from crm.s.t)": Reason.DIRECT_RESIDUAL,
    "with a as (select id from crm.s.t), b as (select id from crm.s.t) select id from a": Reason.DIRECT_SHAPE,
    "with recursive a as (select id from crm.s.t union all select id from a where false) select id from a": (
        Reason.DIRECT_SHAPE
    ),
    "select id from crm.s.t x(id, b, c, d, e)": Reason.DIRECT_SHAPE,
    "select id, (select max(id) from crm.s.t) as m from crm.s.t": Reason.DIRECT_SHAPE,
    "select id, random() as r from crm.s.t": Reason.DIRECT_SHAPE,
    "select id from crm.s.t offset 1": Reason.DIRECT_SHAPE,
    "select id from crm.s.t limit 1 offset 1": Reason.DIRECT_SHAPE,
    "select id from crm.s.t limit 50%": Reason.DIRECT_SHAPE,
    "select id from (select id from crm.s.t limit 2) x limit 3": Reason.DIRECT_SHAPE,
    "select id from (select id from crm.s.t limit 2) x where id > 1": Reason.DIRECT_SHAPE,
    "summarize crm.s.t": Reason.DIRECT_SHAPE,
    "select id from crm.s.t where name = 'Ann'": Reason.DIRECT_RESIDUAL,
    "select id from crm.s.t where random() < 2": Reason.DIRECT_RESIDUAL,
    "select id from crm.s.t where false": Reason.DIRECT_RESIDUAL,
    "select id from crm.s.t where 1 = 2": Reason.DIRECT_RESIDUAL,
    "select id from crm.s.t order by id": Reason.DIRECT_ORDER,
    "select id from (select id from crm.s.t order by id) x": Reason.DIRECT_ORDER,
    "select id from crm.s.t order by id + 1 limit 1": Reason.DIRECT_ORDER,
    "select pair from crm.s.t": Reason.DIRECT_TYPE,
    "select deep from crm.s.t": Reason.DIRECT_TYPE,
    "select t.id from crm.s.t, crm.s.u": Reason.DIRECT_INPUTS,
    "select t.id from crm.s.t, erp.s.o": Reason.DIRECT_INPUTS,
    "select 1 as x": Reason.DIRECT_INPUTS,
}


@pytest.mark.parametrize("sql", NOT_DIRECT)
def test_what_only_the_engine_can_answer_stays_with_it(session: RunSession, servers: Servers, sql: str) -> None:
    plan = session.plan(sql, servers.inputs(), direct=True)
    assert (plan.direct, plan.federated_because) == (None, NOT_DIRECT[sql])


def test_the_lane_is_off_unless_it_is_asked_for(session: RunSession, servers: Servers) -> None:
    plan = session.plan("select id from crm.s.t", servers.inputs())
    assert (plan.direct, plan.federated_because) == (None, None)
    plan = session.plan("select id from crm.s.t", servers.inputs(), direct=False)
    assert (plan.direct, plan.federated_because) == (None, Reason.DIRECT_OFF)


@pytest.mark.parametrize(
    "sql", ["select id, id from crm.s.t", "select nothing from crm.s.t", "select id, Id from crm.s.t"]
)
def test_a_wrong_query_fails_as_without_the_lane(session: RunSession, servers: Servers, sql: str) -> None:
    told = []
    for direct in (False, True):
        with pytest.raises(PlanError) as caught, session.query(sql, servers.inputs(), direct=direct) as run:
            run.stream.to_table()
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_a_scan_of_several_queries_is_staged_as_before(session: RunSession, servers: Servers) -> None:
    sql = "select id from crm.s.t"
    for _ in range(2):
        session.announce(session.plan(sql, servers.inputs(), direct=True))
    for _ in range(2):
        with session.query(sql, servers.inputs(), direct=True) as run:
            assert run.plan.federated_because is Reason.DIRECT_SHARED
            assert run.stream.to_table().to_pylist() == [{"id": 1}, {"id": 2}, {"id": 3}]
            assert run.scans[0].shared
    assert len(servers["crm"].sessions) == 1


def test_a_source_that_breaks_is_named(session: RunSession, servers: Servers) -> None:
    def broken(relation: str) -> None:
        raise ConnectionLostError("gone")

    servers["crm"].before_batch = broken
    with pytest.raises(ConnectionLostError) as caught:
        with session.query("select id from crm.s.t", servers.inputs(), node="m", direct=True) as run:
            run.stream.to_table()
    error = caught.value
    assert (error.connection, error.relation, error.phase, error.node) == ("crm", "s.t", "extract", "m")
    assert servers["crm"].open_sessions == 0


def test_columns_that_changed_are_an_error_and_not_other_rows(session: RunSession, servers: Servers) -> None:
    sql = "select id from crm.s.t"
    session.plan(sql, servers.inputs(), direct=True)
    servers["crm"].tables["t"] = pa.table({"id": ["1"]})
    with pytest.raises(PlanError, match="have changed") as caught:
        with session.query(sql, servers.inputs(), direct=True) as run:
            run.stream.to_table()
    assert caught.value.connection == "crm"


def test_an_interrupt_ends_the_source(session: RunSession, servers: Servers) -> None:
    reading, interrupted = threading.Event(), threading.Event()

    def wait(relation: str) -> None:
        reading.set()
        assert interrupted.wait(30)

    def interrupt() -> None:
        assert reading.wait(30)
        session.cancel()
        interrupted.set()

    servers["crm"].before_batch = wait
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(InterruptedRunError):
        with session.query("select id from crm.s.t", servers.inputs(), direct=True) as run:
            run.stream.to_table()
    thread.join()
    assert servers["crm"].cancelled == 1
