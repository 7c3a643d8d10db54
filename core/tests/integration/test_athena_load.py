"""Loads into Athena (our service over DuckDB, moto's S3 and Glue): what the conformance kit cannot say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("moto")

from servers import s3
from servers.athena import AthenaServer, with_glue

from dvt.connections.athena import SPEC
from dvt.connections.connection import Connection
from dvt.errors import ConfigurationError, DataError, DvtError
from dvt.federation.loaders.athena import AthenaLoader
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation
from dvt.testing.streams import stream_of

ROWS = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "Name": ["a' \\\n", "", None]})


@pytest.fixture(scope="module")
def server() -> Iterator[AthenaServer]:
    with with_glue() as server:
        yield server


@pytest.fixture(autouse=True)
def _clean(server: AthenaServer) -> Iterator[None]:
    yield
    for name in server.hive.names():
        assert "dvt_" not in name
        server.hive.ddl(f"drop table `main`.`{name}`")
    s3.clear()


def loader(server: AthenaServer, keep_s: int = 0, **more: Any) -> AthenaLoader:
    return AthenaLoader(Connection.from_output("lake", server.output(dvt={"keep_files_s": keep_s}, **more), SPEC))


def load(server: AthenaServer, table: pa.Table, mode: Any = "table", keep_s: int = 0, **config: Any) -> None:
    with loader(server, keep_s) as loading:
        loading.load(stream_of(table), LoadConfig(Relation("t", "main"), mode=mode, **config))


def ask(server: AthenaServer, sql: str) -> list[tuple[Any, ...]]:
    with server.hive.read(sql) as read:
        return server.sql.run(read).fetchmany(1000)


def files() -> list[str]:
    found = s3.keys()
    return [key for key in found if "/dvt-" in key and "/tables/" in key]


def test_a_replaced_table_s_files_go_at_once_or_after_their_time(server: AthenaServer) -> None:
    load(server, ROWS)
    (first,) = files()
    assert first.startswith("staging/tables/main/t")
    load(server, ROWS.slice(1), keep_s=3600)
    assert len(files()) == 2, "a query that has begun may read the first"
    table = server.hive.table("main", "t")
    assert table is not None
    assert first.rpartition("/")[0] in table["Parameters"]["dvt_replaced_files"]
    assert ask(server, 'select id, name from "main"."t" order by 1') == [(2, ""), (3, None)]
    load(server, ROWS.slice(2))
    assert len(files()) == 1
    assert first not in files()
    table = server.hive.table("main", "t")
    assert table is not None
    assert "dvt_replaced_files" not in table["Parameters"]
    assert ask(server, 'select id from "main"."t"') == [(3,)]


def test_a_swap_is_one_call_and_keeps_what_is_said_of_the_table(server: AthenaServer) -> None:
    load(server, ROWS)
    table = server.hive.table("main", "t")
    assert table is not None
    storage = table["StorageDescriptor"]
    storage["Columns"][0]["Comment"] = "the key"
    kept = {"Name": "t", "Description": "orders", "TableType": "EXTERNAL_TABLE", "PartitionKeys": []}
    given = {**kept, "StorageDescriptor": storage, "Parameters": {"EXTERNAL": "TRUE", "team": "x"}}
    server.hive._glue.update_table(DatabaseName="main", TableInput=given)
    versions = len(_versions(server))
    load(server, pa.table({"id": pa.array([7], pa.int32()), "other": [1.5]}))
    assert len(_versions(server)) == versions + 1
    table = server.hive.table("main", "t")
    assert table is not None
    assert (table["Description"], table["Parameters"]["team"]) == ("orders", "x")
    columns = [(c["Name"], c["Type"], c.get("Comment")) for c in table["StorageDescriptor"]["Columns"]]
    assert columns == [("id", "int", "the key"), ("other", "double", None)]


def _versions(server: AthenaServer) -> list[Any]:
    return list(server.hive._glue.get_table_versions(DatabaseName="main", TableName="t")["TableVersions"])


def test_an_append_of_one_file_lies_beside_the_others(server: AthenaServer) -> None:
    load(server, ROWS)
    place = server.hive.table("main", "t")
    load(server, pa.table({"NAME": ["new"], "id": [9]}), "append")
    after = server.hive.table("main", "t")
    assert place is not None
    assert after is not None
    assert after["StorageDescriptor"]["Location"] == place["StorageDescriptor"]["Location"]
    assert len(files()) == 2
    assert ask(server, 'select id, name from "main"."t" where id > 2 order by 1') == [(3, None), (9, "new")]


def test_an_append_of_other_types_writes_the_table_anew(server: AthenaServer) -> None:
    load(server, pa.table({"id": pa.array([1], pa.int64()), "n": pa.array([Decimal("1.50")], pa.decimal128(10, 2))}))
    load(server, pa.table({"id": pa.array([2], pa.int16())}), "append")
    table = server.hive.table("main", "t")
    assert table is not None
    assert [c["Type"] for c in table["StorageDescriptor"]["Columns"]] == ["bigint", "decimal(10,2)"]
    assert ask(server, 'select id, n from "main"."t" order by 1') == [(1, Decimal("1.50")), (2, None)]
    assert len(files()) == 1


def test_many_files_are_appended_in_one_step(server: AthenaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvt.federation.loaders import athena

    form = athena.ParquetForm
    monkeypatch.setattr(athena, "ParquetForm", lambda **more: form(file_rows=1, **more))
    load(server, ROWS)
    versions = len(_versions(server))
    load(server, ROWS, "append")
    assert len(_versions(server)) == versions + 1
    assert len(files()) == 6
    assert ask(server, 'select count(*), sum(id) from "main"."t"') == [(6, 12)]


def test_changed_rows_are_a_new_table_in_one_step(server: AthenaServer) -> None:
    load(server, ROWS)
    versions = len(_versions(server))
    delta = pa.table({"id": pa.array([3, 4], pa.int64()), "Name": ["c", "d"]})
    load(server, delta, "merge", unique_key=("ID",))
    assert len(_versions(server)) == versions + 1
    assert ask(server, 'select id, name from "main"."t" where id > 1 order by 1') == [(2, ""), (3, "c"), (4, "d")]
    assert len(files()) == 1


@pytest.mark.parametrize("columns", [{"id": [1], "ID": [2]}, {"größe": [1]}, {"a b": [1]}])
def test_names_that_athena_does_not_take_are_refused(server: AthenaServer, columns: dict[str, Any]) -> None:
    arrays = [pa.array(values) for values in columns.values()]
    with pytest.raises(DataError) as raised:
        load(server, pa.Table.from_arrays(arrays, names=list(columns)))
    assert raised.value.column == list(columns)[-1]
    assert files() == []


def test_a_load_that_breaks_leaves_neither_table_nor_file(server: AthenaServer) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from ROWS.to_batches()
        raise DvtError("the source broke", connection="crm")

    stream = RowStream(stream_of(ROWS).columns, broken())
    with loader(server) as loading, pytest.raises(DvtError, match="the source broke"):
        loading.load(stream, LoadConfig(Relation("t", "main")))
    assert server.hive.names() == []
    assert files() == []


def test_only_what_dvt_wrote_is_deleted(server: AthenaServer) -> None:
    import boto3

    key = "theirs/data.csv"
    boto3.client("s3").put_object(Bucket=s3.BUCKET, Key=key, Body=b"x")
    server.hive.ddl(
        f"create external table `main`.`t` (`id` bigint) stored as parquet location 's3://{s3.BUCKET}/theirs/'"
    )
    load(server, ROWS)
    with loader(server) as loading:
        loading.drop(Relation("t", "main"))
    left = s3.keys()
    assert left == [key]


def test_a_moment_that_files_do_not_hold_is_named(server: AthenaServer) -> None:
    with pytest.raises(DataError) as raised:
        load(server, pa.table({"at": [dt.datetime(2026, 1, 1, 0, 0, 0, 1)]}))
    assert (raised.value.column, files()) == ("at", [])


def test_another_catalogue_is_refused(server: AthenaServer) -> None:
    with loader(server, database="federated") as loading, pytest.raises(ConfigurationError, match="federated"):
        loading.kind(Relation("t", "main"))


def fails_once(loading: AthenaLoader, service: str, call: str) -> None:
    """The service refuses the next such call."""
    from botocore.exceptions import ClientError

    left = [ClientError({"Error": {"Code": "ThrottlingException", "Message": "rate exceeded"}}, call)]

    def refuse(**_: Any) -> None:
        if left:
            raise left.pop()

    session = loading.session()
    client = session.glue if service == "glue" else session.new_folder(Relation("t", "main")).client
    client.meta.events.register(f"before-call.{service}.{call}", refuse)


# What cleans up after a failure takes the files of the private table that Glue still has: not those of the target.
@pytest.mark.parametrize(
    ("service", "call", "left"),
    [("glue", "UpdateTable", 1), ("glue", "DeleteTable", 1), ("s3", "DeleteObjects", 3)],
)
def test_a_swap_that_breaks_half_way_takes_no_rows_away(
    server: AthenaServer, service: str, call: str, left: int
) -> None:
    load(server, ROWS.slice(2))
    with loader(server) as loading:
        fails_once(loading, service, call)
        with pytest.raises(DvtError, match="rate exceeded"):
            loading.load(stream_of(ROWS), LoadConfig(Relation("t", "main")))
    assert ask(server, 'select count(*) from "main"."t"') == [(left,)]
    assert server.hive.names() == ["t"]
    assert len(files()) == (2 if service == "s3" else 1)
    load(server, ROWS.slice(1))
    assert ask(server, 'select count(*) from "main"."t"') == [(2,)]


@pytest.mark.parametrize("call", ["CreateTable", "DeleteTable"])
def test_a_first_landing_that_breaks_half_way_leaves_no_table_without_files(server: AthenaServer, call: str) -> None:
    with loader(server) as loading:
        fails_once(loading, "glue", call)
        with pytest.raises(DvtError, match="rate exceeded"):
            loading.load(stream_of(ROWS), LoadConfig(Relation("t", "main")))
    assert (server.hive.names(), files()) == ([], [])


def test_a_folder_below_dvt_s_own_is_not_taken_for_dvt_s(server: AthenaServer) -> None:
    """The bucket of this test, and many another, is called `dvt-...`."""
    import boto3

    key = "staging/tables/main/theirs/data.parquet"
    boto3.client("s3").put_object(Bucket=s3.BUCKET, Key=key, Body=b"x")
    place = f"s3://{s3.BUCKET}/staging/tables/main/theirs/"
    server.hive.ddl(f"create external table `main`.`t` (`id` bigint) stored as parquet location '{place}'")
    load(server, ROWS)
    left = s3.keys()
    assert key in left
    assert ask(server, 'select count(*) from "main"."t"') == [(3,)]
