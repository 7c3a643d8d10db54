"""Which scans of several queries become one, and what that one asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlglot import parse_one

from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import Ordering
from dvt.federation.plan.key_filters import KeyFilter
from dvt.federation.plan.model import Input, ScanPlan
from dvt.federation.plan.predicates import Family
from dvt.federation.registry import open_connection
from dvt.federation.staging.address import unit_of
from dvt.federation.staging.covering import both, covers
from dvt.identifiers import Relation

_CRM = open_connection("crm", {"type": "postgres", "host": "h", "user": "u", "dbname": "d", "schema": "public"})


def scan(name: str, columns: str | None, where: str = "", limit: int | None = None) -> ScanPlan:
    predicates = (parse_one(where),) if where else ()
    read = tuple(columns) if columns is not None else None
    return ScanPlan(Input(Handle("crm", "public", name), _CRM, Relation(name)), read, "", "", predicates, limit)


def sql(found: ScanPlan) -> str:
    return " and ".join(predicate.sql() for predicate in found.predicates)


def cost(found: ScanPlan) -> float:
    width = 10 if found.columns is None else len(found.columns)
    return width * (0.5 if found.predicates else 1.0)


def same(found: ScanPlan) -> ScanPlan:
    return found


@pytest.mark.parametrize(
    ("one", "other", "columns", "where"),
    [
        (scan("t", "ab", "a = 1"), scan("t", "bc", "b = 2"), "abc", "a = 1 OR b = 2"),
        (scan("t", "ab", "a = 1"), scan("t", "bc", "a = 1"), "abc", "a = 1"),
        (scan("t", "ab", "a = 1"), scan("t", "a"), "ab", ""),
        (scan("t", None, "a = 1"), scan("t", "a", "b = 2"), None, "a = 1 OR b = 2"),
    ],
)
def test_the_union_has_what_both_ask_for(one: ScanPlan, other: ScanPlan, columns: str | None, where: str) -> None:
    found = both(one, other)
    assert (found.columns, sql(found), found.limit) == (None if columns is None else tuple(columns), where, None)


def test_limits_hold_only_where_they_are_the_same() -> None:
    one, other = scan("t", "a", "a = 1", limit=5), scan("t", "b", "a = 1", limit=5)
    assert both(one, other).limit == 5
    assert both(one, replace(other, limit=6)).limit is None
    assert both(one, replace(other, predicates=())).limit is None
    assert both(one, replace(other, order=(Ordering("a"),))).limit is None


def test_units_come_together_where_that_is_less() -> None:
    narrow, wide, apart = unit_of([scan("t", "ab")]), unit_of([scan("t", "abc", "a = 1")]), unit_of([scan("u", "a")])
    found = covers([narrow, wide, apart], cost, same)
    assert set(found) == {narrow.address, wide.address}
    assert found[narrow.address] is found[wide.address]
    assert [each.columns for each in found[narrow.address].scans] == [("a", "b", "c")]
    # All rows of the wide columns would be more than both reads.
    assert covers([unit_of([scan("t", "ab")]), unit_of([scan("t", "cdefgh", "a = 1")])], cost, same) == {}


def test_relations_of_one_snapshot_stay_together() -> None:
    one, other = unit_of([scan("t", "a"), scan("u", "a")]), unit_of([scan("u", "a"), scan("v", "b")])
    found = covers([one, other], cost, same)
    assert {each.input.relation.name for each in found[one.address].scans} == {"t", "u", "v"}


def test_keys_of_another_relation_belong_to_one_query() -> None:
    key = KeyFilter("a", Family.INTEGER, Handle("erp", "s", "x"), "k")
    waiting = unit_of([replace(scan("t", "a"), key_filters=(key,))])
    assert covers([waiting, unit_of([scan("t", "ab")])], cost, same) == {}


def test_a_statement_is_made_for_the_union() -> None:
    one, other = unit_of([scan("t", "a")]), unit_of([scan("t", "ab")])
    found = covers([one, other], cost, lambda each: replace(each, sql="made"))
    assert found[one.address].scans[0].sql == "made"
