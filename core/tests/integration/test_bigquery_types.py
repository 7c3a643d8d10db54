"""Every type of BigQuery by value: Arrow in the Storage Read API's own form, through Google's client.

The batches are made here, as the API's reference says that BigQuery makes them; the emulator holds no such values.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from integration.bigquery_kit import connect, read
from servers.bigquery import BigQueryServer

from dvt import errors
from dvt.types.vocabulary import JSON

pytestmark = pytest.mark.bigquery

UTC = dt.timezone.utc
NANOS = pa.month_day_nano_interval()


def field(kind: str, mode: str = "NULLABLE", **more: Any) -> dict[str, Any]:
    return {"name": more.pop("name", "c"), "type": kind, "mode": mode, **more}


RANGE = pa.struct([("start", pa.date32()), ("end", pa.date32())])
INNER = [field("INTEGER", name="x"), field("JSON", name="j"), field("STRING", "REPEATED", name="l")]
STRUCT = pa.struct([("x", pa.int64()), ("j", pa.string()), ("l", pa.list_(pa.string()))])
WIDE = pa.decimal256(76, 38)

# The schema's field, what the API sends, and what is carried.
CASES: dict[str, tuple[dict[str, Any], pa.Array, pa.DataType, list[Any]]] = {
    "int64": (field("INTEGER"), pa.array([2**63 - 1, None, -(2**63)]), pa.int64(), [2**63 - 1, None, -(2**63)]),
    "float64": (field("FLOAT"), pa.array([0.1, None, float("-inf")]), pa.float64(), [0.1, None, float("-inf")]),
    "bool": (field("BOOLEAN"), pa.array([True, None, False]), pa.bool_(), [True, None, False]),
    "string": (field("STRING"), pa.array(["", None, "ä🙂\0\r\n"]), pa.string(), ["", None, "ä🙂\0\r\n"]),
    "bytes": (field("BYTES"), pa.array([b"\0\xff", b"", None]), pa.binary(), [b"\0\xff", b"", None]),
    "numeric": (
        *(field("NUMERIC"), pa.array([Decimal("9" * 29 + ".000000001"), None], pa.decimal128(38, 9))),
        *(pa.decimal128(38, 9), [Decimal("9" * 29 + ".000000001"), None]),
    ),
    "numeric(10, 2)": (
        *(field("NUMERIC", precision="10", scale="2"), pa.array([Decimal("1.25")], pa.decimal128(38, 9))),
        *(pa.decimal128(10, 2), [Decimal("1.25")]),
    ),
    "bignumeric": (
        *(field("BIGNUMERIC"), pa.array([Decimal("9" * 29 + ".5"), None], WIDE), pa.decimal128(38, 9)),
        [Decimal("9" * 29 + ".5"), None],
    ),
    "bignumeric(38, 38)": (
        *(field("BIGNUMERIC", precision="38", scale="38"), pa.array([Decimal("0." + "1" * 38)], WIDE)),
        *(pa.decimal128(38, 38), [Decimal("0." + "1" * 38)]),
    ),
    "date": (
        *(field("DATE"), pa.array([dt.date(1, 1, 1), None, dt.date(9999, 12, 31)]), pa.date32()),
        [dt.date(1, 1, 1), None, dt.date(9999, 12, 31)],
    ),
    "datetime": (
        *(field("DATETIME"), pa.array([dt.datetime(9999, 12, 31, 23, 59, 59, 999999), None], pa.timestamp("us"))),
        *(pa.timestamp("us"), [dt.datetime(9999, 12, 31, 23, 59, 59, 999999), None]),
    ),
    "timestamp": (
        *(field("TIMESTAMP"), pa.array([dt.datetime(1, 1, 1, tzinfo=UTC), None], pa.timestamp("us", "UTC"))),
        *(pa.timestamp("us", "UTC"), [dt.datetime(1, 1, 1, tzinfo=UTC), None]),
    ),
    "time": (
        *(field("TIME"), pa.array([dt.time(23, 59, 59, 999999), None], pa.time64("us")), pa.time64("us")),
        [dt.time(23, 59, 59, 999999), None],
    ),
    "json": (field("JSON"), pa.array(['{"a":1}', "null", None]), JSON, ['{"a":1}', "null", None]),
    "geography": (field("GEOGRAPHY"), pa.array(["POINT(1 2)", None]), pa.string(), ["POINT(1 2)", None]),
    "interval as text": (field("INTERVAL"), pa.array(["1-2 3 4:5:6", None]), pa.string(), ["1-2 3 4:5:6", None]),
    "interval": (
        *(field("INTERVAL"), pa.array([(14, 3, 14706 * 10**9), (-1, -2, -1000), None], NANOS), pa.string()),
        ["1-2 3 4:5:6", "-0-1 -2 -0:0:0.000001", None],
    ),
    "range": (
        *(field("RANGE", rangeElementType={"type": "DATE"}),),
        *(pa.array([{"start": dt.date(2024, 1, 1), "end": None}, None], RANGE), RANGE),
        [{"start": dt.date(2024, 1, 1), "end": None}, None],
    ),
    "array": (
        *(field("INTEGER", "REPEATED"), pa.array([[1, 2], [], None]), pa.list_(pa.int64())),
        [[1, 2], [], []],
    ),
    "array of bignumeric": (
        *(field("BIGNUMERIC", "REPEATED"), pa.array([[Decimal("1.5")], []], pa.list_(WIDE))),
        *(pa.list_(pa.decimal128(38, 9)), [[Decimal("1.5")], []]),
    ),
    "struct": (
        *(field("RECORD", fields=INNER), pa.array([{"x": 1, "j": "{}", "l": ["a"]}, None], STRUCT), STRUCT),
        [{"x": 1, "j": "{}", "l": ["a"]}, None],
    ),
    "array of structs": (
        *(field("RECORD", "REPEATED", fields=INNER), pa.array([[{"x": 1, "j": None, "l": []}]], pa.list_(STRUCT))),
        *(pa.list_(STRUCT), [[{"x": 1, "j": None, "l": []}]]),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_type_by_value(bigquery_server: BigQueryServer, name: str) -> None:
    column, sent, type_, wanted = CASES[name]
    bigquery_server.can("CANNED_TYPE", [column], [[pa.table({"c": sent})]])
    found = read(connect(bigquery_server), "CANNED_TYPE")
    assert found.schema.types == [type_]
    array = found.column(0).combine_chunks()
    assert (array.storage if isinstance(array, pa.ExtensionArray) else array).to_pylist() == wanted


def test_all_null_and_late_nulls(bigquery_server: BigQueryServer) -> None:
    batches = [pa.table({"c": pa.array([None, None], pa.int64())}), pa.table({"c": pa.array([7, None])})]
    bigquery_server.can("CANNED_NULLS", [field("INTEGER")], [batches])
    assert read(connect(bigquery_server), "CANNED_NULLS")["c"].to_pylist() == [None, None, 7, None]


@pytest.mark.parametrize("value", ["0." + "0" * 9 + "1", "9" * 30])
def test_a_wider_number_stops_the_run(bigquery_server: BigQueryServer, value: str) -> None:
    bigquery_server.can("CANNED_WIDE", [field("BIGNUMERIC")], [[pa.table({"c": pa.array([Decimal(value)], WIDE)})]])
    with pytest.raises(errors.DataError, match="bignumeric_scale") as caught:
        read(connect(bigquery_server), "CANNED_WIDE")
    assert (caught.value.connection, caught.value.relation, caught.value.column) == (
        "shop",
        "dvt.shop.CANNED_WIDE",
        "c",
    )


def test_the_scale_can_be_chosen(bigquery_server: BigQueryServer) -> None:
    value = Decimal("0." + "0" * 19 + "1")
    bigquery_server.can("CANNED_SCALE", [field("BIGNUMERIC")], [[pa.table({"c": pa.array([value], WIDE)})]])
    assert read(connect(bigquery_server, bignumeric_scale=20), "CANNED_SCALE")["c"].to_pylist() == [value]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (field("TIMESTAMP", timestampPrecision="12"), "picoseconds"),
        (field("FOREIGN"), "no type carries FOREIGN"),
        (field("RANGE", rangeElementType={"type": "STRANGE"}), "no type carries RANGE<STRANGE>"),
    ],
)
def test_types_without_a_carrier_are_refused_by_name(
    bigquery_server: BigQueryServer, column: dict[str, Any], words: str
) -> None:
    bigquery_server.can("CANNED_REFUSED_TYPE", [field("INTEGER", name="a"), column], [[pa.table({"a": [1], "c": [1]})]])
    with pytest.raises(errors.UnsupportedError, match=words) as caught:
        read(connect(bigquery_server), "CANNED_REFUSED_TYPE")
    assert caught.value.column == "c"


def test_another_type_than_announced_is_a_fault(bigquery_server: BigQueryServer) -> None:
    bigquery_server.can("CANNED_OTHER", [field("INTEGER")], [[pa.table({"c": ["1"]})]])
    with pytest.raises(errors.InternalError, match="BigQuery sent string"):
        read(connect(bigquery_server), "CANNED_OTHER")
