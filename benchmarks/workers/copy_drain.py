"""The raw COPY, read by PostgreSQL's own client and thrown away: a floor, not a contender."""

from __future__ import annotations

import subprocess

from stopwatch import main


def drain(psql: str, database: str, table: str, form: str):
    """A table; psql says how many rows the server sent."""
    command = f"\\copy public.{table} to '/dev/null' (format {form})"
    told = subprocess.run([psql, "-X", "-d", database, "-c", command], capture_output=True, text=True, check=True)
    return {"rows": int(told.stdout.removeprefix("COPY "))}, "rows are thrown away"


if __name__ == "__main__":
    main({"drain": drain})
