"""SQLite, read and written; the oracle is sqlite3 itself with typeof() and quote(), on the same file."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pyarrow as pa
import pytest
from local_engines import connection, from_table, read, stream

from dvt.errors import (
    ConnectionFailedError,
    DataError,
    DuplicateKeyError,
    InterruptedRunError,
    QueryError,
    RelationNotFoundError,
    TimeoutExceededError,
)
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.sqlite import SQLiteExtractor
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.sqlite import SQLiteLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation


@pytest.fixture
def con(tmp_path):
    return connection("sqlite", tmp_path, path="a.db")


@pytest.fixture
def raw(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as session:
        yield session


@pytest.fixture
def extractor(con, raw):
    raw.execute("create table if not exists keep (x int)")
    with SQLiteExtractor(con) as opened:
        yield opened


@pytest.fixture
def loader(con):
    with SQLiteLoader(con) as opened:
        yield opened


def load(loader, sql, name="t", **config):
    return loader.load(stream(sql), LoadConfig(Relation(name, "main"), run_id="0a1b2c3d", **config))


# declared type, SQL literal stored, its text as Arrow and DuckDB's vocabulary say
STORED = [
    ("INTEGER", "-9223372036854775808", pa.int64(), "-9223372036854775808"),
    ("BOOLEAN", "1", pa.bool_(), "true"),
    ("DOUBLE", "1.1", pa.float64(), "1.1"),
    ("REAL", "9e999", pa.float64(), "inf"),
    ("DECIMAL(10,2)", "12.50", pa.decimal128(10, 2), "12.50"),
    ("DECIMAL(10,2)", "'1e3'", pa.decimal128(10, 2), "1000.00"),
    ("NUMERIC", "0.1", pa.decimal128(38, 9), "0.100000000"),
    ("NUMERIC(30)", "9223372036854775807", pa.decimal128(30, 0), "9223372036854775807"),
    ("DATE", "'2024-02-29'", pa.date32(), "2024-02-29"),
    ("TIMESTAMP", "'2024-02-29T10:00:00.5'", pa.timestamp("us"), "2024-02-29 10:00:00.500000"),
    ("TIMESTAMPTZ", "'2024-02-29 10:00:00+02:00'", pa.timestamp("us", "UTC"), "2024-02-29 08:00:00.000000Z"),
    ("TIME", "'23:59:59.999999'", pa.time64("us"), "23:59:59.999999"),
    ("VARCHAR(3)", "'longer than three é\U0001f600'", pa.string(), "longer than three é\U0001f600"),
    ("TEXT", "''", pa.string(), ""),
    ("TEXT", "char(97, 0, 98)", pa.string(), "a\0b"),
    ("UUID", "'6f2c1f9e-1111-4222-8333-444455556666'", pa.uuid(), "6f2c1f9e-1111-4222-8333-444455556666"),
    ("JSON", "'{\"a\": null}'", pa.json_(), '{"a": null}'),
    ("JSON", "'5'", pa.json_(), "5"),
    ("", "'text'", pa.string(), "text"),
    ("ANY", "1.5", pa.float64(), "1.5"),
]


@pytest.mark.parametrize(("declared", "stored", "type_", "text"), STORED)
def test_declared_types_are_read_by_value(raw, extractor, declared, stored, type_, text):
    raw.execute(f"create table t (v {declared})")
    raw.execute(f"insert into t values (null), ({stored})")
    found = read(extractor, "t").column("v").combine_chunks()
    assert found.type == type_
    assert found[0].as_py() is None
    if type_ == pa.uuid():
        assert str(found[1].as_py()) == text
    else:
        storage = found.storage if isinstance(found, pa.ExtensionArray) else found
        assert storage.cast(pa.string())[1].as_py() == text


@pytest.mark.parametrize(
    ("declared", "stored"),
    [
        ("INTEGER", "'x'"),
        ("INTEGER", "1.5"),
        ("BOOLEAN", "2"),
        ("DOUBLE", "'x'"),
        ("DECIMAL(10,2)", "1.555"),
        ("DECIMAL(4,2)", "1000"),
        ("DATE", "20240229"),
        ("DATE", "'2024-02-30'"),
        ("DATE", "'2024-02-29 10:00:00'"),
        ("TIMESTAMP", "'2024-02-29 10:00:00+02:00'"),
        ("TIMESTAMP", "'2024-02-29 10:00:00.1234567'"),
        ("TIMESTAMPTZ", "'2024-02-29 10:00:00'"),
        ("TIME", "'24:00:00'"),
        ("TEXT", "x'00'"),
        ("BLOB", "'text'"),
        ("UUID", "'6F2C1F9E-1111-4222-8333-444455556666'"),
        ("JSON", "'{'"),
        ("JSON", "'NaN'"),
    ],
)
def test_a_value_of_another_type_stops_the_scan_and_names_column_and_row(raw, extractor, declared, stored):
    raw.execute(f'create table t (id int, "a v" {declared})')
    raw.execute(f"insert into t values (1, null), (2, null), (3, {stored})")
    with pytest.raises(DataError) as caught:
        read(extractor, "t", batch_size=2)
    assert (caught.value.column, caught.value.rows) == ("a v", "row 3 of the scan")


def test_a_late_text_in_an_undeclared_column_is_found_before_the_first_row(raw, extractor):
    raw.execute("create table t (v)")
    raw.execute(
        "insert into t with recursive r(i) as (select 0 union all select i + 1 from r limit 5000) select i from r"
    )
    assert extractor.describe(ExtractionConfig(relation=Relation("t")))[0].type == pa.int64()
    extractor.close()
    raw.execute("insert into t values ('x')")
    with pytest.raises(DataError, match="integer, text"):
        extractor.describe(ExtractionConfig(relation=Relation("t")))
    assert read(extractor, "t", declared={"v": "text"}).column("v").to_pylist()[-2:] == ["4999", "x"]


def test_all_types_land_and_come_back(raw, loader, extractor):
    sql = """select * from (values
        (true, 1::tinyint, 2::smallint, 3::int, -9223372036854775807::bigint, 4::ubigint, 1.1::float, 1.1::double,
         12.50::decimal(10,2), 12345678901234567::decimal(38,0), '', 'it''s "é" '||chr(10), '\\x00\\xFF'::blob,
         date '0001-01-01', time '10:00:00.5', timestamp '9999-12-31 23:59:59.999999',
         timestamptz '2024-03-31 02:30:00+02', interval '14 months -3 days 1.5 seconds',
         '6f2c1f9e-1111-4222-8333-444455556666'::uuid, '1.0'::json, [1.50, null],
         {'a': 'x"y', 'd': date '2024-01-01'}, map {'k': 1})
      ) t(b, i1, i2, i4, i8, u8, f4, f8, n, big, e, s, bin, d, ti, ts, tz, iv, u, j, l, st, m)"""
    result = load(loader, sql)
    assert result.rows == 1
    names = [row[1] for row in raw.execute("pragma table_info(t)")]
    row = raw.execute("select " + ", ".join(f"quote({n}), typeof({n})" for n in names) + " from t").fetchone()
    got = dict(zip(names, zip(row[::2], row[1::2], strict=True), strict=True))
    assert got == {
        "b": ("1", "integer"),
        "i1": ("1", "integer"),
        "i2": ("2", "integer"),
        "i4": ("3", "integer"),
        "i8": ("-9223372036854775807", "integer"),
        "u8": ("4", "integer"),
        "f4": ("1.10000002384185791015e+00", "real"),
        "f8": ("1.1", "real"),
        "n": ("12.5", "real"),
        "big": ("12345678901234567", "integer"),
        "e": ("''", "text"),
        "s": ("'it''s \"é\" \n'", "text"),
        "bin": ("X'00FF'", "blob"),
        "d": ("'0001-01-01'", "text"),
        "ti": ("'10:00:00.5'", "text"),
        "ts": ("'9999-12-31 23:59:59.999999'", "text"),
        "tz": ("'2024-03-31 00:30:00+00:00'", "text"),
        "iv": ("'P1Y2M-3DT1.5S'", "text"),
        "u": ("'6f2c1f9e-1111-4222-8333-444455556666'", "text"),
        "j": ("'1.0'", "text"),
        "l": ("'[1.50,null]'", "text"),
        "st": ('\'{"a":"x\\"y","d":"2024-01-01"}\'', "text"),
        "m": ("'{\"k\":1}'", "text"),
    }
    back = read(extractor, "t")
    source = stream(sql).to_table()
    for name in ("b", "n", "big", "s", "bin", "d", "ti", "ts", "tz", "u", "j"):
        assert back.column(name).to_pylist() == source.column(name).to_pylist(), name


@pytest.mark.parametrize(
    "value",
    [
        "'nan'::double",
        "9223372036854775808::ubigint",
        "'infinity'::timestamp",
        "'-infinity'::date",
        "'2020-01-01 00:00:00.000000001'::timestamp_ns",
        "'24:00:00'::time",
        "1234567890123456.78::decimal(20,2) + 0.005::decimal(20,3)",
        "['nan'::double]",
        "['\\x00'::blob]",
    ],
)
def test_what_sqlite_would_change_is_refused_and_the_old_table_stays(raw, loader, value):
    load(loader, "select 1 as v")
    with pytest.raises(DataError) as caught:
        load(loader, f"select {value} as v from range(10)")
    assert caught.value.column == "v"
    assert raw.execute("select v from t").fetchall() == [(1,)]
    assert raw.execute("select name from sqlite_master").fetchall() == [("t",)]


def test_infinite_doubles_are_kept(raw, loader):
    load(loader, "select 'infinity'::double as v")
    assert raw.execute("select v = 9e999 from t").fetchone() == (1,)


def test_negative_zero_is_zero_in_a_column_of_numbers(raw, loader):
    """SQLite's own spelling of the double tells the sign in a text; for an untyped column the driver's double does."""
    sql = "select z as d, z::float as f, z as n, z as s, z as x, [z] as l from (select '-0'::double as z)"
    load(loader, sql, declared={"n": "NUMERIC", "s": "TEXT", "x": "BLOB"})
    shown = raw.execute(
        "select quote(d), quote(f), quote(n), quote(s), typeof(x), quote(l), d = -0.0 from t"
    ).fetchone()
    assert shown == ("0.0", "0.0", "0", "'-0.0'", "real", "'[-0.0]'", 1)
    assert repr(raw.execute("select x from t").fetchone()[0]) == "-0.0"


def test_a_declared_text_keeps_all_digits_and_a_declared_number_never_eats_text(raw, loader):
    load(loader, "select 12345678901234567890.12::decimal(38,2) as v, '007' as s", declared={"v": "TEXT"})
    assert raw.execute("select v, typeof(v) from t").fetchone() == ("12345678901234567890.12", "text")
    with pytest.raises(DataError, match="number 7"):
        load(loader, "select '007' as s", declared={"s": "NUMERIC"})
    assert raw.execute("select v from t").fetchone() == ("12345678901234567890.12",)


def test_zero_rows_give_a_typed_table(raw, loader, extractor):
    assert load(loader, "select 1::decimal(10,2) as n, 'x' as s where false").rows == 0
    assert read(extractor, "t").schema.types == [pa.decimal128(10, 2), pa.string()]


def test_odd_names(raw, loader, extractor):
    name, column = 'a"b;--\n%s {x}. é select', "0 \"c\", 'd'"
    table = pa.table({column: [1, 2]})
    loader.load(from_table(table), LoadConfig(Relation(name, "main")))
    assert (name,) in raw.execute("select name from sqlite_master").fetchall()
    assert read(extractor, name).to_pydict() == {column: [1, 2]}
    with pytest.raises(RelationNotFoundError):  # SQLite itself would read it as the text 'nope'
        read(extractor, name, columns=("nope",))


def test_a_swap_keeps_indexes_triggers_and_views(raw, loader):
    load(loader, "select 1 as id, 'a' as s")
    raw.execute("create index by_s on t (s)")
    raw.execute("create table log (x)")
    raw.execute("create trigger after_t after insert on t begin insert into log values (new.id); end")
    raw.execute("create view v as select id + 1 as next from t")
    raw.execute("create view broken as select * from nowhere")
    load(loader, "select 5 as id, 'b' as s")
    assert raw.execute("select next from v").fetchall() == [(6,)]
    raw.execute("insert into t values (7, 'c')")
    assert raw.execute("select x from log").fetchall() == [(7,)]
    assert "USING COVERING INDEX by_s" in str(
        raw.execute("explain query plan select s from t where s = 'b'").fetchall()
    )
    with pytest.raises(DataError, match="by_s"):
        load(loader, "select 1 as id")
    load(loader, "select 1 as id", drop_dependents=True)
    assert raw.execute("select * from t").fetchall() == [(1,)]


def test_append_merge_and_delete_insert(raw, loader):
    load(loader, "select * from (values (1, 'a'), (2, 'b'), (null, 'n')) t(id, s)")
    load(loader, "select 3 as id, 'c' as s", mode="append")
    load(loader, "select * from (values ('B', 2), (null, 9), ('d', 4)) t(s, id)", mode="merge", unique_key=("id",))
    want = [(None, None), (None, "n"), (1, "a"), (2, "B"), (3, "c"), (4, "d")]
    want[0] = (9, None)
    assert sorted(raw.execute("select id, s from t").fetchall(), key=str) == sorted(want, key=str)
    load(loader, "select 1 as id, 'z' as s", mode="delete+insert", unique_key=("id", "s"))
    load(loader, "select 2 as id, 'y' as s", mode="delete+insert", unique_key=("id",))
    rows = raw.execute("select id, s from t where id in (1, 2) order by 1, 2").fetchall()
    assert rows == [(1, "a"), (1, "z"), (2, "y")]


def test_merge_on_a_target_without_row_ids_and_with_a_nocase_key(raw, loader):
    raw.execute("create table t (k text collate nocase, v bigint, n bigint, primary key (k, n)) without rowid")
    raw.execute("insert into t values ('a', 1, 1)")
    load(loader, "select * from (values ('a', 2, 1), ('A', 3, 2)) t(k, v, n)", mode="merge", unique_key=("k", "n"))
    assert raw.execute("select k, v, n from t order by n").fetchall() == [("a", 2, 1), ("A", 3, 2)]


@pytest.mark.parametrize("mode", ["merge", "delete+insert"])
def test_a_key_that_occurs_twice_is_an_error_with_the_key(raw, loader, mode):
    load(loader, "select 1 as id, 'a' as s")
    with pytest.raises(DuplicateKeyError, match="id = 7"):
        load(loader, "select 7 as id, 'a' as s from range(2)", mode=mode, unique_key=("id",))
    assert raw.execute("select * from t").fetchall() == [(1, "a")]
    assert raw.execute("select count(*) from sqlite_master").fetchone() == (1,)


def test_rows_that_the_target_would_store_otherwise_are_refused(raw, loader):
    raw.execute("create table t (id integer, g as (id + 1))")
    with pytest.raises(DataError, match="INTEGER"):
        load(loader, "select '007' as id", mode="append")
    with pytest.raises(DataError, match="computes"):
        load(loader, "select 1 as id, 2 as g", mode="append")
    load(loader, "select 1 as id", mode="append")
    assert raw.execute("select id, g from t").fetchall() == [(1, 2)]


def test_landing_statements_are_plain_sql_for_another_session(raw, loader):
    load(loader, "select 1 as id")
    raw.execute("create view v as select * from t")
    private = Relation("t__dvt_ffffffff", "main")
    loader.stage(stream("select 2 as id"), private)
    statements = loader.landing_sql(private, LoadConfig(Relation("t", "main")))
    raw.execute("begin")
    for statement in statements:
        raw.execute(statement)
    raw.execute("rollback")
    assert raw.execute("select id from v").fetchall() == [(1,)]
    raw.execute("begin")
    for statement in statements:
        raw.execute(statement)
    raw.execute("commit")
    assert raw.execute("select id from v").fetchall() == [(2,)]


def test_all_scans_see_one_snapshot(raw, extractor):
    raw.execute("pragma journal_mode = wal")
    raw.execute("create table a (x int)")
    raw.execute("create table b (x int)")
    assert extractor.get_row_count(Relation("a")) == 0
    raw.execute("insert into b values (1)")
    assert extractor.get_row_count(Relation("b")) == 0
    extractor.close()
    assert extractor.get_row_count(Relation("b")) == 1


def test_readers_never_miss_the_table_while_it_is_swapped(con, tmp_path, loader):
    load(loader, "select 1 as v from range(100)")
    is_over, seen, problems = threading.Event(), set(), []

    def look():
        with closing(sqlite3.connect(tmp_path / "a.db", timeout=30)) as session:
            while not is_over.is_set():
                try:
                    seen.add(session.execute("select count(*), count(distinct v) from t").fetchone())
                except sqlite3.Error as error:
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


def test_a_source_that_fails_in_the_middle_leaves_the_old_table(raw, loader):
    load(loader, "select 1 as v")

    def batches():
        yield pa.record_batch({"v": pa.array([2], pa.int32())})
        raise QueryError("the source broke")

    with pytest.raises(QueryError, match="the source broke"):
        loader.load(RowStream([ColumnSchema("v", pa.int32())], batches()), LoadConfig(Relation("t", "main")))
    assert raw.execute("select v from t").fetchall() == [(1,)]
    assert raw.execute("select count(*) from sqlite_master").fetchone() == (1,)


def test_a_query_keeps_declared_types_and_its_comment(raw, extractor):
    raw.execute("create table t (d date, n decimal(10,2))")
    raw.execute("insert into t values ('2024-01-01', 1.5)")
    with extractor.scan(ExtractionConfig(query="select d, n, n * 2 as x from t -- all;")) as found:
        table = found.to_table()
    assert table.schema.types == [pa.date32(), pa.decimal128(10, 2), pa.float64()]
    assert table.column("x").to_pylist() == [3.0]


def test_nothing_can_be_written_by_a_reader(raw, extractor):
    raw.execute("create table t (x int)")
    with pytest.raises(QueryError):
        extractor.extract_stream("delete from t")


def test_a_missing_file_is_named_and_not_created(tmp_path):
    with SQLiteExtractor(connection("sqlite", tmp_path, path="no.db")) as extractor:
        with pytest.raises(ConnectionFailedError, match=r"no\.db"):
            extractor.ping()
    assert not (tmp_path / "no.db").exists()


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "x.db").write_text("not a database, " * 100)
    with SQLiteExtractor(connection("sqlite", tmp_path, path="x.db")) as extractor:
        with pytest.raises(ConnectionFailedError, match=r"x\.db"):
            extractor.ping()


def test_a_locked_file_says_so(tmp_path, raw):
    raw.execute("create table t (x int)")
    raw.execute("begin exclusive")
    con = connection("sqlite", tmp_path, path="a.db", dvt={"connect_timeout_s": 1})
    with SQLiteLoader(con) as loader, pytest.raises(ConnectionFailedError, match="locked"):
        load(loader, "select 1 as x")


def test_timeout_and_cancel_end_the_statement(tmp_path, raw):
    raw.execute("create table t (x int)")
    endless = "with recursive r(i) as (select 1 union all select i + 1 from r) select count(*) from r"
    con = connection("sqlite", tmp_path, path="a.db", dvt={"statement_timeout_s": 1})
    with SQLiteExtractor(con) as extractor, pytest.raises(TimeoutExceededError):
        extractor.extract_stream(endless)
    with SQLiteExtractor(connection("sqlite", tmp_path, path="a.db")) as extractor:
        extractor.ping()
        timer = threading.Timer(0.2, extractor.cancel)
        timer.start()
        with pytest.raises(InterruptedRunError):
            extractor.extract_stream(endless)


def test_invalid_utf8_names_the_column(raw, extractor):
    raw.execute("create table t (s text)")
    raw.execute("insert into t values (cast(x'ff' as text))")
    with pytest.raises(DataError) as caught:
        read(extractor, "t")
    assert caught.value.column == "s"


def test_the_place_is_the_file(tmp_path):
    one = connection("sqlite", tmp_path, "one", path="x/../a.db")
    assert one.place == connection("sqlite", tmp_path, "two", path=str(tmp_path / "a.db"), schema="main").place
