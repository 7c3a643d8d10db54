"""Queries are bound before a source is read, over empty relations with the columns that are read."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from federation_memory_source import Servers

from dvt.errors import PlanError
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.plan.syntax_errors import what_is_wrong
from dvt.federation.session import RunSession
from dvt.identifiers import Relation

LEVELS = list(Pushdown)


@pytest.fixture
def servers() -> Servers:
    return Servers(
        crm={"people": pa.table({"id": [1, 2], "name": ["a", "b"], "Name": ["c", "d"], "Id_": [0, 0]})},
        erp={"orders": pa.table({"id": [10, 11], "person_id": [1, 2], "amount": [5, 7]})},
    )


@pytest.fixture
def session(servers: Servers, tmp_path: Path) -> Iterator[RunSession]:
    with RunSession(
        tmp_path, memory_bytes=1 << 28, threads=1, parallel_queries=2, run_id="beef", extractor_factory=servers.factory
    ) as made:
        yield made


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("sql", "what", "remedy"),
    [
        ("select o.id,\n  o.amonut from erp.s.orders o", "line 2, column 3", "did you mean 'amount'"),
        ("select id from erp.s.orders o join crm.s.people p on p.id = o.person_id", "line 1, column 8.*Ambig", "SQL"),
        ("select 1 as a from erp.s.orders, crm.s.people where no_such(amount)", "line 1, column 53", "SQL"),
        ("select o.id from erp.s.orders o, poeple", "line 1, column 34", "did you mean 'people'"),
        # An incremental model's watermark is not read either.
        ("select amuont from erp.s.orders where id > (select max(id) from crm.s.people)", "column 8", "'amount'"),
    ],
)
def test_what_is_refused(
    session: RunSession, servers: Servers, level: Pushdown, sql: str, what: str, remedy: str
) -> None:
    for attempt in (lambda: session.plan(sql, servers.inputs(), level), lambda: _run(session, servers, sql, level)):
        with pytest.raises(PlanError, match=f"(?s){what}.*{remedy}") as caught:
            attempt()
        assert caught.value.phase == "plan"
        assert caught.value.code == "DVT340"
    assert servers["crm"].sessions == servers["erp"].sessions == []


def _run(session: RunSession, servers: Servers, sql: str, level: Pushdown = Pushdown.SAFE) -> list[tuple[object, ...]]:
    with session.query(sql, servers.inputs(), pushdown=level) as run:
        return sorted(tuple(row.values()) for row in run.stream.to_table().to_pylist())


def test_columns_that_are_not_read_are_not_bound(session: RunSession, servers: Servers) -> None:
    """`name` and `Name` are one column to the engine, which matters only to who reads both."""
    assert _run(session, servers, "select id from crm.s.people") == [(1,), (2,)]
    with pytest.raises(PlanError, match="differ only by case"):
        session.plan("select * from crm.s.people", servers.inputs())
    assert _run(session, servers, "select Id_, id from crm.s.people") == [(0, 1), (0, 2)]


def test_columns_that_have_changed_are_bound_anew(session: RunSession, servers: Servers) -> None:
    sql = "select sum(amount) as a from erp.s.orders"
    assert _run(session, servers, sql) == [(12,)]
    servers["erp"].tables["orders"] = pa.table({"id": [1], "amount": ["text"]})
    orders = next(one for one in servers.inputs() if one.relation.name == "orders")
    session.forget(orders.connection, Relation("orders", orders.relation.schema))
    with pytest.raises(PlanError, match="sum"):
        session.plan(sql, servers.inputs())
    assert _run(session, servers, "select amount from erp.s.orders") == [("text",)]


def test_a_pivot_is_left_to_its_run(session: RunSession, servers: Servers) -> None:
    assert _run(session, servers, "pivot (select amount, id from erp.s.orders) on id using sum(amount)") == [(5, 7)]


def test_many_at_a_time(session: RunSession, servers: Servers) -> None:
    def one(number: int) -> object:
        if number % 3:
            return _run(session, servers, f"select id + {number} as a from erp.s.orders")
        with pytest.raises(PlanError):
            session.plan(f"select x{number} from erp.s.orders", servers.inputs())
        return number

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(60)))
    assert found == [[(10 + n,), (11 + n,)] if n % 3 else n for n in range(60)]


def test_nothing_is_left_on_disk(servers: Servers, tmp_path: Path) -> None:
    with RunSession(
        tmp_path / "w",
        memory_bytes=1 << 28,
        threads=1,
        parallel_queries=1,
        run_id="b",
        extractor_factory=servers.factory,
    ) as session:
        session.plan("select id from erp.s.orders", servers.inputs())
    session.close()
    assert not list((tmp_path / "w").rglob("*")) if (tmp_path / "w").exists() else True


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("select a,\n 'x", "line 2, column 2: unterminated"),
        ("select 'ü' frm x y z", "line 1, column 16: syntax error"),
        # What only sqlglot refuses has its words, and the first column of the word that it names.
        ("select a from b where  foo", "line 1, column 24, near 'foo': what it says"),
    ],
)
def test_the_place_of_a_syntax_error(sql: str, what: str) -> None:
    from sqlglot.errors import ParseError

    details = {"description": "what it says", "line": 1, "col": 26, "highlight": "foo"}
    assert what in what_is_wrong(sql, ParseError("no", [details]))
