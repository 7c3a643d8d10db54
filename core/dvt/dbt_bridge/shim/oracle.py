"""Oracle behind the shim adapter: what dbt runs there by itself, beside what dvt loads."""

from __future__ import annotations

import re
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.oracle import connect, default_schema, folded, translate
from dvt.dbt_bridge.shim.driver import DriverCursor, DriverDialect, DriverSession
from dvt.dbt_bridge.shim.read_only import bracket
from dvt.errors import ConfigurationError, DvtError
from dvt.identifiers import Relation

# Before 23ai there is no IF EXISTS.
_IF_EXISTS = re.compile(r"(?is)^(?:\s*/\*.*?\*/)*\s*drop\s+(table|view)\s+if\s+exists\s+(.+?)\s*$")
_NO_SUCH_TABLE = "ORA-00942"


class OracleCursor(DriverCursor):
    """A cursor whose session dbt's brackets open and end a transaction of."""

    def __init__(self, session: OracleSession) -> None:
        super().__init__(session.last, str)
        self._session = session

    def execute(self, sql: str, bindings: Any = None) -> None:
        """Run one statement."""
        import oracledb

        word, dropped = bracket(sql), _IF_EXISTS.match(sql)
        if word is not None:
            self._session.bracket(word)
        elif dropped is None:
            super().execute(sql, bindings)
        else:
            try:
                super().execute(" ".join(["drop", *dropped.groups()]))
            except oracledb.DatabaseError as error:
                if _NO_SUCH_TABLE not in str(error):
                    raise


class OracleSession(DriverSession):
    """A session in which each statement is its own transaction, until dbt begins one."""

    def cursor(self) -> OracleCursor:
        """A new cursor."""
        self.last = self.driver.cursor()
        return OracleCursor(self)

    def bracket(self, word: str) -> None:
        """BEGIN, COMMIT or ROLLBACK."""
        if word == "begin":
            self.driver.autocommit = False
            return
        (self.driver.commit if word == "commit" else self.driver.rollback)()
        self.driver.autocommit = True

    def rollback(self) -> None:
        """Undo the open transaction."""
        self.bracket("rollback")


class OracleDialect(DriverDialect):
    """Oracle."""

    types = {
        "text": "varchar2(4000)",
        "integer": "number(38)",
        "number": "number(38, 10)",
        "boolean": "number(1)",
        "datetime": "timestamp(6)",
        "date": "date",
        "time": "varchar2(20)",
    }

    def fold(self, name: str) -> str:
        return folded(name)

    def open(self, connection: Connection) -> Any:
        return OracleSession(connect(connection, writes=True))

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        import oracledb

        return translate(error, connection, phase="land") if isinstance(error, oracledb.Error) else None

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("select username from all_users")
        return [row[0] for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        cursor.execute(
            "select object_name, object_type from all_objects where owner = :1 and object_type in ('TABLE', 'VIEW')",
            [folded(place.schema or default_schema(connection))],
        )
        return [(name, kind.lower()) for name, kind in cursor.fetchall()]

    def create_schema_sql(self, quoted: str) -> str | None:
        raise ConfigurationError(
            f"there is no schema {quoted}: in Oracle it is a user",
            remedy=f"Let an administrator run CREATE USER {quoted}, or set another schema",
        )

    def truncate_sql(self, quoted: str) -> str:
        # Not TRUNCATE, which commits: readers could see an empty table.
        return " ".join(["delete from", quoted])

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        drop = ["drop table " + quoted] if existing == "table" else []
        return [*drop, "\n".join(["create or replace view " + quoted + " as", query])]

    def cancel(self, handle: Any, connection: Connection) -> None:
        handle.driver.cancel()
