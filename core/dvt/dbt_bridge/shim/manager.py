"""dbt's connection manager over a plain DB-API session of dvt's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt.adapters.contracts.connection import AdapterResponse, ConnectionState
from dbt.adapters.exceptions import FailedToConnectError
from dbt.adapters.sql import SQLConnectionManager
from dbt_common.exceptions import DbtDatabaseError, DbtRuntimeError

from dvt.dbt_bridge.shim.dialects import DIALECTS, ShimDialect
from dvt.errors import DvtError, InterruptedRunError


class ShimCursor:
    """A DB-API cursor that binds as its driver wants it."""

    def __init__(self, cursor: Any, dialect: ShimDialect) -> None:
        self._cursor = cursor
        self._dialect = dialect

    def execute(self, sql: str, bindings: Any = None) -> None:
        """Run one statement."""
        if bindings is None:
            self._cursor.execute(sql)
        else:
            self._cursor.execute(sql, self._dialect.bindings(bindings))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


class ShimHandle:
    """A DB-API connection as dbt's manager holds it; once it is cancelled, whatever fails in it was interrupted."""

    def __init__(self, raw: Any, dialect: ShimDialect) -> None:
        self.raw = raw
        self.is_cancelled = False
        self._dialect = dialect

    def cursor(self) -> ShimCursor:
        """A new cursor."""
        return ShimCursor(self.raw.cursor(), self._dialect)

    def rollback(self) -> None:
        """Undo the open transaction, if there is one."""
        if hasattr(self.raw, "rollback"):
            self.raw.rollback()

    def close(self) -> None:
        """End the session."""
        self.raw.close()


class ShimConnectionManager(SQLConnectionManager):
    """Opens, cancels and translates errors; everything else is dbt's."""

    TYPE = "dvt"

    @classmethod
    def open(cls, connection: Any) -> Any:
        if connection.state == ConnectionState.OPEN:
            return connection
        credentials = connection.credentials
        dialect = DIALECTS[base_type(credentials.type)]
        try:
            connection.handle = ShimHandle(dialect.open(credentials.connection()), dialect)
        except DvtError as error:
            connection.handle = None
            connection.state = ConnectionState.FAIL
            raise FailedToConnectError(str(error)) from error
        connection.state = ConnectionState.OPEN
        return connection

    def cancel(self, connection: Any) -> None:
        credentials = connection.credentials
        connection.handle.is_cancelled = True
        DIALECTS[base_type(credentials.type)].cancel(connection.handle.raw, credentials.connection())

    @contextmanager
    def exception_handler(self, sql: str) -> Iterator[None]:
        try:
            yield
        except DbtRuntimeError:
            raise
        except DvtError as error:
            self.release()
            raise DbtDatabaseError(str(error)) from error
        except Exception as error:
            connection = self.get_thread_connection()
            own = connection.credentials.connection()
            known = DIALECTS[base_type(connection.credentials.type)].translate(error, own)
            if known is not None and connection.handle is not None and connection.handle.is_cancelled:
                known = InterruptedRunError("the statement was cancelled", connection=own.name, phase="land")
            self.release()
            if known is None:
                raise
            raise DbtDatabaseError(str(known)) from error

    @classmethod
    def get_response(cls, cursor: Any) -> AdapterResponse:
        rows = getattr(cursor, "rowcount", -1)
        return AdapterResponse(_message="OK" if rows < 0 else f"OK {rows}", rows_affected=max(rows, 0))

    def execute(self, sql: str, auto_begin: bool = False, fetch: bool = False, limit: int | None = None) -> Any:
        # A trailing semicolon or a comment after it is one statement more for drivers that take only one.
        return super().execute(sql.strip().rstrip(";"), auto_begin, fetch, limit)

    @classmethod
    def data_type_code_to_name(cls, type_code: Any) -> str:
        return str(type_code)


def base_type(alias: str) -> str:
    """The engine behind an alias such as `mysql@crm`."""
    return alias.partition("@")[0]
