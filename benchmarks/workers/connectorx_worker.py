"""connectorx: a whole result in memory, as Arrow."""

from __future__ import annotations

import os
from urllib.parse import quote

import connectorx
import pyarrow.compute as pc  # noqa: F401 imports are not timed, for anyone
from stopwatch import count, main


def extract_arrow(database: str, table: str):
    """A table as one Arrow table."""
    login = f"{quote(os.environ['PGUSER'], safe='')}:{quote(os.environ['PGPASSWORD'], safe='')}"
    place = f"{os.environ['PGHOST']}:{os.environ['PGPORT']}"
    found = connectorx.read_sql(
        f"postgresql://{login}@{place}/{database}", f"select * from public.{table}", return_type="arrow"
    )
    return count(found.to_batches()), f"l_extendedprice as {found.schema.field('l_extendedprice').type}"


if __name__ == "__main__":
    main({"extract_arrow": extract_arrow})
