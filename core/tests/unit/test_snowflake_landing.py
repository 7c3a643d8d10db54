"""Values as they go into files for Snowflake, and those that have no place there."""

from __future__ import annotations

import datetime
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dvt.federation.loaders.parquet_pieces import parquet_pieces
from dvt.types.snowflake_landing import expression, sent
from dvt.types.vocabulary import JSON

_NOON = datetime.datetime(2026, 1, 1, 12, 0, 0, 250_000)


def _json(*texts: str) -> pa.Array:
    return pa.ExtensionArray.from_storage(JSON, pa.array(texts, pa.string()))


@pytest.mark.parametrize(
    ("array", "native", "expected", "select"),
    [
        (pa.array([7, None], pa.int8()), "number(3, 0)", [7, None], "$1:c::NUMBER(3, 0)"),
        (pa.array([7], pa.int32()), "INT", [7], "$1:c::NUMBER(38, 0)"),
        (pa.array([7], pa.int32()), "decimal(5,2)", ["7.00"], "to_number($1:c::VARCHAR, 5, 2)"),
        (pa.array([2**64 - 1], pa.uint64()), "number(20, 0)", [str(2**64 - 1)], "to_number($1:c::VARCHAR, 20, 0)"),
        (pa.array([Decimal("-0.0000000001")]), "number(38, 10)", ["-0.0000000001"], "to_number($1:c::VARCHAR, 38, 10)"),
        (pa.array([0.5], pa.float32()), "float", [0.5], "$1:c::FLOAT"),
        (pa.array([b"\x00\xff", None]), "binary", ["00ff", None], "to_binary($1:c::VARCHAR, 'HEX')"),
        (pa.array([_NOON.date()]), "date", ["2026-01-01"], "to_date($1:c::VARCHAR, 'YYYY-MM-DD')"),
        (
            pa.array([_NOON.time()], pa.time64("us")),
            "time(6)",
            ["12:00:00.250000"],
            "to_time($1:c::VARCHAR, 'HH24:MI:SS.FF6')",
        ),
        (
            pa.array([_NOON], pa.timestamp("us")),
            "timestamp_ntz(2)",
            ["2026-01-01 12:00:00.250000"],
            "to_timestamp_ntz($1:c::VARCHAR, 'YYYY-MM-DD HH24:MI:SS.FF6')",
        ),
        (
            pa.array([_NOON], pa.timestamp("us")),
            "datetime",
            ["2026-01-01 12:00:00.250000000"],
            "to_timestamp_ntz($1:c::VARCHAR, 'YYYY-MM-DD HH24:MI:SS.FF9')",
        ),
        (
            pa.array([1], pa.timestamp("ns")),
            "timestamp_ntz(9)",
            ["1970-01-01 00:00:00.000000001"],
            "to_timestamp_ntz($1:c::VARCHAR, 'YYYY-MM-DD HH24:MI:SS.FF9')",
        ),
        (
            pa.array([_NOON], pa.timestamp("us", "UTC")),
            "timestamp_ltz(6)",
            ["2026-01-01 12:00:00.250000+00:00"],
            "to_timestamp_tz($1:c::VARCHAR, 'YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM')::TIMESTAMP_LTZ",
        ),
        (pa.array([[1, None]]), "array", ["[1,null]"], "parse_json($1:c::VARCHAR)::ARRAY"),
        (_json('{"a": 1e2}'), "variant", ['{"a": 1e2}'], "parse_json($1:c::VARCHAR)"),
    ],
)
def test_values_as_they_are_sent(array: pa.Array, native: str, expected: list[Any], select: str) -> None:
    found = sent(array, native)
    assert found.to_pylist() == expected
    assert expression("c", native, found.type) == select


@pytest.mark.parametrize(
    ("array", "native"),
    [
        (pa.array([1000], pa.int16()), "number(3, 0)"),
        (pa.array([Decimal("1.239")]), "number(10, 2)"),
        (pa.array([0.1]), "number(10, 2)"),
        (pa.array([Decimal("0.1")]), "float"),
        (pa.array([2**53 + 1]), "double"),
        (pa.array(["ab"]), "char"),
        (pa.array(["x" * 16_777_217]), "varchar"),
        (pa.array(["ä" * 8_388_609]), "varchar"),
        (pa.array([b"ab"]), "binary(1)"),
        (pa.array([b"ab"]), "varchar"),
        (pa.array([2**31 - 1], pa.date32()), "date"),
        (pa.array([2**63 - 1], pa.timestamp("us")), "timestamp_ntz(6)"),
        (pa.array([_NOON], pa.timestamp("us")), "timestamp_ntz(1)"),
        (pa.array([1], pa.timestamp("ns")), "timestamp_ntz(6)"),
        (pa.array([_NOON], pa.timestamp("us")), "timestamp_tz"),
        (pa.array([_NOON], pa.timestamp("us", "UTC")), "timestamp_ntz"),
        (pa.array([_NOON], pa.timestamp("us")), "date"),
        (pa.array([[float("nan")]]), "array"),
        (pa.array(["{}"]), "variant"),
        (_json("[1]"), "object"),
        (_json('{"a": 1.' + "1" * 40 + "}"), "variant"),
        (_json("[" + "9" * 39 + "]"), "variant"),
        (_json("[1.2345678901234567890e3]"), "variant"),
        (pa.array(["POINT(1 2)"]), "geography"),
    ],
)
def test_values_that_have_no_place(array: pa.Array, native: str) -> None:
    with pytest.raises(ValueError):
        sent(array, native)


def test_pieces_are_whole_files_with_all_rows() -> None:
    schema = pa.schema([("n", pa.int64()), ("t", pa.string())])
    batches = pa.table({"n": range(9), "t": ["x" * (1 << 20)] * 9}, schema=schema).to_batches(max_chunksize=1)
    pieces = list(parquet_pieces(batches, schema, piece_bytes=1))
    read = [pq.read_table(io.BytesIO(piece)) for piece in pieces]
    assert [table.num_rows for table in read] == [4, 4, 1]
    assert pa.concat_tables(read).column("n").to_pylist() == list(range(9))
    assert len(list(parquet_pieces(batches, schema))) == 1
    assert list(parquet_pieces([], schema)) == list(parquet_pieces([batches[0].slice(0, 0)], schema)) == []
