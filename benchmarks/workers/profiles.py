"""Connections whose profile output lies in a file: passwords stand on no command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dvt.connections.connection import Connection
from dvt.federation.registry import extractor_class, open_connection


def connection_of(profile: str) -> Connection:
    """The connection of a file's output."""
    return open_connection("source", json.loads(Path(profile).read_text()))


def log_in_once(details: Mapping[str, Any]) -> None:
    """Drivers are imported when a connection is first used: that is not timed, for anyone."""
    if "profile" in details:
        connection = connection_of(details["profile"])
        with extractor_class(connection.type)(connection) as extractor:
            extractor.ping()
