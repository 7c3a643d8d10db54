"""What the server fixtures share: a free port, and a subprocess user when the tests run as root."""

from __future__ import annotations

import os
import socket


def free_port() -> int:
    """A loopback port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_root() -> bool:
    """Whether servers have to be started as another user, because they refuse to run as root."""
    return os.geteuid() == 0
