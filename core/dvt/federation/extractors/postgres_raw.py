"""`COPY (query) TO STDOUT (FORMAT binary)`, offered to a landing that takes it undecoded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlglot import exp

from dvt.errors import DataError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.postgres_wire import Wire
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.raw import RawColumn, RawRows
from dvt.native import library as codec
from dvt.native import raw
from dvt.native.decoder import FAILED, FULL, WAITING
from dvt.native.libpq import of_psycopg
from dvt.native.raw import RawPull, RawRefusedError
from dvt.types import postgres_binary as pg

if TYPE_CHECKING:
    import psycopg

FORMAT: Final = "copy_binary_pipe"

# Since version 10 timestamps are whole numbers everywhere.
_FIRST_VERSION = 10_00_00
_LOOKED_FOR: Final = {
    pg.NUMERIC: raw.NUMERIC,
    pg.TIMESTAMP: raw.TIMESTAMP,
    pg.TIMESTAMPTZ: raw.TIMESTAMP,
    pg.INTERVAL: raw.INTERVAL,
}
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
    run: Callable[[str, RawPull | None], Generator[bytes | memoryview, None, int]],
    native: bool,
) -> RawRows | None:
    """The offer for a request; None where a column has to be decoded.

    Args:
        session: An open session, in its snapshot.
        request: Names a relation and its columns.
        run: Runs a COPY statement and gives its blocks, and in the end the rows that the server counted.
        native: Whether blocks may be filled, and values be looked at, by the native codec.
    """
    if request.relation is None or not request.columns or not speaks_binary(session):
        return None
    described = Wire(session).describe(scan_sql(request, "postgres"))
    columns = tuple(RawColumn(name, (oid, typmod)) for name, oid, typmod, _, _ in described)
    if not all(column.type[0] in pg.STABLE for column in columns):
        return None
    pull = _raw_pull(session, len(columns)) if native else None

    def start(types: Sequence[str]) -> Generator[bytes | memoryview, None, int]:
        checks = [_LOOKED_FOR.get(column.type[0], raw.NONE) for column in columns]
        casts: dict[str, exp.Expression] = {}
        for number, (column, type_) in enumerate(zip(columns, types, strict=True)):
            if pull is not None and (column.type[0], type_) == (pg.BPCHAR, "text"):
                checks[number] = raw.PADDED  # a cast would cost the server a third more for the whole table
            elif type_:
                name = exp.column(exp.to_identifier(column.name, quoted=True))
                casts[column.name] = exp.Cast(this=name, to=exp.DataType.build(type_, dialect="postgres"))
        if pull is not None:
            pull.look_for(checks)
        return run("".join(["copy (", scan_sql(request, "postgres", casts), "\n) to stdout (format binary)"]), pull)

    return RawRows(FORMAT, columns, start, are_checked=pull is not None)


def copied_blocks(
    session: psycopg.Connection[Any], statement: str, pull: RawPull | None, names: Sequence[str]
) -> Generator[bytes | memoryview, None, int]:
    """The bytes of a COPY in blocks of about a megabyte; returns the rows that the server counted.

    Args:
        session: Where it runs.
        statement: The COPY.
        pull: What fills blocks natively; None where Python does.
        names: The columns.

    Raises:
        DataError: A value that decoding would refuse; only what fills blocks natively looks for it.
    """
    wire = Wire(session)
    wire.start_copy(statement)
    if pull is None:
        for block in wire.copy_rows(_BLOCK_ROWS, _BLOCK_BYTES):
            yield b"".join(block)
        return wire.copied
    outcome = FULL
    try:
        while outcome in (FULL, WAITING):
            outcome, filled = pull.next_block()
            yield filled  # also an empty one: whoever takes them looks whether they are still wanted
    except RawRefusedError as error:
        raise _refusal(error, names) from error
    return finished(session, wire, outcome)


def _refusal(error: RawRefusedError, names: Sequence[str]) -> DataError:
    if error.code != codec.BROKEN:
        return refused_value(names[error.column], error.row + 1)
    remedy = "Set dvt.native to false, which reads the rows without the native codec"
    what = "the bytes are no binary COPY of these columns"
    return DataError(what, rows=f"row {error.row + 1}", phase="extract", remedy=remedy)


def finished(session: psycopg.Connection[Any], wire: Wire, outcome: int) -> int:
    """The rows that the server counted, after the last of a COPY's; raises what the server, or libpq, says instead."""
    import psycopg

    said = session.pgconn.error_message.decode(errors="replace") if outcome == FAILED else ""
    counted = wire.finish_copy()  # the server's own error says more than libpq's
    if outcome == FAILED:
        raise psycopg.OperationalError(f"the rows cannot be read: {said.strip()}")
    return counted


def refused_value(column: str, row: int | None = None) -> DataError:
    """The error for a value that the binary form lets through, and decoding does not."""
    return DataError(
        "a value is NaN in a decimal, or is out of the range that dvt carries",
        column=column,
        rows=None if row is None else f"row {row}",
        phase="extract",
        remedy="Cast the column in a query or view of the source, for example to text",
    )


def _raw_pull(session: psycopg.Connection[Any], width: int) -> RawPull | None:
    """What fills blocks natively on a session; None where there is no codec or no libpq that fits."""
    library = codec.load()
    if isinstance(library, str):
        return None
    libpq = of_psycopg(session)
    if isinstance(libpq, str):
        return None
    return RawPull(library, libpq, width)
