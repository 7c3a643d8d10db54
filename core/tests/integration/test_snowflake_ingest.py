"""Loading into Snowflake by its ADBC driver's ingest; the driver is the real one, the server's stage and COPY ours."""

from __future__ import annotations

import datetime
import importlib.util
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from integration.snowflake_kit import connect, read
from servers.snowflake import TOKEN, SnowflakeServer

from dvt.connections.connection import Connection
from dvt.connections.snowflake import SPEC
from dvt.errors import DataError, DvtError, InterruptedRunError
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.loaders.snowflake import SnowflakeLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

pytestmark = [
    pytest.mark.snowflake,
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("adbc_driver_snowflake") is None,
        reason="the ADBC driver is not installed (pip install adbc-driver-snowflake)",
    ),
]

_NOON = datetime.datetime(2026, 1, 1, 12, 0, 0, 250_001)
_VALUES: dict[str, pa.Array] = {
    "bools": pa.array([True, None, False]),
    "bytes": pa.array([255, None, 0], pa.uint8()),
    "longs": pa.array([-(2**63), None, 2**63 - 1]),
    "numbers": pa.array([Decimal("-1.23"), None, Decimal("99999999999999999999.99")], pa.decimal128(22, 2)),
    "doubles": pa.array([1e300, None, float("-inf")]),
    "floats": pa.array([0.1, None, -2.5], pa.float32()),
    "texts": pa.array(["", None, "a\tb\n\\ \U0001f600 'x'"]),
    "days": pa.array([datetime.date(1600, 1, 1), None, datetime.date(9999, 12, 31)]),
    "moments": pa.array([datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999), None, _NOON], pa.timestamp("us")),
    "It is": pa.array(["x", None, "y"]),
}


def _loader(server: SnowflakeServer, **options: Any) -> SnowflakeLoader:
    return SnowflakeLoader(connect(server, **{"load_with": "adbc", **options}))


def _load(loader: SnowflakeLoader, table: pa.Table) -> LoadResult:
    columns = [ColumnSchema(field.name, field.type) for field in table.schema]
    with loader:
        return loader.load(RowStream(columns, iter(table.to_batches())), LoadConfig(Relation("ingested")))


def _tables(server: SnowflakeServer) -> list[str]:
    told = server.query("select table_name as N from information_schema.tables")
    return [row["N"] for row in told if row["N"].startswith("INGESTED")]


@pytest.fixture
def server(snowflake_server: SnowflakeServer) -> Iterator[SnowflakeServer]:
    snowflake_server.statements()
    yield snowflake_server
    snowflake_server.execute("drop table if exists INGESTED")


def test_values_equal_those_of_put_and_copy(server: SnowflakeServer) -> None:
    found = {}
    for with_ in ("put", "adbc"):
        result = _load(_loader(server, load_with=with_), pa.table(_VALUES))
        found[result.method] = read(connect(server), "ingested")
    assert list(found) == ["put_copy", "adbc_ingest"]
    assert found["adbc_ingest"].schema == found["put_copy"].schema
    rows = {method: sorted(map(repr, table.to_pylist())) for method, table in found.items()}
    assert rows["adbc_ingest"] == rows["put_copy"]
    assert _tables(server) == ["INGESTED"]


def test_a_text_that_the_drivers_copy_takes_for_null(server: SnowflakeServer) -> None:
    _load(_loader(server), pa.table({"id": [7]}))
    with pytest.raises(DataError, match=r"not hold the values that were sent.*load_with to put") as caught:
        _load(_loader(server), pa.table({"id": [1, 2], "t": ["a", "\\N"]}))
    assert caught.value.column == "T"
    assert server.query("select ID::varchar as N from INGESTED") == [{"N": "7"}]
    assert _tables(server) == ["INGESTED"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"\x00"]),
        pa.array([0], pa.time64("us")),
        pa.array([0], pa.timestamp("us", "UTC")),
        pa.array([0], pa.timestamp("ns")),
        pa.array([2**64 - 1], pa.uint64()),
        pa.array([[1]]),
    ],
)
def test_a_column_that_is_left_to_put(server: SnowflakeServer, column: pa.Array) -> None:
    result = _load(_loader(server), pa.table({"id": [1], "odd": column}))
    assert result.method == "put_copy"
    assert [str(each).startswith("adbc_ingest: column odd: ") for each in result.passed_over] == [True]


def test_logins_and_what_the_driver_has_no_option_for(server: SnowflakeServer) -> None:
    table = pa.table({"id": [1]})
    token = {"authenticator": "programmatic_access_token", "token": TOKEN, "password": None}
    key = {"private_key": server.key.decode(), "password": None}
    set_ = {"session_parameters": {"WEEK_START": 1}}
    for more, method in ((token, "adbc_ingest"), (key, "adbc_ingest"), (set_, "put_copy")):
        output = {key: value for key, value in server.output(**more).items() if value is not None}
        loader = SnowflakeLoader(Connection.from_output("shop", {**output, "dvt": {"load_with": "adbc"}}, SPEC))
        assert _load(loader, table).method == method


def test_an_error_of_the_rows_is_told_as_it_is(server: SnowflakeServer) -> None:
    def rows() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"id": [1]})
        raise DvtError("the source ended")

    with _loader(server) as loader, pytest.raises(DvtError, match="the source ended"):
        loader.load(RowStream([ColumnSchema("id", pa.int64())], rows()), LoadConfig(Relation("ingested")))
    assert _tables(server) == []


def test_a_cancelled_load_leaves_nothing(server: SnowflakeServer) -> None:
    begun = threading.Event()
    failed: list[BaseException] = []
    loader = _loader(server)

    def rows() -> Iterator[pa.RecordBatch]:
        while True:
            begun.set()
            yield pa.record_batch({"id": range(1000)})

    def run() -> None:
        try:
            with loader:
                loader.load(RowStream([ColumnSchema("id", pa.int64())], rows()), LoadConfig(Relation("ingested")))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(60), failed
    loader.cancel()
    thread.join(timeout=60)
    assert [type(error) for error in failed] == [InterruptedRunError]
    assert _tables(server) == []
