"""The exit codes of the command line, a part of the public interface."""

from __future__ import annotations

FAILED = 1
USAGE = 2
INTERRUPTED = 130  # Ctrl-C
TERMINATED = 143  # SIGTERM, and a terminal that was closed
