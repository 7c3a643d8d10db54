"""The folder that `dvt.load_through` names, and what is there when executors say that they have written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dvt.connections.connection import Connection
from dvt.connections.shared_folder import private_folder
from dvt.errors import ConfigurationError, DataError
from dvt.federation.loaders.bucket_files import BucketFiles, ParquetForm
from dvt.federation.loaders.bucket_spread import BucketSpread
from dvt.federation.loaders.file_columns import FileColumns
from dvt.federation.loaders.files_executor import Task
from dvt.federation.registry import open_connection
from dvt.federation.spread import Part, SpreadRows, Told
from dvt.types.exact_cast import exactly

ROWS = pa.table({"i": [1, 2, None]})
Change = Callable[[Sequence[Told]], Sequence[Told]]


def hive(address: str) -> Connection:
    output = {"type": "hive", "host": "h", "user": "u", "schema": "s", "dvt": {"load_through": address}}
    return open_connection("w", output)


@pytest.mark.parametrize(
    "address",
    [
        "https://a.blob.core.windows.net/c/f?sp=rw&sig=s3cret-of-the-store",
        "abfss://c@a.dfs.core.windows.net/f?sp=rw&sig=s3cret-of-the-store",
        "s3://me:s3cret-of-the-store@bucket/f",
    ],
)
def test_an_address_with_a_secret_in_it_is_refused_and_not_told(address: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address that the server reads") as raised:
        private_folder(hive(address), takes_local=True)
    assert "s3cret" not in str(raised.value)


def written(tmp_path: Path, change: Change) -> list[int]:
    """Two parts, written by the executors' own function, of which other things are said or done afterwards."""
    pq.write_table(pa.concat_tables([ROWS, ROWS]), tmp_path / "result.parquet", row_group_size=3)
    path = str(tmp_path / "result.parquet")

    def land(order: Mapping[str, Any]) -> Sequence[Told]:
        told = Task(order)(iter([pa.record_batch({"id": pa.array([0, 1], pa.int64())})]))
        lines = [line for batch in told for line in batch.to_pylist()]
        return change([Told(line["part"], **json.loads(line["said"])) for line in lines])

    spread = SpreadRows(
        (Part(path, (0,), 3), Part(path, (1,), 3)), "executors", "", lambda _: "", land, lambda: None, _lines
    )
    columns = FileColumns.of([pa.int16()], [partial(exactly, type_=pa.int16())], ["i"], "Hive")
    with BucketFiles(private_folder(hive(f"file://{tmp_path}"), takes_local=True)) as files:
        return BucketSpread(spread, columns, ParquetForm()).write(files, ROWS.schema)


def _lines() -> Any:
    raise AssertionError("it is by executors")


def test_what_executors_say_is_compared_with_what_is_there(tmp_path: Path) -> None:
    assert written(tmp_path, lambda told: told) == [4]

    def cut(told: Sequence[Told]) -> Sequence[Told]:
        (file,) = tmp_path.glob("dvt-*/00001-00000.parquet")
        file.write_bytes(file.read_bytes()[:-9])
        return told

    def lost(told: Sequence[Told]) -> Sequence[Told]:
        (file,) = tmp_path.glob("dvt-*/00000-00000.parquet")
        file.unlink()
        return told

    changes: dict[str, Change] = {
        "was written with": cut,
        "and there are 0": lost,
        "2 parts were to be written, and 1 were": lambda told: told[1:],
        "2 parts were to be written, and 3 were": lambda told: [*told, told[0]],
        "3 rows of a part were to be written, and 2 were": lambda told: [dataclasses.replace(told[0], rows=2), told[1]],
    }
    for message, change in changes.items():
        with pytest.raises(DataError, match=message) as raised:
            written(tmp_path, change)
        assert "Run it again" in str(raised.value)
        assert list(tmp_path.glob("dvt-*")) == []
