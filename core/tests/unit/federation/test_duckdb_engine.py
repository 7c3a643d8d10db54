"""The DuckDB engine: every vocabulary type in and out, by stream and by Parquet; DuckDB's own text is the oracle."""

from __future__ import annotations

import decimal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from federation_memory_source import Servers

from dvt.errors import DataError, InterruptedRunError, PlanError
from dvt.federation.engines.base import EngineLimits, Handle
from dvt.federation.engines.duckdb import DuckDBEngine
from dvt.federation.staging.parquet import can_stage, stage_unit
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.types.vocabulary import INTERVAL, JSON, MICROS, MICROS_UTC, TIME, UUID

HANDLE = Handle('we"ird.cat', "sche ma", "ta;ble")
NAME = '"we""ird.cat"."sche ma"."ta;ble"'
MAX, DAYS = 2**63 - 1, 2**31 - 1
BYTES = [bytes(range(16)), None, b"\xff" * 16]


def extension(type_: pa.DataType, values: list[object], storage: pa.DataType) -> pa.Array:
    return pa.ExtensionArray.from_storage(type_, pa.array(values, storage))


# Column name -> values, and DuckDB's text for them.
CASES: dict[str, tuple[pa.Array, list[str | None]]] = {
    "bool": (pa.array([True, None, False]), ["true", None, "false"]),
    "int8": (pa.array([-128, None, 127], pa.int8()), ["-128", None, "127"]),
    "uint64": (pa.array([0, None, 2**64 - 1], pa.uint64()), ["0", None, "18446744073709551615"]),
    "float32": (pa.array([1.1, None, float("nan")], pa.float32()), ["1.1", None, "nan"]),
    "float64": (pa.array([-0.0, None, float("-inf")]), ["-0.0", None, "-inf"]),
    "decimal": (
        pa.array(
            [decimal.Decimal("9" * 28 + ".1234567890"), None, decimal.Decimal("-0.0000000001")], pa.decimal128(38, 10)
        ),
        ["9" * 28 + ".1234567890", None, "-0.0000000001"],
    ),
    "text": (pa.array(["", None, "a\0b\r\n🦆"]), ["", None, "a\0b\r\n🦆"]),
    "bytes": (pa.array([b"", None, b"\x00\xffA"]), ["", None, "\\x00\\xFFA"]),
    "date": (pa.array([DAYS, None, -DAYS], pa.int32()).cast(pa.date32()), ["infinity", None, "-infinity"]),
    "time": (pa.array([0, None, 86_399_999_999], TIME), ["00:00:00", None, "23:59:59.999999"]),
    "stamp": (
        pa.array([MAX, None, -62135596800000001], pa.int64()).cast(MICROS),
        ["infinity", None, "0001-12-31 (BC) 23:59:59.999999"],
    ),
    "zoned": (
        pa.array([-MAX, None, 1], pa.int64()).cast(MICROS_UTC),
        ["-infinity", None, "1970-01-01 00:00:00.000001+00"],
    ),
    "nanos": (
        pa.array([1, None, 0], pa.timestamp("ns")),
        ["1970-01-01 00:00:00.000000001", None, "1970-01-01 00:00:00"],
    ),
    "uuid": (extension(UUID, BYTES, pa.binary(16)), [str(uuid.UUID(bytes=b)) if b else None for b in BYTES]),
    "json": (extension(JSON, ["null", None, '{"a": 1}'], pa.string()), ["null", None, '{"a": 1}']),
    "list": (pa.array([[1, None], None, []], pa.list_(pa.int16())), ["[1, NULL]", None, "[]"]),
    "bools": (pa.array([[True, None], None, []], pa.list_(pa.bool_())), ["[true, NULL]", None, "[]"]),
    "struct": (
        pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": ""}], pa.struct([("a", pa.int32()), ("b", pa.string())])),
        ["{'a': 1, 'b': x}", None, "{'a': NULL, 'b': ''}"],
    ),
    "map": (pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int32())), ["{k=1}", None, "{}"]),
    "uuids": (
        pa.ListArray.from_arrays([0, 1, 1, 1], extension(UUID, BYTES[:1], pa.binary(16))),
        [f"[{uuid.UUID(bytes=BYTES[0])}]", "[]", "[]"],
    ),  # type: ignore[arg-type]
}
INTERVALS = pa.array([pa.MonthDayNano([1, -2, 3000]), None, pa.MonthDayNano([0, 0, 0])], INTERVAL)


def stream(table: pa.Table, rows: int = 2) -> RowStream:
    columns = [ColumnSchema(field.name, field.type, field.nullable) for field in table.schema]
    return RowStream(columns, iter(table.to_batches(max_chunksize=rows)))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    with DuckDBEngine(EngineLimits(512 << 20, 2, tmp_path / "spill")) as made:
        yield made


def register(engine: DuckDBEngine, table: pa.Table, way: str, folder: Path) -> None:
    if way == "stream":
        assert engine.register(HANDLE, stream(table)) == table.num_rows
        return
    servers = Servers(a={"t": table})
    from dvt.federation.plan.planner import plan_query
    from dvt.federation.staging.address import scan_units

    extractor = servers.factory(servers.connection("a"))
    plan = plan_query("from a.s.t", servers.inputs(), lambda _: extractor.describe_table(table),
                      extractor_factory=servers.factory)  # fmt: skip
    (unit,) = scan_units(plan)
    (staged,) = stage_unit(unit, folder / "unit", lambda scan: extractor.scan(scan.request()))
    assert staged.rows == table.num_rows
    engine.register_parquet(HANDLE, [folder / "unit" / staged.file])


@pytest.mark.parametrize("way", ["stream", "parquet"])
def test_every_type_comes_through(engine: DuckDBEngine, tmp_path: Path, way: str) -> None:
    table = pa.table({name: values for name, (values, _) in CASES.items()})
    register(engine, table, way, tmp_path)
    texts = ", ".join(f'"{name}"::varchar as "{name}"' for name in CASES)
    with engine.execute(f"select {texts} from {NAME}") as found:
        assert found.to_table().to_pydict() == {name: text for name, (_, text) in CASES.items()}
    with engine.execute(f"select * from {NAME}", batch_rows=2) as found:
        back = found.to_table().combine_chunks()
    for name, (values, _) in CASES.items():
        assert back.schema.field(name).type == values.type, name
        column = back.column(name).combine_chunks()
        assert column.equals(values) or str(column) == str(values), name  # NaN is not equal to itself


def test_intervals_come_through_a_stream_and_are_not_staged(engine: DuckDBEngine) -> None:
    table = pa.table({"i": INTERVALS})
    engine.register(HANDLE, stream(table))
    with engine.execute(f"from {NAME}") as found:
        assert found.to_table().column("i").combine_chunks().equals(INTERVALS)
    assert not can_stage([ColumnSchema("i", INTERVAL)])
    assert not can_stage([ColumnSchema("i", pa.list_(pa.struct([("x", INTERVAL)])))])
    assert can_stage([ColumnSchema(name, values.type) for name, (values, _) in CASES.items()])


def test_a_filter_on_staged_floats_keeps_nan(engine: DuckDBEngine, tmp_path: Path) -> None:
    """DuckDB orders NaN above everything; Parquet's statistics leave it out, so that a row group would be skipped."""
    register(engine, pa.table({"f": [1.0, float("nan"), 2.0]}), "parquet", tmp_path)
    with engine.execute(f"select count(*) as n from {NAME} where f > 5") as found:
        assert found.to_table().to_pydict() == {"n": [1]}


def test_results_are_in_the_vocabulary(engine: DuckDBEngine) -> None:
    sql = """select 170141183460469231::hugeint as h, '101'::bit as b, 'x'::enum('x', 'y') as e,
        '10:00:00+01'::timetz as z, timestamp_ms '2020-01-02 03:04:05.678' as ms, [1::hugeint] as hs, true as t,
        timestamptz '2020-01-02 03:04:05+02' as tz, sum(1) as s where true group by all;  -- and a comment"""
    with engine.execute(sql) as found:
        table = found.to_table()
    types = {field.name: field.type for field in table.schema}
    assert types == {
        "h": pa.decimal128(38, 0), "b": pa.string(), "e": pa.string(), "z": pa.string(), "ms": MICROS,
        "hs": pa.list_(pa.decimal128(38, 0)), "t": pa.bool_(), "tz": MICROS_UTC, "s": pa.decimal128(38, 0),
    }  # fmt: skip
    row = {name: str(value) for name, value in table.to_pylist()[0].items()}
    assert row["h"] == "170141183460469231"
    assert (row["b"], row["e"], row["z"], row["t"]) == ("101", "x", "10:00:00+01", "True")
    assert row["tz"].startswith("2020-01-02 01:04:05")


def test_the_order_survives_the_casts(engine: DuckDBEngine) -> None:
    sql = "select i::hugeint as i from range(300000) t(i) order by hash(i)"
    with engine.execute(sql) as found, engine.execute(f"select i::bigint as i from ({sql})") as plain:
        assert found.to_table().column("i").to_pylist() == plain.to_table().column("i").to_pylist()


def test_a_value_that_does_not_fit_names_its_column(engine: DuckDBEngine) -> None:
    with pytest.raises(DataError) as caught:
        engine.execute("select 170141183460469231731687303715884105727::hugeint as big").to_table()
    assert caught.value.column == "big"
    assert "170141183460469231731687303715884105727" in str(caught.value)


def test_errors_of_the_query(engine: DuckDBEngine) -> None:
    for sql, what in {
        "select 1 +": "syntax error",
        "select 1 as a,\n  nope\nfrom (select 2 as b)": "line 2, column 3",
        "select * from c_crm.s.t": "does not exist",
        "select 1; select 2": "2 statements",
        "create table t (a int)": "not a query",
        "select 1 as a, 2 as A": "differ only by case",
        "select 1 as a, 2 as a": "'a' twice",
        "select * from tables": "tables does not exist",
    }.items():
        tables = "a Python variable is not a relation"
        with pytest.raises(PlanError, match=what):
            engine.execute(sql)
        assert tables
    with pytest.raises(DataError, match="'99999x'"):
        engine.execute("select (i || case when i = 99999 then 'x' else '' end)::int from range(100000) t(i)").to_table()


def test_names_that_differ_by_case_are_refused(engine: DuckDBEngine) -> None:
    with pytest.raises(PlanError, match="'a' and 'A'"):
        engine.register(HANDLE, stream(pa.table([[1], [2]], names=["a", "A"])))


def test_the_streams_own_error_comes_out_and_nothing_stays(engine: DuckDBEngine) -> None:
    cause = ValueError("the driver's words")

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"a": [1]})
        raise DataError("no", column="a") from cause

    with pytest.raises(DataError) as caught:
        engine.register(HANDLE, RowStream([ColumnSchema("a", pa.int64())], batches()))
    assert caught.value.__cause__ is cause
    with pytest.raises(PlanError, match="does not exist"):
        engine.execute(f"from {NAME}")


def test_nothing_runs_after_an_interrupt_and_nothing_is_left(tmp_path: Path) -> None:
    engine = DuckDBEngine(EngineLimits(128 << 20, 1, tmp_path / "spill"))
    engine.interrupt()
    with pytest.raises(InterruptedRunError):
        engine.execute("select 1")
    with pytest.raises(InterruptedRunError):
        engine.register(HANDLE, stream(pa.table({"a": [1]})))
    engine.close()
    engine.close()
    assert list((tmp_path / "spill").iterdir()) == []


def test_nothing_is_downloaded(engine: DuckDBEngine) -> None:
    with pytest.raises(PlanError, match="httpfs"):
        engine.execute("select * from read_csv('https://127.0.0.1:9/x.csv')")
    sql = "select name, value from duckdb_settings() where name like 'auto%extensions' order by 1"
    with engine.execute(sql) as found:
        assert set(found.to_table().column("value").to_pylist()) == {"false"}


def test_every_statement_has_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    names = ("timezone", "arrow_lossless_conversion", "python_enable_replacements")
    sql = "select " + ", ".join(f"current_setting('{name}')::varchar as {name}" for name in names)
    expected = dict(zip(names, ("UTC", "true", "false"), strict=True))
    with DuckDBEngine(EngineLimits(512 << 20, 1, tmp_path / "spill")) as engine:
        for _ in range(2):  # each in a session of its own
            with engine.execute(sql) as found:
                assert found.to_table().to_pylist() == [expected]
