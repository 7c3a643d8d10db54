"""Servers of users' own: `DVT_LIVE_<ENGINE>_URL=<type>://user:password@host:port/<database>`.

What stands after the last slash is Db2's database, Teradata's default database (none is needed) or Oracle's service.
Characters of user and password that a URL has for itself are written as percent and two digits. The login only reads.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest


@dataclass(frozen=True)
class LiveServer:
    """How a live test reaches its server.

    Args:
        type: The engine.
        port: The engine's usual port.
        named: The key of an output for what the address ends with.
    """

    type: str
    port: int
    named: str

    @property
    def variable(self) -> str:
        """The environment variable that holds the address."""
        return f"DVT_LIVE_{self.type.upper()}_URL"

    @property
    def needed(self) -> pytest.MarkDecorator:
        """Skips a test where there is no address."""
        reason = f"{self.variable} is not set ({self.type}://user:password@host:port/{self.named})"
        return pytest.mark.skipif(not os.environ.get(self.variable), reason=reason)

    def output(self, address: str = "") -> dict[str, Any]:
        """An output of a profile for an address; for the environment's where none is given."""
        url = urlsplit(address or os.environ[self.variable])
        if url.scheme != self.type or not url.hostname:
            raise ValueError(f"{self.variable} is not {self.type}://user:password@host:port/{self.named}")
        last = unquote(url.path.strip("/"))
        return {
            "type": self.type,
            "host": url.hostname,
            "port": url.port or self.port,
            "user": unquote(url.username or ""),
            "password": unquote(url.password or ""),
            **({self.named: last} if last else {}),
        }


ORACLE = LiveServer("oracle", 1521, "service")
DB2 = LiveServer("db2", 50000, "database")
TERADATA = LiveServer("teradata", 1025, "database")
