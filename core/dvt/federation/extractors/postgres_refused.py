"""What dvt says of a value that the native decoder refuses: the words of the CSV lane, and the server's text of it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from dvt.connections.postgres import cancel
from dvt.federation.extractors.postgres_text import LOWER_BOUNDS, SEVERAL_DIMENSIONS
from dvt.native import library as codec
from dvt.types import postgres_binary as oids
from dvt.types.postgres import Carrier
from dvt.types.postgres_dates import TOO_LATE

if TYPE_CHECKING:
    import psycopg

    from dvt.federation.extractors.postgres_wire import Wire

_OUT_OF_RANGE: Final = {
    oids.DATE: "it is not a date",
    oids.TIME: "it is not a time",
    oids.INTERVAL: "an interval carries at most 292 years of hours",
}
_INFINITE_INTERVALS: Final = (
    struct.pack(">qii", 2**63 - 1, 2**31 - 1, 2**31 - 1),
    struct.pack(">qii", -(2**63), -(2**31), -(2**31)),
)
_BINARY: Final = 1


def why_refused(code: int, value: bytes, carrier: Carrier) -> str:
    """What is in the way of a value.

    Args:
        code: The decoder's.
        value: Its bytes.
        carrier: Of the value: for an array's element that of the element.
    """
    if code == codec.NAN:
        return "a decimal cannot carry it"
    if code == codec.DIGITS:
        return f"it does not fit {carrier.type}"
    if code == codec.ARRAY:
        return LOWER_BOUNDS if _has_other_lower_bounds(value) else SEVERAL_DIMENSIONS
    if value in _INFINITE_INTERVALS and carrier.oid == oids.INTERVAL:
        return "an interval cannot carry it"
    return _OUT_OF_RANGE.get(carrier.oid, TOO_LATE)


def server_text(session: psycopg.Connection[Any], wire: Wire, oid: int, value: bytes, behind: str) -> str:
    """The server's own text of a value; its bytes where the server no longer answers.

    Args:
        session: On it the COPY with the value runs.
        wire: The same.
        oid: Object id of its type.
        value: Its binary form.
        behind: The statement after which the session answers again.
    """
    import psycopg

    try:
        cancel(session)
        wire.discard_copy()
        session.execute(behind.encode())
        result = session.pgconn.exec_params(
            b"select pg_catalog.format('%s', $1)", [value], param_types=[oid], param_formats=[_BINARY]
        )
    except psycopg.Error:
        return f"\\x{value.hex()}"
    text = result.get_value(0, 0) if result.ntuples else None
    return text.decode(errors="replace") if text is not None else f"\\x{value.hex()}"


def _has_other_lower_bounds(array: bytes) -> bool:
    (dimensions,) = struct.unpack_from(">i", array)
    return any(struct.unpack_from(">i", array, 16 + 8 * number)[0] != 1 for number in range(dimensions))
