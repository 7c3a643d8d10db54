"""A result of Spark's into PostgreSQL by Spark's own processes: by its executors, side by side, or through its driver.

By executors: the private table and a ledger are committed before they begin, because other sessions have to see them;
each part is copied in a transaction that also writes the part's number into the ledger (`postgres_executor.py`). What
is in place of the target is swapped in afterwards, as always.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dvt.connections.connection import Connection
from dvt.connections.postgres import connect, login_elsewhere
from dvt.errors import DataError, DvtError
from dvt.federation.executor_parts import PASSED_ROWS, schema_of
from dvt.federation.loaders import postgres_executor
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.postgres_encode import python_codec
from dvt.federation.spread import EXECUTORS, ROW_PIPE, SpreadRows, Told
from dvt.identifiers import Relation, quote_all

if TYPE_CHECKING:
    import psycopg

_MAX_NAME_BYTES = 63


class SpreadFill:
    """Filling one private table by Spark.

    Args:
        session: The loader's; in no transaction where executors are asked.
        connection: The target.
        filling: The table and the rows.
        spread: The offer.
    """

    def __init__(
        self, session: psycopg.Connection[Any], connection: Connection, filling: Filling, spread: SpreadRows
    ) -> None:
        self._session = session
        self._connection = connection
        self._filling = filling
        self._spread = spread
        self._codec = python_codec(session.info.parameter_status("server_encoding") or "UTF8")
        self._ledger = ledger_of(filling.relation)

    def methods(self) -> list[LoadMethod]:
        """The method that is asked for; where it lacks something, dvt reads the result itself."""
        if self._spread.by == "executors":
            return [LoadMethod(EXECUTORS, lacks=self._executors_lack, fill=self._by_executors)]
        if self._spread.by == "driver":
            return [LoadMethod(ROW_PIPE, lacks=self._pipe_lacks, fill=self._by_rows)]
        return []

    def _executors_lack(self) -> str | None:
        if why := self._spread.why_not:
            return why
        if not self._spread.parts:
            return "there are no rows"
        with self._dropped_on_error():
            self._run("create table", self._ledger.sql("postgres"), "(part int primary key, rows bigint not null)")
            why = self._spread.try_out(self._order())
        if why:
            self._drop_ledger()
        return why or None

    def _by_executors(self, filling: Filling) -> Filled:
        with self._dropped_on_error():
            filling.check()
            _refuse(self._spread.land(self._order()))
            filling.check()
            counted = self._counted()
            if counted != (len(self._spread.parts), self._spread.rows):
                raise DataError(
                    f"{len(self._spread.parts)} parts of {self._spread.rows} rows were to land, and the ledger has "
                    f"{counted[0]} of {counted[1]}"
                )
        self._drop_ledger()
        return Filled(given=self._spread.rows, bytes=0)

    def _pipe_lacks(self) -> str | None:
        if self._codec:
            return f"the database's encoding is {self._codec}"
        return self._spread.why_not_lines or None

    def _by_rows(self, filling: Filling) -> Filled:
        size, lines = 0, self._spread.lines()
        statement = "".join(["copy ", self._into(), " from stdin"]).encode()
        with self._session.cursor() as cursor, contextlib.closing(lines):
            with cursor.copy(statement) as copy:
                while True:
                    filling.check()
                    try:
                        block = next(lines)
                    except StopIteration as end:
                        given = int(end.value)
                        break
                    size += len(block)
                    copy.write(block)
            return Filled(cursor.rowcount, size, given)

    def _order(self) -> dict[str, Any]:
        login = login_elsewhere(self._connection)
        login["parameters"]["application_name"] = self._ledger.name
        ledger = self._ledger.sql("postgres")
        return {
            "task": postgres_executor.__name__,
            "login": login,
            "copy": "".join(["copy ", self._into(), " from stdin (format csv)"]),
            "claim": " ".join(["insert into", ledger, "(part, rows) values (%s, %s)"]),
            "schema": schema_of(self._filling.schema),
            "codec": self._codec,
            "parts": [[part.path, list(part.groups), part.rows] for part in self._spread.parts],
            "batch_rows": PASSED_ROWS,
        }

    def _into(self) -> str:
        columns = quote_all(self._filling.schema.names, "postgres")
        return "".join([self._filling.relation.sql("postgres"), " (", columns, ")"])

    @contextlib.contextmanager
    def _dropped_on_error(self) -> Iterator[None]:
        """After a failure no session of an executor is left that could still write."""
        import psycopg

        try:
            yield
        except BaseException:
            with contextlib.suppress(psycopg.Error, DvtError):  # the first error is the one to tell
                self._end_sessions()
            raise

    def _end_sessions(self) -> None:
        """Drop the ledger, without which no attempt begins, and end those that have begun."""
        import psycopg

        # On a session of its own: the load's may be lost, or in a transaction that has failed.
        with connect(self._connection) as session:
            with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                session.execute(
                    "select pg_terminate_backend(pid) from pg_catalog.pg_stat_activity"
                    " where application_name = %s and usename = session_user",
                    [self._ledger.name],
                )
            session.execute(" ".join(["drop table if exists", self._ledger.sql("postgres")]).encode())

    def _drop_ledger(self) -> None:
        self._run("drop table", self._ledger.sql("postgres"))

    def _run(self, *words: str) -> None:
        self._session.execute(" ".join(words).encode())

    def _counted(self) -> tuple[int, int]:
        """The parts that are landed, and their rows."""
        counting = ["select count(*), coalesce(sum(rows), 0)::bigint from", self._ledger.sql("postgres")]
        row = self._session.execute(" ".join(counting).encode()).fetchone()
        assert row is not None, "an aggregate gives one row"
        return row[0], row[1]


def ledger_of(private: Relation) -> Relation:
    """The ledger beside a private table; its name is the application's name of the executors' sessions too."""
    ending = "_parts"
    kept = private.name.encode()[: _MAX_NAME_BYTES - len(ending)].decode(errors="ignore")
    return private.sibling(kept + ending)


def _refuse(told: Sequence[Told]) -> None:
    """Raise what a task was told, or what it found: as the load on dvt's own session would."""
    import psycopg

    for each in told:
        if not each.refusal:
            continue
        if not each.state:
            raise DataError(each.refusal, column=each.column or None, remedy="Cast or replace the value in the model")
        error = psycopg.errors.lookup(each.state)(each.refusal)
        if each.column and each.state.startswith("22"):
            raise DataError(
                each.refusal,
                column=each.column,
                remedy="Correct the value at the source, or declare another type for the column",
            ) from error
        raise error
