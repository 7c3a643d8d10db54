"""Binary COPY by the native codec: the table is the one that COPY of CSV gives, or the column and row are named."""

from __future__ import annotations

import datetime as dt
import decimal
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integration.postgres_kit import connection
from servers.postgres import PostgresServer

from dvt.connections.postgres import connect
from dvt.errors import ConnectionLostError, DataError
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.postgres import PostgresLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation
from dvt.native import library
from dvt.native.encoder import HEADER, TRAILER, BinaryEncoder
from dvt.types.vocabulary import (
    DATE_INFINITY,
    DATE_MINUS_INFINITY,
    INTERVAL,
    JSON,
    MICROS,
    MICROS_UTC,
    TIME,
    TIMESTAMP_INFINITY,
    TIMESTAMP_MINUS_INFINITY,
    UUID,
)

_WHY = library.load()
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(isinstance(_WHY, str), reason=f"the native codec is not there: {_WHY}"),
]
_DATABASE = "native_load"
_NAN = float("nan")
_SHIFT = 2440588  # Julian day of 1970-01-01


def _decimals(type_: pa.DataType, *texts: str) -> pa.Array:
    with decimal.localcontext(decimal.Context(prec=80)):
        return pa.array([None if text == "" else decimal.Decimal(text) for text in texts], type_)


def _uuids(*values: bytes | None) -> pa.Array:
    return pa.ExtensionArray.from_storage(UUID, pa.array(values, pa.binary(16)))


def _jsons(*values: str | None) -> pa.Array:
    return pa.ExtensionArray.from_storage(JSON, pa.array(values, pa.string()))


_NINES = "9" * 38
COLUMNS: dict[str, pa.Array] = {
    "flag": pa.array([True, None, False, True]),
    "i8": pa.array([-128, 127, None, 0], pa.int8()),
    "i16": pa.array([-(2**15), 2**15 - 1, None, 0], pa.int16()),
    "i32": pa.array([-(2**31), 2**31 - 1, None, 0], pa.int32()),
    "i64": pa.array([-(2**63), 2**63 - 1, None, 0], pa.int64()),
    "u8": pa.array([0, 255, None, 1], pa.uint8()),
    "u16": pa.array([0, 2**16 - 1, None, 1], pa.uint16()),
    "u32": pa.array([0, 2**32 - 1, None, 1], pa.uint32()),
    "u64": pa.array([0, 2**64 - 1, None, 10**19], pa.uint64()),
    "f32": pa.array([1.1, -0.0, None, _NAN], pa.float32()),
    "f64": pa.array([5e-324, -0.0, float("inf"), float("-inf")], pa.float64()),
    "whole": _decimals(pa.decimal128(38, 0), _NINES, "-" + _NINES, "", "10000"),
    "d2": _decimals(pa.decimal128(15, 2), "0.01", "-10000.00", "", "99990000.50"),
    "d3": _decimals(pa.decimal128(12, 3), "0.001", "-0.010", "10000.000", "0.000"),
    "d38": _decimals(pa.decimal128(38, 38), "0." + _NINES, "-0." + "0" * 37 + "1", "", "0.00010000"),
    "negative": _decimals(pa.decimal128(7, -2), "1234500", "-100", "", "0"),
    "words": pa.array(["", "ä🙂\t\n\\N\",'", None, "x" * 70_000]),
    "raw": pa.array([b"", bytes(range(256)), None, b"\0"], pa.binary()),
    "day": pa.array([DATE_INFINITY, DATE_MINUS_INFINITY, -_SHIFT, 2145031948 + 10957], pa.int32()).view(pa.date32()),
    "clock": pa.array([0, 86_400_000_000, None, 1], TIME),
    "wall": pa.array([TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY, None, -62135596800000001], pa.int64()).view(MICROS),
    "first": pa.array([-210866803200000000, TIMESTAMP_INFINITY - 1, 0, 1], pa.int64()).view(MICROS),
    "moment": pa.array([TIMESTAMP_INFINITY, None, 0, -1], pa.int64()).view(MICROS_UTC),
    "nanos": pa.array([1000, None, -1000, TIMESTAMP_INFINITY], pa.int64()).view(pa.timestamp("ns")),
    "span": pa.array([pa.MonthDayNano([1, -2, 3_000]), None, pa.MonthDayNano([-13, 40, -86_400_000_001_000])] * 1
                     + [pa.MonthDayNano([0, 0, 0])], INTERVAL),
    "id": _uuids(bytes(16), bytes(range(16)), None, b"\xff" * 16),
    "doc": _jsons('{"a": [1, null]}', "null", None, '"ä"'),
    "ints": pa.array([[1, None, -3], [], None, [2**31 - 1]], pa.list_(pa.int32())),
    "bytes8": pa.array([[1, None], [], None, [-128]], pa.list_(pa.int8())),
    "texts": pa.array([["", None, 'NULL', '"\\{},'], [], None, ["ä"]], pa.list_(pa.string())),
    "days": pa.array([[dt.date(2024, 2, 29), None], [], None, [dt.date(1, 1, 1)]], pa.list_(pa.date32())),
    "sums": pa.array([[decimal.Decimal("1.50"), None], [], None, [decimal.Decimal("-0.01")]],
                     pa.list_(pa.decimal128(9, 2))),
    "flags": pa.array([[True, None, False], [], None, [False]], pa.list_(pa.bool_())),
    "large": pa.array(["", "ä🙂", None, "x" * 300], pa.large_string()),
    "large_raw": pa.array([b"", b"\0\xff", None, b"x" * 300], pa.large_binary()),
    "viewed": pa.array(["", "ä🙂", None, "x" * 300], pa.string_view()),
    "viewed_raw": pa.array([b"", b"\0\xff", None, b"x" * 300], pa.binary_view()),
    "coded": pa.array(["ä", "", None, "ä"]).dictionary_encode(),
    "large_texts": pa.array([["", None], [], None, ["ä"]], pa.large_list(pa.large_string())),
    "pair": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": '"'}, {"a": 2, "b": None}],
                     pa.struct([("a", pa.int32()), ("b", pa.string())])),
    "map": pa.array([[("k", 1)], [], None, [("ä", None)]], pa.map_(pa.string(), pa.int32())),
}  # fmt: skip


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> str:
    name: str = postgres_server.create_database(_DATABASE)
    postgres_server.psql(name, "create type mood as enum ('sad', 'ä'); create domain small as int check (value < 10)")
    return name


def load(
    server: PostgresServer,
    columns: dict[str, pa.Array],
    table: str,
    *,
    declared: Any = None,
    batch: Any = None,
    **options: Any,
) -> str:
    """The method that loaded the columns."""
    batch = pa.RecordBatch.from_pydict(columns) if batch is None else batch
    fields = [ColumnSchema(field.name, field.type) for field in batch.schema]
    config = LoadConfig(Relation(table, "public"), declared=declared or {})
    with PostgresLoader(connection(server, _DATABASE, **options)) as loader:
        return loader.load(RowStream(fields, iter([batch])), config).method


def rows(server: PostgresServer, table: str) -> str:
    """The server's own text of each row."""
    return server.psql(_DATABASE, f"select t::text from {table} t order by 1")


@pytest.mark.parametrize("name", COLUMNS)
def test_the_table_is_that_of_csv(postgres_server: PostgresServer, database: str, name: str) -> None:
    columns = {"n": pa.array(range(4), pa.int32()), name: COLUMNS[name]}
    assert load(postgres_server, columns, "by_codec") == "copy_binary"
    assert load(postgres_server, columns, "by_csv", native=False) == "copy_csv"
    assert rows(postgres_server, "by_codec") == rows(postgres_server, "by_csv")
    types = (
        "select string_agg(format_type(atttypid, atttypmod), ',' order by attnum) from pg_attribute where attrelid = "
    )
    asked = [postgres_server.psql(database, f"{types} '{table}'::regclass") for table in ("by_codec", "by_csv")]
    assert asked[0] == asked[1]


def test_all_columns_sliced_and_repeated(postgres_server: PostgresServer, database: str) -> None:
    """Offsets into bitmaps and children, a batch of many buffers, a row that is larger than the buffer."""
    table = pa.Table.from_pydict({"n": pa.array(range(4)), **COLUMNS})
    many = pa.concat_tables([table] * 40).combine_chunks().to_batches()[0].slice(3, 151)
    assert load(postgres_server, {}, "by_codec", batch=many) == "copy_binary"
    assert load(postgres_server, {}, "by_csv", batch=many, native=False) == "copy_csv"
    assert rows(postgres_server, "by_codec") == rows(postgres_server, "by_csv")
    wide = {"t": pa.array(["ä" * 3_000_000, None, "b" * 1_000_000])}
    assert load(postgres_server, wide, "wide") == "copy_binary"
    assert postgres_server.psql(database, "select string_agg(length(t)::text, ',') from wide") == "3000000,1000000"


def test_elements_below_a_null_or_of_other_rows_do_not_count(postgres_server: PostgresServer, database: str) -> None:
    offsets, elements = pa.array([0, 1, 2, 3, 4], pa.int32()), pa.array([1, 70_000, 3, 70_000])
    lists = pa.ListArray.from_arrays(offsets, elements, mask=pa.array([False, True, False, False])).slice(0, 3)
    for native, table in ((True, "by_codec"), (False, "by_csv")):
        load(postgres_server, {"v": lists}, table, declared={"v": "smallint[]"}, native=native)
        assert rows(postgres_server, table) == "()\n({1})\n({3})"


@pytest.mark.parametrize(
    ("values", "declared", "method"),
    [
        (pa.array([1, -2, None]), "numeric(10,2)", "copy_binary"),
        (pa.array([1, -2, None]), "smallint", "copy_binary"),
        (pa.array([1, 2, None]), "small", "copy_binary"),
        (pa.array(["sad", "ä", None]), "mood", "copy_binary"),
        (pa.array([["sad", None], [], None]), "mood[]", "copy_binary"),
        (pa.array(['{"b": 1, "a": 2}', "null", None]), "jsonb", "copy_binary"),
        (_jsons('{"b": 1, "a": 2}', "null", None), "jsonb", "copy_binary"),
        (_jsons('{"b": 1, "a": 2}', "null", None), "text", "copy_binary"),
        (pa.array(["a", "b  ", None]), "char(4)", "copy_binary"),
        (pa.array(["a", "b  ", None]), "varchar(3)", "copy_binary"),
        (_decimals(pa.decimal128(6, 3), "1.005", "-1.5", ""), "numeric", "copy_binary"),
        (_decimals(pa.decimal128(6, 3), "1.005", "-1.500", ""), "numeric(6,4)", "copy_binary"),
        (pa.array([1.5, None, 2.0]), "real", "copy_csv"),
        (pa.array([1.5, None, 2.0]), "numeric", "copy_csv"),
        (pa.array(["1", None, "2"]), "integer", "copy_csv"),
        (pa.array(["00000000-0000-0000-0000-000000000001", None, None]), "uuid", "copy_csv"),
        (pa.array(["2024-01-01", None, "infinity"]), "date", "copy_csv"),
        (pa.array([0, 1, None], MICROS), "timestamptz", "copy_csv"),
        (pa.array(["a", "b", None]), "name", "copy_csv"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_declared_types(
    postgres_server: PostgresServer, database: str, values: pa.Array, declared: str, method: str
) -> None:
    assert load(postgres_server, {"v": values}, "by_codec", declared={"v": declared}) == method
    load(postgres_server, {"v": values}, "by_csv", declared={"v": declared}, native=False)
    assert rows(postgres_server, "by_codec") == rows(postgres_server, "by_csv")


@pytest.mark.parametrize(
    ("values", "declared", "message"),
    [
        (pa.array(["a", "b\0", "c"]), "text", r"row 2 \(load\): a text holds a NUL"),
        (_jsons("1", '"b\0"', "2"), "jsonb", r"row 2 \(load\): a text holds a NUL"),
        (pa.array([["a"], None, ["b", "c\0"]]), "text[]", r"row 3 \(load\): a text holds a NUL"),
        (pa.array([pa.MonthDayNano([0, 0, 1])] * 3, INTERVAL), "interval", r"row 1 .*: an interval has digits"),
        (pa.array([0, 1, 1001], pa.timestamp("ns")), "timestamp", r"row 2 .*digits below the microsecond"),
        (pa.array([0, 1, -210866803200000001], MICROS), "timestamp", r"row 3 \(load\): a date or time is outside"),
        (pa.array([0, 2145031949 + 10957, 0], pa.int32()).view(pa.date32()), "date", r"row 2 .* is outside"),
        (pa.array([0, -1, 0], pa.int64()).view(TIME), "time", r"row 2 .* is outside"),
        (pa.array([1, 2, 70_000]), "smallint", r"row 3 .*70000"),
        (pa.array([[1], None, [2, 70_000]]), "smallint[]", r"row 3 .*70000"),
        (pa.array([1, 2, 11]), "small", "small_check"),
        (pa.array([1, 2, 11_111]), "numeric(4,1)", "overflow"),
        (pa.array(["sad", "happy", None]), "mood", "happy"),
        (pa.array(["abcd", "b", None]), "varchar(3)", "too long"),
        (_jsons("1", "{", "2"), "jsonb", "json"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_what_has_no_place_is_refused(
    postgres_server: PostgresServer, database: str, values: pa.Array, declared: str, message: str
) -> None:
    postgres_server.psql(database, "drop table if exists kept; create table kept as select 1 as v")
    with pytest.raises(DataError, match=message) as raised:
        load(postgres_server, {"n": pa.array(range(len(values))), "v v": values}, "kept", declared={"v v": declared})
    assert raised.value.column == "v v"
    assert rows(postgres_server, "kept") == "(1)"
    assert postgres_server.psql(database, "select relname from pg_class where relname like '%dvt_%'") == ""


def test_decimals_of_256_bits(postgres_server: PostgresServer, database: str) -> None:
    """No source gives them today: the codec alone."""
    postgres_server.psql(database, "create table wide_decimals (v numeric)")
    texts = [
        "9" * 46 + "." + "9" * 30,
        "-1." + "0" * 30,
        "",
        "0." + "0" * 29 + "1",
        "-" + "1" + "0" * 45 + "." + "0" * 30,
    ]
    batch = pa.RecordBatch.from_pydict({"v": _decimals(pa.decimal256(76, 30), *texts)})
    assert not isinstance(_WHY, str)
    encoder = BinaryEncoder([library.Column(kind=library.DECIMAL256, scale=30)], _WHY, size=8)
    with connect(connection(postgres_server, _DATABASE)) as session, session.cursor() as cursor:
        with cursor.copy("copy wide_decimals from stdin (format binary)") as copy:
            for block in (HEADER, *map(bytes, encoder.pieces(batch)), TRAILER):
                copy.write(block)
    assert postgres_server.psql(database, "select v from wide_decimals").splitlines() == texts


def test_a_server_that_goes_away_in_the_middle(postgres_server: PostgresServer, database: str) -> None:
    postgres_server.psql(database, "drop table if exists kept; create table kept as select 1 as v")
    ended = threading.Event()

    def batches() -> Iterator[pa.RecordBatch]:
        batch = pa.RecordBatch.from_pydict({"v": pa.array(["x" * 1000] * 10_000)})
        for number in range(200):
            if number == 3:
                postgres_server.psql(
                    "postgres",
                    f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'",
                )
                ended.set()
            yield batch

    stream = RowStream([ColumnSchema("v", pa.string())], batches())
    with PostgresLoader(connection(postgres_server, database)) as loader, pytest.raises(ConnectionLostError):
        loader.load(stream, LoadConfig(Relation("kept", "public")))
    assert ended.is_set()
    assert rows(postgres_server, "kept") == "(1)"


_VALUES = {
    pa.bool_(): st.booleans(),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.string(): st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    pa.binary(): st.binary(max_size=20),
    pa.date32(): st.dates(),
    TIME: st.times(),
    MICROS: st.datetimes(),
    **{
        pa.decimal128(precision, scale): st.integers(-(10**precision) + 1, 10**precision - 1).map(
            lambda number, scale=scale: decimal.Decimal(number).scaleb(-scale, decimal.Context(prec=80))
        )
        for precision, scale in ((1, 0), (4, 4), (9, 3), (18, 6), (38, 0), (38, 19), (38, 38))
    },
}


@st.composite
def tables(draw: st.DrawFn) -> pa.RecordBatch:
    """One to five columns of any type, each nullable, of 0 to 20 rows from any row on."""
    types = draw(st.lists(st.sampled_from(list(_VALUES)), min_size=1, max_size=5))
    count = draw(st.integers(0, 20))
    arrays = [
        pa.array(draw(st.lists(st.none() | _VALUES[type_], min_size=count, max_size=count)), type_) for type_ in types
    ]
    batch = pa.RecordBatch.from_arrays(arrays, [f"c{number}" for number in range(len(types))])
    return batch.slice(draw(st.integers(0, count)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=tables())
def test_random_tables(postgres_server: PostgresServer, database: str, batch: pa.RecordBatch) -> None:
    assert load(postgres_server, {}, "by_codec", batch=batch) == "copy_binary"
    assert load(postgres_server, {}, "by_csv", batch=batch, native=False) == "copy_csv"
    assert rows(postgres_server, "by_codec") == rows(postgres_server, "by_csv")
