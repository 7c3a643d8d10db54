"""Loading into BigQuery by the Storage Write API; its streams and offsets are emulated, types and faults our own."""

from __future__ import annotations

import datetime
import re
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from integration.bigquery_kit import connect, read
from servers.bigquery import BigQueryServer
from servers.cut_off import cut_off

from dvt.connections.connection import Connection
from dvt.errors import ConnectionLostError, DataError, InterruptedRunError
from dvt.federation.loaders.bigquery import BigQueryLoader
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation
from dvt.types.vocabulary import JSON

pytestmark = [pytest.mark.bigquery, pytest.mark.slow]

_NOON = datetime.datetime(2026, 1, 1, 12, 0, 0, 250_001)
_VALUES: dict[str, pa.Array] = {
    "bools": pa.array([True, None, False]),
    "shorts": pa.array([-(2**15), None, 7], pa.int16()),
    "longs": pa.array([-(2**63), None, 2**63 - 1]),
    "unsigned": pa.array([0, None, 2**64 - 1], pa.uint64()),
    "numbers": pa.array([Decimal("-1.23"), None, Decimal("99999999999999999999.99")], pa.decimal128(22, 2)),
    "long_numbers": pa.array([Decimal("1e-20"), None, Decimal(10) ** 10], pa.decimal128(38, 20)),
    "doubles": pa.array([float("nan"), None, float("-inf")]),
    "floats": pa.array([0.1, None, -0.0], pa.float32()),
    "texts": pa.array(["", None, "a\tb\n\\N \U0001f600 'x'"]),
    "bytes": pa.array([b"", None, b"\x00\xff"]),
    "days": pa.array([datetime.date(1, 1, 1), None, datetime.date(9999, 12, 31)]),
    "moments": pa.array([datetime.datetime(1, 1, 1), None, _NOON], pa.timestamp("us")),
    "nanos": pa.array([1_000, None, -1_000], pa.timestamp("ns")),
    "instants": pa.array(
        [_NOON, None, datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999)], pa.timestamp("us", "UTC")
    ),
    "documents": pa.ExtensionArray.from_storage(JSON, pa.array(['{"a": [1, null, "x"]}', None, "[]"])),
    "lists": pa.array([[1, 2], [], [3]], pa.list_(pa.int64())),
    "structs": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": ""}]),
}


def _loader(server: BigQueryServer, **options: Any) -> BigQueryLoader:
    class Impatient(BigQueryLoader):
        answer_s = 0.5

    return Impatient(_connected(server, **options))


def _connected(server: BigQueryServer, **options: Any) -> Connection:
    return connect(server, **{"load_with": "storage_write", **options})


def _load(loader: BigQueryLoader, table: pa.Table, rows_each: int = 2) -> LoadResult:
    columns = [ColumnSchema(field.name, field.type) for field in table.schema]
    with loader:
        config = LoadConfig(Relation("written"), streaming_batch_size=rows_each)
        return loader.load(RowStream(columns, iter(table.to_batches())), config)


@pytest.fixture
def server(bigquery_server: BigQueryServer) -> Iterator[BigQueryServer]:
    bigquery_server.write_fault()
    bigquery_server.statements()
    yield bigquery_server
    bigquery_server.write_fault()
    bigquery_server.execute("drop table if exists shop.written")


def _ids(server: BigQueryServer) -> list[str]:
    return [row[0] for row in server.query("select id from shop.written order by id")]


def _private(server: BigQueryServer) -> list[str]:
    names = [row[0] for row in server.query("select table_name from shop.INFORMATION_SCHEMA.TABLES")]
    return [name for name in names if name.startswith("written") and name != "written"]


def test_values_equal_those_of_load_jobs(server: BigQueryServer) -> None:
    table = pa.table(_VALUES)
    found, text = {}, "select to_json_string(t) from shop.written t"
    for with_ in ("jobs", "storage_write"):
        method = _load(_loader(server, load_with=with_), table).method
        found[with_] = method, read(connect(server), "written"), sorted(row[0] for row in server.query(text))
    assert found["jobs"][0] == "load_parquet"
    assert found["storage_write"][0] == "storage_write_arrow"
    assert found["storage_write"][1].schema == found["jobs"][1].schema
    rows = {key: sorted(map(repr, value[1].to_pylist())) for key, value in found.items()}
    assert rows["storage_write"] == rows["jobs"]
    assert found["storage_write"][2] == found["jobs"][2]


def test_one_stream_and_a_table_by_a_query(server: BigQueryServer) -> None:
    """A copy of a table has not what is still in the buffer of written rows."""
    _load(_loader(server), pa.table({"id": range(5)}))
    _load(_loader(server), pa.table({"id": range(3)}))
    told = server.statements()
    streams = [line for line in told if re.match(r"create PENDING|append|finalize|commit", line)]
    first = ["create PENDING stream", "append 2 at 0", "append 2 at 2", "append 1 at 4", "finalize", "commit"]
    again = ["create PENDING stream", "append 2 at 0", "append 1 at 2", "finalize", "commit"]
    assert streams == [*first, *again]
    made = [sql for sql in told if "create" in sql and "`written`" in sql]
    assert len(made) == 2
    assert all("as select * from" in sql and " copy " not in sql for sql in made)
    assert _ids(server) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pa.array([0], pa.time64("us")), "column odd: the API has no Arrow type for time"),
        (pa.array([[0]], pa.list_(pa.time64("us"))), "column odd: the API has no Arrow type for array<time>"),
    ],
)
def test_a_column_that_it_does_not_take(server: BigQueryServer, column: pa.Array, why: str) -> None:
    result = _load(_loader(server), pa.table({"id": [1], "odd": column}))
    assert result.method == "load_parquet"
    assert [str(each) for each in result.passed_over] == [f"storage_write_arrow: {why}"]
    assert "create PENDING stream" not in server.statements()


@pytest.mark.parametrize("fault", ["silent", "cut", "busy"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_request_that_is_sent_again_doubles_nothing(server: BigQueryServer, fault: str, at: int) -> None:
    """Its rows were taken and the answer did not come, or they were not taken."""
    server.write_fault(fault, at)
    assert _load(_loader(server), pa.table({"id": range(10)})).rows == 10
    told = [line for line in server.statements() if line.startswith("append")]
    assert told.count(f"append 2 at {2 * (at - 1)}") == 2
    assert _ids(server) == [str(n) for n in range(10)]


def test_a_stream_that_is_at_another_row(server: BigQueryServer) -> None:
    """A request that was answered, and not taken: the next one is out of range."""
    _load(_loader(server), pa.table({"id": [7]}))
    server.write_fault("lost", 2)
    with pytest.raises(ConnectionLostError, match=r"not at the row that comes next.*beyond the end"):
        _load(_loader(server), pa.table({"id": range(10)}))
    assert (_ids(server), _private(server)) == (["7"], [])


def test_a_stream_that_lacks_its_last_rows(server: BigQueryServer) -> None:
    server.write_fault("lost", 5)
    with pytest.raises(ConnectionLostError, match="10 rows were sent, and BigQuery's stream has 8"):
        _load(_loader(server), pa.table({"id": range(10)}))
    assert "commit" not in server.statements()
    assert _private(server) == []


def test_a_connection_that_is_always_cut_leaves_nothing(server: BigQueryServer) -> None:
    _load(_loader(server), pa.table({"id": [7]}))
    server.write_fault("cut always")
    with pytest.raises(ConnectionLostError, match=r"rows 1 to 2 were sent 5 times.*made by the test: cut"):
        _load(_loader(server), pa.table({"id": range(10)}))
    assert (_ids(server), _private(server)) == (["7"], [])


def test_a_network_that_is_cut_in_mid_request_leaves_nothing(server: BigQueryServer) -> None:
    with cut_off(server.grpc_port, 100_000, of_the_client=True) as port:
        loader = _loader(server, storage_endpoint=f"http://127.0.0.1:{port}")
        with pytest.raises(ConnectionLostError, match=r"were sent 5 times"):
            _load(loader, pa.table({"id": range(4), "t": ["x", "y", "z" * 200_000, ""]}), 1)
    assert _private(server) == []


def test_a_plan_names_the_method(server: BigQueryServer) -> None:
    with _loader(server) as loader:
        assert loader.planned().method == "storage_write_arrow"
    with _loader(server, load_with="jobs") as loader:
        assert loader.planned().method == "load_parquet"


def test_a_row_that_is_refused_is_named(server: BigQueryServer) -> None:
    server.write_fault("refused", 2, "Field amount: value is too long")
    table = pa.table({"id": range(10), "amount": pa.array(range(10), pa.decimal128(20, 2))})
    with pytest.raises(DataError, match=r"row 4.*too long") as caught:
        _load(_loader(server), table)
    assert (caught.value.column, caught.value.rows, caught.value.relation is not None) == ("amount", "row 4", True)
    assert _private(server) == []


def test_rows_are_cut_to_the_limit_of_a_request(server: BigQueryServer) -> None:
    large = ["x" * n for n in (1, 3 << 20, 9_900_000, 2)]
    assert _load(_loader(server, batch_rows=4), pa.table({"id": range(4), "t": large}), 4).rows == 4
    told = [row[0] for row in server.query("select length(t) from shop.written order by id")]
    assert told == ["1", str(3 << 20), "9900000", "2"]
    with pytest.raises(DataError, match=r"row 2.*10000000.*load_with to jobs"):
        _load(_loader(server), pa.table({"id": [1, 2], "t": ["x", "y" * 10_000_000]}))
    assert _private(server) == []


def test_no_rows(server: BigQueryServer) -> None:
    result = _load(_loader(server), pa.table({"id": pa.array([], pa.int64())}))
    assert (result.rows, result.method) == (0, "storage_write_arrow")
    assert _ids(server) == []


def test_a_cancelled_load_leaves_nothing(server: BigQueryServer) -> None:
    """It is waiting for an answer."""
    server.write_fault("silent", 1)
    failed: list[BaseException] = []
    loader = BigQueryLoader(_connected(server))

    def run() -> None:
        try:
            _load(loader, pa.table({"id": range(10)}))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not any(line.startswith("append") for line in server.statements()):
        assert thread.is_alive()
    loader.cancel()
    thread.join(timeout=60)
    assert [type(error) for error in failed] == [InterruptedRunError]
    assert _private(server) == []
