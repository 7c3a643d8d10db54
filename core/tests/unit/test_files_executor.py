"""What executors do with a part that lands as files, in this process: on real Parquet, in a real folder."""

from __future__ import annotations

import base64
import json
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dvt.connections.secrets import redact
from dvt.federation.executor_parts import schema_of
from dvt.federation.loaders.bucket_files import ParquetForm
from dvt.federation.loaders.file_columns import FileColumns
from dvt.federation.loaders.files_executor import Task
from dvt.types.exact_cast import exactly

ROWS = pa.table({"i": [1, 2, None], "t": ["a", None, "b"]})
SECRET = "s3cret-of-the-store"


@pytest.fixture
def order(tmp_path: Path) -> dict[str, Any]:
    """One of two parts, each a row group, whose numbers go into two bytes."""
    pq.write_table(pa.concat_tables([ROWS, ROWS]), tmp_path / "result.parquet", row_group_size=3)
    (tmp_path / "out").mkdir()
    narrow = [partial(exactly, type_=pa.int16()), partial(exactly, type_=pa.string())]
    columns = FileColumns.of([pa.int16(), pa.string()], narrow, ROWS.schema.names, "Anything")
    place = {"url": f"file://{tmp_path}/out/", "path": str(tmp_path / "out"), "kind": "local", "options": {}}
    return {
        "folder": place,
        "made": base64.b64encode(pickle.dumps((columns, ParquetForm()))).decode(),
        "schema": schema_of(ROWS.schema),
        "parts": [[str(tmp_path / "result.parquet"), [number], 3] for number in (0, 1)],
        "batch_rows": 2,
    }


def _said(order: dict[str, Any], *numbers: int, is_trial: bool = False) -> list[dict[str, Any]]:
    given = pa.record_batch({"id": pa.array(numbers, pa.int64())})
    found = pa.Table.from_batches(Task(order, is_trial=is_trial)(iter([given])))
    return [json.loads(said) for said in found.column("said").to_pylist()]


def test_a_part_that_is_written_again_is_the_same_file(order: dict[str, Any]) -> None:
    first = _said(order, 0, 1)
    folder = Path(order["folder"]["path"])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert _said(order, 1)[0] == first[1]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(before) == ["00000-00000.parquet", "00001-00000.parquet"]
    assert [(each["rows"], each["present"]) for each in first] == [(3, [2, 2])] * 2
    assert first[0]["files"] == [["00000-00000.parquet", 3, len(before["00000-00000.parquet"])]]
    assert pq.read_table(folder / "00001-00000.parquet").to_pydict() == {"c0": [1, 2, None], "c1": ["a", None, "b"]}


def test_a_value_without_a_place_is_told_by_its_column(order: dict[str, Any], tmp_path: Path) -> None:
    pq.write_table(pa.table({"i": [1 << 20], "t": ["x"]}), tmp_path / "large.parquet")
    (said,) = _said({**order, "parts": [[str(tmp_path / "large.parquet"), [0], 1]]}, 0)
    assert (said["rows"], said["column"]) == (0, "i")
    assert "has no place in Anything" in said["refusal"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"parts": [["/nowhere/part.parquet", [0], 1]]}, "their Python does not see the result"),
        (
            {"folder": {"url": "file:///nowhere/", "path": "/nowhere", "kind": "local", "options": {}}},
            "do not write to file:///nowhere",
        ),
        (
            {"made": base64.b64encode(b"cno_such_module\nx\n.").decode()},
            "cannot do it: No module named 'no_such_module'",
        ),
    ],
)
def test_what_is_missing_is_told_before_anything_is_written(
    order: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    (said,) = _said({**order, **change}, 0, is_trial=True)
    assert (words in said["why"]) if words else (said["why"] == "")


def test_a_store_that_is_not_reached_is_told_without_its_key(order: dict[str, Any]) -> None:
    options = {
        "access_key": "me",
        "secret_key": SECRET,
        "region": "us-east-1",
        "scheme": "http",
        "endpoint_override": "127.0.0.1:9",
        "connect_timeout": 1.0,
    }
    folder = {"url": "s3://bucket/x/", "path": "bucket/x", "kind": "s3", "options": options}
    given = {**order, "folder": folder}
    assert SECRET not in repr(Task(given))
    (said,) = _said(given, 0, is_trial=True)
    assert said["why"].startswith("they do not write to s3://bucket/x/")
    assert SECRET not in said["why"]
    assert SECRET not in redact(f"it is {SECRET}"), "so that nothing else tells it"
