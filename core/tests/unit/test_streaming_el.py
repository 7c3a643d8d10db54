"""Rows that stream: Spark's into COPY, cursors into batches, hashes into dictionaries, and the method that is taken."""

from __future__ import annotations

import datetime
import io
import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_engines import connection

from dvt.connections.connection import Connection
from dvt.errors import DataError, UnsupportedError
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.extractors.duckdb import DuckDBExtractor
from dvt.federation.extractors.methods import BUFFERED, JDBC, STREAMING, Chosen, Method, PassedOver, first_that_can
from dvt.federation.extractors.row_batches import cursor_batches
from dvt.federation.extractors.sqlite import SQLiteExtractor
from dvt.federation.hashing.client import COLUMNS
from dvt.federation.hashing.rows import KeyForm, hashes_by_key
from dvt.federation.loaders.base import LoadConfig, LoadResult
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.postgres import _SparkRowPipe
from dvt.federation.loaders.sqlite import SQLiteLoader
from dvt.federation.registry import connection_spec, extractor_class, open_connection
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

types = pytest.importorskip("pyspark.sql.types", reason="the types of Spark's client are those of the rows")

UNESCAPED = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}
TZ = datetime.timezone(datetime.timedelta(hours=5, minutes=30))


def parsed(data: bytes) -> list[list[str | None]]:
    """COPY's text format, read as PostgreSQL's documentation describes it."""
    lines = data.decode().split("\n")
    assert lines.pop() == "", "the last line has its end too"
    return [[None if cell == "\\N" else unescaped(cell) for cell in line.split("\t")] for line in lines]


def unescaped(cell: str) -> str:
    assert "\r" not in cell
    parts = iter(cell)
    return "".join(UNESCAPED[next(parts)] if part == "\\" else part for part in parts)


def schema(*columns: Any) -> Any:
    return types.StructType([types.StructField(f"c{n}", type_) for n, type_ in enumerate(columns)])


def piped(rows: Sequence[Sequence[Any]], *columns: Any) -> bytes:
    return _SparkRowPipe(iter(rows), schema(*columns) if columns else None).read()


def cell(value: Any, type_: Any) -> bytes:
    """The bytes of one value in a row of its own."""
    return piped([(value,)], type_).removesuffix(b"\n")


def nested(*fields: tuple[str, Any]) -> Any:
    return types.StructType([types.StructField(name, type_) for name, type_ in fields])


CELLS = [
    ("", "String", b""),
    ("\\N", "String", b"\\\\N"),
    ("\\.", "String", b"\\\\."),
    ("a\tb\nc\rd\\e\r\n", "String", b"a\\tb\\nc\\rd\\\\e\\r\\n"),
    ("é \U0001f600 \u2028 \x0b", "String", "é \U0001f600 \u2028 \x0b".encode()),
    (b"", "Binary", b"\\\\x"),
    (bytearray(b"\x00\\\n\xff"), "Binary", b"\\\\x005c0aff"),
    (True, "Boolean", b"t"),
    (False, "Boolean", b"f"),
    (-(2**63), "Long", b"-9223372036854775808"),
    (math.nan, "Double", b"NaN"),
    (math.inf, "Double", b"Infinity"),
    (-math.inf, "Float", b"-Infinity"),
    (-0.0, "Double", b"-0.0"),
    (1e300, "Double", b"1e+300"),
    (1.100000023841858, "Float", b"1.1"),
    (3.4028234663852886e38, "Float", b"3.4028235e+38"),
    (Decimal("1E-10"), "Decimal(38, 10)", b"0.0000000001"),
    (Decimal("1.50"), "Decimal(10, 2)", b"1.50"),
    (datetime.date(1, 2, 3), "Date", b"0001-02-03"),
    (datetime.time(23, 59, 59, 7), "Time", b"23:59:59.000007"),
    (datetime.datetime(2024, 3, 31, 2, 30, 0, 1), "TimestampNTZ", b"2024-03-31 02:30:00.000001"),
    (datetime.datetime(2024, 1, 1, 3, tzinfo=TZ), "Timestamp", b"2023-12-31 21:30:00.000000+00"),
    (datetime.timedelta(days=-1, microseconds=1), "DayTimeInterval", b"-23:59:59.999999"),
]


@pytest.mark.parametrize(("value", "name", "expected"), CELLS)
def test_the_bytes_of_a_value(value: Any, name: str, expected: bytes) -> None:
    class_, _, arguments = name.partition("(")
    if not hasattr(types, f"{class_}Type"):
        pytest.skip(f"this client has no {class_}Type")
    of_class = getattr(types, f"{class_}Type")
    type_ = of_class(*map(int, arguments.rstrip(")").split(","))) if arguments else of_class()
    assert cell(value, type_) == expected
    assert cell(None, type_) == b"\\N"


def test_a_moment_of_this_process_is_a_moment_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gives moments in the zone of its process, and the later one of an hour that is twice is a fold."""
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        twice = datetime.datetime(2024, 10, 27, 2, 30)
        assert cell(twice, types.TimestampType()) == b"2024-10-27 00:30:00.000000+00"
        assert cell(twice.replace(fold=1), types.TimestampType()) == b"2024-10-27 01:30:00.000000+00"
        assert cell(twice, types.TimestampNTZType()) == b"2024-10-27 02:30:00.000000"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_arrays_maps_and_structs_are_json() -> None:
    inner = nested(("a b", types.StringType()), ("d", types.DecimalType(9, 2)), ("t", types.TimestampType()))
    moment = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
    value = types.Row("a b", "d", "t")('x"\t\\é', Decimal("1.50"), moment)
    found = parsed(cell([value, None], types.ArrayType(inner)) + b"\n")[0][0]
    assert found == '[{"a b":"x\\"\\t\\\\é","d":1.50,"t":"2024-01-01 00:00:00.000000Z"},null]'
    by_number = types.MapType(types.LongType(), types.ArrayType(types.BooleanType()))
    assert cell({1: [True, None], 2: None}, by_number) == b'{"1":[true,null],"2":null}'
    assert cell([1.1000000238418579], types.ArrayType(types.FloatType())) == b"[1.1]"
    # Without a schema a row that names its values is an object, and one that does not is an array.
    assert piped([(types.Row(a=1, b=(b := datetime.date(2024, 1, 1))), (1, "x"), {"k": b})]) == (
        b'{"a":1,"b":"2024-01-01"}\t[1,"x"]\t{"k":"2024-01-01"}\n'
    )


def test_values_without_a_schema_are_written_by_what_they_are() -> None:
    naive = datetime.datetime(2024, 1, 1, 3)
    row = (True, 1, Decimal("0.10"), b"a", naive, naive.replace(tzinfo=TZ), None, "\\N")
    expected = b"t\t1\t0.10\t\\\\x61\t2024-01-01 03:00:00.000000\t2023-12-31 21:30:00.000000+00\t\\N\t\\\\N\n"
    assert piped([row]) == expected


@pytest.mark.parametrize(
    ("value", "type_", "said"),
    [
        ("a\0b", types.StringType(), "NUL"),
        (["\0"], types.ArrayType(types.StringType()), "NUL"),
        ([math.nan], types.ArrayType(types.DoubleType()), "NaN"),
        ([b"a"], types.ArrayType(types.BinaryType()), "bytes inside"),
        ("\ud800", types.StringType(), "surrogate"),
        ("no date", types.DateType(), "not of the column's type"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(value: Any, type_: Any, said: str) -> None:
    with pytest.raises(DataError, match=said) as raised:
        piped([(1, None), (2, value)], types.LongType(), type_)
    assert (raised.value.column, raised.value.rows) == ("c1", "row 2")


def test_a_type_without_a_place_is_refused_before_a_row_is_read() -> None:
    rows: Iterator[Any] = (pytest.fail("a row was read") for _ in range(1))
    for type_ in (types.CalendarIntervalType(), types.ArrayType(types.CalendarIntervalType())):
        with pytest.raises(DataError, match="interval"):
            _SparkRowPipe(rows, schema(type_))
    with pytest.raises(DataError, match="2 values for 1"):
        piped([(1, 2)], types.LongType())


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
ROWS = st.lists(st.tuples(st.none() | TEXTS, st.none() | st.binary(), st.none() | st.floats(), st.none() | TEXTS))


@settings(deadline=None)
@given(rows=ROWS, sizes=st.lists(st.integers(0, 50)))
def test_what_is_read_back_is_what_was_there(rows: list[Any], sizes: list[int]) -> None:
    columns = (types.StringType(), types.BinaryType(), types.DoubleType(), types.ArrayType(types.StringType()))
    given_rows = [(text, data, number, None if last is None else [last]) for text, data, number, last in rows]
    whole = piped(given_rows, *columns)
    found = [
        (
            text,
            None if data is None else bytes.fromhex(data.removeprefix("\\x")),
            None if number is None else repr(float(number)),
            None if last is None else json.loads(last)[0],
        )
        for text, data, number, last in parsed(whole)
    ]
    assert found == [(t, d, None if n is None else repr(n), last) for t, d, n, last in rows]
    pipe = _SparkRowPipe(iter(given_rows), schema(*columns))
    parts = [(size, pipe.read(size)) for size in sizes]
    rest = pipe.read()
    assert b"".join(part for _, part in parts) + rest == whole
    assert all(len(part) == size or not rest for size, part in parts), "only the last read gives less than asked for"
    assert (pipe.rows_read, pipe.bytes_read, pipe.read(), pipe.read(1)) == (len(rows), len(whole), b"", b"")


def test_reads_of_every_size_give_the_same_bytes() -> None:
    rows = [("x" * (n % 7 * 9_000), n) for n in range(40)]  # pieces of several rows, and of one
    columns = (types.StringType(), types.LongType())
    whole = piped(rows, *columns)
    for size in (1, 7, 8192, 65536, len(whole), len(whole) + 1):
        pipe = _SparkRowPipe(iter(rows), schema(*columns))
        assert pipe.read(0) == b""
        assert pipe.rows_read == 0, "nothing is read before it is asked for"
        found = list(iter(lambda pipe=pipe, size=size: pipe.read(size), b""))
        assert b"".join(found) == whole
        assert {len(part) for part in found[:-1]} <= {size}
    assert io.BufferedReader(_SparkRowPipe(iter(rows), schema(*columns))).read() == whole
    assert list(_SparkRowPipe(iter(rows[:3]), schema(*columns)))[2] == b"x" * 18_000 + b"\t2\n"


def test_no_more_is_held_than_a_piece_and_the_work_is_linear() -> None:
    """What a row costs is counted by its text: each character is copied a bounded number of times."""
    asked = 0

    def endless() -> Iterator[tuple[str]]:
        nonlocal asked
        while True:
            asked += 1
            yield ("x" * 999,)

    pipe = _SparkRowPipe(endless(), schema(types.StringType()))
    assert pipe.read(1) == b"x"
    assert asked <= 66, "one piece of 64 KiB"
    assert len(pipe.read(1_000_000)) == 1_000_000
    assert asked <= 66 * 17
    pipe.close()
    with pytest.raises(ValueError, match="closed"):
        pipe.read(1)


def test_a_long_text_is_not_copied_again_for_each_read() -> None:
    """A million reads of a row of a million characters would take hours if each took the rest anew."""
    pipe = _SparkRowPipe(iter([("x" * 1_000_000,)]), schema(types.StringType()))
    held = {id(pipe._piece) for _ in iter(lambda: pipe.read(8), b"")}
    assert len(held) <= 2, "the piece stays what it is until it is read"


class Frame:
    """As much of a data frame as the pipe asks for, over real rows."""

    def __init__(self, parts: list[list[tuple[int]]]) -> None:
        self.parts, self.schema = parts, schema(types.LongType())

    def toLocalIterator(self, prefetchPartitions: bool) -> Iterator[tuple[int]]:
        assert not prefetchPartitions, "two partitions would be in the driver at a time"
        for part in self.parts:
            yield from part


def test_a_frame_is_read_one_partition_at_a_time_with_its_own_schema() -> None:
    pipe = _SparkRowPipe(Frame([[(1,), (2,)], [], [(3,)]]))
    assert (pipe.read(), pipe.rows_read) == (b"1\n2\n3\n", 3)


# ---- cursors, extractors and keys


class Counted:
    """A real cursor of SQLite that tells how it is asked."""

    def __init__(self, sql: str) -> None:
        self._cursor, self.asked = sqlite3.connect(":memory:").execute(sql), list[int]()

    def fetchmany(self, size: int, /) -> list[Any]:
        self.asked.append(size)
        return self._cursor.fetchmany(size)


KEYED = "select column1, column2 from (values (' a ', 'h1'), ('b', 'h2'), ('7', 'h3'), (null, 'h4'))"


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 4, 1000])
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (KeyForm.AS_IS, [" a ", "b", "7", None]),
        (KeyForm.TEXT, [" a ", "b", "7", None]),
        (KeyForm.STRIPPED, ["a", "b", "7", None]),
    ],
)
def test_the_loops_of_keys_read_all_rows_in_batches(form: KeyForm, expected: list[str | None], batch_rows: int) -> None:
    cursor = Counted(KEYED)
    stream = RowStream(COLUMNS, cursor_batches(cursor, COLUMNS, batch_rows))
    found = hashes_by_key(stream, form, "shop.t", batch_rows)
    assert found == dict(zip(expected, ["h1", "h2", "h3", "h4"], strict=True))
    assert set(cursor.asked) == {batch_rows}
    assert len(cursor.asked) == -(-4 // batch_rows) + 1, "one more, which is empty, and no one after it"


def test_keys_of_other_types_are_texts_where_the_convention_says_so() -> None:
    assert (KeyForm.AS_IS.of(7), KeyForm.TEXT.of(7), KeyForm.STRIPPED.of(7)) == (7, "7", "7")  # type: ignore[arg-type]
    assert {form.of(None) for form in KeyForm} == {None}


def test_two_rows_of_one_key_are_refused_once_the_convention_makes_them_one() -> None:
    sql = "select column1, 'h' from (values ('a'), ('a '))"
    assert len(hashes_by_key(RowStream(COLUMNS, cursor_batches(Counted(sql), COLUMNS, 1)), KeyForm.TEXT, "t", 1)) == 2
    with pytest.raises(DataError, match="the key 'a'"):
        hashes_by_key(RowStream(COLUMNS, cursor_batches(Counted(sql), COLUMNS, 1)), KeyForm.STRIPPED, "t", 1)


CONVENTIONS = [
    *[(name, "AS_IS") for name in ("postgres", "mysql", "duckdb", "sqlite", "snowflake", "bigquery", "trino", "db2")],
    ("sqlserver", "TEXT"),
    ("oracle", "TEXT"),
    ("teradata", "STRIPPED"),
]


@pytest.mark.parametrize(("type_", "form"), CONVENTIONS)
def test_the_convention_of_an_engine(type_: str, form: str) -> None:
    assert extractor_class(type_).hash_keys == form


@pytest.fixture(params=["duckdb", "sqlite"])
def extractor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseExtractor]:
    """A file with a table of 25 rows; the extractor reads ten at a time."""
    rows = "select n, 'x' || n as t from (with recursive s(n) as (select 1 union all select n + 1 from s where n < 25) "
    statement = f"create table t as {rows} select n from s)"
    if request.param == "duckdb":
        import duckdb

        with duckdb.connect(str(tmp_path / "db")) as database:
            database.execute(statement)
        class_: type[BaseExtractor] = DuckDBExtractor
    else:
        with sqlite3.connect(tmp_path / "db") as file:
            file.execute(statement)
        file.close()
        class_ = SQLiteExtractor
    with class_(connection(request.param, tmp_path, path="db", dvt={"batch_rows": 10})) as found:
        yield found


def test_a_stream_gives_all_rows_once_in_batches_of_any_size(extractor: BaseExtractor) -> None:
    wanted = [f"x{n}" for n in range(1, 26)]
    for size in (1, 7, 25, 100):
        with extractor.extract_stream("select t from t order by n") as stream:
            batches = list(iter(lambda stream=stream, size=size: stream.read_batch(size), None))
        assert [text for batch in batches for text in batch.column(0).to_pylist()] == wanted
        assert {batch.num_rows for batch in batches[:-1]} <= {size}
        assert stream.rows_read == 25
    with extractor.extract_stream("select t from t where n < 0") as stream:
        assert (stream.schema.names, stream.read_batch(5)) == (["t"], None), "no rows still have a schema"
    hashes = extractor.extract_hashes(ExtractionConfig(Relation("t"), columns=("t",), key_columns=("n",)))
    assert list(hashes)[:3] == ["1", "2", "3"]
    assert len(set(hashes.values())) == 25


def test_a_batch_of_a_cursor_is_refused_by_the_value_that_does_not_fit() -> None:
    cursor = Counted("select column1 from (values (1), ('x'))")
    with pytest.raises(DataError, match="'x'") as raised:
        list(cursor_batches(cursor, [ColumnSchema("n", pa.int64())], 10))
    assert raised.value.column == "n"


def test_the_chain_of_methods_takes_the_first_that_can_and_says_what_the_others_lack() -> None:
    methods = [Method("copy", lacks=lambda: "no right"), Method("all", BUFFERED), Method("jdbc", JDBC)]

    def by(wanted: str) -> Connection:
        return Connection("crm", connection_spec("sqlite"), {}, {"read_by": wanted})

    assert first_that_can(methods, by("auto")) == Chosen("all", (PassedOver("copy", "no right"),))
    assert first_that_can(methods, by("jdbc")).method == "jdbc"
    with pytest.raises(UnsupportedError, match="no right"):
        first_that_can(methods, by("streaming"))


class Chained(SQLiteLoader):
    """A loader of which a test says what its methods lack; it tells by which it loads, how many rows at a time."""

    lacking: dict[str, str] = {}

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.sizes: dict[str, list[int]] = {}

    def methods(self, filling: Filling) -> list[LoadMethod]:
        return [self.method(filling, *pair) for pair in (("copy", STREAMING), ("insert", BUFFERED), ("jdbc", JDBC))]

    def method(self, filling: Filling, name: str, kind: str) -> LoadMethod:
        def fill(filling: Filling) -> Filled:
            sizes = self.sizes.setdefault(name, [])

            def counted() -> Iterator[pa.RecordBatch]:
                for batch in filling.batches():
                    sizes.append(batch.num_rows)
                    yield batch

            stream = RowStream(filling.stream.columns, counted())
            return replace(self._insert(replace(filling, stream=stream)), given=sum(sizes))

        return LoadMethod(name, kind, lambda: self.lacking.get(name), fill=fill)


def chained(folder: Path, by: str = "auto") -> Chained:
    given = open_connection("crm", {"type": "sqlite", "path": str(folder / "to.sqlite"), "dvt": {"load_by": by}})
    return Chained(given)


def loaded(loader: Chained, rows: Iterator[pa.RecordBatch], size: int = 10_000) -> LoadResult:
    with loader:
        stream = RowStream([ColumnSchema("n", pa.int64())], rows)
        return loader.load(stream, LoadConfig(Relation("t"), streaming_batch_size=size))


def thousands(count: int) -> Iterator[pa.RecordBatch]:
    for _ in range(count):
        yield pa.RecordBatch.from_arrays([pa.array(range(1000))], ["n"])


@pytest.mark.parametrize(
    ("by", "lacking", "method", "passed"),
    [
        ("auto", {}, "copy", []),
        ("auto", {"copy": "no right"}, "insert", ["no right"]),
        ("auto", {"copy": "no right", "insert": "too old"}, "jdbc", ["no right", "too old"]),
        ("buffered", {}, "insert", ["dvt.load_by is buffered"]),
        ("jdbc", {"copy": "no right"}, "jdbc", ["dvt.load_by is jdbc"] * 2),
    ],
)
def test_a_load_takes_the_first_method_that_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str, lacking: dict[str, str], method: str, passed: list[str]
) -> None:
    monkeypatch.setattr(Chained, "lacking", lacking)
    loader = chained(tmp_path, by)
    result = loaded(loader, thousands(3), 700)
    assert result.method == method
    assert [each.why for each in result.passed_over] == passed
    assert loader.sizes == {method: [700, 700, 700, 700, 200]}  # it alone, and so many rows at a time
    assert result.rows == 3000


def test_what_no_method_can_is_refused_before_a_row_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chained, "lacking", {"insert": "too old"})

    def never() -> Iterator[pa.RecordBatch]:
        raise AssertionError("a row was read")
        yield

    with pytest.raises(UnsupportedError, match=r"loaded: copy: dvt.load_by is buffered; insert: too old") as raised:
        loaded(chained(tmp_path, "buffered"), never())
    assert raised.value.phase == "load"
    assert "dvt.load_by" in str(raised.value.remedy)


def test_after_a_row_was_sent_there_is_no_other_method(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from thousands(1)
        raise DataError("the third value does not fit", column="n")

    loader = chained(tmp_path)
    with pytest.raises(DataError, match="third"):
        loaded(loader, broken(), 500)
    assert loader.sizes == {"copy": [500, 500]}


def test_a_load_sends_ten_thousand_rows_at_a_time(tmp_path: Path) -> None:
    assert LoadConfig(Relation("t")).streaming_batch_size == 10_000
    loader = chained(tmp_path)
    loaded(loader, thousands(12))
    assert loader.sizes == {"copy": [10_000, 2_000]}
