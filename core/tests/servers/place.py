"""A running server as the tests of an engine need it: what it is, how dvt reaches it, how it is filled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Tag(str, Enum):
    """What a test that ran against a server has shown."""

    REAL = "real"  # the engine itself
    EMULATED = "emulated"  # another program's imitation of it
    FAKE = "fake"  # our own imitation of its protocol, under the vendor's client
    DRIVER = "driver"  # a double of the vendor's client


@dataclass(frozen=True)
class Place:
    """A server, or what stands for it.

    Args:
        type: The connection type.
        tag: What it is.
        output: The profile output that reaches it.
        execute: Runs a statement there, not through dvt.
        statements: The statements that it was sent since it was last asked; empty lists where it keeps no log.
    """

    type: str
    tag: Tag
    output: Mapping[str, Any]
    execute: Callable[[str], None]
    statements: Callable[[], list[str]] = list
