"""`COPY (query) TO STDOUT (FORMAT binary)`, offered to a landing that takes it undecoded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlglot import exp

from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.postgres_wire import Wire
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.raw import RawColumn, RawRows
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
    run: Callable[[str], Generator[bytes, None, int]],
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

    def start(types: Sequence[str]) -> Generator[bytes, None, int]:
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


def copied_blocks(session: psycopg.Connection[Any], statement: str) -> Generator[bytes, None, int]:
    """The bytes of a COPY in blocks of about a megabyte; returns the rows that the server counted."""
    wire = Wire(session)
    wire.start_copy(statement)
    for block in wire.copy_rows(_BLOCK_ROWS, _BLOCK_BYTES):
        yield b"".join(block)
    return wire.copied
