"""Streams as Parquet files in a bucket (moto's S3, Google's emulator): their sizes, what they hold, what is left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from servers import s3
from servers.object_stores import STORES

from dvt.connections.aws import session
from dvt.connections.connection import Connection
from dvt.connections.files import SPEC
from dvt.connections.store_folder import StoreFolder, store_folder
from dvt.errors import ConfigurationError, DvtError
from dvt.federation.extractors.s3_parquet import S3Folder, s3_folder
from dvt.federation.loaders.bucket_files import BucketFiles, Folder, ParquetForm

CONNECTION = Connection("engine", SPEC, {"path": "."})
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3.running() as address:
        yield address


@pytest.fixture(params=["s3_folder", "store_folder"])
def folder(request: pytest.FixtureRequest, bucket: str) -> Iterator[Folder]:
    """Both kinds, over the same bucket."""
    url = f"s3://{s3.BUCKET}/loads"
    made: S3Folder | StoreFolder
    if request.param == "s3_folder":
        made = s3_folder(url, session(), None, "engine")
    else:
        made = store_folder(CONNECTION, url, {"region_name": "us-east-1"}, "dvt.load_to")
    yield made.private()
    s3.clear()


def batches(count: int, rows: int = 100) -> Iterator[pa.RecordBatch]:
    for number in range(count):
        ids = range(number * rows, (number + 1) * rows)
        yield pa.RecordBatch.from_arrays(
            [pa.array(ids, pa.int64()), pa.array([f"row {i}" for i in ids])], schema=SCHEMA
        )


def read(folder: Folder, url: str) -> pa.Table:
    """By pyarrow's reader of one file, which knows nothing of dvt."""
    with folder.filesystem.open_input_file(url.removeprefix("s3://")) as file:
        return pq.read_table(file)


def objects() -> list[str]:
    """What lies in the bucket, but for the empty objects that stand for folders."""
    found = s3.keys()
    return [key for key in found if not key.endswith("/")]


def test_files_are_bounded_by_rows_and_told_in_their_order(folder: Folder) -> None:
    with BucketFiles(folder, ParquetForm(file_rows=250)) as files:
        written = files.write(SCHEMA, batches(10))
        assert [file.rows for file in written] == [250, 250, 250, 250]
        assert [file.url for file in written] == [f"{folder.url}0000{n}.parquet" for n in range(4)]
        tables = [read(folder, file.url) for file in written]
        assert pa.concat_tables(tables).equals(pa.Table.from_batches(batches(10)))
        sizes = {info.path: info.size for info in folder.filesystem.get_file_info([f.url[5:] for f in written])}
        assert {file.url[5:]: file.bytes for file in written} == sizes
        assert (files.rows, files.bytes) == (1000, sum(sizes.values()))
    assert objects() == []


def test_files_are_bounded_by_bytes(folder: Folder) -> None:
    with BucketFiles(folder, ParquetForm(file_bytes=2000, group_rows=100, compression="none")) as files:
        written = files.write(SCHEMA, batches(10))
        assert len(written) > 3
        assert sum(file.rows for file in written) == 1000
        assert all(file.bytes < 6000 for file in written)


def test_no_rows_make_no_file(folder: Folder) -> None:
    with BucketFiles(folder) as files:
        assert files.write(SCHEMA, SCHEMA.empty_table().to_batches()) == []
        assert objects() == []


def test_what_is_kept_stays(folder: Folder) -> None:
    with BucketFiles(folder) as files:
        files.write(SCHEMA, batches(1))
        files.keep()
    assert len(objects()) == 1
    files.remove()
    assert objects() == []


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_failure_leaves_nothing(folder: Folder, is_kept: bool) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from batches(3)
        raise DvtError("the source broke")

    def write() -> None:
        with BucketFiles(folder, ParquetForm(file_rows=100)) as files:
            if is_kept:
                files.write(SCHEMA, batches(2))
                files.keep()
            files.write(SCHEMA, broken())

    with pytest.raises(DvtError, match="the source broke"):
        write()
    assert objects() == []


def test_nothing_else_is_removed(folder: Folder) -> None:
    other = folder.path.rpartition("/")[0] + "/other.parquet"
    with folder.filesystem.open_output_stream(other) as file:
        file.write(b"x")
    with BucketFiles(folder) as files:
        files.write(SCHEMA, batches(1))
    assert objects() == [other.partition("/")[2]]


MOMENTS = [dt.datetime(1, 1, 1), dt.datetime(1969, 12, 31, 23, 59, 59, 999999), dt.datetime(9999, 12, 31), None]
FORMS: dict[str, tuple[ParquetForm, pa.DataType, list[Any], str]] = {
    "a wall time": (ParquetForm(), pa.timestamp("us"), MOMENTS, "INT64 Timestamp(isAdjustedToUTC=false, microseconds)"),
    "a moment": (
        ParquetForm(),
        pa.timestamp("us", "UTC"),
        MOMENTS,
        "INT64 Timestamp(isAdjustedToUTC=true, microseconds)",
    ),
    "int96": (ParquetForm(timestamps="int96"), pa.timestamp("us"), MOMENTS[1:2], "INT96 None"),
    "decimal": (
        ParquetForm(),
        pa.decimal128(9, 2),
        [Decimal("-1.25"), None],
        "FIXED_LEN_BYTE_ARRAY Decimal(precision=9, scale=2)",
    ),
    "short decimal": (
        ParquetForm(has_integer_decimals=True),
        pa.decimal128(9, 2),
        [Decimal("-1.25")],
        "INT32 Decimal(precision=9, scale=2)",
    ),
    "bytes": (ParquetForm(compression="zstd"), pa.binary(), [b"\x00\xff", b"", None], "BYTE_ARRAY None"),
}


@pytest.mark.parametrize("case", FORMS)
def test_columns_have_the_form_that_is_asked_for(bucket: str, case: str) -> None:
    form, type_, values, wanted = FORMS[case]
    folder = s3_folder(f"s3://{s3.BUCKET}/forms", session(), None, "engine").private()
    table = pa.table({"x": pa.array(values, pa.timestamp("us") if pa.types.is_timestamp(type_) else type_).cast(type_)})
    with BucketFiles(folder, form) as files:
        written = files.write(table.schema, table.to_batches())
        with folder.filesystem.open_input_file(written[0].url[5:]) as file:
            parquet = pq.ParquetFile(file, coerce_int96_timestamp_unit="us")
            column = parquet.schema.column(0)
            logical = str(column.logical_type).split(", is_from_converted_type")[0]
            told = logical.replace("timeUnit=", "")
            told = told if told == "None" else told.rstrip(")") + ")"
            assert f"{column.physical_type} {told}" == wanted
            assert parquet.schema_arrow.metadata is None
            assert parquet.read()["x"].to_pylist() == table["x"].to_pylist()


def test_what_would_be_cut_is_refused(bucket: str) -> None:
    folder = s3_folder(f"s3://{s3.BUCKET}/forms", session(), None, "engine").private()
    table = pa.table({"x": pa.array([1], pa.timestamp("ns"))})
    with pytest.raises(pa.ArrowInvalid, match="would lose data"), BucketFiles(folder) as files:
        files.write(table.schema, table.to_batches())
    assert objects() == []


def test_memory_is_bounded(bucket: str) -> None:
    folder = s3_folder(f"s3://{s3.BUCKET}/forms", session(), None, "engine").private()
    form = ParquetForm(group_bytes=1 << 20, file_bytes=4 << 20, compression="none")
    schema = pa.schema([("x", pa.binary())])
    held: list[int] = []

    def wide() -> Iterator[pa.RecordBatch]:
        for number in range(48):
            yield pa.record_batch([pa.array([bytes([number % 256, i % 256]) * (1 << 16) for i in range(8)])], schema)
            held.append(pa.total_allocated_bytes())

    pa.total_allocated_bytes()
    with BucketFiles(folder, form) as files:
        files.write(schema, wide())
        assert files.rows == 48 * 8
    assert max(held[8:]) < 40 << 20, "48 MB were written"


def test_a_store_that_refuses_is_told_with_the_engine_s_connection(bucket: str) -> None:
    folder = store_folder(CONNECTION, "s3://no-such-bucket/loads", {"region_name": "us-east-1"}, "dvt.load_to")
    with pytest.raises(DvtError, match=r"(?i)bucket") as raised, BucketFiles(folder.private()) as files:
        files.write(SCHEMA, batches(1))
    assert raised.value.connection == "engine"


def test_only_stores_are_places(bucket: str) -> None:
    with pytest.raises(ConfigurationError, match=r"dvt\.load_to is no address"):
        store_folder(CONNECTION, "/tmp/folder", {}, "dvt.load_to")
    with pytest.raises(ConfigurationError, match="means nothing for s3"):
        store_folder(CONNECTION, "s3://bucket/x", {"keyfile": "k.json"}, "dvt.load_to")


@pytest.mark.parametrize("kind", ["gs"])
def test_another_store(kind: str) -> None:
    with STORES[kind]() as store:
        keys = {key: value for key, value in store.output().items() if key not in ("type", "path")}
        folder = store_folder(CONNECTION, f"{kind}://{store.bucket}/loads", keys, "dvt.load_to").private()
        with BucketFiles(folder, ParquetForm(file_rows=50)) as files:
            written = files.write(SCHEMA, batches(1))
            assert folder.files() == [file.url.removeprefix(f"{kind}://") for file in written]
        assert folder.files() == []
