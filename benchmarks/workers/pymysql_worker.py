"""The plain driver: PyMySQL's unbuffered cursor, rows as tuples of Python values."""

from __future__ import annotations

import os

import pymysql
from pymysql.cursors import SSCursor
from stopwatch import main


def rows(output: dict, table: str):
    """A table, 50,000 rows at a time; nothing is made of the rows but their count and the sum of the key."""
    place = {"host": output["server"], "port": output["port"], "database": output["schema"]}
    login = {"user": output["username"], "password": os.environ["BENCH_MYSQL_PASSWORD"]}
    number = total = 0
    with pymysql.connect(**place, **login, charset="utf8mb4", cursorclass=SSCursor) as session:
        with session.cursor() as cursor:
            cursor.execute(f"select * from `{table}`")
            while block := cursor.fetchmany(50_000):
                number += len(block)
                total += sum(row[0] for row in block)
    return {"rows": number, "keys": total}, "rows as tuples, not Arrow"


if __name__ == "__main__":
    main({"rows": rows})
