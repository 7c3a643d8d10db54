"""One statement of a Databricks session: its end on the server, and its cancel from another thread."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from databricks.sql.client import Connection as Session
    from databricks.sql.client import Cursor

# A statement gets its name with the server's first answer, which takes up to 5 seconds.
_NAMED_WITHIN_S = 8.0


def end(session: Session, cursor: Cursor) -> None:
    """Close a statement on the server, also one that failed or was cancelled before its result was there."""
    name, has_result = cursor.active_command_id, cursor.active_result_set is not None
    with contextlib.suppress(ValueError, AttributeError):
        session._cursors.remove(cursor)  # it would keep every one
    cursor.close()
    if name is not None and not has_result:
        from databricks.sql.exc import DatabaseError

        with contextlib.suppress(DatabaseError):  # it may be closed already
            session.session.backend.close_command(name)


def cancel(running: Callable[[], Cursor | None]) -> None:
    """End what runs, once it has a name.

    Args:
        running: Gives the cursor whose statement runs, None when none does.
    """
    cursor = running()
    until = time.monotonic() + _NAMED_WITHIN_S
    while cursor is not None and cursor is running() and cursor.active_command_id is None:
        if time.monotonic() > until:
            return
        time.sleep(0.02)
    if cursor is not None and cursor is running():
        cursor.cancel()
