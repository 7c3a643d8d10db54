"""Rows that pass from a source to a landing of the same engine as they are, undecoded: an optional power of both."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dvt.federation.extractors.base import ExtractionConfig


@dataclass(frozen=True)
class RawColumn:
    """One column as its source has it.

    Args:
        name: Its name.
        type: The engine's own numbers for its type; who knows the format knows what they mean.
    """

    name: str
    type: tuple[int, ...]


@dataclass(frozen=True)
class RawRows:
    """An offer to give rows in a byte format; nothing is read before `start` is called.

    Args:
        format: Name of the byte format, and of the method in results.
        columns: The columns in their order.
        start: Reads the rows once: takes for each column the type in which the landing wants it, as the engine writes
            it, or "" to take it as it is; gives blocks of bytes, and in the end the rows as the source counted them.
        are_checked: Whether values that decoding would refuse end the reading; a landing looks for them itself if not.
    """

    format: str
    columns: tuple[RawColumn, ...]
    start: Callable[[Sequence[str]], Generator[bytes | memoryview, None, int]]
    are_checked: bool = False


@runtime_checkable
class GivesRaw(Protocol):
    """An extractor that can give rows undecoded."""

    def raw(self, request: ExtractionConfig) -> RawRows | None:
        """The offer for a request; None when rows of this request, or this server, have to be decoded."""
        ...
