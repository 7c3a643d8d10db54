"""Parts of a result, as processes beside dvt land them: Spark's executors run this in dvt's own package.

What is imported here and by the tasks needs no more than PyArrow.
"""

from __future__ import annotations

import base64
import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa
import pyarrow.parquet as pq

from dvt.connections.object_store_clients import client, register_secrets
from dvt.connections.secrets import Secret, redact
from dvt.errors import DataError
from dvt.federation.engines.spark_parquet import result_batch
from dvt.federation.loaders.pieces import halved
from dvt.federation.stream import ColumnSchema

SCHEMA = "part bigint, said string"
"""What a task gives for each part, in Spark's words: the part's number, and JSON."""
PASSED_ROWS = 50_000
"""Rows that a task reads at a time."""


class SaidError(Exception):
    """What went wrong on an executor, without secrets; Spark writes it into its logs."""


class PartTask(ABC):
    """One load, as a task's function over the numbers of its parts.

    Args:
        order: JSON: `parts` (path, row groups, rows), `schema` of the result, `batch_rows`, `store` where the parts lie
            in a bucket, and what the task adds.
        is_trial: Do everything but the load.
    """

    def __init__(self, order: Mapping[str, Any], *, is_trial: bool = False) -> None:
        self._order = dict(order)
        self._is_trial = is_trial

    def __repr__(self) -> str:  # Spark shows what it is given to run
        return f"{type(self).__name__}(***)"

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """What a task does: `mapInArrow` gives it one column of numbers."""
        numbers = [number for batch in batches for number in batch.column(0).to_pylist()]
        if not numbers:
            return
        for secret in self.secrets():
            Secret(secret)  # so that it is known to `redact`
        for number, said in self.tried(numbers) if self._is_trial else self.landed(numbers):
            yield pa.RecordBatch.from_pydict({"part": pa.array([number], pa.int64()), "said": [json.dumps(said)]})

    @abstractmethod
    def secrets(self) -> list[str]:
        """What no message may hold."""

    @abstractmethod
    def tried(self, numbers: list[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """What is missing here, as `why` of one answer; empty for nothing."""

    @abstractmethod
    def landed(self, numbers: list[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Land parts, and give what is to be said of each: the fields of `Told`."""

    @contextlib.contextmanager
    def opened(self, number: int, most_bytes: int) -> Iterator[Iterator[pa.RecordBatch]]:
        """The rows of a part, in the result's own types; the file is there, or it is an error at once.

        Args:
            number: The part.
            most_bytes: Batches that are larger are cut.
        """
        path, groups, _ = self._order["parts"][number]
        columns = columns_of(self._order["schema"])
        with part_file(path, self._order.get("store")) as file:
            batches = file.iter_batches(self._order["batch_rows"], row_groups=groups)
            yield (piece for batch in batches for piece in halved(result_batch(batch, columns), most_bytes))

    def refusal(self, error: DataError) -> dict[str, Any]:
        """What is said of a part with a value that is refused."""
        return {"rows": 0, "refusal": redact(error.message), "column": error.column or ""}


def part_file(seen: str, store: Mapping[str, Any] | None = None) -> pq.ParquetFile:
    """The Parquet file of a part, open; it closes as a context manager.

    Args:
        seen: Its place as executors call it: a path, `file:///...`, or in a bucket `gs://bucket/...`.
        store: The order's own `store`: the bucket's `kind`, and the `options` of its client, secrets too; None for
            files. From here on `redact` knows the secrets.

    Raises:
        OSError: It is not there, or is no place that Python reads; without secrets.
    """
    if store is not None:
        register_secrets(store["options"])
        try:
            return pq.ParquetFile(seen.partition("://")[2], filesystem=client(store["kind"], store["options"]))
        except (ImportError, TypeError) as error:
            raise OSError(f"PyArrow {pa.__version__} does not reach {store['kind']}://: {redact(str(error))}") from None
        except (OSError, pa.ArrowException) as error:
            raise OSError(redact(" ".join(str(error).split()))) from None
    path = url2pathname(urlsplit(seen).path) if seen.startswith("file:") else seen
    return pq.ParquetFile(path, pre_buffer=False)  # or all bytes that were read would be held until the end


def schema_of(schema: pa.Schema) -> str:
    """A schema as an order has it."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def columns_of(schema: str) -> list[ColumnSchema]:
    """The columns of a schema that an order has."""
    read = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(schema)))
    return [ColumnSchema(field.name, field.type, field.nullable) for field in read]


def line(error: BaseException) -> str:
    """An error in one line, without secrets; what its causes hold is not shown."""
    diag = getattr(error, "diag", None)
    return redact(" ".join(str(getattr(diag, "message_primary", None) or error).split()))
