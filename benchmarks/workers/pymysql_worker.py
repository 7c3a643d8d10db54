"""The plain driver: PyMySQL's unbuffered cursor, rows as tuples of Python values."""

from __future__ import annotations

import json
from pathlib import Path

import pymysql
from pymysql.cursors import SSCursor
from stopwatch import count_rows, main


def rows(profile: str, table: str):
    """A table, 50,000 rows at a time; nothing is made of the rows but their count and the sum of the key."""
    output = json.loads(Path(profile).read_text())
    place = {"host": output["server"], "port": output["port"], "database": output["schema"]}
    login = {"user": output["username"], "password": output["password"]}
    with pymysql.connect(**place, **login, charset="utf8mb4", cursorclass=SSCursor) as session:
        with session.cursor() as cursor:
            cursor.execute(f"select * from `{table}`")
            return count_rows(iter(lambda: cursor.fetchmany(50_000), ())), "rows as tuples, not Arrow"


if __name__ == "__main__":
    main({"rows": rows})
