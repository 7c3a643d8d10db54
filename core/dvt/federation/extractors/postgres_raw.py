"""`COPY (query) TO STDOUT (FORMAT binary)`, offered to a landing that takes it undecoded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlglot import exp

from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.postgres_wire import Wire
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.raw import RawColumn, RawRows
from dvt.native import library as codec
from dvt.native.decoder import FAILED, FULL, WAITING
from dvt.native.libpq import of_psycopg
from dvt.native.raw import RawPull
from dvt.types.postgres_binary import STABLE

if TYPE_CHECKING:
    import psycopg

FORMAT: Final = "copy_binary_pipe"

# Since version 10 timestamps are whole numbers everywhere.
_FIRST_VERSION = 10_00_00
_BLOCK_ROWS = 1_000_000
_BLOCK_BYTES = 1 << 20


def speaks_binary(session: psycopg.Connection[Any]) -> bool:
    """Whether a server is PostgreSQL itself, with the binary forms of today, and its texts are UTF-8."""
    info = session.info
    are_utf8 = all(info.parameter_status(f"{side}_encoding") == "UTF8" for side in ("server", "client"))
    return are_utf8 and lack_of_binary(session) is None


def lack_of_binary(session: psycopg.Connection[Any]) -> str | None:
    """What is missing for the binary forms of today: a PostgreSQL itself, and not too old; None when nothing is."""
    info = session.info
    if info.server_version < _FIRST_VERSION or info.parameter_status("integer_datetimes") != "on":
        return "the server is older than PostgreSQL 10"
    # Others speak its protocol and give a version of it.
    row = session.execute("select version()").fetchone()
    version = str(row[0]) if row is not None else ""
    return None if version.startswith("PostgreSQL ") else f"the server is not PostgreSQL itself: {version}"


def raw_rows(
    session: psycopg.Connection[Any],
    request: ExtractionConfig,
    run: Callable[[str], Generator[bytes | memoryview, None, int]],
) -> RawRows | None:
    """The offer for a request; None where a column has to be decoded.

    Args:
        session: An open session, in its snapshot.
        request: Names a relation and its columns.
        run: Runs a COPY statement and gives its blocks, and in the end the rows that the server counted.
    """
    if request.relation is None or not request.columns or not speaks_binary(session):
        return None
    described = Wire(session).describe(scan_sql(request, "postgres"))
    columns = tuple(RawColumn(name, (oid, typmod)) for name, oid, typmod, _, _ in described)
    if not all(column.type[0] in STABLE for column in columns):
        return None

    def start(types: Sequence[str]) -> Generator[bytes | memoryview, None, int]:
        casts = {
            column.name: exp.Cast(
                this=exp.column(exp.to_identifier(column.name, quoted=True)),
                to=exp.DataType.build(type_, dialect="postgres"),
            )
            for column, type_ in zip(columns, types, strict=True)
            if type_
        }
        return run("".join(["copy (", scan_sql(request, "postgres", casts), "\n) to stdout (format binary)"]))

    return RawRows(FORMAT, columns, start)


def copied_blocks(
    session: psycopg.Connection[Any], statement: str, pull: RawPull | None
) -> Generator[bytes | memoryview, None, int]:
    """The bytes of a COPY in blocks of about a megabyte; returns the rows that the server counted.

    Args:
        session: Where it runs.
        statement: The COPY.
        pull: What fills blocks natively; None where Python does.
    """
    wire = Wire(session)
    wire.start_copy(statement)
    if pull is None:
        for block in wire.copy_rows(_BLOCK_ROWS, _BLOCK_BYTES):
            yield b"".join(block)
        return wire.copied
    outcome = FULL
    while outcome in (FULL, WAITING):
        outcome, filled = pull.next_block()
        yield filled  # also an empty one: whoever takes them looks whether they are still wanted
    return finished(session, wire, outcome)


def finished(session: psycopg.Connection[Any], wire: Wire, outcome: int) -> int:
    """The rows that the server counted, after the last of a COPY's; raises what the server, or libpq, says instead."""
    import psycopg

    said = session.pgconn.error_message.decode(errors="replace") if outcome == FAILED else ""
    counted = wire.finish_copy()  # the server's own error says more than libpq's
    if outcome == FAILED:
        raise psycopg.OperationalError(f"the rows cannot be read: {said.strip()}")
    return counted


def raw_pull(session: psycopg.Connection[Any]) -> RawPull | None:
    """What fills blocks natively on a session; None where there is no codec or no libpq that fits."""
    library = codec.load()
    if isinstance(library, str):
        return None
    libpq = of_psycopg(session)
    return None if isinstance(libpq, str) else RawPull(library, libpq)
