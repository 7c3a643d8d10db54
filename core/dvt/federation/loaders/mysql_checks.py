"""What MySQL cannot hold, refused by column before anything is sent."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import DataError

_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31
_DAY_US = 86_400_000_000
_FIRST_TIMESTAMP_US = 1_000_000  # 1970-01-01 00:00:01: the second before it is MySQL's zero
_LAST_TIMESTAMP_US = {False: 2**31 * 1_000_000 - 1, True: (2**32 - 1) * 1_000_000 + 999_999}


def refusal(column: str, message: str, remedy: str) -> DataError:
    """The error for a value that has no place in a column."""
    return DataError(message, column=column, phase="load", remedy=remedy)


def require_storable(values: pa.Array, column: str) -> None:
    """NaN and infinities, of which MySQL has none. -0.0 is sent as it is: where the server has one zero, it is that."""
    if pc.all(pc.is_finite(values)).as_py() is False:
        raise refusal(column, "NaN or infinity: MySQL has no such numbers", "Make them NULL in the model")


def require_dates(days: pa.Array, column: str) -> None:
    """Days since 1970 within the years 1 to 9999."""
    _require_between(days.view(pa.int32()), _FIRST_DAY, _LAST_DAY, column, "a date outside 0001-01-01 to 9999-12-31")


def require_datetimes(micros: pa.Array, column: str) -> None:
    """Microseconds since 1970 within the years 1 to 9999."""
    _require_between(
        micros.view(pa.int64()),
        _FIRST_DAY * _DAY_US,
        (_LAST_DAY + 1) * _DAY_US - 1,
        column,
        "a timestamp outside the years 1 to 9999",
    )


def require_timestamps(micros: pa.Array, column: str, *, is_unsigned: bool) -> None:
    """Microseconds since 1970 that a TIMESTAMP column holds: to 2038, or 2106 since MariaDB 11.5."""
    _require_between(
        micros.view(pa.int64()),
        _FIRST_TIMESTAMP_US,
        _LAST_TIMESTAMP_US[is_unsigned],
        column,
        f"an instant outside 1970-01-01 00:00:01 to {2106 if is_unsigned else 2038}, the range of MySQL's TIMESTAMP",
        "Cast it to a timestamp without time zone in the model, or declare the column datetime(6)",
    )


def _require_between(
    values: pa.Array, low: int, high: int, column: str, what: str, remedy: str = "Mend or drop it in the model"
) -> None:
    span = pc.min_max(values)
    smallest, largest = span["min"].as_py(), span["max"].as_py()
    if smallest is not None and (smallest < low or largest > high):
        raise refusal(column, f"the column holds {what}", remedy)
