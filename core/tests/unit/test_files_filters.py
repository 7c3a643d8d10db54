"""Filters of Parquet files by value: the oracle is DuckDB's own `read_parquet` under the same condition."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_engines import connection

from dvt.connections.connection import Connection
from dvt.errors import InternalError
from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.files import FilesExtractor
from dvt.federation.extractors.files_filter import conditions_of
from dvt.federation.plan.model import Input
from dvt.federation.plan.planner import plan_query
from dvt.federation.session import RunSession
from dvt.identifiers import Relation

HANDLE = Handle("lake", "raw", "t")
ROWS = """
select i as id, nullif(i % 7, 3)::bigint as n8, (i * 1000003)::ubigint * 60000000000 as u8, (i % 5 - 2)::tinyint n1,
       case when i % 11 <> 0 then (i * 1.25 - 100)::decimal(12, 2) end as d,
       (i - 150)::decimal(38, 0) * 10000000000000000000000000000000000 as huge,
       case i % 6 when 0 then null when 1 then '' when 2 then 'Ab' when 3 then 'ab' when 4 then 'ab%c'
                  else 'ä' || i end as s,
       case when i % 9 <> 0 then date '1999-12-20' + i end as day,
       case when i < 3 then date 'infinity' when i < 6 then date '-infinity'
            else date '0040-01-01 (BC)' + i end as odd_day,
       timestamp '2024-02-28 23:59:00' + i * interval 7 minutes as tick,
       timestamptz '2024-02-28 23:59:00+00' + i * interval 7 minutes as tick_utc,
       timestamp_ns '2024-02-28 23:59:00.000000001' as ns, (i % 2 = 0) as flag,
       case when i % 4 = 0 then 'nan'::double else i / 8 end as f8, [i] as list, uuid() as u
from (select range::int as i from range(300))
"""
CONDITIONS = (
    "id = 17",
    "id <> 17 and id < 40",
    "id >= 250 or n1 = -2",
    "id in (1, 2, 2, 299, 1000)",
    "id between 10 and 12 or id is null",
    "id not in (1, 2)",
    "id = 99999999999",
    "id > 1.5 and id <= 4.25",
    "id in (3, 4.5, 5.0)",
    "id < -99999999999999",
    "id = 7.5",
    "n8 is null",
    "n8 is not null and n8 > 4",
    "n8 = -1",
    "n1 < 0",
    "n1 = 300",
    "u8 >= 17000000000000000000",
    "u8 = 18446744073709551615",
    "d = -97.5",
    "d <> 0.005 and d < -50",
    "d > 100.005",
    "d in (-98.75, 1.1, 2.505)",
    "d = 99999999999999999",
    "huge > 10000000000000000000000000000000000",
    "huge <= -10000000000000000000000000000000000",
    "s = 'ab'",
    "s = ''",
    "s <> 'ab'",
    "s in ('Ab', 'ä5', 'none')",
    "s like 'ab%'",
    "s like 'ä%' and id > 200",
    "s is null",
    "s is not distinct from 'ab'",
    "s is distinct from 'ab'",
    "not (s = 'ab' or id > 20)",
    "day = date '2000-02-29'",
    "day < date '2000-01-01'",
    "day >= '2000-09-01'",
    "day in (date '2000-02-29', date '2000-03-01')",
    "day > timestamp '2000-02-29 12:00:00'",
    "day >= timestamp '2000-02-29 12:00:00'",
    "day < timestamp '2000-02-29 12:00:00'",
    "day <= timestamp '2000-02-29 00:00:00'",
    "day = timestamp '2000-02-29 12:00:00'",
    "day <> timestamp '2000-02-29 12:00:00'",
    "day between date '2000-02-28' and date '2000-02-28' + 2",
    "odd_day > date '2020-01-01'",
    "odd_day < date '0001-01-01'",
    "odd_day >= date '0039-05-01 (BC)'",
    "tick = timestamp '2024-02-29 00:06:00'",
    "tick < timestamp '2024-02-29 00:06:00.000001'",
    "tick >= '2024-03-01'",
    "tick in (timestamp '2024-02-29 00:06:00', timestamp '2024-02-29 00:13:00')",
    "tick_utc > timestamptz '2024-03-01 02:00:00+02'",
    "tick_utc = '2024-02-29 00:06:00+00'",
    "flag",
    "not flag and id < 9",
    "flag = true and ns is not null",
    "list is null",
    "f8 > 30",
    "u is not null and id = 3",
)


# No integer equals the one, and not every engine writes the others.
STAYING = ("id = 7.5", "u8 >= 17000000000000000000", "u8 = 18446744073709551615")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One relation in three files: one of many row groups, one without a column, one of other encodings."""
    folder = tmp_path_factory.mktemp("files")
    parts = folder / "lake" / "t"
    parts.mkdir(parents=True)
    with duckdb.connect() as session:
        session.execute("set timezone = 'UTC'")
        session.execute(f"create table r as {ROWS}")
        a, b = (f"'{parts / name}.parquet'" for name in "ab")
        session.execute(f"copy (from r where id < 200 order by id) to {a} (row_group_size 32, format parquet)")
        session.execute(f"copy (select * exclude (n8, flag) from r where id between 200 and 249) to {b}")
    with duckdb.connect() as session:
        session.execute("set timezone = 'UTC'")
        table = session.sql(f"select * exclude (u) from ({ROWS}) where id >= 250").to_arrow_table()
    index = table.schema.get_field_index("s")
    table = table.set_column(index, "s", table.column("s").dictionary_encode())
    table = table.set_column(
        table.schema.get_field_index("tick"), "tick", table.column("tick").cast(pa.timestamp("ms"))
    )
    pq.write_table(table, parts / "c.parquet", row_group_size=20)
    return folder


@pytest.fixture(scope="module")
def con(lake: Path) -> Connection:
    return connection("files", lake, "lake", path="lake")


@pytest.fixture(scope="module")
def inputs(con: Connection) -> list[Input]:
    return [Input(HANDLE, con, Relation("t", "s"), "lake.t")]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_rows_are_those_of_duckdb(lake: Path, con: Connection, inputs: list[Input], condition: str) -> None:
    with FilesExtractor(con) as extractor:
        columns = extractor.describe(ExtractionConfig(relation=inputs[0].relation))
        plan = plan_query(f"select id, d from lake.raw.t where {condition}", inputs, lambda _: columns)
        (scan,) = plan.scans
        is_left = "f8" in condition or condition in STAYING  # NaN
        assert bool(scan.predicates) is not is_left, scan.decisions
        assert all(decision.is_exact for decision in scan.decisions) is not is_left
        with extractor.scan(scan.request()) as stream:
            found = stream.to_table().select(["id", "d"])
    with duckdb.connect() as session:
        session.execute("set timezone = 'UTC'")
        files = f"read_parquet('{lake}/lake/t/*.parquet', union_by_name = true)"
        kept = "true" if is_left else condition
        want = session.execute(f"select id, d from {files} where {kept} order by id").fetchall()
    assert sorted((row["id"], row["d"]) for row in found.to_pylist()) == want
    assert len(want) < 300 or is_left


def test_random_combinations_are_those_of_duckdb(lake: Path, tmp_path: Path, inputs: list[Input]) -> None:
    """Through the whole session, where the engine checks again, and by the number of rows that came."""
    random_ = random.Random(7)
    alone = [condition for condition in CONDITIONS if "f8" not in condition]
    files = f"read_parquet('{lake}/lake/t/*.parquet', union_by_name = true)"
    with (
        duckdb.connect() as oracle,
        RunSession(tmp_path, memory_bytes=1 << 28, threads=1, parallel_queries=1, run_id="00000002") as session,
    ):
        oracle.execute("set timezone = 'UTC'")
        for _ in range(60):
            parts = [f"({random_.choice(('', 'not '))}({part}))" for part in random_.sample(alone, 3)]
            where = f"{parts[0]} {random_.choice(('and', 'or'))} {parts[1]} {random_.choice(('and', 'or'))} {parts[2]}"
            want = oracle.execute(f"select id from {files} where {where} order by 1").fetchall()
            with session.query(f"select id from lake.raw.t where {where} order by 1", inputs) as run:
                found = [tuple(row.values()) for row in run.stream]
                assert found == want, where
                if all(decision.is_exact for decision in run.plan.scans[0].decisions):
                    assert run.scans[0].rows == len(want), where


def test_row_groups_without_such_rows_are_not_read(tmp_path: Path) -> None:
    """The bytes of all other row groups are destroyed: who reads them fails."""
    (tmp_path / "lake").mkdir()
    path = tmp_path / "lake" / "t.parquet"
    moments = pa.array(range(1000), pa.int64()).cast(pa.timestamp("us"))
    words = [f"w{n:04}" for n in range(1000)]
    pq.write_table(
        pa.table({"id": range(1000), "tick": moments, "w": words}), path, row_group_size=100, compression=None
    )
    content = bytearray(path.read_bytes())
    footer = pq.read_metadata(path)
    for index in range(10):
        for column in range(3):
            chunk = footer.row_group(index).column(column)
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            if index != 4:
                content[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(content)
    con = connection("files", tmp_path, "lake", path="lake")
    inputs = [Input(HANDLE, con, Relation("t", "s"), "lake.t")]
    with FilesExtractor(con) as extractor:
        columns = extractor.describe(ExtractionConfig(relation=Relation("t", "s")))
        for condition in (
            "id between 410 and 411",
            "id in (410, 411)",
            "tick >= timestamp '1970-01-01 00:00:00.00041' and tick < timestamp '1970-01-01 00:00:00.000412'",
            "w in ('w0410', 'w0411')",
        ):
            (scan,) = plan_query(f"select w from lake.raw.t where {condition}", inputs, lambda _: columns).scans
            with extractor.scan(scan.request()) as stream:
                assert stream.to_table().column("w").to_pylist() == ["w0410", "w0411"], condition
        with pytest.raises(Exception, match=r"."), extractor.scan(ExtractionConfig(relation=Relation("t"))) as stream:
            stream.to_table()


def test_a_column_that_is_only_compared_does_not_arrive(con: Connection, inputs: list[Input]) -> None:
    with FilesExtractor(con) as extractor:
        columns = extractor.describe(ExtractionConfig(relation=inputs[0].relation))
        (scan,) = plan_query("select id from lake.raw.t where s = 'ab' limit 4", inputs, lambda _: columns).scans
        request = ExtractionConfig(
            relation=inputs[0].relation, columns=("id",), predicates=scan.predicates, limit=scan.limit, batch_size=7
        )
        with extractor.scan(request) as stream:
            assert stream.to_table().to_pydict() == {"id": [3, 9, 15, 21]}


def test_scans_that_give_other_rows_have_other_words(con: Connection, inputs: list[Input]) -> None:
    """What is staged for several models is found again by these words."""
    with FilesExtractor(con) as extractor:
        columns = extractor.describe(ExtractionConfig(relation=inputs[0].relation))
    queries = ("", "where id = 1", "where id = 2", "limit 3", "limit 4", "where (id = 1 or n1 = 2) and d = 1 limit 4")
    words = [
        plan_query(f"select id from lake.raw.t {part}", inputs, lambda _: columns)
        .scans[0]
        .sql.removeprefix("read s.t: ")
        for part in queries
    ]
    assert [text.removeprefix("read s.t: ") for text in words] == [
        "id",
        'id where "id" = 1',
        'id where "id" = 2',
        "id, at most 3 rows",
        "id, at most 4 rows",
        'id, n1, d where ("id" = 1 OR "n1" = 2) and "d" = 1, at most 4 rows',
    ]


def test_the_first_rows_of_an_order_are_not_asked_of_files(con: Connection, inputs: list[Input]) -> None:
    with FilesExtractor(con) as extractor:
        columns = extractor.describe(ExtractionConfig(relation=inputs[0].relation))
    (scan,) = plan_query("select id from lake.raw.t order by id limit 3", inputs, lambda _: columns).scans
    assert scan.limit is None


def test_text_files_are_asked_for_nothing(tmp_path: Path) -> None:
    """A value that is not of its declared type is an error also where a filter would leave it out."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "c.csv").write_text("id\n1\nx\n")
    con = connection("files", tmp_path, "lake", path="lake")
    source = Input(HANDLE, con, Relation("c", "s"), "lake.c", declared={"id": "int64"})
    with FilesExtractor(con) as extractor:
        request = ExtractionConfig(relation=source.relation, declared={"id": "bigint"})
        columns = extractor.describe(request)
    for where in ("id = 1", "id is not null", "id in (1, 2)"):
        (scan,) = plan_query(f"select id from lake.raw.t where {where}", [source], lambda _: columns).scans
        assert scan.predicates == ()
        assert [decision.reason.code for decision in scan.decisions if decision.reason] in (["P20"], ["P21"])


@pytest.mark.parametrize(
    "text", ["id + 1 = 2", "upper(s) = 'A'", "id = s", "s like 'a%'", "not (id = 1)", "id is true"]
)
def test_what_the_planner_never_sends_is_a_fault(text: str) -> None:
    from sqlglot import parse_one

    with pytest.raises(InternalError):
        conditions_of([parse_one(text, read="duckdb")], {"id": pa.int64(), "s": pa.string()})
