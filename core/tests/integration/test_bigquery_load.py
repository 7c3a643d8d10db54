"""What loading into BigQuery keeps and refuses, beside what the kit asks of all loaders; the server is emulated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from integration.bigquery_kit import connect
from servers.bigquery import BigQueryServer

from dvt.errors import DvtError
from dvt.federation.loaders.bigquery import BigQueryLoader
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

pytestmark = [pytest.mark.bigquery, pytest.mark.slow]


def _load(server: BigQueryServer, table: pa.Table, kind: type[BigQueryLoader] = BigQueryLoader, **more: Any) -> int:
    columns = [ColumnSchema(field.name, field.type) for field in table.schema]
    with kind(connect(server)) as loader:
        config = LoadConfig(Relation("landed"), **more)
        return loader.load(RowStream(columns, iter(table.to_batches(max_chunksize=2))), config).rows


@pytest.fixture
def server(bigquery_server: BigQueryServer) -> Iterator[BigQueryServer]:
    yield bigquery_server
    bigquery_server.execute("drop table if exists shop.landed")


def test_description_labels_and_digits_are_kept(server: BigQueryServer) -> None:
    amounts = pa.array([1, 2], pa.decimal128(12, 2))
    server.execute(
        """create table shop.landed (id int64) options (description = 'it\\'s ours', labels = [('a', 'b')])"""
    )
    _load(server, pa.table({"id": [1, 2], "amount": amounts}))
    with BigQueryLoader(connect(server)) as loader:
        table = loader._table(Relation("landed", "shop", "dvt"))
    assert (table.description, table.labels) == ("it's ours", {"a": "b"})
    assert [(f.field_type, f.precision, f.scale) for f in table.schema] == [("INTEGER", None, None), ("NUMERIC", 12, 2)]
    assert server.query("select id from shop.landed order by 1") == [["1"], ["2"]]


def test_partitions_and_clusters_are_kept(server: BigQueryServer) -> None:
    layout = "partition by datetime_trunc(at, month) cluster by id"
    server.execute(f"create table shop.landed (id int64, at datetime) {layout} options (description = 'parted')")
    at = pa.array([0, 1], pa.timestamp("us"))
    server.statements()
    _load(server, pa.table({"id": [1, 2], "at": at, "amount": pa.array([1, 2], pa.decimal128(12, 2))}))
    made = [sql for sql in server.statements() if "or replace" in sql]
    assert len(made) == 1
    assert "partition by DATETIME_TRUNC(`at`, MONTH) cluster by `id` options (description = 'parted')" in made[0]
    with BigQueryLoader(connect(server)) as loader:
        table = loader._table(Relation("landed", "shop", "dvt"))
    assert (table.time_partitioning.field, table.time_partitioning.type_) == ("at", "MONTH")
    assert (table.clustering_fields, table.description, table.num_rows) == (["id"], "parted", 2)
    assert [(f.precision, f.scale) for f in table.schema] == [(None, None), (None, None), (12, 2)]


def test_lists_and_structs_land_as_such(server: BigQueryServer) -> None:
    rows = [{"a": 1, "b": ["x", ""]}, {"a": None, "b": []}]
    type_ = pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])
    _load(server, pa.table({"n": [1, 2], "l": pa.array([[1, 2], []]), "s": pa.array(rows, type_)}))
    told = server.query("select to_json_string(l), to_json_string(s) from shop.landed order by n")
    assert told == [["[1,2]", '{"a":1,"b":["x",""]}'], ["[]", '{"a":null,"b":[]}']]


def test_many_files_are_many_jobs_of_one_private_table(server: BigQueryServer) -> None:
    class Small(BigQueryLoader):
        piece_bytes = 1

    server.statements()
    assert _load(server, pa.table({"n": range(4), "t": ["x" * (5 << 20)] * 4}), Small) == 4
    assert server.statements().count("load") == 4


def test_delete_and_insert_are_one_transaction(server: BigQueryServer) -> None:
    _load(server, pa.table({"id": [1, 2], "t": ["a", "b"]}))
    server.statements()
    _load(server, pa.table({"id": [2, 3], "t": ["B", "c"]}), mode="delete+insert", unique_key=("id",))
    script = next(sql for sql in server.statements() if "delete from" in sql)
    words = [line.split(" ")[0] for line in script.split("\n")]
    assert words == ["begin", "delete", "insert", "commit"]
    assert server.query("select id, t from shop.landed order by 1") == [["1", "a"], ["2", "B"], ["3", "c"]]
    with BigQueryLoader(connect(server)) as loader, pytest.raises(DvtError):
        loader.execute(["delete from shop.landed where true", "insert into shop.landed (id) select cast('x' as int64)"])
    assert len(server.query("select id from shop.landed")) == 3
