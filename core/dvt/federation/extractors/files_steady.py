"""Reading objects that others may replace: what is read is of one version, or it is read again, or the run stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import pyarrow as pa

from dvt.connections.object_paths import FilePath, ObjectPath, state_of
from dvt.errors import DataError, DvtError

T = TypeVar("T")
_TRIES = 8
_BROKEN = (DvtError, OSError, pa.ArrowException)


def described_steadily(files: Sequence[FilePath], describe: Callable[[], T]) -> T:
    """What a description of files gives; asked again when it fails and an object has changed since the last failure."""
    seen: object = None
    for _ in range(_TRIES):
        try:
            return describe()
        except _BROKEN:
            if not any(isinstance(path, ObjectPath) for path in files):
                raise
            now = [state_of(path) for path in files]
            if now == seen:
                raise
            seen = now
    return describe()


def read_steadily(path: FilePath, read: Callable[[], Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """The batches of one file. The last one is held back until it is sure that all were of one object.

    Raises:
        DataError: It was replaced after the first rows had been given.
    """
    if not isinstance(path, ObjectPath):  # it is open on one handle, whatever takes its name
        yield from read()
        return
    for _ in range(_TRIES):
        state = state_of(path)
        held: pa.RecordBatch | None = None
        is_given = False
        broken: Exception | None = None
        try:
            for batch in read():
                if held is not None:
                    yield held
                    is_given = True
                held = batch
        except _BROKEN as error:
            broken = error
        if state_of(path) == state:
            if broken is not None:
                raise broken
            if held is not None:
                yield held
            return
        if is_given:
            break
    raise DataError(f"{path} changed while it was read", remedy="Run again")
