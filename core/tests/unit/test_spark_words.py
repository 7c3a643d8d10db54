"""A query in Spark's words: what is carried, how it is said, and what is refused by its name; no Spark is asked."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from federation_memory_source import Servers
from local_engines import stream
from spark_corpus import EXPRESSIONS, FAILING, QUERIES, REFUSED, STOPPED, TABLE

from dvt.connections.spark_process import SparkSaidError
from dvt.errors import DataError, PlanError, UnsupportedError
from dvt.federation.engines.base import Handle
from dvt.federation.engines.choice import EngineChoice
from dvt.federation.engines.spark_errors import translate
from dvt.federation.engines.spark_parquet import duckdb_name, result_batch, stored_batch, stored_schema
from dvt.federation.engines.spark_sql import spark_sql
from dvt.federation.session import RunSession
from dvt.federation.stream import ColumnSchema
from dvt.types.vocabulary import JSON, UUID

T = Handle("db", "main", "t")


@pytest.fixture(scope="module")
def columns() -> list[ColumnSchema]:
    with stream(TABLE) as found:
        return [*found.columns]


def said(sql: str, columns: list[ColumnSchema], more: tuple[ColumnSchema, ...] = ()) -> str:
    return spark_sql(sql, {T: [*columns, *more]}, {T: "dvt_0"})


CARRIED = [*QUERIES.values(), *FAILING.values(), *STOPPED]
CARRIED += [f"select {each} from db.t" for group in EXPRESSIONS.values() for each in group]


@pytest.mark.parametrize("sql", CARRIED)
def test_what_is_carried(columns: list[ColumnSchema], sql: str) -> None:
    found = said(sql, columns)
    assert "`main`" not in found.split("FROM")[-1]
    assert "db.t" not in sql or "`dvt_0`" in found


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_refused_is_named(columns: list[ColumnSchema], sql: str) -> None:
    with pytest.raises(UnsupportedError, match=REFUSED[sql]) as raised:
        said(sql, columns, (ColumnSchema("clock", pa.time64("us"), native_type="TIME"),))
    assert raised.value.remedy
    assert raised.value.phase == "plan"


def test_a_column_that_spark_does_not_read_does_not_matter_where_nobody_names_it(columns: list[ColumnSchema]) -> None:
    assert "dvt_0" in said("select i from db.t", columns, (ColumnSchema("clock", pa.time64("us")),))


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select i/2 from db.t", "CAST(`t`.`i` AS DOUBLE) / CAST(2 AS DOUBLE)"),
        ("select sum(i) from db.t", "SUM(CAST(`t`.`i` AS DECIMAL(38, 0)))"),
        ("select i from db.t order by i", "ORDER BY `i` NULLS LAST"),
        ("select row_number() over (order by i) from db.t", "ORDER BY `t`.`i` NULLS LAST"),
        ("select day - day from db.t", "DATEDIFF(`t`.`day`, `t`.`day`)"),
        ("select d::int from db.t", "CAST(ROUND(`t`.`d`) AS INT)"),
        ("select f::int from db.t", "CAST(RINT(`t`.`f`) AS INT)"),
        ("select t2 like 'a\\b' from db.t", "LIKE 'a\\\\\\\\b'"),
        ("select extract(dow from day) from db.t", "(DAYOFWEEK(`t`.`day`) - 1)"),
    ],
)
def test_what_means_another_thing_is_said_in_other_words(columns: list[ColumnSchema], sql: str, words: str) -> None:
    assert words in said(sql, columns)


def test_what_is_not_carried_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    servers = Servers(crm={"t": pa.table({"i": [1, 2]})})
    session = RunSession(
        tmp_path,
        memory_bytes=1 << 28,
        threads=1,
        parallel_queries=1,
        run_id="1",
        extractor_factory=servers.factory,
    )
    with session:
        for sql, words in (
            ("select list(i) from crm.s.t", "array_agg"),
            ("select time '10:00' as c from crm.s.t", "TIME"),
        ):
            with pytest.raises(UnsupportedError, match=words):
                with session.query(sql, servers.inputs(), engine="spark"):
                    pytest.fail("it was computed")
        assert servers["crm"].sessions == []
        with session.query("select sum(i) as s from crm.s.t", servers.inputs(), engine="auto") as run:
            assert run.stream.to_table().to_pylist() == [{"s": 3}], "a size that nobody knows is DuckDB's"


def test_auto_is_spark_for_what_is_known_to_be_large() -> None:
    from dvt.federation.plan.model import ScanPlan

    def of(*sizes: int | None) -> list[ScanPlan]:
        return [ScanPlan(None, None, "", estimated_bytes=size) for size in sizes]  # type: ignore[arg-type]

    choice = EngineChoice("auto", 100)
    assert [choice.of(None, lambda s=s: of(*s)) for s in ((60, 41), (60, 40), (1000, None), ())] == [
        *("spark", "duckdb", "duckdb", "duckdb")
    ]
    assert choice.of("duckdb", lambda: of(1000)) == "duckdb"
    assert EngineChoice("spark").of(None, lambda: pytest.fail("sizes were asked for")) == "spark"


def test_what_is_staged_is_what_spark_reads() -> None:
    mark = uuid.UUID("6f2c1f9e-1111-4222-8333-444455556666")
    given = pa.record_batch(
        {
            "u": pa.array([2**64 - 1, None], pa.uint64()),
            "mark": pa.array([mark.bytes, None], UUID),
            "doc": pa.array(['{"a": 1}', None], JSON),
            "clock": pa.array([datetime.time(1), None], pa.time64("us")),
        }
    )
    columns = [ColumnSchema(field.name, field.type) for field in given.schema]
    schema = stored_schema(columns)
    stored = stored_batch(given, schema)
    assert stored.to_pylist()[0] == {"u": Decimal(2**64 - 1), "mark": str(mark), "doc": '{"a": 1}'}
    assert [duckdb_name(column.type) for column in columns] == ["UBIGINT", "UUID", "JSON", ""]
    back = result_batch(stored, columns[:3])
    assert back.equals(given.select(["u", "mark", "doc"]))


@pytest.mark.parametrize("numbers", [pa.array([2**31 - 1], pa.int32()), pa.array([-(2**63 - 1)], pa.int64())])
def test_infinity_is_not_staged_as_a_number_of_days(numbers: pa.Array) -> None:
    type_ = pa.date32() if numbers.type == pa.int32() else pa.timestamp("us")
    with pytest.raises(DataError, match="infinite") as raised:
        stored_batch(pa.record_batch({"d": numbers.view(type_)}), pa.schema([("d", type_)]))
    assert raised.value.column == "d"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (pa.array([1.5]), pa.int64()),
        (pa.array([Decimal("1.55")]), pa.decimal128(3, 1)),
        (pa.array([300]), pa.uint8()),
        (pa.array(["1"]), pa.int32()),
        (pa.array([1]), pa.string()),
        (pa.array([1.5]), pa.decimal128(3, 1)),
        (pa.array([datetime.datetime(2024, 1, 1, 1)], pa.timestamp("us")), pa.date32()),
    ],
)
def test_a_result_of_another_value_or_kind_is_refused(given: pa.Array, wanted: pa.DataType) -> None:
    with pytest.raises(DataError) as raised:
        result_batch(pa.record_batch({"c0": given}), [ColumnSchema("total", wanted)])
    assert raised.value.column == "total"


def test_what_spark_says_is_told_by_families() -> None:
    stopped = translate(SparkSaidError("[USER_RAISED_EXCEPTION] dvt: left takes lengths SQLSTATE: P0001"))
    assert (type(stopped), stopped.message) == (DataError, "the engine stops: left takes lengths")
    assert type(translate(SparkSaidError("[DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012"))) is DataError
    refused = translate(SparkSaidError("[DATATYPE_MISMATCH.X] cannot. SQLSTATE: 42K09", "", "a.AnalysisException"))
    assert type(refused) is PlanError
