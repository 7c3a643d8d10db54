"""Filling a private table: LOAD DATA LOCAL from the stream, or INSERT where the server forbids it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pyarrow as pa

from dvt.connections.mysql_errors import ServerError, named_column, warning_error
from dvt.connections.mysql_session import Session
from dvt.errors import DataError, InterruptedRunError
from dvt.federation.loaders.bundles import bundled
from dvt.federation.loaders.mysql_cells import ColumnWriter, file_lines, insert_rows
from dvt.identifiers import Relation, quote, quote_all

PART_BYTES = 32 << 20  # of Arrow: batches of wide rows are cut to it
_STATEMENT_BYTES = 1 << 20
# About the statement, not about a value: deprecated syntax, unsafe for statement-based replication.
_HARMLESS = frozenset({1287, 1592, 1681, 3719, 3778})


def load_data(
    session: Session, relation: Relation, writers: Sequence[ColumnWriter], batches: Iterator[pa.RecordBatch]
) -> None:
    """Stream the batches through one LOAD DATA LOCAL. The file name in it is never opened by anyone.

    Raises:
        DataError: The server had to change or leave out a value; the column is named where the server names it.
    """
    outcome = session.load_local(_load_sql(relation, writers), (file_lines(writers, batch) for batch in batches))
    if outcome.warning_count:
        require_no_warnings(session, relation, "load")


def _load_sql(relation: Relation, writers: Sequence[ColumnWriter]) -> str:
    targets, settings = [], []
    for index, writer in enumerate(writers):
        column = quote(writer.name, "mysql")
        if writer.is_hex:
            # Bytes travel as hexadecimal text, because the file is UTF-8.
            targets.append(f"@dvt_{index}")
            settings.append(f"{column} = unhex(@dvt_{index})")
        else:
            targets.append(column)
    statement = [
        *("load data local infile 'dvt' into table", relation.sql("mysql"), "character set utf8mb4"),
        *(r"fields terminated by '\t' enclosed by '' escaped by '\\' lines terminated by '\n'",),
        *("(", ", ".join(targets), ")"),
    ]
    if settings:
        statement += ["set", ", ".join(settings)]
    return " ".join(statement)


def insert(
    session: Session, relation: Relation, writers: Sequence[ColumnWriter], batches: Iterator[pa.RecordBatch]
) -> None:
    """Send the batches as multi-row INSERT statements of bounded size, in one transaction.

    Raises:
        DataError: A value had to be changed, or a row is longer than the server takes.
    """
    columns = quote_all([writer.name for writer in writers], "mysql")
    head = " ".join(["insert into", relation.sql("mysql"), "(", columns, ") values "])
    most = session.server.max_packet_bytes - len(head.encode()) - 64
    with session.filling():
        session.run("start transaction")
        try:
            for batch in batches:
                for rows in bundled(_sized(insert_rows(writers, batch), most), min(_STATEMENT_BYTES, most)):
                    session.check_wanted()
                    if session.run(head + ",".join(rows)).warning_count:
                        require_no_warnings(session, relation, "load")
        except InterruptedRunError:
            # The table will be dropped, for which the rows need not be undone.
            with contextlib.suppress(ServerError):
                session.run("commit")
            raise
        session.run("commit")


def _sized(rows: list[str], most_bytes: int) -> Iterator[tuple[str, int]]:
    """Each row with its bytes in a statement, which are never above the most."""
    for row in rows:
        size = len(row.encode()) + 1
        if size > most_bytes:
            raise DataError(
                f"a row needs {size} bytes in a statement, more than the server's max_allowed_packet",
                phase="load",
                remedy="Raise max_allowed_packet on the server, or allow LOAD DATA LOCAL there",
            )
        yield row, size


def require_no_warnings(session: Session, relation: Relation, phase: str) -> None:
    """Turn the last statement's warnings about values into an error."""
    found = [(int(code or 0), message or "") for _, code, message in session.rows("show warnings")]
    telling = sorted((w for w in found if w[0] not in _HARMLESS), key=lambda w: named_column(w[1]) is None)
    if telling:
        code, message = telling[0]
        raise warning_error(code, message, session.connection, phase=phase, relation=str(relation))
