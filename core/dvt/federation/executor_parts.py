"""Parts of a result, as a process beside dvt opens them: Spark's executors run this in dvt's own package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa
import pyarrow.parquet as pq

from dvt.connections.object_store_clients import client, register_secrets
from dvt.connections.secrets import redact


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
    return pq.ParquetFile(path)
