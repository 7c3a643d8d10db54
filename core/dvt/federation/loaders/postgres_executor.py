"""What runs on Spark's executors: each part of a result into PostgreSQL by COPY, in a transaction of its own.

Spark may run a task again after it has committed (its executor died before it could say so), and, with speculation,
twice at the same time. So each transaction first writes its part's number into a ledger with a primary key: a second
attempt waits there for the first, and where that has committed there is nothing left to do.

Executors get this module in dvt's own package, and need psycopg and PyArrow beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dvt.connections.secrets import redact
from dvt.errors import DataError
from dvt.federation.executor_parts import PartTask, SaidError, line, part_file
from dvt.federation.loaders.postgres_rows import PIECE_BYTES, encoded

if TYPE_CHECKING:
    import psycopg

# The session broke, the server is full or ends, another transaction was in the way: another attempt may succeed.
_MAY_PASS = ("08", "40", "53300", "57P")
# A peer that is gone is noticed within two minutes; until then its claim would hold up the second attempt.
_KEEPALIVES = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "6"}


class _DoneError(Exception):
    """The part is landed."""


class Task(PartTask):
    """A load by COPY. Its order adds `login` (`parameters`, `settings`, `role`), `copy`, `claim`, `codec`."""

    def secrets(self) -> list[str]:
        """The password."""
        return [self._order["login"]["parameters"].get("password") or ""]

    def tried(self, numbers: list[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """What is missing here, in one line."""
        why = ""
        try:
            import psycopg
        except ImportError:
            yield numbers[0], {"why": "the Python of Spark's executors has no psycopg"}
            return
        try:
            with self._session() as session, session.transaction(force_rollback=True):
                # Only the server that dvt itself is logged in to has this ledger.
                session.execute(self._order["claim"].encode(), [-1, 0])
            part_file(self._order["parts"][0][0], self._order.get("store")).close()
        except psycopg.Error as error:
            why = f"they do not reach the target: {line(error)}"
        except OSError as error:
            why = f"their Python does not see the result: {line(error)}"
        yield numbers[0], {"why": why}

    def landed(self, numbers: list[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        import psycopg

        try:
            with self._session() as session:
                for number in numbers:
                    yield number, self._part(session, number)
        except psycopg.Error as error:  # Spark tries the task once more
            raise SaidError(f"its session with the target broke: {line(error)}") from None
        except OSError as error:
            raise SaidError(f"it cannot read the result: {line(error)}") from None

    def _part(self, session: psycopg.Connection[Any], number: int) -> dict[str, Any]:
        import psycopg

        rows = self._order["parts"][number][2]
        try:
            with session.transaction():
                try:
                    session.execute(self._order["claim"].encode(), [number, rows])
                except psycopg.errors.UniqueViolation:
                    raise _DoneError from None
                taken = self._copied(session, number)
                if taken != rows:
                    raise DataError(f"{rows} rows were to land, and {taken} were taken")
        except _DoneError:
            return {"rows": 0}
        except DataError as error:
            return self.refusal(error)
        except psycopg.Error as error:
            state = error.sqlstate or ""
            if not state or state.startswith(_MAY_PASS):
                raise
            place = (error.diag.context or "").partition(", column ")[2].partition(":")[0]
            return {"rows": 0, "refusal": redact(line(error)), "column": place, "state": state}
        return {"rows": taken}

    def _copied(self, session: psycopg.Connection[Any], number: int) -> int:
        with session.cursor() as cursor, self.opened(number, PIECE_BYTES) as pieces:
            with cursor.copy(self._order["copy"].encode()) as copy:
                for piece in pieces:
                    copy.write(encoded(piece, self._order["codec"]))
            return int(cursor.rowcount)

    def _session(self) -> psycopg.Connection[Any]:
        import psycopg

        login = self._order["login"]
        session = psycopg.connect(**login["parameters"], autocommit=True)
        if login["role"]:
            session.execute("select set_config('role', (parse_ident(%s))[1], false)", [login["role"]])
        settings = {**login["settings"], **_KEEPALIVES}
        session.execute(
            "select set_config(name, value, false) from unnest(%s::text[], %s::text[]) as s(name, value)",
            [list(settings), list(settings.values())],
        )
        return session
