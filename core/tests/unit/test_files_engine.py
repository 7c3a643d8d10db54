"""Parquet and CSV below a folder; the oracles are DuckDB's own readers, and the bytes of the files."""

from __future__ import annotations

import os
import threading

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_engines import ALL_TYPES, connection, from_table, read, stream

from dvt.errors import (
    ConfigurationError,
    ConnectionFailedError,
    DataError,
    QueryError,
    RelationNotFoundError,
    UnsupportedError,
)
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.files import FilesExtractor
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.files import FilesLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation


@pytest.fixture
def con(tmp_path):
    (tmp_path / "lake").mkdir()
    return connection("files", tmp_path, path="lake")


@pytest.fixture
def lake(con, tmp_path):
    return tmp_path / "lake"


@pytest.fixture
def extractor(con):
    with FilesExtractor(con) as opened:
        yield opened


@pytest.fixture
def loader(con):
    with FilesLoader(con) as opened:
        yield opened


def load(loader, sql, name="t", schema=None, **config):
    return loader.load(stream(sql), LoadConfig(Relation(name, schema), run_id="0a1b2c3d", **config))


def ask(sql):
    with duckdb.connect() as session:
        session.execute("set timezone = 'UTC'")
        return session.execute(sql).fetchall()


def test_all_types_land_in_parquet_with_the_same_text(lake, loader, extractor):
    sql = ALL_TYPES.replace("time '24:00:00'", "time '23:59:59.999999'")
    assert load(loader, sql).rows == 2
    texts = "select columns(* exclude (iv))::varchar from {} order by 1"
    with duckdb.connect() as session:
        session.execute("set timezone = 'UTC'")
        session.execute(f"create table source as {sql}")
        want = session.execute(texts.format("source")).fetchall()
        shape = "select columns(* exclude (iv)) from {} limit 0"
        assert session.sql(shape.format(f"'{lake}/t.parquet'")).types == session.sql(shape.format("source")).types
        assert session.execute(texts.format(f"'{lake}/t.parquet'")).fetchall() == want
    assert ask(f"select iv from '{lake}/t.parquet'") == [("P1Y2M-3DT1.5S",), (None,)]
    back, source = read(extractor, "t"), stream(sql).to_table()
    for name in back.schema.names:
        if name != "iv":
            assert back.schema.field(name).type == source.schema.field(name).type, name
            if name != "f8":  # NaN, which equals nothing
                assert back.column(name).combine_chunks().equals(source.column(name).combine_chunks()), name


def test_every_arrow_type_of_a_file_comes_inside_the_vocabulary(lake, extractor):
    table = pa.table(
        {
            "dict": pa.array(["a", None, "b"]).dictionary_encode(),
            "large": pa.array(["x", None, ""], pa.large_string()),
            "fixed": pa.array([b"ab", None, b"cd"], pa.binary(2)),
            "half": pa.array([1.5, None, -0.0], pa.float16()),
            "s": pa.array([1, None, 2], pa.timestamp("s", "Europe/Berlin")),
            "ms": pa.array([1, None, 2], pa.timestamp("ms")),
            "t32": pa.array([1, None, 2], pa.time32("ms")),
            "tns": pa.array([1000, None, 2000], pa.time64("ns")),
            "d256": pa.array([1, None, 2], pa.decimal256(60, 2)),
            "nothing": pa.nulls(3),
            "nested": pa.array([[{"a": "x"}], None, []], pa.large_list(pa.struct([("a", pa.large_string())]))),
            "keys": pa.array([[(1, 2)], None, []], pa.map_(pa.int32(), pa.int16())),
        }
    )
    pq.write_table(table, lake / "t.parquet")
    found = read(extractor, "t")
    assert [str(f.type) for f in found.schema] == [
        *("string", "string", "binary", "float", "timestamp[us, tz=UTC]", "timestamp[us]", "time64[us]", "time64[us]"),
        *("decimal128(38, 2)", "int32", "list<item: struct<a: string>>", "map<string, int16>"),
    ]
    assert found.slice(0, 1).to_pylist()[0] | {"s": 0, "ms": 0, "t32": 0, "tns": 0} == {
        "dict": "a",
        "large": "x",
        "fixed": b"ab",
        "half": 1.5,
        "s": 0,
        "ms": 0,
        "t32": 0,
        "tns": 0,
        "d256": pa.scalar(1, pa.decimal128(38, 2)).as_py(),
        "nothing": None,
        "nested": [{"a": "x"}],
        "keys": [("1", 2)],
    }
    assert found.column("tns").combine_chunks().cast(pa.int64()).to_pylist() == [1, None, 2]
    assert set(found.slice(1, 1).to_pylist()[0].values()) == {None}


@pytest.mark.parametrize(
    "column",
    [
        pa.array([10**40], pa.decimal256(50, 0)),
        pa.array([1], pa.time64("ns")),
        pa.array([1], pa.timestamp("ns", "UTC")),
        pa.array([1], pa.duration("s")),
    ],
)
def test_what_no_type_carries_names_file_and_column(lake, extractor, column):
    pq.write_table(pa.table({"a": [1], "v": column}), lake / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet") as caught:
        read(extractor, "t")
    assert caught.value.column == "v"


def test_a_folder_is_a_union_by_name_and_a_differing_type_names_the_file(lake, extractor):
    (lake / "t").mkdir()
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), lake / "t" / "1.parquet")
    pq.write_table(pa.table({"c": [True], "a": [2]}), lake / "t" / "2.parquet")
    (lake / "t" / "_SUCCESS").touch()
    (lake / "t" / ".hidden.parquet").write_text("torn")
    assert read(extractor, "t").to_pydict() == {"a": [1, 2], "b": ["x", None], "c": [None, True]}
    assert read(extractor, "t", columns=("c", "a"), limit=1).to_pydict() == {"c": [None], "a": [1]}
    assert extractor.get_row_count(Relation("t")) == 2
    pq.write_table(pa.table({"a": ["3"]}), lake / "t" / "3.parquet")
    with pytest.raises(DataError, match=r"3\.parquet") as caught:
        extractor.describe(ExtractionConfig(relation=Relation("t")))
    assert caught.value.column == "a"


def test_patterns_schemas_and_formats(lake, extractor):
    (lake / "sub").mkdir()
    pq.write_table(pa.table({"a": [1]}), lake / "sub" / "x1.parquet")
    pq.write_table(pa.table({"a": [2]}), lake / "sub" / "x2.parquet")
    (lake / "sub" / "x1.csv").write_text("a\n9\n")
    assert read(extractor, "any", file_options={"path": "sub/x*.parquet"}).to_pydict() == {"a": [1, 2]}
    assert read(extractor, "x2", "sub").to_pydict() == {"a": [2]}
    with pytest.raises(ConfigurationError, match=r"x1\.parquet and x1\.csv"):
        read(extractor, "x1", "sub")
    assert read(extractor, "x1", "sub", file_options={"format": "csv"}).to_pydict() == {"a": ["9"]}
    assert read(extractor, "x1.csv", "sub").to_pydict() == {"a": ["9"]}


def test_nothing_outside_of_the_root_is_read_or_written(lake, tmp_path, extractor, loader):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "out.parquet")
    (lake / "link.parquet").symlink_to(tmp_path / "out.parquet")
    for name, options in (
        ("../out", {}),
        ("link", {}),
        (str(tmp_path / "out"), {}),
        ("x", {"path": "../out.parquet"}),
        ("x", {"path": "*/../../out.parquet"}),
        ("x", {"path": str(tmp_path / "*.parquet")}),
        ("x\0", {}),
    ):
        with pytest.raises(ConfigurationError):
            read(extractor, name, file_options=options)
    with pytest.raises(ConfigurationError):
        load(loader, "select 2 as a", "../out")
    with pytest.raises(ConfigurationError):
        load(loader, "select 2 as a", "x", "..")
    assert ask(f"from '{tmp_path}/out.parquet'") == [(1,)]


def test_missing_things_are_named(tmp_path, extractor):
    with pytest.raises(RelationNotFoundError, match="nope"):
        read(extractor, "nope")
    with pytest.raises(RelationNotFoundError, match=r"no\.csv"):
        read(extractor, "x", file_options={"path": "no.csv"})
    with FilesExtractor(connection("files", tmp_path, path="nowhere")) as other:
        with pytest.raises(ConnectionFailedError, match="nowhere"):
            other.ping()


def test_a_torn_parquet_file_is_an_error(lake, extractor):
    (lake / "t.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(DataError):
        read(extractor, "t")


CSV_TYPES = {
    "i": "integer",
    "b": "bigint",
    "n": "numeric(10,2)",
    "d": "date",
    "ts": "timestamp",
    "tz": "timestamptz",
    "t": "boolean",
    "f": "double",
    "u": "uuid",
    "j": "json",
    "x": "varchar(2)",
    "ti": "time",
}


def test_csv_values_are_read_as_declared(lake, extractor):
    (lake / "t.csv").write_text(
        "i,b,n,d,ts,tz,t,f,u,j,x,ti\n"
        "007,-9223372036854775808,1.5,2024-02-29,2024-02-29 10:00:00.5,2024-02-29T10:00:00+02:00,t,nan,"
        '6f2c1f9e-1111-4222-8333-444455556666,"{""a"": 1.0}",007,23:59:59\n'
        ",,,,,,,,,,,\n"
    )
    row, empty = read(extractor, "t", declared=CSV_TYPES).to_pylist()
    assert set(empty.values()) == {None}
    texts = {name: str(value) for name, value in row.items()}
    assert texts == {
        "i": "7",
        "b": "-9223372036854775808",
        "n": "1.50",
        "d": "2024-02-29",
        "ts": "2024-02-29 10:00:00.500000",
        "tz": "2024-02-29 08:00:00+00:00",
        "t": "True",
        "f": "nan",
        "u": "6f2c1f9e-1111-4222-8333-444455556666",
        "j": '{"a": 1.0}',
        "x": "007",
        "ti": "23:59:59",
    }
    assert {str(field.type) for field in read(extractor, "t").schema} == {"string"}


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        *(("integer", value) for value in ("x", "1.0", " 1", "0x1F", "2147483648", '""')),
        *(("numeric(4,2)", value) for value in ("1.555", "100", "nan")),
        *(("date", value) for value in ("2024-02-30", "29.02.2024", "2024-02-29 00:00:00")),
        *(("timestamp", value) for value in ("2024-02-29 10:00:00Z", "2024-02-29 10:00:00.1234567")),
        *(("boolean", value) for value in ("yes", "2")),
        ("timestamptz", "2024-02-29 10:00:00"),
        ("uuid", "6f2c1f9e"),
        ("json", "{"),
    ],
)
def test_a_bad_value_names_file_column_value_and_row(lake, extractor, declared, value):
    (lake / "t.csv").write_text(f"id,v\n1,\n2,\n3,{value}\n")
    with pytest.raises(DataError, match=r"t\.csv") as caught:
        read(extractor, "t", declared={"v": declared}, batch_size=2)
    assert (caught.value.column, caught.value.rows) == ("v", "row 3")
    assert repr(value.strip('"')) in str(caught.value)


def test_null_and_empty_text_are_told_apart_and_so_is_backslash_n(lake, extractor):
    (lake / "t.csv").write_bytes(b'\xef\xbb\xbfa,"b ""c"""\r\n,""\r\n"x\r\ny",\\N\r\n"a,b",\xc3\xa9\r\n')
    assert read(extractor, "t").to_pydict() == {"a": [None, "x\r\ny", "a,b"], 'b "c"': ["", "\\N", "é"]}


@pytest.mark.parametrize("text", ["a,b\n1\n", "a,b\n1,2,3\n", 'a,b\n"1,2\n', "a,a\n1,2\n", ""])
def test_ragged_or_ambiguous_files_are_errors(lake, extractor, text):
    (lake / "t.csv").write_text(text)
    with pytest.raises(DataError):
        read(extractor, "t")


@pytest.mark.parametrize(("text", "rows"), [("a,b", 0), ("a,b\n", 0), ("a\n\n1\n", 2)])
def test_few_rows(lake, extractor, text, rows):
    (lake / "t.csv").write_text(text)
    assert read(extractor, "t", declared={"a": "bigint"}).num_rows == rows


def test_csv_options(tmp_path):
    (tmp_path / "t.csv").write_bytes("1;'ä;''';NA\n2;x;'NA'\n".encode("latin1"))
    options = {"delimiter": ";", "quote": "'", "header": False, "encoding": "latin1", "null_text": "NA"}
    declared = {"id": "int", "s": "text", "n": "text"}
    with FilesExtractor(connection("files", tmp_path, path=".", dvt=options)) as extractor:
        want = {"id": [1, 2], "s": ["ä;'", "x"], "n": [None, "NA"]}
        assert read(extractor, "t", declared=declared).to_pydict() == want
        assert read(extractor, "t", declared=declared, columns=("n",)).to_pydict() == {"n": want["n"]}
    with FilesExtractor(connection("files", tmp_path, path=".")) as extractor:
        assert read(extractor, "t", declared=declared, file_options=options).to_pydict() == want
        with pytest.raises(DataError, match=r"dvt\.encoding"):
            read(extractor, "t")


def test_a_row_larger_than_a_block_says_what_to_raise(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "x" * 5000 + ",1\n")
    with FilesExtractor(connection("files", tmp_path, path=".", dvt={"block_bytes": 1024})) as extractor:
        with pytest.raises(DataError, match=r"dvt\.block_bytes"):
            read(extractor, "t")


CSV_ROW = """select true b,
    1::tinyint i, 1.1::float f4, 'nan'::double f8, 0.0000001::decimal(38,10) n, '' e, null::int z,
    'a"b,'||chr(10)||'é' s, date '2024-02-29' d, time '10:00:00.5' ti, timestamp '2024-02-29 10:00:00' ts,
    timestamptz '2024-02-29 10:00:00+02' tz, interval '1 day' iv, '{"a": 1}'::json j, [1, null] l,
    '6f2c1f9e-1111-4222-8333-444455556666'::uuid u, null::varchar zs"""


def test_csv_is_written_byte_for_byte(tmp_path):
    with FilesLoader(connection("files", tmp_path, path=".", format="csv")) as loader:
        load(loader, CSV_ROW)
        assert (tmp_path / "t.csv").read_text() == (
            '"b","i","f4","f8","n","e","z","s","d","ti","ts","tz","iv","j","l","u","zs"\n'
            'true,1,1.1,nan,"0.0000001000","",,"a""b,\né","2024-02-29","10:00:00.5","2024-02-29 10:00:00",'
            '"2024-02-29 08:00:00+00:00","P1D","{""a"": 1}","[1,null]","6f2c1f9e-1111-4222-8333-444455556666",\n'
        )
        load(loader, CSV_ROW, mode="append")
        lines = (tmp_path / "t.csv").read_text().split("\n")
        assert len(lines) == 6
        with pytest.raises(DataError) as caught:
            load(loader, "select '\\x00'::blob as v")
        assert caught.value.column == "v"
        with pytest.raises(DataError) as caught:
            load(loader, "select 'infinity'::timestamp as v")
        assert caught.value.column == "v"
    with FilesExtractor(connection("files", tmp_path, path=".")) as extractor:
        rows = read(extractor, "t", declared={"n": "numeric(38,10)", "tz": "timestamptz"}).to_pylist()
        assert rows[0] == rows[1]
        assert (rows[0]["e"], rows[0]["z"], rows[0]["zs"]) == ("", None, None)


def test_a_result_is_readable_and_nothing_else_is_left(lake, loader):
    load(loader, "select i from range(300000) r(i)", schema="new")
    assert os.listdir(lake / "new") == ["t.parquet"]
    assert os.stat(lake / "new" / "t.parquet").st_mode & 0o777 == 0o644
    assert ask(f"select count(*), sum(i) from '{lake}/new/t.parquet'") == [(300000, 44999850000)]
    assert pq.read_metadata(lake / "new" / "t.parquet").num_row_groups == 3


def test_a_source_that_fails_in_the_middle_leaves_the_old_file(lake, loader):
    load(loader, "select 1 as v")

    def batches():
        yield pa.record_batch({"v": pa.array([2], pa.int32())})
        raise QueryError("the source broke")

    with pytest.raises(QueryError, match="the source broke"):
        loader.load(RowStream([ColumnSchema("v", pa.int32())], batches()), LoadConfig(Relation("t")))
    assert os.listdir(lake) == ["t.parquet"]
    assert ask(f"from '{lake}/t.parquet'") == [(1,)]


def test_append_to_a_file_and_to_a_folder(lake, loader, extractor):
    load(loader, "select 1 as a, 'x' as b")
    load(loader, "select 'y' as b, 2 as a", mode="append")
    load(loader, "select 3 as a", mode="append")
    assert read(extractor, "t").to_pydict() == {"a": [1, 2, 3], "b": ["x", "y", None]}
    with pytest.raises(DataError) as caught:
        load(loader, "select 1::bigint as a", mode="append")
    assert caught.value.column == "a"
    (lake / "f").mkdir()
    load(loader, "select 1 as a", "f", mode="append")
    load(loader, "select 2 as a", "f", mode="append")
    assert sorted(read(extractor, "f").column("a").to_pylist()) == [1, 2]
    with pytest.raises(DataError):
        load(loader, "select 2 as a", "f")
    assert len(os.listdir(lake / "f")) == 2


@pytest.mark.parametrize("mode", ["merge", "delete+insert"])
def test_modes_that_files_do_not_take_are_refused_before_anything_is_read(loader, mode):
    source = stream("select 1 as a")
    with pytest.raises(UnsupportedError, match="files"):
        loader.load(source, LoadConfig(Relation("t"), mode=mode, unique_key=("a",)))
    assert source.rows_read == 0


@pytest.mark.parametrize(
    ("value", "declared"), [("1.5::double", "integer"), ("now()::timestamp", "date"), ("300", "tinyint")]
)
def test_a_declared_type_never_rounds(loader, extractor, value, declared):
    with pytest.raises(DataError) as caught:
        load(loader, f"select {value} as v", declared={"v": declared})
    assert caught.value.column == "v"
    load(loader, "select 3::bigint as v, 'nan'::double as f", declared={"v": "tinyint", "f": "float"})
    assert read(extractor, "t").schema.field("v").type == pa.int8()


def test_odd_names(lake, loader, extractor):
    name, columns = 'a"b; %s {x}. é', {"a.b": [1], "a": [{"b": 2}], "x\ny": ["z"]}
    loader.load(from_table(pa.table(columns)), LoadConfig(Relation(name)))
    assert os.listdir(lake) == [f"{name}.parquet"]
    assert read(extractor, name, columns=("a.b",)).to_pydict() == {"a.b": [1]}
    assert read(extractor, name, columns=("x\ny", "a")).to_pydict() == {"x\ny": ["z"], "a": [{"b": 2}]}


def test_readers_see_the_old_file_or_the_new(lake, con, loader):
    load(loader, "select 1 as v from range(1000)")
    is_over, seen, problems = threading.Event(), set(), []

    def look():
        with FilesExtractor(con) as extractor:
            while not is_over.is_set():
                try:
                    values = read(extractor, "t", batch_size=100).column("v")
                    seen.add((len(values), len(values.unique())))
                except Exception as error:
                    problems.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for version in range(50):
            load(loader, f"select {version} as v from range(1000)")
    finally:
        is_over.set()
        reader.join()
    assert not problems
    assert seen == {(1000, 1)}


def test_zero_rows_give_a_typed_file(lake, loader):
    assert load(loader, "select 1::decimal(10,2) as n, 'x' as s where false").rows == 0
    assert ask(f"select column_name, column_type from (describe from '{lake}/t.parquet')") == [
        ("n", "DECIMAL(10,2)"),
        ("s", "VARCHAR"),
    ]
