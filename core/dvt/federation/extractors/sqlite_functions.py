"""What the hashes of rows are made with in SQLite, which has no functions for it."""

from __future__ import annotations

import hashlib
import sqlite3


def make_functions(session: sqlite3.Connection) -> None:
    """Make `dvt_md5` and `dvt_double` for a session."""
    session.create_function("dvt_md5", 1, _md5, deterministic=True)
    session.create_function("dvt_double", 1, _double, deterministic=True)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _double(value: float | str | bytes | None) -> str | None:
    """A float with all of its digits, as dvt's own hashes have it; SQLite's text has fifteen."""
    return None if value is None else repr(value) if isinstance(value, float) else str(value)
