"""What carries Redshift's types, and the values of those that no PostgreSQL has."""

from __future__ import annotations

import struct

import pyarrow as pa
import pytest

from dvt.types.redshift import WIRE, native_type
from dvt.types.vocabulary import INTERVAL, JSON


def packed(precision: int, scale: int) -> int:
    return ((precision << 16) | scale) + 4


@pytest.mark.parametrize(
    ("oid", "typmod", "name", "type_", "unloads"),
    [
        (1700, packed(38, 37), "numeric(38,37)", pa.decimal128(38, 37), True),
        (1700, -1, "numeric", pa.decimal128(38, 9), False),
        (1042, 9, "character(5)", pa.string(), True),
        (1043, 260, "character varying(256)", pa.string(), True),
        (1266, -1, "time with time zone", pa.string(), False),
        (4000, -1, "super", JSON, False),
        (6551, -1, "binary varying", pa.binary(), False),
        (1188, -1, "interval year to month", INTERVAL, False),
        (2935, -1, "type 2935", pa.string(), False),  # hllsketch
    ],
)
def test_carriers(oid: int, typmod: int, name: str, type_: pa.DataType, unloads: bool) -> None:
    found = native_type(oid, typmod, 9)
    assert (found.name, found.type, found.unloads) == (name, type_, unloads)


def test_values_that_the_driver_would_change() -> None:
    def read(oid: int, data: bytes) -> object:
        return WIRE[oid][1](b"??" + data, 2, len(data))

    assert read(1188, struct.pack("!i", -14)) == (-14, 0, 0)
    day = 86_400_000_000
    assert read(1190, struct.pack("!q", 3 * day + 1)) == (0, 3, 1000)
    days, nanos = read(1190, struct.pack("!q", -1))[1:]  # type: ignore[index]
    assert days * day * 1000 + nanos == -1000
    assert read(6551, b"00ff7f") == b"\x00\xff\x7f"
    assert read(1083, b"23:59:59.123457") == "23:59:59.123457"
    assert read(1082, b"0044-03-15 BC") == "0044-03-15 BC"


def test_the_driver_still_has_what_is_told() -> None:
    core = pytest.importorskip("redshift_connector.core")
    assert {16, 20, 700, 1082} <= set(core.REDSHIFT_TYPES)
