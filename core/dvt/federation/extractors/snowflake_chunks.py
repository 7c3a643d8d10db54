"""The chunks of a Snowflake result, fetched a few ahead and each decoded by itself.

The connector's `fetch_arrow_batches` takes the types of all chunks from the first one in release 5 (seen in 5.2: the
bytes of a wider chunk become other numbers, without a word), while the server chooses the width of integers for each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from dvt.connections.snowflake_errors import IncompleteError

_AHEAD = 3


def chunk_tables(session: Any, cursor: Any) -> Generator[pa.Table, None, None]:
    """The tables of an executed statement's result, in order.

    Args:
        session: The connector's connection.
        cursor: Its cursor.

    Raises:
        IncompleteError: Fewer rows came than the server said that there are.
    """
    waiting = deque(cursor.get_result_batches() or ())
    wanted, seen = cursor.rowcount, 0
    coming: deque[Future[list[pa.Table]]] = deque()
    pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix="dvt-snowflake")
    try:
        while waiting or coming:
            while waiting and len(coming) < _AHEAD:
                coming.append(pool.submit(_fetched, session, waiting.popleft()))
            for table in coming.popleft().result():
                seen += table.num_rows
                yield table
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if wanted is not None and seen != wanted:
        raise IncompleteError(f"{seen} rows came of {wanted}")


def _fetched(session: Any, batch: Any) -> list[pa.Table]:
    from snowflake.connector.result_batch import IterUnit

    # In release 4 the connection says what becomes of numbers with a scale, in release 5 the call does.
    tables = batch.create_iter(
        connection=session, iter_unit=IterUnit.TABLE_UNIT, structure="arrow", number_to_decimal=True
    )
    return [table for table in tables if table is not None and table.num_rows]
