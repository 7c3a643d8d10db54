"""The plain driver: Python's sqlite3, rows as tuples of Python values."""

from __future__ import annotations

import sqlite3

from stopwatch import count_rows, main


def rows(path: str, table: str):
    """A table, 50,000 rows at a time."""
    cursor = sqlite3.connect(path).execute(f"select * from {table}")
    return count_rows(iter(lambda: cursor.fetchmany(50_000), [])), "rows as tuples, not Arrow"


if __name__ == "__main__":
    main({"rows": rows})
