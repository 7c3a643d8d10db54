"""Relations of which no row is needed: dbt's own words for an empty build, and shapes that only look like them."""

from __future__ import annotations

import pytest

from dvt.federation.engines.base import Handle
from dvt.federation.plan.parse import Handles, parse_query
from dvt.federation.plan.unread import unread

T, U = Handle("c_crm", "public", "t"), Handle("c_erp", "main", "u")
EMPTY_T = '(select * from "c_crm"."public"."t" where false limit 0) _dbt_limit_subq_t'
EMPTY_U = '(select * from "c_erp"."main"."u" where false limit 0) _dbt_limit_subq_u'


def _found(sql: str) -> set[Handle]:
    return unread(parse_query(sql), Handles([T, U]))


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        (f"select * from {EMPTY_T}", {T}),
        (f"select count(*), max(a) from {EMPTY_T}", {T}),
        (
            f"with x as (select * from {EMPTY_T}) select * from x a full join {EMPTY_U} using (id) join x b using (id)",
            {T, U},
        ),
        (f"select * from (select * from {EMPTY_T} where at >= '2026-01-01') _dbt_et_filter_subq_t", {T}),
        (f"select * from {EMPTY_T} union all select * from {EMPTY_U}", {T, U}),
        ("select * from c_crm.public.t limit 0", {T}),
        ("select t.* from c_crm.public.t right join c_erp.main.u using (id) where u.a = 1 and false", {T, U}),
    ],
)
def test_what_needs_no_row(sql: str, wanted: set[Handle]) -> None:
    assert _found(sql) == wanted


@pytest.mark.parametrize(
    "sql",
    [
        "select * from c_crm.public.t",
        "select * from c_crm.public.t where not false",
        "select * from c_crm.public.t where a = 1 or false",
        "select * from c_crm.public.t limit 1",
        "select * from c_crm.public.t where true",
        # Another place reads it.
        f"select * from {EMPTY_T} union all select * from c_crm.public.t",
        f"select * from {EMPTY_T} where id in (select id from c_crm.public.t)",
        # A query in an expression is asked even where its SELECT keeps no row of its FROM.
        "select count(*), (select max(id) from c_crm.public.t) from c_erp.main.u where false",
        # The columns of a PIVOT are made of the rows; a text may name the relation.
        "select * from (pivot c_crm.public.t on a using sum(b)) where false",
        f"select * from {EMPTY_T}, query_table('c_crm.public.t')",
        f"select histogram(id) from {EMPTY_T}, histogram_values(c_crm.public.t, id)",
        # A join's own condition says nothing of the rows without a partner.
        "select t.id from c_crm.public.t left join c_erp.main.u on false",
        "select count(*) filter (where false) from c_crm.public.t",
        "select * from c_crm.public.t having false",
    ],
)
def test_what_is_read(sql: str) -> None:
    assert T not in _found(sql)
