"""Loads into Hive (Spark's HiveServer2) by files in a folder: the values of INSERTs, and nothing left behind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from servers.spark import SparkServer

from dvt.errors import ConfigurationError, DataError, DvtError, InterruptedRunError
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.hive import HiveLoader
from dvt.federation.registry import open_connection
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation
from dvt.testing.landing import cancelled_from_aside
from dvt.testing.streams import NUMBERED, numbered, stream, stream_of
from dvt.types.vocabulary import JSON, MICROS, TIME, UUID

pytestmark = [pytest.mark.spark, pytest.mark.slow]

ROWS = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        "Text": ["it's \\ a\tb\n ${x} 漢字", "", None],
        "bytes": [b"\x00\xff", b"", None],
        "yes": [True, False, None],
        "tiny": pa.array([-128, 127, None], pa.int8()),
        "small": pa.array([-32768, 32767, None], pa.int16()),
        "huge": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "amount": pa.array([Decimal("-0.01"), Decimal("99999999.99"), None], pa.decimal128(10, 2)),
        "part": [5e-324, float("nan"), None],
        "short": pa.array([0.5, float("-inf"), None], pa.float32()),
        "day": [dt.date(1, 1, 1), dt.date(1582, 10, 10), None],
        "time": pa.array([dt.time(23, 59, 59, 999999), dt.time(0), None], TIME),
        "wall": pa.array([dt.datetime(1969, 12, 31, 23, 59, 59, 999999), dt.datetime(1500, 1, 1), None], MICROS),
        "key": pa.array([b"\x01" * 16, b"\xff" * 16, None], UUID),
        "doc": pa.array(['{"a": 1.10}', "null", None], JSON),
        "list": pa.array([[1, None], [], None], pa.list_(pa.int32())),
    }
)


@pytest.fixture(scope="module")
def schema(spark_server: SparkServer) -> str:
    pytest.importorskip("impala.hiveserver2")
    return spark_server.database("dvt_hive_files")


def _loader(server: SparkServer, through: str = "", **more: Any) -> HiveLoader:
    options = {**({"load_through": through} if through else {}), **more}
    return HiveLoader(open_connection("lake", server.hive_output(dvt=options)))


def _names(server: SparkServer, schema: str) -> set[str]:
    return {str(row[1]) for row in server.query(f"show tables in {schema}")}


def _load(loader: HiveLoader, rows: RowStream, name: str, schema: str) -> str:
    with loader:
        return loader.load(rows, LoadConfig(Relation(name, schema))).method


def test_files_leave_what_inserts_leave(spark_server: SparkServer, schema: str, tmp_path: Path) -> None:
    assert _load(_loader(spark_server, tmp_path.as_uri()), stream_of(ROWS), "filed", schema) == "external_parquet"
    assert _load(_loader(spark_server), stream_of(ROWS), "inserted", schema) == "insert"
    names = ", ".join(f"hex(cast(`{name}` as string))" for name in ROWS.schema.names)
    found = [spark_server.query(f"select {names} from {schema}.{table} order by id") for table in ("filed", "inserted")]
    assert found[0] == found[1]
    assert len(found[0]) == 3
    about = [spark_server.query(f"describe {schema}.{table}") for table in ("filed", "inserted")]
    assert about[0] == about[1]
    assert list(tmp_path.iterdir()) == []
    assert _names(spark_server, schema) >= {"filed", "inserted"}
    assert not [name for name in _names(spark_server, schema) if "dvt" in name]


def test_what_fails_leaves_the_old_table_alone(spark_server: SparkServer, schema: str, tmp_path: Path) -> None:
    through = tmp_path.as_uri()
    _load(_loader(spark_server, through), stream(NUMBERED, numbered([7])), "kept", schema)

    def broken() -> Iterator[pa.RecordBatch]:
        yield from numbered(range(5_000))
        raise DataError("the source broke", connection="crm")

    with pytest.raises(DataError, match="the source broke"):
        _load(_loader(spark_server, through), stream(NUMBERED, broken()), "kept", schema)
    cancelled = _loader(spark_server, through)
    with pytest.raises(InterruptedRunError):
        _load(cancelled, stream(NUMBERED, cancelled_from_aside(cancelled)), "kept", schema)
    spark_server.execute(f"refresh table {schema}.kept")
    assert [row[0] for row in spark_server.query(f"select id from {schema}.kept")] == [7]
    assert not [name for name in _names(spark_server, schema) if "dvt" in name]
    assert list(tmp_path.iterdir()) == []


def test_an_external_table_that_fails_to_be_read_is_dropped(
    spark_server: SparkServer, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = _loader(spark_server, tmp_path.as_uri())
    run = loader.run

    def without_files(sql: str) -> None:
        if sql.startswith("insert into table"):  # between the two somebody empties the folder
            for file in tmp_path.rglob("*.parquet"):
                file.write_bytes(b"no Parquet")
        run(sql)

    monkeypatch.setattr(loader, "run", without_files)
    with pytest.raises(DvtError):
        _load(loader, stream(NUMBERED, numbered([1])), "never", schema)
    assert "never" not in _names(spark_server, schema)
    assert not [name for name in _names(spark_server, schema) if "dvt" in name]
    assert list(tmp_path.iterdir()) == []


def test_what_is_asked_for_and_cannot_be(spark_server: SparkServer, schema: str) -> None:
    with pytest.raises(DvtError, match="load_through names no folder"):
        _load(_loader(spark_server, load_by="streaming"), stream(NUMBERED, numbered([1])), "none", schema)
    for wrong in ("/tmp/x", "az://box/x", "file://host/x"):
        with pytest.raises(ConfigurationError, match="load_through"):
            _load(_loader(spark_server, wrong), stream(NUMBERED, numbered([1])), "none", schema)
    assert "none" not in _names(spark_server, schema)
    with _loader(spark_server) as loader:
        assert loader.planned().passed_over == ()
