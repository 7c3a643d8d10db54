"""What runs on Spark's executors: each part of a result into PostgreSQL by COPY, in a transaction of its own.

Spark may run a task again after it has committed (its executor died before it could say so), and, with speculation,
twice at the same time. So each transaction first writes its part's number into a ledger with a primary key: a second
attempt waits there for the first, and where that has committed there is nothing left to do.

Executors get this module in dvt's own package, and need psycopg and PyArrow beside it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa
import pyarrow.parquet as pq

from dvt.connections.secrets import Secret, redact
from dvt.errors import DataError
from dvt.federation.engines.spark_parquet import result_batch
from dvt.federation.loaders.pieces import halved
from dvt.federation.loaders.postgres_rows import PIECE_BYTES, encoded
from dvt.federation.stream import ColumnSchema

if TYPE_CHECKING:
    import psycopg

SCHEMA = "part bigint, said string"
"""What a task gives for each part, in Spark's words: the part's number, and JSON."""

# The session broke, the server is full or ends, another transaction was in the way: another attempt may succeed.
_MAY_PASS = ("08", "40", "53300", "57P")
# A peer that is gone is noticed within two minutes; until then its claim would hold up the second attempt.
_KEEPALIVES = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "6"}


class _DoneError(Exception):
    """The part is landed."""


class SaidError(Exception):
    """What went wrong on an executor, without secrets; Spark writes it into its logs."""


class Executor:
    """One load, as a task's function over the numbers of its parts.

    Args:
        order: `login` (`parameters`, `settings`, `role`), `copy`, `claim`, `schema`, `codec`, `parts`, `batch_rows`.
        is_trial: Do everything but the load.
    """

    def __init__(self, order: Mapping[str, Any], *, is_trial: bool = False) -> None:
        self._order = dict(order)
        self._is_trial = is_trial

    def __repr__(self) -> str:  # Spark shows what it is given to run
        return "Executor(***)"

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """What a task does: `mapInArrow` gives it one column of numbers."""
        numbers = [number for batch in batches for number in batch.column(0).to_pylist()]
        if not numbers:
            return
        Secret(self._order["login"]["parameters"].get("password") or "")  # so that it is known to `redact`
        for number, said in self._trial(numbers) if self._is_trial else self._landed(numbers):
            yield pa.RecordBatch.from_pydict({"part": pa.array([number], pa.int64()), "said": [json.dumps(said)]})

    def _trial(self, numbers: list[int]) -> Iterator[tuple[int, dict[str, Any]]]:
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
            pq.ParquetFile(_path(self._order["parts"][0][0])).close()
        except psycopg.Error as error:
            why = f"they do not reach the target: {_line(error)}"
        except OSError as error:
            why = f"their Python does not see the result: {_line(error)}"
        yield numbers[0], {"why": why}

    def _landed(self, numbers: list[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        import psycopg

        try:
            with self._session() as session:
                for number in numbers:
                    yield number, self._part(session, number)
        except psycopg.Error as error:  # Spark tries the task once more
            raise SaidError(_line(error)) from None

    def _part(self, session: psycopg.Connection[Any], number: int) -> dict[str, Any]:
        import psycopg

        path, groups, rows = self._order["parts"][number]
        try:
            with session.transaction():
                try:
                    session.execute(self._order["claim"].encode(), [number, rows])
                except psycopg.errors.UniqueViolation:
                    raise _DoneError from None
                taken = self._copied(session, path, groups)
                if taken != rows:
                    raise DataError(f"{rows} rows were to land, and {taken} were taken")
        except _DoneError:
            return {"rows": 0}
        except DataError as error:
            return {"rows": 0, "refusal": redact(error.message), "column": error.column or ""}
        except psycopg.Error as error:
            state = error.sqlstate or ""
            if not state or state.startswith(_MAY_PASS):
                raise
            place = (error.diag.context or "").partition(", column ")[2].partition(":")[0]
            return {"rows": 0, "refusal": redact(_line(error)), "column": place, "state": state}
        return {"rows": taken}

    def _copied(self, session: psycopg.Connection[Any], path: str, groups: list[int]) -> int:
        columns = _columns(self._order["schema"])
        with session.cursor() as cursor, pq.ParquetFile(_path(path), pre_buffer=False) as file:
            with cursor.copy(self._order["copy"].encode()) as copy:
                for batch in file.iter_batches(self._order["batch_rows"], row_groups=groups):
                    for piece in halved(result_batch(batch, columns), PIECE_BYTES):
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


def _path(seen: str) -> str:
    """A file that is Spark's to name, for Python: in a bucket it has none."""
    return url2pathname(urlsplit(seen).path) if seen.startswith("file:") else seen


def _columns(schema: str) -> list[ColumnSchema]:
    read = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(schema)))
    return [ColumnSchema(field.name, field.type, field.nullable) for field in read]


def _line(error: BaseException) -> str:
    """An error in one line, without secrets; what its causes hold is not shown."""
    diag = getattr(error, "diag", None)
    return redact(" ".join(str(getattr(diag, "message_primary", None) or error).split()))
