"""Column pruning never changes an answer: every query shape is run on whole and on pruned tables, in a real DuckDB."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import duckdb
import pytest

from dvt.errors import PlanError
from dvt.federation.engines.base import Handle
from dvt.federation.plan.projection import needed_columns

H, K, Z = Handle("c", "s", "h"), Handle("c", "s", "k"), Handle("d", "main", "z")
TABLES = {
    H: ["extra", "id", "a", "b", "arr", "st", "current_date", "dup"],
    K: ["id", "other", "a", "v", "dup", "h"],
    Z: ["id", "zz", "q"],
}
CONTENT = {
    H: "select i as extra, i % 5 as id, i % 3 as a, 'b' || i as b, [i, i + 1] as arr, {'x': i, 'y': -i} as st, "
    "date '2020-01-01' + i::int as current_date, i % 2 as dup from range(12) t(i)",
    K: "select i % 6 as id, i * 7 as other, i % 3 as a, 'v' || i as v, i % 2 as dup, i as h from range(9) t(i)",
    Z: "select i as id, i % 2 as zz, 'q' || i as q from range(4) t(i)",
}

# Queries of which c.s.h is pruned to the columns that are given.
PRUNED = {
    "select a from c.s.h": {"a"},
    "select count(*) from c.s.h": {"extra"},
    "select h.a from c.s.h": {"a"},
    "select C.S.H.A from C.S.H": {"a"},
    "with src as (select * from c.s.h) select a from src": {"a"},
    "with src as (select * from c.s.h), t as (select * from src where id > 1), u as (from t) select a from u": {
        "a",
        "id",
    },
    "with src as (select * from c.s.h), ren as (select a as aa, b from src) select * from ren": {"a", "b"},
    "with src as (select h.* from c.s.h) select src.a from src order by 1": {"a"},
    "select a from (select * from c.s.h order by b limit 4)": {"a", "b"},
    "select a from (select * exclude (b) from c.s.h)": {"a", "b"},
    "select count(*) from (select * exclude (a, b) from c.s.h)": {"extra", "a", "b"},
    "select bb from (select * rename (b as bb) from c.s.h)": {"b"},
    "select a from (select * replace (a + 1 as a) from c.s.h)": {"a"},
    "select count(*) from c.s.h where exists (select * from c.s.k where k.id = h.id)": {"id"},
    "select current_date from c.s.h": {"current_date"},
    "select x.a from c.s.h x join c.s.h y on x.id = y.id": {"a", "id"},
    "select st.x from c.s.h": {"st"},
    "select a from c.s.h group by all": {"a"},
    "select a, count(*) from c.s.h group by 1 order by all": {"a"},
    "select id_1 from (select * from c.s.h join c.s.k on h.a = k.a)": {"id", "a"},
    "select dup_1, id from (select * from c.s.h h1, c.s.k k1 where h1.id = k1.id) ": {"id", "dup"},
    "from c.s.h select a, id": {"a", "id"},
    "select a, row_number() over (partition by id order by b) r from c.s.h qualify r = 1": {"a", "id", "b"},
    "select sum(a) filter (where id > 2) from c.s.h": {"a", "id"},
    "select unnest(arr) from c.s.h": {"arr"},
    "select u.x from c.s.h, unnest(arr) as u(x)": {"arr"},
    "select a from c.s.h tablesample 100%": {"a"},
    "with t as materialized (from c.s.h) from t select a": {"a"},
    "select a from ((select * from c.s.h)) x": {"a"},
    "select t.a from (c.s.h t join c.s.k u using (id))": {"a", "id"},
    "select a from (select * from c.s.h x join c.s.h y using (id, a)) ": {"a", "id"},
    "select l.s from c.s.h, lateral (select h.a + h.id as s) l": {"a", "id"},
    "select a from c.s.h union all select id from c.s.k": {"a", "id"},
    "select list_transform(arr, lambda e: e + a) from c.s.h": {"arr", "a"},
    "select a from c.s.h where id in (select id from c.s.k)": {"a", "id"},
    "with recursive t(n) as (select 1 union all select n + 1 from t where n < 3) select a, n from c.s.h, t": {"a"},
    "select a from c.s.h semi join c.s.k using (id)": {"a", "id"},
    "select z.zz, h.a from c.s.h join d.z on h.id = z.id": {"a", "id"},
}

# Queries of which c.s.h is read whole.
WHOLE = [
    "select * from c.s.h",
    "from c.s.h",
    "table c.s.h",
    "(select * from c.s.h) limit 100",
    "select * exclude (a) from c.s.h",
    "with src as (select * from c.s.h) select * from src",
    "with src as (select * from c.s.h) select src.*, 1 as one from src",
    "select h.* from c.s.h join c.s.k using (id)",
    "select count(*) from (select distinct * from c.s.h)",
    "select a from (select distinct on (a) * from c.s.h order by a, b)",
    "select a from (select * from c.s.h order by 1 desc limit 2)",
    "select a from (select * from c.s.h order by all desc limit 2)",
    "select a from ((select * from c.s.h) order by 1 desc limit 2)",
    "select a from (from c.s.h order by (2), 1 limit 3)",
    "select a from (select *, count(*) from c.s.h group by all)",
    "select count(*) from (select * from c.s.h union select * from c.s.h)",
    "select count(*) from (select * from c.s.h union all select * from c.s.h)",
    "select a from (select * from c.s.h except select * from c.s.h where a = 1)",
    "select a from (select * from c.s.h union all by name select id from c.s.k)",
    "select count(*) from c.s.h natural join c.s.k",
    "with src as (select * from c.s.h) select count(*) from src natural join c.s.k",
    "select x from (select * from c.s.h) t(x)",
    "select y from c.s.h as t(x, y)",
    "with t(x) as (select * from c.s.h) select x from t",
    "select columns('a.*') from c.s.h",
    "select * like 'a%' from c.s.h",
    "select max(columns(*)) from c.s.h",
    "select h from c.s.h",
    "select t from c.s.h as t",
    "select src from (select * from c.s.h) as src",
    "with src as (select * from c.s.h) select to_json(src) from src",
    "select count(t.*) from c.s.h t",
    "select t.to_json() from c.s.h t",
    "select struct_pack(x := t) from c.s.h t",
    "select t::varchar from c.s.h t",
    "select t is null from c.s.h t",
    "select count(distinct t) from c.s.h t",
    "select #1 from c.s.h",
    "pivot c.s.h on a using sum(extra)",
    "select id from (pivot (select id, a, extra from c.s.h) on a in (1, 2) using sum(extra)) ",
    "select count(*) from (unpivot (select * exclude (arr, st, b, current_date) from c.s.h) on extra, a)",
    "select count(*) from (summarize c.s.h)",
    "select count(*) from (describe c.s.h)",
    "select h.a from c.s.h positional join c.s.k",
    "with recursive t as (select * from c.s.h where a = 0 union select t.* from t) select a from t",
    "select (select unnest([h]) limit 1) from c.s.h",
    "select unnest(t) from c.s.h t",
    "select hash(t) from c.s.h t",
    "select a from c.s.h where (h) is not null",
    "select max(h order by a) from c.s.h",
    "select s.* from c.s.h join (select h as s from c.s.h) on true",
    "select x.* from (c.s.h x join c.s.k y using (id))",
    "select * from (c.s.h x join c.s.k y using (id)) as xy",
    "select coalesce(*columns(['extra', 'id'])) from c.s.h",
    "select c.s.h from c.s.h",
    "select k.id from c.s.k where k.id in (select * from c.s.h)",
    "select k.id, (select * from c.s.h where false) from c.s.k",
    "select s.* from c.s.k join lateral (select * from c.s.h where h.id = k.id) s on true",
    "select unpacked.* from (select unnest(h) from c.s.h) unpacked",
    "select * from histogram_values(c.s.h, a)",
]


Databases = tuple[duckdb.DuckDBPyConnection, duckdb.DuckDBPyConnection]


def connect(columns: dict[Handle, list[str]]) -> duckdb.DuckDBPyConnection:
    """A database whose tables hold the given columns."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("attach ':memory:' as c; create schema c.s; attach ':memory:' as d")
    for handle, kept in columns.items():
        create(connection, handle, kept)
    return connection


def create(connection: duckdb.DuckDBPyConnection, handle: Handle, columns: list[str]) -> None:
    name = f"{handle.catalog}.{handle.schema}.{handle.name}"
    names = ", ".join(f'"{column}"' for column in columns)
    connection.execute(f"create or replace table {name} as select {names} from ({CONTENT[handle]})")


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    """One database with whole tables, one whose tables are pruned query by query."""
    with connect(TABLES) as whole, connect(TABLES) as pruned:
        yield whole, pruned


def outcome(connection: duckdb.DuckDBPyConnection, sql: str) -> object:
    """The names and rows of a query; the class of the error when it fails."""
    try:
        relation = connection.execute(sql)
        names = [column[0] for column in relation.description]
        return names, Counter(map(repr, relation.fetchall()))
    except duckdb.Error as error:
        return type(error)


def check(databases: Databases, sql: str) -> tuple[dict[Handle, list[str]], bool]:
    """Assert equal outcomes; gives the columns that were kept, and whether the query runs at all."""
    needed = needed_columns(sql, TABLES)
    kept = {handle: list(columns or TABLES[handle]) for handle, (columns, _) in needed.items()}
    smaller = {handle: columns for handle, columns in kept.items() if columns != TABLES[handle]}
    for handle, columns in smaller.items():
        create(databases[1], handle, columns)
    expected = outcome(databases[0], sql)
    if smaller:
        assert outcome(databases[1], sql) == expected, (sql, needed)
    for handle in smaller:
        create(databases[1], handle, TABLES[handle])
    return kept, isinstance(expected, tuple)


@pytest.mark.parametrize("sql", PRUNED)
def test_a_pruned_table_gives_the_same_answer(databases: Databases, sql: str) -> None:
    kept, runs = check(databases, sql)
    assert set(kept[H]) == PRUNED[sql]
    assert runs


@pytest.mark.parametrize("sql", WHOLE)
def test_where_columns_count_unnamed_all_are_read(databases: Databases, sql: str) -> None:
    check(databases, sql)
    columns, reason = needed_columns(sql, TABLES)[H]
    assert columns is None
    assert reason


def generated(seed: int) -> str:
    """A random query out of nested pieces, most of which run."""
    pick = random.Random(seed)
    columns = ["id", "a", "dup", "id", "a"]

    def source(depth: int) -> str:
        base = pick.choice(["c.s.h", "c.s.k", "c.s.h", "d.main.z"])
        if depth == 0:
            return base
        return pick.choice([base, f"({query(depth - 1)})", f"(select * from {base} where id > 1)", f"(from {base})"])

    def items(alias: str) -> str:
        return pick.choice(
            ["*", f"{alias}.*", "id", f"{alias}.id, a", "count(*)", "* exclude (id)", "id, *", f"{alias}", "max(id)",
             "* replace (id + 1 as id)", "* rename (id as idd)", "id_1", "a.id", "#2", "columns('i.*')", "id, id as a"]
        )  # fmt: skip

    def tail() -> str:
        order = pick.choice(["", "", " order by 1", " order by all", " order by id", " order by id, 2"])
        return order + (pick.choice(["", " limit 3"]) if order == " order by all" else "")

    def query(depth: int) -> str:
        left = f"{source(depth)} as x"
        joined = pick.choice(["", "", f" join {source(depth)} as y using (id)", f" natural join {source(depth)} as y",
                              f", {source(depth)} as y", f" semi join {source(depth)} as y using (id)"])  # fmt: skip
        distinct = pick.choice(["", "", "", "distinct "])
        where = pick.choice(["", f" where x.{pick.choice(columns)} > 0", " where exists (select * from c.s.k)",
                             " where x.id in (select id from d.main.z)"])  # fmt: skip
        group = pick.choice(["", "", "", " group by all", " group by id"])
        text = f"select {distinct}{items(pick.choice('xy'))} from {left}{joined}{where}{group}"
        if pick.random() < 0.15:
            text += pick.choice([" union all ", " union ", " union all by name ", " except "]) + f"select * from {left}"
        if pick.random() < 0.3 and depth:
            return f"with w{depth} as ({text}{tail()}) select {items('w' + str(depth))} from w{depth}{tail()}"
        return text + tail()

    return query(pick.choice([0, 1, 2]))


def test_a_two_part_name_reads_the_main_schema(databases: Databases) -> None:
    check(databases, "select * from d.z join (select zz from d.main.z) on true")
    assert needed_columns("select * from d.z", TABLES)[Z][0] is None


def test_generated_queries_give_the_same_answer(databases: Databases) -> None:
    ran = pruned_and_ran = 0
    for seed in range(1500):
        sql = generated(seed)
        kept, runs = check(databases, sql)
        ran += runs
        pruned_and_ran += runs and any(len(columns) < len(TABLES[handle]) for handle, columns in kept.items())
    assert ran > 300
    assert pruned_and_ran > 60


def test_a_relation_that_is_not_mentioned_is_left_out() -> None:
    assert set(needed_columns("select a from c.s.h", TABLES)) == {H}


def test_an_exact_name_comes_before_one_that_differs_by_case() -> None:
    upper = Handle("c", "s", "H")
    tables = {H: ["a"], upper: ["b"]}
    assert set(needed_columns('select 1 from c.s."H"', tables)) == {upper}
    with pytest.raises(PlanError, match="differ by case"):
        needed_columns("select 1 from C.s.h", tables)


def test_a_syntax_error_names_line_and_column() -> None:
    with pytest.raises(PlanError, match=r'line 2, column 7.*"c"'):
        needed_columns("select\n  a b c\nfrom c.s.h", TABLES)


@pytest.mark.parametrize("sql", ["select 1; select 2", "create table x (a int)", "drop table c.s.h", ""])
def test_only_one_query_is_taken(sql: str) -> None:
    with pytest.raises(PlanError):
        needed_columns(sql, TABLES)
