"""One query of Athena: started, waited for, read in pages, stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dvt.connections.athena import QueryFailedError
from dvt.connections.connection import Connection
from dvt.errors import TimeoutExceededError

_FIRST_WAIT_S = 0.05
_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


@dataclass(frozen=True)
class Column:
    """A column as a result's metadata says it."""

    name: str
    type: str
    precision: int
    scale: int


class AthenaQuery:
    """A query that runs, or ran.

    Args:
        client: boto3's client of Athena.
        connection: An athena connection.
        sql: The statement.
        output: Where the service leaves what it writes of its own.
        is_cancelled: Set when nobody waits for it any more.
    """

    def __init__(
        self, client: Any, connection: Connection, sql: str, output: str, is_cancelled: threading.Event
    ) -> None:
        self._client = client
        self._connection = connection
        self._is_cancelled = is_cancelled
        context = {"Database": connection.first("schema"), "Catalog": connection.first("database", "catalog")}
        request: dict[str, Any] = {
            "QueryString": sql,
            "QueryExecutionContext": {key: str(value) for key, value in context.items() if value},
            "ResultConfiguration": {"OutputLocation": output},
        }
        if connection.first("work_group"):
            request["WorkGroup"] = str(connection.first("work_group"))
        self.id = str(client.start_query_execution(**request)["QueryExecutionId"])
        self.is_done = False

    def wait(self) -> dict[str, Any]:
        """Ask until it has ended; what the service then says of it.

        Raises:
            QueryFailedError: It failed, or was stopped.
            TimeoutExceededError: It ran longer than `statement_timeout_s`; it is stopped.
        """
        limit_s = int(self._connection.options["statement_timeout_s"])
        longest_s = float(self._connection.first("poll_interval", default=1.0))
        started, wait_s = time.monotonic(), min(_FIRST_WAIT_S, longest_s)
        while True:
            found: dict[str, Any] = self._client.get_query_execution(QueryExecutionId=self.id)["QueryExecution"]
            state = found["Status"]["State"]
            if state in _ENDED:
                self.is_done = True
                if state == "SUCCEEDED":
                    return found
                raise QueryFailedError(found["Status"].get("StateChangeReason") or f"the query was {state.lower()}")
            if self._is_cancelled.is_set():
                raise QueryFailedError("the query was cancelled")
            if limit_s and time.monotonic() - started > limit_s:
                self.stop()
                raise TimeoutExceededError(
                    f"the query ran longer than {limit_s} seconds",
                    remedy="Raise dvt.statement_timeout_s, or read less",
                )
            self._is_cancelled.wait(wait_s)
            wait_s = min(wait_s * 2, longest_s)

    def pages(self, *, has_header: bool) -> Iterator[tuple[list[Column], list[list[str | None]]]]:
        """The columns and the rows of each page; a query's first row repeats the columns' names."""
        more: dict[str, str] = {}
        while True:
            page = self._client.get_query_results(QueryExecutionId=self.id, **more)
            about = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
            columns = [Column(c["Name"], c["Type"], c.get("Precision", 0), c.get("Scale", 0)) for c in about]
            rows = [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"]]
            yield columns, rows[1:] if has_header and not more else rows
            if not page.get("NextToken"):
                return
            more = {"NextToken": page["NextToken"]}

    def stop(self) -> None:
        """Ask the service to stop it."""
        if not self.is_done:
            self.is_done = True
            self._client.stop_query_execution(QueryExecutionId=self.id)
