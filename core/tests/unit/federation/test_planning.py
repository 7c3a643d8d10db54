"""Routing and planning: lanes, which inputs are read, and by what SQL."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from federation_memory_source import SPEC, Servers

from dvt.connections.connection import Connection
from dvt.errors import PlanError
from dvt.federation.plan.model import QueryPlan
from dvt.federation.plan.planner import plan_query
from dvt.federation.plan.router import Lane, route
from dvt.federation.staging.address import scan_units


def connection(name: str, host: str, runs_sql: bool = True) -> Connection:
    return Connection.from_output(name, {"host": host}, replace(SPEC, runs_sql=runs_sql))


def test_a_place_is_native_whatever_its_connections_are_called() -> None:
    here, same, there = connection("a", "one"), connection("b", "one"), connection("c", "two")
    files = connection("f", "folder", runs_sql=False)
    assert route(here, []) is Lane.NATIVE
    assert route(here, [here, same]) is Lane.NATIVE
    assert route(here, [here, there]) is Lane.FEDERATED
    assert route(here, [files]) is Lane.FEDERATED
    assert route(files, [files]) is Lane.FEDERATED
    assert route(files, []) is Lane.FEDERATED


SERVERS = Servers(
    crm={"customers": pa.table({"id": [1], "City": ["x"], "select": [1]}), "calls": pa.table({"id": [1]})},
    erp={"orders": pa.table({"id": [1], "customer": [1]})},
)


def plan(sql: str, servers: Servers = SERVERS) -> QueryPlan:
    asked: list[str] = []

    def describe(input_):  # type: ignore[no-untyped-def]
        asked.append(str(input_.relation))
        server = servers.factory(input_.connection)
        return server.describe_table(server.server.tables[input_.relation.name])

    found = plan_query(sql, servers.inputs(), describe, extractor_factory=servers.factory)
    assert len(asked) == len(found.scans), "what is not mentioned is not described"
    return found


def test_each_scan_has_its_columns_and_its_sql() -> None:
    sql = 'select CITY, o.id, "select" from crm.s.customers c join erp.s.orders o on o.customer = c.id -- as it is'
    found = plan(sql)
    assert found.sql == sql
    assert [(str(s.input.relation), s.columns, s.sql, s.reason) for s in found.scans] == [
        ("s.customers", ("id", "City", "select"), 'SELECT "id", "City", "select" FROM "s"."customers"', ""),
        ("s.orders", ("id", "customer"), 'SELECT "id", "customer" FROM "s"."orders"', ""),
    ]
    (whole,) = plan("select * from erp.s.orders").scans
    assert (whole.columns, whole.sql, bool(whole.reason)) == (None, 'SELECT * FROM "s"."orders"', True)


def test_a_query_without_inputs_has_no_scans() -> None:
    assert plan("select 1 as a").scans == ()
    assert plan("select * from memory.main.x").scans == ()


@pytest.mark.parametrize("name", ["crm.s.customer", "crm.t.customers", "cmr.s.customers"])
def test_an_unknown_relation_is_an_error_with_the_nearest_name(name: str) -> None:
    with pytest.raises(PlanError, match=r"did you mean 'crm\.s\.customers'") as caught:
        plan(f"with x as (select 1) select * from (select * from {name})")
    assert caught.value.relation == name


def test_addresses_tell_scans_apart_and_hold_no_secret() -> None:
    def address(sql: str, **settings: str) -> str:
        found = plan(sql)
        scan = found.scans[0]
        other = SERVERS.connection(scan.input.connection.name, **settings)
        changed = replace(scan, input=replace(scan.input, connection=other))
        return scan_units(QueryPlan(sql, (changed,)))[0].address

    sql = "select id from erp.s.orders"
    assert address(sql) == address("select max(id) as m from erp.s.orders where id > 0")
    assert address(sql) == address(sql, password="another-one")
    assert len({address(sql), address("from erp.s.orders"), address(sql, host="elsewhere")}) == 3
    assert "hunter2" not in repr(scan_units(plan(sql)))
