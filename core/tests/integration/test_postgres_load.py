"""Landing in PostgreSQL: whole or not at all, never missing for readers, with what hung on the old table."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg2
import pyarrow as pa
import pytest
from integration.postgres_kit import connection
from integration.test_postgres_extract import HELL
from servers.postgres import COPIED

from dvt.errors import DataError, DuplicateKeyError, DvtError, InterruptedRunError, PrivilegeError
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.postgres import PostgresLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, private_name
from dvt.types.vocabulary import JSON, TIMESTAMP_INFINITY

pytestmark = pytest.mark.postgres


@pytest.fixture
def database(postgres_server):
    return postgres_server.create_database("load")


@pytest.fixture
def loader(postgres_server, database) -> Iterator[PostgresLoader]:
    with PostgresLoader(connection(postgres_server, database)) as found:
        yield found


def stream(**columns: pa.Array) -> RowStream:
    batch = pa.RecordBatch.from_pydict(columns)
    return RowStream([ColumnSchema(field.name, field.type) for field in batch.schema], iter([batch]))


def numbers(*values: int) -> RowStream:
    return stream(id=pa.array(values, pa.int32()), name=pa.array([f"n{value}" for value in values]))


def to(name: str = "t", **more) -> LoadConfig:
    return LoadConfig(Relation(name, "public"), **more)


def ids(server, database, name="t") -> str:
    return server.psql(database, f"select string_agg(id::text, ',' order by id) from {name}")


@pytest.mark.parametrize("mode", ["table", "append"])
def test_unlogged_and_frozen_where_asked(postgres_server, database, mode: str) -> None:
    asked = connection(postgres_server, database, unlogged=True, freeze=True)
    with PostgresLoader(asked) as loader:
        for _ in range(2):
            loader.load(numbers(*range(5_000)), to(mode=mode))
    if mode == "table":
        # ANALYZE counts the pages of which all rows are frozen; nothing else has marked them.
        postgres_server.psql(database, "analyze t")
        about = "select relpersistence, relallvisible = relpages and relpages > 1 from pg_class where relname = 't'"
        assert postgres_server.psql(database, about) == "u|t"
    assert postgres_server.psql(database, "select count(*) from t") == ("5000" if mode == "table" else "10000")


def test_load_counts_and_leaves_nothing_private(postgres_server, database, loader):
    result = loader.load(numbers(1, 2, 3), to())
    assert (result.rows, result.method) == (3, COPIED)
    assert (
        postgres_server.psql(
            database,
            "select string_agg(relname, ',') from pg_class where relkind = 'r' and "
            "relnamespace = 'public'::regnamespace",
        )
        == "t"
    )
    loader.load(numbers(4), to())
    assert ids(postgres_server, database) == "4"


def test_rows_that_copy_counted_are_not_read_again(postgres_server, database, loader):
    loader.load(numbers(1, 2, 3), to())
    assert postgres_server.psql(database, "select pg_stat_get_numscans('t'::regclass)") == "0"


def test_rows_that_a_trigger_takes_away_are_missed(postgres_server, database, loader):
    """COPY counts them: they were there."""
    postgres_server.psql(
        database,
        "create function drops() returns trigger language plpgsql as $$"
        " begin execute format('delete from %s where id = 2', tg_relid::regclass); return null; end $$;"
        " create function gives() returns event_trigger language plpgsql as $$ declare made record; begin"
        " for made in select * from pg_event_trigger_ddl_commands() where command_tag = 'CREATE TABLE' loop"
        " execute format('create trigger t after insert on %s for each row execute function public.drops()',"
        " made.object_identity); end loop; end $$;"
        " create event trigger giving on ddl_command_end when tag in ('CREATE TABLE') execute function gives();",
    )
    try:
        with pytest.raises(DataError, match="3 rows were sent, 3 were taken, and 2 are there"):
            loader.load(numbers(1, 2, 3), to("watched"))
    finally:
        postgres_server.psql(database, "drop event trigger giving")
    assert postgres_server.psql(database, "select to_regclass('watched') is null") == "t"


def test_names_from_hell_land(postgres_server, database, loader):
    for name in HELL:
        columns = {column: pa.array([number]) for number, column in enumerate(HELL)}
        loader.load(stream(**columns), to(name))
        loader.load(stream(**columns), to(name))
    found = postgres_server.psql(
        database, "select json_agg(relname order by oid) from pg_class where relkind = 'r' and relname !~ '^(pg|sql)_'"
    )
    import json

    assert sorted(json.loads(found)) == sorted(HELL)
    column = postgres_server.psql(
        database,
        "select json_agg(attname order by attnum) from pg_attribute "
        "where attrelid = '\"1st\"'::regclass and attnum > 0",
    )
    assert json.loads(column) == HELL


def test_1600_columns_and_all_null(postgres_server, database, loader):
    columns = {f"c{number}": pa.array([None, number], pa.int16()) for number in range(1600)}
    assert loader.load(stream(**columns), to()).rows == 2
    assert postgres_server.psql(database, "select c1599 from t where c1599 is not null") == "1599"


def test_one_column_of_nulls_and_empty_texts(postgres_server, database, loader):
    loader.load(stream(v=pa.array([None, "", None, "\\."])), to())
    assert postgres_server.psql(database, "select coalesce(quote_literal(v), 'NULL') from t order by v nulls last") == (
        "''\nE'\\\\.'\nNULL\nNULL"
    )
    loader.load(stream(v=pa.array([None, None], pa.int32())), to())
    assert postgres_server.psql(database, "select count(*), count(v) from t") == "2|0"


def test_no_rows_give_an_empty_typed_table(postgres_server, database, loader):
    loader.load(numbers(1), to())
    empty = RowStream([ColumnSchema("id", pa.int64()), ColumnSchema("j", JSON)], iter(()))
    assert loader.load(empty, to()).rows == 0
    assert [(c.name, c.native_type) for c in loader.describe(Relation("t", "public"))] == [
        ("id", "bigint"),
        ("j", "json"),
    ]
    assert loader.describe(Relation("nope", "public")) is None


def test_arrow_types_that_postgresql_does_not_have(postgres_server, database, loader):
    nested = pa.array(
        [{"a": 1, "b": 'q"\n', "c": [1.5, None]}, None, {"a": None, "b": None, "c": None}],
        pa.struct([("a", pa.int32()), ("b", pa.string()), ("c", pa.list_(pa.float64()))]),
    )
    mapped = pa.array([[("x", 1), ("y", None)], None, []], pa.map_(pa.string(), pa.int64()))
    unsigned = pa.array([2**64 - 1, None, 0], pa.uint64())
    nanos = pa.array([1_000, None, TIMESTAMP_INFINITY], pa.int64()).view(pa.timestamp("ns"))
    structs = pa.array([[{"z": "a,b"}], None, []], pa.list_(pa.struct([("z", pa.string())])))
    loader.load(stream(s=nested, m=mapped, u=unsigned, n=nanos, l=structs), to())
    text = "select coalesce(s::text, 'NULL'), coalesce(m::text, 'NULL'), u, n, l from t"
    assert postgres_server.psql(database, text).split("\n") == [
        '{"a":1,"b":"q\\"\\n","c":[1.5,null]}|{"x":1,"y":null}|18446744073709551615|1970-01-01 00:00:00.000001|'
        '{"{\\"z\\":\\"a,b\\"}"}',
        "NULL|NULL|||",
        '{"a":null,"b":null,"c":null}|{}|0|infinity|{}',
    ]


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (pa.array(["a", "b\0c"]), "NUL"),
        (pa.array([["b\0c"]]), "NUL"),
        (pa.array([1], pa.timestamp("ns")), "microsecond"),
        (pa.array([(0, 0, 1)], pa.month_day_nano_interval()), "microsecond"),
        (pa.array([{"x": float("nan")}]), "NaN"),
        (pa.array([[[1]]]), "no column type"),
    ],
)
def test_what_does_not_fit_is_refused_by_column_and_nothing_lands(postgres_server, database, loader, array, why):
    loader.load(numbers(7), to())
    with pytest.raises(DataError, match=why) as caught:
        loader.load(stream(fine=pa.array([1] * len(array)), bad=array), to())
    assert caught.value.column == "bad"
    assert ids(postgres_server, database) == "7"
    assert tables(postgres_server, database) == "t"


def tables(server, database) -> str:
    query = "select string_agg(relname, ',' order by relname) from pg_class where relkind = 'r'"
    return server.psql(database, query + " and relnamespace = 'public'::regnamespace")


def test_declared_types_are_used_and_violations_named(postgres_server, database, loader):
    loader.load(numbers(1), to(declared={"name": "varchar(3)", "id": "numeric(5,1)"}))
    assert [c.native_type for c in loader.describe(Relation("t", "public"))] == ["numeric(5,1)", "character varying(3)"]
    with pytest.raises(DataError, match="too long") as caught:
        loader.load(numbers(1000), to(declared={"name": "varchar(3)"}))
    assert caught.value.column == "name"
    with pytest.raises(DvtError):
        loader.load(numbers(1), to(declared={"name": "text); drop table t; --"}))
    assert ids(postgres_server, database) == "1.0"


def test_a_stream_that_fails_leaves_the_old_table(postgres_server, database, loader):
    loader.load(numbers(1), to())

    def broken() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"id": pa.array([5], pa.int32())})
        raise DataError("the source broke", column="id")

    with pytest.raises(DataError, match="the source broke"):
        loader.load(RowStream([ColumnSchema("id", pa.int32())], broken()), to())
    assert ids(postgres_server, database) == "1"
    assert tables(postgres_server, database) == "t"
    loader.load(numbers(2), to())
    assert ids(postgres_server, database) == "2"


def test_cancel_from_another_thread_leaves_nothing(postgres_server, database, loader):
    def endless() -> Iterator[pa.RecordBatch]:
        while True:
            yield pa.RecordBatch.from_pydict({"id": pa.array([5] * 1000, pa.int32())})

    timer = threading.Timer(0.5, loader.cancel)
    timer.start()
    with pytest.raises(InterruptedRunError):
        loader.load(RowStream([ColumnSchema("id", pa.int32())], endless()), to())
    assert tables(postgres_server, database) == ""


def test_readers_never_see_a_missing_or_empty_table(postgres_server, database, loader):
    loader.load(numbers(*range(100)), to())
    seen: list[int] = []
    failures: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        place = postgres_server.output(database)
        session = psycopg2.connect(**{key: place[key] for key in ("host", "port", "user", "password", "dbname")})
        session.autocommit = True
        with session.cursor() as cursor:
            while not stop.is_set():
                try:
                    cursor.execute("select count(*) from t")
                    seen.append(cursor.fetchone()[0])
                except psycopg2.Error as error:
                    failures.append(error)
        session.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(10):
        loader.load(numbers(*range(100)), to())
    postgres_server.psql(database, "create view v as select * from t")
    for _ in range(10):
        loader.load(numbers(*range(100)), to())
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert set(seen) == {100}


EXTRAS = """
create role keeper_one; create role keeper_two;
alter table t add primary key (id);
create index t_name on t (lower(name)) where id > 0;
create unique index t_uniq on t (name, id desc);
alter table t add constraint positive check (id > 0);
grant select on t to keeper_one with grant option; grant select on t to public;
grant update (name) on t to keeper_two;
comment on table t is 'It''s 100% \\ "t"'; comment on column t.name is 'a name';
"""


def hung_on(server, database) -> str:
    return server.psql(
        database,
        """select pg_get_indexdef(indexrelid) from pg_index where indrelid = 't'::regclass order by 1;
        select conname, pg_get_constraintdef(oid) from pg_constraint where conrelid = 't'::regclass order by 1;
        select x::text from pg_class, unnest(relacl) x where oid = 't'::regclass order by 1;
        select attname, attacl, attnotnull from pg_attribute
        where attrelid = 't'::regclass and attnum > 0 order by attnum;
        select objsubid, description from pg_description where objoid = 't'::regclass order by 1""",
    )


def test_a_swap_keeps_indexes_constraints_grants_and_comments(postgres_server, database, loader):
    postgres_server.psql("postgres", "drop role if exists keeper_one; drop role if exists keeper_two")
    loader.load(numbers(1), to())
    postgres_server.psql(database, EXTRAS)
    try:
        before = hung_on(postgres_server, database)
        oid = postgres_server.psql(database, "select 't'::regclass::oid")
        loader.load(numbers(2, 3), to())
        assert postgres_server.psql(database, "select 't'::regclass::oid") != oid
        assert hung_on(postgres_server, database) == before
        assert ids(postgres_server, database) == "2,3"
        loader.load(stream(id=pa.array([4], pa.int32())), to())
        after = hung_on(postgres_server, database)
        assert "t_pkey" in after
        assert "positive" in after
        assert "t_name" not in after
    finally:
        postgres_server.psql("postgres", "drop database load (force)")
        postgres_server.psql("postgres", "drop role keeper_one; drop role keeper_two")


def test_dependent_views_stay_when_the_shape_stays(postgres_server, database, loader):
    loader.load(numbers(1), to())
    postgres_server.psql(database, "create view v as select id from t; create view v2 as select * from v")
    assert loader.dependents(Relation("t", "public")) == ["public.v2", "public.v"]
    loader.load(numbers(5, 6), to())
    assert ids(postgres_server, database, "v2") == "5,6"


def test_dependent_views_stop_a_new_shape_unless_they_may_be_dropped(postgres_server, database, loader):
    loader.load(numbers(1), to())
    postgres_server.psql(
        database,
        'create view v as select id from t; create materialized view "M v" as select * from v; '
        "create view alone as select 1",
    )
    wider = {"id": pa.array([8], pa.int64())}
    with pytest.raises(DataError, match=r"public\.M v.*public\.v") as caught:
        loader.load(stream(**wider), to())
    assert "--full-refresh" in str(caught.value)
    assert ids(postgres_server, database) == "1"
    assert ids(postgres_server, database, "v") == "1"
    loader.load(stream(**wider), to(drop_dependents=True))
    assert ids(postgres_server, database) == "8"
    views = "select string_agg(relname, ',') from pg_class where relkind in ('v','m')"
    views += " and relnamespace = 'public'::regnamespace"
    assert postgres_server.psql(database, views) == "alone"


@pytest.mark.parametrize(
    "extra",
    [
        "create table child (t_id int references t (id))",
        "create function f() returns trigger language plpgsql as 'begin return new; end'; "
        "create trigger trig before update on t for each row execute function f()",
        "alter table t enable row level security; create policy p on t using (true)",
        "create publication pub for table t",
        "create function g(t) returns int language sql as 'select 1'",
    ],
)
def test_what_cannot_be_written_down_again_keeps_the_table(postgres_server, database, loader, extra):
    loader.load(numbers(1), to())
    postgres_server.psql(database, f"alter table t add primary key (id); {extra}")
    oid = postgres_server.psql(database, "select 't'::regclass::oid")
    loader.load(numbers(2), to())
    assert ids(postgres_server, database) == "2"
    assert postgres_server.psql(database, "select 't'::regclass::oid") == oid
    with pytest.raises(DataError, match="hang"):
        loader.load(stream(id=pa.array(["x"])), to(drop_dependents=True))
    assert ids(postgres_server, database) == "2"


def test_a_view_under_the_target_s_name_is_replaced(postgres_server, database, loader):
    for kind in ("view", "materialized view"):
        postgres_server.psql(database, f"drop table if exists t; create {kind} t as select 1 as id")
        loader.load(numbers(3), to())
        assert ids(postgres_server, database) == "3"
    postgres_server.psql(database, "drop table t; create view t as select 1 as id; create view v as select * from t")
    with pytest.raises(DataError, match=r"public\.v"):
        loader.load(numbers(3), to())


def test_append_merge_and_delete_insert(postgres_server, database, loader):
    key = {"unique_key": ("id",)}
    loader.load(numbers(1, 2), to(mode="append"))
    loader.load(numbers(3), to(mode="append"))
    assert ids(postgres_server, database) == "1,2,3"
    changed = {"name": pa.array(["new", "four"]), "id": pa.array([3, 4], pa.int32())}  # another order of columns
    loader.load(stream(**changed), to(mode="merge", **key))
    loader.load(stream(**changed), to(mode="merge", **key))
    assert postgres_server.psql(database, "select id, name from t order by 1") == "1|n1\n2|n2\n3|new\n4|four"
    loader.load(numbers(4, 5), to(mode="delete+insert", **key))
    assert postgres_server.psql(database, "select id, name from t order by 1") == "1|n1\n2|n2\n3|new\n4|n4\n5|n5"
    for mode in ("append", "merge", "delete+insert"):
        loader.load(numbers(), to(mode=mode, **key))
    assert ids(postgres_server, database) == "1,2,3,4,5"
    for mode in ("merge", "delete+insert"):
        with pytest.raises(DuplicateKeyError, match="id = '9'"):
            loader.load(numbers(9, 8, 9), to(mode=mode, **key))
    with pytest.raises(DataError, match="'extra'"):
        loader.load(stream(id=pa.array([1], pa.int32()), extra=pa.array([1])), to(mode="append"))
    assert ids(postgres_server, database) == "1,2,3,4,5"
    assert tables(postgres_server, database) == "t"


def test_statements_run_as_one_string_by_psycopg2(postgres_server, database, loader):
    loader.load(numbers(1), to())
    postgres_server.psql(database, "comment on table t is '100%s %% {{ x }}; --'; create index \"i%s\" on t (id)")
    private = Relation(private_name("t", "0000abcd"), "public")
    loader.stage(numbers(2), private)
    place = postgres_server.output(database)
    session = psycopg2.connect(**{key: place[key] for key in ("host", "port", "user", "password", "dbname")})
    with session, session.cursor() as cursor:
        cursor.execute(";\n".join(loader.landing_sql(private, to())), None)
    session.close()
    assert ids(postgres_server, database) == "2"
    assert postgres_server.psql(database, "select obj_description('t'::regclass, 'pg_class')") == "100%s %% {{ x }}; --"
    loader.drop(private)
    assert tables(postgres_server, database) == "t"


def test_indexes_of_dbt_are_left_to_dbt(postgres_server, database, loader):
    loader.load(numbers(1), to())
    postgres_server.psql(database, f'create index "{"0a" * 16}" on t (id); create index mine on t (id)')
    loader.load(numbers(2), to())
    index = "select string_agg(indexname, ',') from pg_indexes where tablename = 't'"
    assert postgres_server.psql(database, index) == "mine"


def test_schemas_and_privileges(postgres_server, database, loader):
    loader.ensure_schema(Relation("t", 'new "schema"'))
    loader.check_create_privilege('new "schema"')
    postgres_server.psql(database, "drop role if exists pauper; create role pauper login password 'p4uperpass'")
    try:
        output = postgres_server.output(database) | {"user": "pauper", "password": "p4uperpass"}
        from dvt.federation.registry import open_connection

        with PostgresLoader(open_connection("poor", output)) as poor:
            poor.ensure_schema(Relation("t", 'new "schema"'))  # exists: no right to create one is needed
            with pytest.raises(PrivilegeError):
                poor.check_create_privilege('new "schema"')
            with pytest.raises(PrivilegeError):
                poor.ensure_schema(Relation("t", "another"))
        with PostgresLoader(open_connection("role", postgres_server.output(database, role="pauper"))) as other:
            with pytest.raises(PrivilegeError):
                other.check_create_privilege('new "schema"')
    finally:
        postgres_server.psql(database, "drop role pauper")
