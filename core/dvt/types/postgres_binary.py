"""PostgreSQL types whose binary form is the same in all versions since 10, and what may be made of them on the way.

The forms are those of the types' `send` and `recv` functions; they carry no version. Arrays and composite types are not
here: their form holds object ids, and several dimensions, which the decoded way refuses.
"""

from __future__ import annotations

from typing import Final

BOOL, BYTEA, INT8, INT2, INT4, TEXT, OID, JSON = 16, 17, 20, 21, 23, 25, 26, 114
FLOAT4, FLOAT8, BPCHAR, VARCHAR, DATE, TIME = 700, 701, 1042, 1043, 1082, 1083
TIMESTAMP, TIMESTAMPTZ, INTERVAL, TIMETZ, NUMERIC, UUID, JSONB = 1114, 1184, 1186, 1266, 1700, 2950, 3802

STABLE: Final = frozenset(
    {
        *(BOOL, BYTEA, INT8, INT2, INT4, TEXT, OID, JSON, FLOAT4, FLOAT8, BPCHAR, VARCHAR, DATE, TIME),
        *(TIMESTAMP, TIMESTAMPTZ, INTERVAL, TIMETZ, NUMERIC, UUID, JSONB),
    }
)

# Another type of the landing that the source's own cast gives exactly, as decoding would; "": the form is the same.
_CASTS: Final = {
    (BPCHAR, TEXT): "text",  # without the padding
    (VARCHAR, TEXT): "",  # one and the same form
    (OID, INT8): "bigint",
    (JSONB, JSON): "json",
    (TIMETZ, TEXT): "text",
}

# What decoding refuses and the binary form would let through: a condition on a column %s. Arrow's timestamps end at
# 2**63 - 1 microseconds after 1970, its intervals at as many nanoseconds, and its decimals know no NaN.
REFUSED: Final = {
    NUMERIC: "%s = 'NaN'",
    TIMESTAMP: "%s >= '294247-01-10 04:00:54.775807' and %s < 'infinity'",
    TIMESTAMPTZ: "%s >= '294247-01-10 04:00:54.775807+00' and %s < 'infinity'",
    INTERVAL: (
        "abs(extract(hour from %s) * 3600 + extract(minute from %s) * 60 + extract(second from %s)) > 9223372036.854775"
    ),
}


def cast_for(source: tuple[int, int], target: tuple[int, int]) -> str | None:
    """What the source makes of a column so that its binary form is the landing's.

    Args:
        source: Type and modifier of the source's column.
        target: Those of the landing's.

    Returns:
        The type to cast to, "" for none, None when rows with this column have to be decoded.

    >>> cast_for((INT4, -1), (INT4, -1)), cast_for((BPCHAR, 29), (TEXT, -1)), cast_for((NUMERIC, -1), (NUMERIC, -1))
    ('', 'text', None)
    """
    type_, modifier = source
    if type_ not in STABLE:
        return None
    if type_ == NUMERIC and not _is_carried(modifier):
        return None
    if type_ == target[0]:
        # Without its modifier a padded text would keep its padding where decoding drops it.
        is_wider = target[1] == -1 and type_ != BPCHAR
        is_same = target[1] == modifier and not (type_ == BPCHAR and modifier == -1)
        return "" if is_same or is_wider else None
    return _CASTS.get((type_, target[0])) if target[1] == -1 else None


def _is_carried(modifier: int) -> bool:
    """Whether decoding carries every number of a declared precision."""
    if modifier < 4:
        return False
    precision, scale = ((modifier - 4) >> 16) & 0xFFFF, (((modifier - 4) & 0x7FF) ^ 1024) - 1024
    return 0 <= scale <= precision <= 38
