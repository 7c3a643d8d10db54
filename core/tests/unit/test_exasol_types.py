"""Exasol's types as its protocol announces them, what carries each, and texts that are refused."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from dvt.types.exasol import column, reading
from dvt.types.vocabulary import INTERVAL, MICROS, MICROS_UTC

CASES: tuple[tuple[dict[str, Any], pa.DataType | None, str], ...] = (
    ({"type": "BOOLEAN"}, pa.bool_(), "BOOLEAN"),
    ({"type": "DECIMAL", "precision": 36, "scale": 36}, pa.decimal128(36, 36), "DECIMAL(36,36)"),
    ({"type": "DOUBLE"}, pa.float64(), "DOUBLE"),
    ({"type": "VARCHAR", "size": 2000000, "characterSet": "UTF8"}, pa.string(), "VARCHAR(2000000)"),
    ({"type": "CHAR", "size": 3, "characterSet": "ASCII"}, pa.string(), "CHAR(3)"),
    ({"type": "DATE", "size": 4}, pa.date32(), "DATE"),
    ({"type": "TIMESTAMP", "withLocalTimeZone": False, "size": 8}, MICROS, "TIMESTAMP"),
    ({"type": "TIMESTAMP", "withLocalTimeZone": True}, MICROS_UTC, "TIMESTAMP WITH LOCAL TIME ZONE"),
    ({"type": "TIMESTAMP WITH LOCAL TIME ZONE"}, MICROS_UTC, "TIMESTAMP WITH LOCAL TIME ZONE"),
    ({"type": "INTERVAL YEAR TO MONTH", "precision": 2}, INTERVAL, "INTERVAL YEAR TO MONTH"),
    ({"type": "INTERVAL DAY TO SECOND", "precision": 2, "fraction": 3}, INTERVAL, "INTERVAL DAY TO SECOND"),
    ({"type": "HASHTYPE", "size": 32}, pa.string(), "HASHTYPE"),
    ({"type": "GEOMETRY", "srid": 0}, pa.string(), "GEOMETRY"),
    ({"type": "SOMETHING NEW"}, None, "SOMETHING NEW"),
)


@pytest.mark.parametrize(("announced", "type_", "native"), CASES)
def test_types(announced: dict[str, Any], type_: pa.DataType | None, native: str) -> None:
    found = reading(announced)
    assert (found.type, found.native) == (type_, native)
    if type_ is not None:
        nothing = column(pa.array([None, None], pa.string()), found)
        assert (nothing.type, nothing.null_count) == (type_, 2)


@pytest.mark.parametrize(
    ("announced", "text"),
    [
        ({"type": "DECIMAL", "precision": 5, "scale": 2}, "1000.00"),
        ({"type": "DECIMAL", "precision": 5, "scale": 2}, "1,5"),
        ({"type": "BOOLEAN"}, "yes"),
        ({"type": "DOUBLE"}, "1,5"),
        ({"type": "DATE"}, "31.12.2024"),
        ({"type": "TIMESTAMP"}, "2024-01-01 00:00:00.000000001"),
        ({"type": "TIMESTAMP"}, "01.01.2024 00:00:00"),
        ({"type": "INTERVAL YEAR TO MONTH"}, "+1"),
        ({"type": "INTERVAL DAY TO SECOND"}, "+1 day"),
    ],
)
def test_what_is_not_of_the_type_is_refused(announced: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError):
        column(pa.array([None, text]), reading(announced))
