"""Parts of a result, as a process beside dvt opens them: Spark's executors run this in dvt's own package."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow.parquet as pq


def part_file(seen: str) -> pq.ParquetFile:
    """The Parquet file of a part, open; it closes as a context manager.

    Args:
        seen: Its place as executors call it: a path, or `file:///...`.

    Raises:
        OSError: It is not there, or is no place that Python reads.
    """
    path = url2pathname(urlsplit(seen).path) if seen.startswith("file:") else seen
    return pq.ParquetFile(path)
