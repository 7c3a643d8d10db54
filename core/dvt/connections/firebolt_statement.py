"""One statement of a Firebolt session that gives few rows or none, and the end of one that runs, by its label."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dvt.connections.connection import Connection

if TYPE_CHECKING:
    from firebolt.db import Connection as Session

_RUNNING = "select query_id from information_schema.engine_running_queries where query_label ="


def new_label() -> str:
    """A name by which a statement is found; of letters, digits and dashes."""
    return f"dvt-{uuid.uuid4()}"


def settings(connection: Connection, label: str) -> dict[str, str]:
    """What every statement carries beside its text."""
    limit_ms = int(connection.options["statement_timeout_s"]) * 1000
    limit = {"statement_timeout": str(limit_ms)} if limit_ms else {}
    return {"time_zone": "UTC", "query_label": label, **limit}


def answered(session: Session, sql: str, parameters: dict[str, str]) -> list[Sequence[Any]]:
    """Run a statement, and give its rows; large numbers may be texts.

    Raises:
        OperationalError: And its family, as the driver raises them.
    """
    from firebolt.utils.exception import OperationalError

    cursor = session.cursor()
    try:
        response = cursor._api_request(sql, {"output_format": "JSON_Compact", **parameters})
        try:
            cursor._raise_if_error(response)
            text = response.read()
        finally:
            response.close()
        document = json.loads(text) if text.strip() else {}
        if faults := document.get("errors"):
            raise OperationalError("; ".join(str(fault.get("description", fault)) for fault in faults))
        return list(document.get("data", ()))
    finally:
        cursor.close()


def cancel(session: Session, label: str, query_id: str = "") -> None:
    """Ask for a query's end; one that has ended is no fault.

    Args:
        session: Another one than the query's, where that has a transaction open: there it would wait for the query.
        label: The query's.
        query_id: The query's, once it is known.
    """
    import httpx
    from firebolt.utils.exception import Error, FireboltError

    try:
        cursor = session.cursor()
        ids = [query_id] if query_id else []
        if not ids:
            cursor.execute(f"{_RUNNING} '{label}'", skip_parsing=True)  # a label is of letters of ours
            ids = [str(row[0]) for row in cursor.fetchall()]
        for name in ids:
            literal = name.replace("'", "''")
            cursor.execute(f"cancel query where query_id = '{literal}'", skip_parsing=True)
        cursor.close()
    except (Error, FireboltError, httpx.HTTPError, OSError):
        return
