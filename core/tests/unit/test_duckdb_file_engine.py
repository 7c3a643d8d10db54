"""DuckDB files, read and written; the oracle is DuckDB's own cast to text, computed in the file."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import duckdb
import pyarrow as pa
import pytest
from local_engines import ALL_TYPES, connection, from_table, read, stream

from dvt.errors import (
    ConfigurationError,
    ConnectionFailedError,
    DataError,
    DuplicateKeyError,
    QueryError,
    RelationNotFoundError,
    TimeoutExceededError,
    UnsupportedError,
)
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.duckdb import DuckDBExtractor
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.duckdb import DuckDBLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation


@pytest.fixture
def con(tmp_path):
    return connection("duckdb", tmp_path, path="a.duckdb")


@pytest.fixture
def raw(tmp_path):
    with duckdb.connect(str(tmp_path / "a.duckdb")) as session:
        session.execute("set timezone = 'UTC'")
        yield session


@pytest.fixture
def extractor(con, raw):
    with DuckDBExtractor(con) as opened:
        yield opened


@pytest.fixture
def loader(con):
    with DuckDBLoader(con) as opened:
        yield opened


def load(loader, sql, name="t", schema="main", **config):
    return loader.load(stream(sql), LoadConfig(Relation(name, schema), run_id="0a1b2c3d", **config))


def test_all_types_keep_type_and_text_from_file_to_file(raw, loader, extractor):
    raw.execute(f"create table source as {ALL_TYPES}")
    with extractor.scan(ExtractionConfig(relation=Relation("source", "main", "a"))) as found:
        assert loader.load(found, LoadConfig(Relation("t", "main"))).rows == 2
    shape = "select column_name, data_type from duckdb_columns() where table_name = '{}' order by column_index"
    assert raw.execute(shape.format("t")).fetchall() == raw.execute(shape.format("source")).fetchall()
    texts = "select columns(*)::varchar from {} order by 1"
    want = raw.execute(texts.format("source")).fetchall()
    assert raw.execute(texts.format("t")).fetchall() == want
    assert [value is None for value in want[1]] == [True] * 27


def test_relative_paths_start_at_the_project(con, tmp_path, raw, monkeypatch):
    raw.execute("create table t as select 1 as x")
    monkeypatch.chdir("/")
    with DuckDBExtractor(con) as extractor:
        assert read(extractor, "t").to_pydict() == {"x": [1]}


def test_dbt_duckdb_and_dvt_share_one_instance_in_a_process(con, tmp_path, raw, extractor, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw.execute("create table t as select 1 as x")
    with duckdb.connect("a.duckdb", read_only=False, config={}) as dbt:  # as dbt-duckdb connects
        dbt.execute("insert into t values (2)")
        assert read(extractor, "t").column("x").to_pylist() == [1, 2]
        # what a session needs for itself does not leak into dbt's
        assert dbt.execute("select current_setting('python_enable_replacements')").fetchall() == [(True,)]


def test_another_configuration_is_a_clear_error(tmp_path, raw):
    other = connection("duckdb", tmp_path, path="a.duckdb", config_options={"threads": 1})
    with pytest.raises(ConnectionFailedError, match="config_options"), DuckDBExtractor(other) as extractor:
        extractor.ping()


def test_a_file_of_another_process_is_a_clear_error(tmp_path):
    code = "import duckdb, sys; c = duckdb.connect('a.duckdb'); print('open', flush=True); sys.stdin.read()"
    owner = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert owner.stdout.readline() == "open\n"
        with DuckDBExtractor(connection("duckdb", tmp_path, path="a.duckdb")) as extractor:
            with pytest.raises(ConnectionFailedError, match="another process"):
                extractor.ping()
    finally:
        owner.communicate("")


def test_a_missing_file_is_named_and_not_created(tmp_path):
    with DuckDBExtractor(connection("duckdb", tmp_path, path="no.duckdb")) as extractor:
        with pytest.raises(ConnectionFailedError, match=r"no\.duckdb"):
            extractor.ping()
    assert os.listdir(tmp_path) == []


def test_memory_is_a_place_of_its_own_and_no_landing(tmp_path):
    one, two = (connection("duckdb", tmp_path, name, path=":memory:") for name in ("one", "two"))
    assert one.place != two.place
    assert connection("duckdb", tmp_path, path="x.db").place == connection("duckdb", tmp_path, path="./y/../x.db").place
    with DuckDBLoader(one) as loader, pytest.raises(ConfigurationError, match="memory"):
        load(loader, "select 1 as x")


def test_attached_databases_are_read(tmp_path, raw):
    with duckdb.connect(str(tmp_path / "other.duckdb")) as other:
        other.execute("create table t as select 7 as x")
    attach = [{"path": "other.duckdb", "alias": "o x", "read_only": True}]
    with DuckDBExtractor(connection("duckdb", tmp_path, path="a.duckdb", attach=attach)) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("t", "main", "o x"))) as found:
            assert found.to_table().to_pydict() == {"x": [7]}


def test_all_scans_see_one_snapshot(raw, extractor):
    raw.execute("create table a (x int)")
    raw.execute("create table b (x int)")
    assert extractor.get_row_count(Relation("a")) == 0
    raw.execute("insert into b values (1)")
    assert extractor.get_row_count(Relation("b")) == 0
    extractor.close()
    assert extractor.get_row_count(Relation("b")) == 1


@pytest.mark.parametrize("query", ["insert into t values (1)", "select 1; select 2", "drop table t"])
def test_only_one_select_is_a_query(raw, extractor, query):
    raw.execute("create table t (x int)")
    with pytest.raises(UnsupportedError):
        extractor.extract_stream(query)
    assert raw.execute("select count(*) from t").fetchall() == [(0,)]


def test_projection_limit_and_unknown_names(raw, extractor):
    raw.execute("create table t as select i as a, i + 1 as \"b c\", 'x' as s from range(10) r(i)")
    assert read(extractor, "t", columns=("b c", "a"), limit=2).to_pydict() == {"b c": [1, 2], "a": [0, 1]}
    with pytest.raises(RelationNotFoundError):
        read(extractor, "t", columns=("nope",))
    with pytest.raises(RelationNotFoundError):
        read(extractor, "nope")


def test_a_value_too_large_in_the_middle_of_a_scan_names_the_column(raw, extractor):
    raw.execute("create table t as select i::hugeint as h from range(300000) r(i)")
    raw.execute("insert into t values (170141183460469231731687303715884105727)")
    with pytest.raises(DataError) as caught:
        read(extractor, "t", batch_size=1000)
    assert (caught.value.column, caught.value.connection, caught.value.relation) == ("h", "con", "t")


def test_timeout_ends_the_statement(tmp_path, raw):
    slow = "select count(*) from range(10000000) a(i), range(1000000) b(j) where i * j % 7 = 3"
    con = connection("duckdb", tmp_path, path="a.duckdb", dvt={"statement_timeout_s": 1})
    with DuckDBExtractor(con) as extractor, pytest.raises(TimeoutExceededError):
        extractor.extract_stream(slow).to_table()


def test_closing_a_stream_early_frees_the_session(raw, extractor):
    raw.execute("create table t as select i from range(1000000) r(i)")
    with extractor.scan(ExtractionConfig(relation=Relation("t"), batch_size=1000)) as found:
        found.read_batch(10)
    assert extractor.get_row_count(Relation("t")) == 1000000


def test_a_swap_keeps_comments_indexes_and_views(raw, loader):
    raw.execute('create schema "s x"')
    load(loader, "select 1 as \"a b\", 'x' as s", name='t"1', schema="s x")
    name = '"s x"."t""1"'
    raw.execute(f"comment on table {name} is 'it''s'")
    raw.execute(f"comment on column {name}.\"a b\" is 'one'")
    raw.execute(f'create unique index "i x" on {name} ("a b")')
    raw.execute(f"create view v as select * from {name}")
    load(loader, "select 5 as \"a b\", 'y' as s", name='t"1', schema="s x")
    assert raw.execute("select * from v").fetchall() == [(5, "y")]
    assert raw.execute("select comment from duckdb_tables()").fetchall() == [("it's",)]
    rows = raw.execute(
        "select comment from duckdb_columns() where comment is not null and table_name = 't\"1'"
    ).fetchall()
    assert rows == [("one",)]
    with pytest.raises(duckdb.ConstraintException):
        raw.execute(f"insert into {name} values (5, 'z')")


def test_a_view_becomes_a_table(raw, loader):
    raw.execute("create view t as select 1 as x")
    load(loader, "select 2 as x")
    assert raw.execute("select table_name from duckdb_tables()").fetchall() == [("t",)]


def test_append_merge_and_delete_insert(raw, loader):
    load(loader, "select * from (values (1, 'a'), (2, 'b'), (null, 'n')) t(id, s)")
    raw.execute("create unique index by_id on t (id)")
    load(loader, "select 3 as id, 'c' as s", mode="append")
    load(loader, "select * from (values ('B', 2), ('d', 4)) t(s, id)", mode="merge", unique_key=("id",))
    assert raw.execute("select id, s from t order by id nulls last").fetchall() == [
        (1, "a"),
        (2, "B"),
        (3, "c"),
        (4, "d"),
        (None, "n"),
    ]
    load(loader, "select 2 as id, 'y' as s", mode="delete+insert", unique_key=("id",))
    assert raw.execute("select s from t where id = 2").fetchall() == [("y",)]


@pytest.mark.parametrize("mode", ["merge", "delete+insert"])
def test_a_key_that_occurs_twice_is_an_error_with_the_key(raw, loader, mode):
    load(loader, "select 1 as id")
    with pytest.raises(DuplicateKeyError, match="id = 7"):
        load(loader, "select 7 as id from range(2)", mode=mode, unique_key=("id",))
    assert raw.execute("from t").fetchall() == [(1,)]
    assert raw.execute("select table_name from duckdb_tables()").fetchall() == [("t",)]


@pytest.mark.parametrize(
    ("value", "declared"),
    [("1.555", "decimal(10,2)"), ("1.5::double", "integer"), ("'1.5'", "decimal(10,2)"), ("now()", "date")],
)
def test_a_declared_type_never_rounds(raw, loader, value, declared):
    with pytest.raises(DataError) as caught:
        load(loader, f"select {value} as v", declared={"v": declared})
    assert caught.value.column == "v"
    load(loader, "select 1.5::double as v, 3 as n", declared={"v": "decimal(10,2)", "n": "bigint"})
    assert raw.execute("select v::varchar, typeof(n) from t").fetchall() == [("1.50", "BIGINT")]


def test_appending_to_a_narrower_column_never_rounds(raw, loader):
    raw.execute("create table t (v decimal(10,2), g int generated always as (1))")
    with pytest.raises(DataError) as caught:
        load(loader, "select 1.555 as v", mode="append")
    assert caught.value.column == "v"
    load(loader, "select 1.5 as v", mode="append")
    assert raw.execute("select v::varchar from t").fetchall() == [("1.50",)]


def test_intervals_with_nanoseconds_are_refused(loader):
    table = pa.table({"v": pa.array([(0, 0, 1500)], pa.month_day_nano_interval())})
    with pytest.raises(DataError) as caught:
        loader.load(from_table(table), LoadConfig(Relation("t", "main")))
    assert caught.value.column == "v"


def test_zero_rows_give_a_typed_table(raw, loader):
    assert load(loader, "select 1::decimal(10,2) as n, [true] as l where false").rows == 0
    assert raw.execute("select typeof(n), typeof(l) from t right join (select 1) on true").fetchall() == [
        ("DECIMAL(10,2)", "BOOLEAN[]")
    ]


def test_a_source_that_fails_in_the_middle_leaves_the_old_table(raw, loader):
    load(loader, "select 1 as v")

    def batches():
        yield pa.record_batch({"v": pa.array([2], pa.int32())})
        raise QueryError("the source broke")

    with pytest.raises(QueryError, match="the source broke"):
        loader.load(RowStream([ColumnSchema("v", pa.int32())], batches()), LoadConfig(Relation("t", "main")))
    assert raw.execute("from t").fetchall() == [(1,)]
    assert raw.execute("select table_name from duckdb_tables()").fetchall() == [("t",)]


def test_readers_never_miss_the_table_while_it_is_swapped(tmp_path, raw, loader):
    load(loader, "select 1 as v from range(100)")
    is_over, seen, problems = threading.Event(), set(), []

    def look():
        session = raw.cursor()
        while not is_over.is_set():
            try:
                seen.update(session.execute("select count(*), count(distinct v) from t").fetchall())
            except duckdb.Error as error:
                problems.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for version in range(20):
            load(loader, f"select {version} as v from range(100)")
    finally:
        is_over.set()
        reader.join()
    assert not problems
    assert seen == {(100, 1)}


def test_secrets_of_the_profile_are_never_printed(tmp_path):
    token = "very-secret-token"
    con = connection("duckdb", tmp_path, path="a.duckdb", motherduck_token=token)
    assert token not in repr(con)
    with DuckDBLoader(con) as loader, pytest.raises(Exception) as caught:
        loader.ensure_schema(Relation("t", "main"))
    assert token not in str(caught.value)
