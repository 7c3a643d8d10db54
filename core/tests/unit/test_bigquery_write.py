"""Which columns go by BigQuery's Storage Write API, and as which Arrow type."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dvt.types.bigquery_write import why_not_written, written_type


@pytest.mark.parametrize(
    ("type_", "native", "expected"),
    [
        (pa.int64(), "int64", pa.int64()),
        (pa.bool_(), "boolean", pa.bool_()),
        (pa.string(), "string(3)", pa.string()),
        (pa.string(), "json", pa.string()),
        (pa.timestamp("us"), "datetime", pa.timestamp("us")),
        (pa.timestamp("us", "UTC"), "timestamp", pa.timestamp("us", "UTC")),
        (pa.decimal128(12, 2), "numeric(12, 2)", pa.decimal128(12, 2)),
        (pa.decimal128(12, 2), "decimal", pa.decimal128(12, 2)),
        (pa.decimal128(38, 38), "bignumeric(38, 38)", pa.decimal256(38, 38)),
        (pa.list_(pa.decimal128(38, 20)), "array<bignumeric(38, 20)>", pa.list_(pa.decimal256(38, 20))),
        (
            pa.struct([("a", pa.list_(pa.int64()))]),
            "struct<`a` array<int64>>",
            pa.struct([("a", pa.list_(pa.int64()))]),
        ),
        (pa.time64("us"), "time", None),
        (pa.list_(pa.time64("us")), "array<time>", None),
        (pa.struct([("a", pa.time64("us"))]), "struct<`a` time>", None),
        (pa.struct([("a b", pa.int64())]), "struct<`a b` int64>", None),
        (pa.timestamp("ns"), "datetime", None),
        (pa.timestamp("us"), "timestamp", None),
        (pa.string(), "geography", None),
    ],
)
def test_types(type_: pa.DataType, native: str, expected: pa.DataType | None) -> None:
    assert written_type(type_, native) == expected


def test_the_first_column_that_stands_against_it() -> None:
    schema = pa.schema([("a", pa.int64()), ("b", pa.time64("us")), ("c d", pa.int64())])
    assert why_not_written(schema, ["int64", "time", "int64"]) == "column b: the API has no Arrow type for time"
    other = pa.schema([("a", pa.int64()), ("c d", pa.int64())])
    assert why_not_written(other, ["int64", "int64"]) == "column c d: it is not known how the API writes such names"
    assert why_not_written(pa.schema([("a", pa.int64())]), ["int64"]) is None
