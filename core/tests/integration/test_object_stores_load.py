"""Landing in object stores, emulated: what lies there afterwards, what failed loads leave, what a wrong key says."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from servers.object_stores import STORES, Store

from dvt.connections.connection import Connection
from dvt.connections.files import SPEC, root_path
from dvt.connections.object_paths import ObjectPath
from dvt.errors import AuthenticationError, ConnectionFailedError, DataError, QueryError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.files import FilesExtractor
from dvt.federation.extractors.files_steady import read_steadily
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.files import FilesLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

ROWS = "select i, 'row ' || i as t, cast(i / 8.0 as decimal(18, 3)) as n, i % 3 as p from range(100, {n}) r(i)"


@pytest.fixture(scope="module", params=list(STORES))
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with STORES[request.param]() as opened:
        yield opened


def lake(store: Store, prefix: str, **dvt: Any) -> Connection:
    more = {"dvt": dvt} if dvt else {}
    return Connection.from_output("lake", {**store.output(prefix), **more}, SPEC)


def made(sql: str) -> pa.Table:
    return duckdb.sql(sql).to_arrow_table()


def load(con: Connection, rows: pa.Table | Iterator[pa.RecordBatch], name: str = "t", **config: Any) -> Any:
    table = rows if isinstance(rows, pa.Table) else None
    schema = table.schema if table is not None else _SCHEMA
    batches = iter(table.to_batches(max_chunksize=1000)) if table is not None else rows
    stream = RowStream([ColumnSchema(field.name, field.type) for field in schema], batches)  # type: ignore[arg-type]
    with FilesLoader(con) as loader:
        return loader.load(stream, LoadConfig(Relation(name), run_id="0a1b2c3d", **config))


def found(con: Connection, name: str = "t") -> pa.Table:
    with FilesExtractor(con) as extractor, extractor.scan(ExtractionConfig(relation=Relation(name))) as stream:
        return stream.to_table()


def objects(con: Connection) -> dict[str, bytes]:
    root = root_path(con)
    assert isinstance(root, ObjectPath)
    held = {}
    for path in root.rglob("*"):
        if path.is_file():
            with path.open() as file:
                held["/".join(path.parts[len(root.parts) :])] = file.read()
    return held


def test_one_object_is_replaced_and_appended_to(store: Store) -> None:
    con = lake(store, "single")
    first, more = made(ROWS.format(n=5000)), made(ROWS.format(n=103))
    assert load(con, first).rows == 4900  # nothing is below the prefix before
    assert list(objects(con)) == ["t.parquet"]
    assert pq.read_table(io.BytesIO(objects(con)["t.parquet"])).equals(first)
    load(con, more, mode="append")
    both = pq.read_table(io.BytesIO(objects(con)["t.parquet"])).sort_by("i")
    assert both.equals(pa.concat_tables([first, more]).sort_by("i"))
    load(con, more)
    assert list(objects(con)) == ["t.parquet"]
    assert found(con).equals(more)
    with pytest.raises(DataError) as caught:
        load(con, pa.table({"other": [1]}), mode="append")
    assert caught.value.column == "other"
    assert list(objects(con)) == ["t.parquet"]


def test_text_is_the_same_bytes_as_in_a_folder(store: Store) -> None:
    con = lake(store, "text")
    rows = made("select 1 as i, 'a\"b' as t, 1.50::decimal(9,2) as n union all select null, '', null")
    load(con, rows, "c", file_options={"format": "csv"})
    load(con, rows, "j", file_options={"format": "jsonl"})
    load(con, rows.slice(0, 1), "j", file_options={"format": "jsonl"}, mode="append")
    one = b'{"i":1,"t":"a\\"b","n":"1.50"}\n'
    assert objects(con) == {
        "c.csv": b'"i","t","n"\n1,"a""b","1.50"\n,"",\n',
        "j.jsonl": one + b'{"i":null,"t":"","n":null}\n' + one,
    }


@pytest.mark.parametrize("format_", ["parquet", "jsonl"])
def test_a_folder_of_partitions(store: Store, format_: str) -> None:
    con = lake(store, f"parts-{format_}", layout="folder", partition_by="p", keep_old_s=0)
    first, more = made(ROWS.format(n=3000)), made(ROWS.format(n=103))
    load(con, first, file_options={"format": format_})
    assert found(con).sort_by("i").equals(first)
    assert {name.split("/")[2] for name in objects(con) if "/p=" in name} == {"p=0", "p=1", "p=2"}
    load(con, more, file_options={"format": format_}, mode="append")
    assert found(con).num_rows == 2903
    load(con, more, file_options={"format": format_})
    assert found(con).sort_by("i").equals(more)
    assert len([name for name in objects(con) if "part-" in name]) == 3  # the old ones are gone


_SCHEMA = pa.schema([("i", pa.int64()), ("t", pa.string())])


def _many(count: int, *, is_broken: bool) -> Iterator[pa.RecordBatch]:
    """Batches of a megabyte that do not compress well."""
    import os

    for number in range(count):
        texts = [os.urandom(512).hex() for _ in range(1000)]
        yield pa.RecordBatch.from_arrays([pa.array([number] * 1000), pa.array(texts)], schema=_SCHEMA)
    if is_broken:
        raise QueryError("the source broke")


@pytest.mark.parametrize("layout", ["file", "folder"])
def test_a_load_that_fails_leaves_nothing(store: Store, layout: str) -> None:
    con = lake(store, f"broken-{layout}", layout=layout, part_bytes=2 << 20)  # some parts are whole before it breaks
    format_ = "csv" if layout == "folder" else "parquet"
    load(con, pa.table({"i": [1], "t": ["old"]}), file_options={"format": format_})
    before = objects(con)
    with pytest.raises(QueryError, match="the source broke"):
        load(con, _many(23, is_broken=True), file_options={"format": format_}, streaming_batch_size=1000)
    assert objects(con) == before
    assert found(con).to_pylist() == [{"i": 1, "t": "old"}]
    if store.kind == "s3":
        import boto3

        client = boto3.client("s3", endpoint_url=store.endpoint, **store.login)
        assert not client.list_multipart_uploads(Bucket=store.bucket).get("Uploads")


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
def test_uploads_hold_a_part_at_a_time(store: Store, format_: str) -> None:
    if store.kind == "gs":
        pytest.skip("the emulator takes no pieces of an upload from pyarrow in a time that tests have")
    con = lake(store, f"large-{format_}")
    gc.collect()
    before, most = pa.total_allocated_bytes(), 0

    def watched() -> Iterator[pa.RecordBatch]:
        nonlocal most
        for batch in _many(60, is_broken=False):
            yield batch
            most = max(most, pa.total_allocated_bytes() - before)

    assert load(con, watched(), file_options={"format": format_}).rows == 60_000
    assert most < 40 << 20
    assert found(con).num_rows == 60_000


def test_an_object_replaced_before_its_rows_are_given_is_read_again(store: Store) -> None:
    store.put("steady/x", b"old")
    path = root_path(lake(store, "steady")) / "x"
    batch = pa.record_batch({"i": [1]})
    asked: list[int] = []

    def read() -> Iterator[pa.RecordBatch]:
        asked.append(len(asked))
        if len(asked) == 1:
            yield pa.record_batch({"i": [0]})  # of the old object
            store.put("steady/x", b"newer")
        elif len(asked) == 2:
            store.put("steady/x", b"the newest")
            raise pa.ArrowInvalid("torn")
        else:
            yield batch

    assert list(read_steadily(path, read)) == [batch]
    assert asked == [0, 1, 2]
    with pytest.raises(pa.ArrowInvalid, match="not one that changed"):
        list(read_steadily(path, _torn))


def _torn() -> Iterator[pa.RecordBatch]:
    raise pa.ArrowInvalid("not one that changed")
    yield


def test_a_wrong_key_and_a_bucket_that_is_not_there(store: Store) -> None:
    if store.refused is not None:
        refused = Connection.from_output("lake", {**store.output("single"), **store.refused}, SPEC)
        with pytest.raises(AuthenticationError):
            load(refused, pa.table({"i": [1]}))
    nowhere = Connection.from_output("lake", {**store.output(), "path": f"{store.kind}://dvt-no-such-bucket/x"}, SPEC)
    with pytest.raises(ConnectionFailedError, match="no bucket"):
        load(nowhere, pa.table({"i": [1]}))
