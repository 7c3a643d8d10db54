"""A generic connection behind the shim adapter: tests and freshness run there; nothing lands, and nothing is listed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dvt.connections.connection import Connection
from dvt.dbt_bridge.shim.reading import ReadingSession
from dvt.errors import DvtError, UnsupportedError


class GenericDialect:
    """Any database that a driver reads."""

    quote_character = '"'
    types = dict.fromkeys(("text", "integer", "number", "boolean", "datetime", "date", "time"), "varchar")

    def open(self, connection: Connection) -> Any:
        return ReadingSession(connection)

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        return error if isinstance(error, DvtError) else None

    def list_schemas(self, cursor: Any) -> list[str]:
        return []

    def list_relations(self, cursor: Any, schema: str, connection: Connection) -> list[tuple[str, str]]:
        return []  # how a database lists its tables is its own affair

    def bindings(self, values: Sequence[Any]) -> Sequence[Any]:
        return values

    def create_schema_sql(self, quoted: str) -> str | None:
        raise _refusal()

    def truncate_sql(self, quoted: str) -> str:
        raise _refusal()

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        raise _refusal()

    def cancel(self, handle: Any, connection: Connection) -> None:
        handle.extractor.cancel()


def _refusal() -> UnsupportedError:
    return UnsupportedError("nothing can land on type generic: dvt only reads it")
