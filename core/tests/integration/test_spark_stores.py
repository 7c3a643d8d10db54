"""The files of a Spark engine in each kind of store, without a Spark: written, found, read by dvt and by executors."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from pyarrow.fs import FileSelector
from servers.object_stores import STORES, Store

from dvt.connections.object_stores import SECRET_SETTINGS
from dvt.federation.engines.spark_bucket import BucketStaging
from dvt.federation.engines.spark_options import SparkOptions
from dvt.federation.executor_parts import part_file

# What pyarrow's clients call their secrets.
_SECRET = {"s3": "secret_key", "az": "account_key"}


def staging_in(store: Store, patch: pytest.MonkeyPatch) -> BucketStaging:
    """A place in it, as dvt.yml names it: secrets stand in the environment."""
    given = {"endpoint_url": store.endpoint}
    for key, value in store.login.items():
        if key in SECRET_SETTINGS:
            given[f"{key}_env"] = f"DVT_TEST_{key.upper()}"
            patch.setenv(f"DVT_TEST_{key.upper()}", value)
        else:
            given[key] = value
    return BucketStaging(SparkOptions.of({"staging": f"{store.kind}://{store.bucket}/lake", "store": given}))


def write(staging: BucketStaging, file: str, numbers: list[int]) -> None:
    batch = pa.record_batch({"i": numbers})
    with staging.writing(file, batch.schema) as write_batch:
        write_batch(batch)


@pytest.mark.parametrize("kind", list(STORES))
def test_a_result_is_found_read_and_removed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with STORES[kind]() as store:
        staging = staging_in(store, monkeypatch)
        files = staging.folder.filesystem
        folder = staging.file("result_1")
        write(staging, f"{folder}/part-00001.parquet", [3, 4, 5])
        write(staging, f"{folder}/part-00000.parquet", [0, 1, 2])
        write(staging, f"{folder}/_temporary/0/part-00002.parquet", [9])
        assert staging.result(folder) is None, "Spark has not said that it is whole"
        files.open_output_stream(f"{folder}/_SUCCESS").close()
        found = staging.result(folder)
        assert found == [f"{folder}/part-00000.parquet", f"{folder}/part-00001.parquet"]
        read = [batch.column(0).to_pylist() for file in found for batch in staging.batches(file, 2)]
        assert read == [[0, 1], [2], [3, 4], [5]]
        order = json.loads(json.dumps(staging.store()))
        with part_file(staging.told(found[1]), order) as part:
            assert part.read().column("i").to_pylist() == [3, 4, 5]
        if store.refused is not None:
            name = _SECRET[kind]
            order["options"][name] = "wr0n" + order["options"][name][4:]
            with pytest.raises(OSError, match=r"(?i)signature|forbidden|denied|authenticat") as raised:
                part_file(staging.told(found[1]), order)
            assert order["options"][name] not in str(raised.value)
        staging.remove(folder)
        assert staging.result(folder) is None
        write(staging, staging.file("input_1/part_0.parquet"), [1])
        staging.remove()
        assert files.get_file_info(FileSelector(staging.folder.path, recursive=True, allow_not_found=True)) == []
