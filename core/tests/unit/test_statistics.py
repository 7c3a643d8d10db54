"""What engines without a server know of a relation's size; the oracles are the engines' own counts after ANALYZE."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from federation_memory_source import MemoryExtractor, Servers
from local_engines import connection

from dvt import errors
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig, TableStatistics
from dvt.federation.extractors.duckdb import DuckDBExtractor
from dvt.federation.extractors.files import FilesExtractor
from dvt.federation.extractors.sqlite import SQLiteExtractor
from dvt.federation.session import RunSession
from dvt.identifiers import Relation


def known(extractor: BaseExtractor, name: str, schema: str | None = None, **request: object) -> TableStatistics | None:
    with extractor:
        return extractor.statistics(ExtractionConfig(relation=Relation(name, schema), **request))


def test_sqlite_knows_what_analyze_counted(tmp_path: Path) -> None:
    con = connection("sqlite", tmp_path, path="a.db")
    with sqlite3.connect(tmp_path / "a.db") as session:
        session.execute("create table 'odd name' (id integer primary key, x int)")
        session.executemany("insert into 'odd name' (x) values (?)", [(n,) for n in range(500)])
        session.execute("create index part on 'odd name' (x) where x < 3")
        session.execute("create index whole on 'odd name' (x)")
    session.close()
    assert known(SQLiteExtractor(con), "odd name") is None
    with sqlite3.connect(tmp_path / "a.db") as session:
        session.execute("analyze")
    session.close()
    assert known(SQLiteExtractor(con), "odd name") == TableStatistics(rows=500)
    assert known(SQLiteExtractor(con), "ODD NAME", "main") == TableStatistics(rows=500)
    assert known(SQLiteExtractor(con), "other") is None


def test_duckdb_knows_its_tables(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "a.duckdb")) as session:
        session.execute("create schema s; create table s.t as select range as id from range(3000)")
        session.execute("create table t as select 1 as id; create view v as select * from s.t")
    con = connection("duckdb", tmp_path, path="a.duckdb")
    assert known(DuckDBExtractor(con), "T", "s") == TableStatistics(rows=3000)
    assert known(DuckDBExtractor(con), "t") == TableStatistics(rows=1)
    assert known(DuckDBExtractor(con), "v") is None


def test_parquet_footers_are_summed_and_csv_has_bytes_only(tmp_path: Path) -> None:
    folder = tmp_path / "lake" / "parts"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"id": range(100)}), folder / "a.parquet", row_group_size=30)
    pq.write_table(pa.table({"id": range(11)}), folder / "b.parquet")
    (tmp_path / "lake" / "c.csv").write_text("id\n1\n22\n")
    con = connection("files", tmp_path, path="lake")
    found = known(FilesExtractor(con), "parts")
    size = "select sum(distinct_size) from (select row_group_bytes as distinct_size from parquet_metadata(?)"
    size += " group by file_name, row_group_id, row_group_bytes)"
    with duckdb.connect() as session:
        assert found == TableStatistics(111, session.execute(size, [f"{folder}/*.parquet"]).fetchone()[0])
    assert known(FilesExtractor(con), "any", file_options={"path": "c.csv"}) == TableStatistics(bytes=8)


@pytest.fixture
def servers() -> Servers:
    return Servers(crm={"t": pa.table({"id": [1, 2]})})


def session_of(servers: Servers, tmp_path: Path) -> RunSession:
    return RunSession(
        tmp_path / "work",
        memory_bytes=1 << 28,
        threads=1,
        parallel_queries=1,
        run_id="00000001",
        extractor_factory=servers.factory,
    )


def test_statistics_are_asked_once_a_run_and_again_after_a_write(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def statistics(self: MemoryExtractor, request: ExtractionConfig) -> TableStatistics:
        asked.append(request.relation)
        return TableStatistics(2, 16)

    monkeypatch.setattr(MemoryExtractor, "statistics", statistics)
    (one,) = servers.inputs()
    with session_of(servers, tmp_path) as session:
        assert session.statistics(one) == session.statistics(one) == TableStatistics(2, 16)
        assert asked == [Relation("t", "s")]
        session.forget(one.connection, one.relation)
        session.statistics(one)
        assert len(asked) == 2


@pytest.mark.parametrize(
    ("error", "is_raised"),
    [
        (errors.PrivilegeError("no"), False),
        (errors.TimeoutExceededError("no"), False),
        (errors.ConnectionLostError("no"), False),
        (errors.DataError("no"), False),
        (errors.ConfigurationError("no"), True),
        (errors.InternalError("no"), True),
        (errors.InterruptedRunError("no"), True),
        (ZeroDivisionError(), True),
    ],
)
def test_what_a_source_does_not_tell_is_unknown(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, is_raised: bool
) -> None:
    def statistics(self: MemoryExtractor, request: ExtractionConfig) -> TableStatistics:
        raise error

    monkeypatch.setattr(MemoryExtractor, "statistics", statistics)
    (one,) = servers.inputs()
    with session_of(servers, tmp_path) as session:
        if is_raised:
            with pytest.raises(type(error)):
                session.statistics(one)
        else:
            assert session.statistics(one) == TableStatistics(None, None)


def test_an_engine_without_statistics_knows_nothing(servers: Servers, tmp_path: Path) -> None:
    with session_of(servers, tmp_path) as session:
        assert session.statistics(servers.inputs()[0]) == TableStatistics(None, None)
