"""Trino's type signatures, what carries each, and values that a fake server cannot hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dvt.types.trino import reading
from dvt.types.trino_values import column
from dvt.types.vocabulary import INTERVAL, JSON, MICROS, MICROS_UTC, TIME, UUID

Signature = dict[str, Any]


def plain(name: str, *numbers: int) -> Signature:
    return {"rawType": name, "arguments": [{"kind": "LONG", "value": number} for number in numbers]}


def nested(name: str, *parts: Signature) -> Signature:
    return {"rawType": name, "arguments": [{"kind": "TYPE", "value": part} for part in parts]}


def row(**fields: Signature) -> Signature:
    values = [{"fieldName": {"name": name}, "typeSignature": part} for name, part in fields.items()]
    return {"rawType": "row", "arguments": [{"kind": "NAMED_TYPE", "value": value} for value in values]}


VARCHAR = plain("varchar", 2147483647)
DOUBLE = plain("double")
CASES = (
    (plain("boolean"), pa.bool_(), "boolean"),
    (plain("tinyint"), pa.int8(), "tinyint"),
    (plain("real"), pa.float32(), "real"),
    (VARCHAR, pa.string(), "varchar"),
    (plain("varchar", 10), pa.string(), "varchar(10)"),
    (plain("char", 3), pa.string(), "char(3)"),
    (plain("decimal", 38, 38), pa.decimal128(38, 38), "decimal(38,38)"),
    (plain("time", 12), TIME, "time(12)"),
    (plain("time with time zone", 3), pa.string(), "time(3) with time zone"),
    (plain("timestamp", 0), MICROS, "timestamp(0)"),
    (plain("timestamp with time zone", 12), MICROS_UTC, "timestamp(12) with time zone"),
    (plain("interval day to second"), INTERVAL, "interval day to second"),
    (plain("uuid"), UUID, "uuid"),
    (plain("json"), JSON, "json"),
    (nested("array", plain("json")), pa.list_(pa.string()), "array(json)"),
    (nested("map", plain("date"), nested("array", DOUBLE)), pa.map_(pa.string(), pa.list_(pa.float64())), None),
    (plain("number"), pa.string(), "number"),
    (plain("SphericalGeography"), pa.string(), "SphericalGeography"),
    (plain("unknown"), pa.int32(), "unknown"),
    (row(a=plain("integer"), b=VARCHAR), pa.struct([("a", pa.int32()), ("b", pa.string())]), None),
)


@pytest.mark.parametrize(("signature", "type_", "native"), CASES)
def test_types(signature: Signature, type_: pa.DataType, native: str | None) -> None:
    found = reading(signature)
    assert (found.type, found.refused) == (type_, "")
    if native is not None:
        assert found.native == native
    for values in ([], [None, None]):
        array = column(values, found)
        assert (array.type, len(array), array.null_count) == (type_, len(values), len(values))


@pytest.mark.parametrize(
    "signature",
    [
        *(plain(name) for name in ("HyperLogLog", "P4HyperLogLog", "tdigest", "color", "BingTile", "ObjectId")),
        nested("qdigest", plain("bigint")),
        nested("map", DOUBLE, VARCHAR),
        nested("map", nested("array", VARCHAR), VARCHAR),
        nested("map", plain("varbinary"), VARCHAR),
        nested("array", row(a=plain("color"))),
        row(a=VARCHAR, A=VARCHAR),
    ],
)
def test_what_nothing_carries_is_refused(signature: Signature) -> None:
    assert reading(signature).refused.startswith("no type carries ")


@pytest.mark.parametrize(
    ("signature", "value"),
    [
        (plain("tinyint"), 128),
        (plain("integer"), 1.5),
        (plain("integer"), True),
        (plain("bigint"), "1"),
        (plain("bigint"), 2**63),
        (plain("boolean"), 1),
        (plain("boolean"), "true"),
        (DOUBLE, "1.5x"),
        (VARCHAR, 5),
        (VARCHAR, ["x"]),
        (plain("decimal", 5, 2), "1000.00"),
        (plain("decimal", 5, 2), "1.001"),
        (plain("decimal", 5, 2), "x"),
        (plain("varbinary"), "###"),
        (plain("date"), "+10000-01-01"),
        (plain("date"), "-0001-01-01"),
        (plain("date"), "2024-02-30"),
        (plain("time", 9), "10:00:00.000000001"),
        (plain("time", 3), "24:00:00.000"),
        (plain("timestamp", 9), "2024-01-01 00:00:00.000000001"),
        (plain("timestamp", 3), "+12000-01-01 00:00:00.000"),
        (plain("timestamp", 3), "2024-01-01 00:00:00.000 UTC"),
        (plain("timestamp with time zone", 3), "2024-01-01 00:00:00.000"),
        (plain("timestamp with time zone", 3), "2024-10-27 02:30:00.000 Europe/Berlin"),
        (plain("interval year to month"), "1 day"),
        (plain("interval day to second"), "99999999999 00:00:00.000"),
        (plain("uuid"), "6f2c1f9e"),
        (nested("array", plain("tinyint")), [1, 300]),
        (nested("array", plain("tinyint")), 7),
        (nested("map", VARCHAR, plain("tinyint")), {"a": 300}),
        (row(a=plain("tinyint")), [1, 2]),
        (row(a=plain("tinyint")), ["x"]),
    ],
)
def test_what_is_not_of_the_type_is_refused(signature: Signature, value: Any) -> None:
    with pytest.raises(ValueError):
        column([None, value], reading(signature))


def test_instants_before_the_epoch_and_with_offsets() -> None:
    texts = ["1969-12-31 23:59:59.999999 UTC", "1970-01-01 00:00:00.000000 -00:30", "1970-01-01 00:00:00.000000 +14:00"]
    found = column(texts, reading(plain("timestamp with time zone", 6)))
    assert found.cast(pa.int64()).to_pylist() == [-1, 1_800_000_000, -14 * 3_600_000_000]
    mixed_texts = ["1970-01-01 00:00:01 UTC", None, "1970-01-01 01:00:01 +01:00"]
    mixed = column(mixed_texts, reading(plain("timestamp with time zone", 0)))
    assert mixed.cast(pa.int64()).to_pylist() == [1_000_000, None, 1_000_000]


def test_lists_maps_and_rows_in_each_other() -> None:
    decimals = nested("array", plain("decimal", 4, 1))
    signature = nested("array", row(m=nested("map", VARCHAR, decimals), n=plain("bigint")))
    values = [[[{"a": ["1.5", None], "b": None}, 1], None], None, [], [[None, None], [{}, 3]]]
    assert column(values, reading(signature)).to_pylist() == [
        [{"m": [("a", [Decimal("1.5"), None]), ("b", None)], "n": 1}, None],
        None,
        [],
        [{"m": None, "n": None}, {"m": [], "n": 3}],
    ]
