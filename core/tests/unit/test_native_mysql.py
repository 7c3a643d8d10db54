"""The codec's decoder of MySQL rows gives what numpy and Arrow's casts give, and refuses what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.test_mysql_wire import lenenc

from dvt.connections.mysql_errors import ServerError
from dvt.connections.mysql_rows import Rows
from dvt.errors import DataError
from dvt.federation.extractors.mysql_arrays import decoder_of
from dvt.federation.extractors.mysql_values import ColumnReader
from dvt.federation.stream import ColumnSchema
from dvt.native import library as codec
from dvt.native.mysql_rows import AS_BYTES, RowsDecoder, decoding
from dvt.types.mysql import carried, parse_type

_WHY_NOT = codec.load()
pytestmark = pytest.mark.skipif(isinstance(_WHY_NOT, str), reason=f"no native codec: {_WHY_NOT}")

_DATES = st.dates().map(str)
_CLOCKS = st.times().map(str)
# With a dash elsewhere, of which a decoder of pairs may lose count.
_ODD_UUIDS = st.tuples(st.uuids().map(str), st.integers(0, 35)).map(
    lambda one: f"{one[0][: one[1]]}-{one[0][one[1] + 1 :]}"
)
# What a server prints for each type, and what it prints now and then that is not plain.
TYPES: dict[str, st.SearchStrategy[str]] = {
    **{
        f"{name}{sign}": st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).map(str)
        if not sign
        else st.integers(0, 2**bits - 1).map(str)
        for name, bits in (("tinyint", 8), ("smallint", 16), ("int", 32), ("bigint", 64))
        for sign in ("", " unsigned")
    },
    "int(10) unsigned zerofill": st.integers(0, 2**32 - 1).map("{:010}".format),
    "year": st.sampled_from(["0000", "1901", "2155"]),
    "decimal(12,2)": st.decimals(-(10**9), 10**9, places=2).map("{:f}".format),
    "decimal(38,0)": st.integers(-(10**38) + 1, 10**38 - 1).map(str),
    "decimal(38,38)": st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: f"{'-' * (n < 0)}0.{abs(n):038}"),
    "decimal(65,30)": st.integers(-(10**37), 10**37).map(lambda n: f"{'-' * (n < 0)}{abs(n)}.{'0' * 29}1"[-60:]),
    "double": st.floats(allow_nan=False, allow_infinity=False).map(repr),
    "date": _DATES | st.sampled_from(["0000-00-00", "2024-00-10", "0001-01-01", "9999-12-31", "2023-02-29"]),
    "datetime(6)": st.tuples(_DATES, _CLOCKS).map(" ".join)
    | st.sampled_from(["0000-00-00 00:00:00", "2024-02-30 1:0"]),
    "timestamp": st.tuples(_DATES, _CLOCKS).map(" ".join),
    "time(6)": _CLOCKS | st.sampled_from(["838:59:59", "-00:00:00.000001", "24:00:00", "12:00:00."]),
    "text": st.text(max_size=9),
    "json": st.sampled_from(["null", '{"a": 1}', '"ä"']),
    "uuid": st.uuids().map(str)
    | st.uuids().map(lambda one: str(one).upper())
    | _ODD_UUIDS
    | st.just("-23-4567-e89b-12d3-a456-426655440000"),
    "blob": st.text(max_size=9),
    "bit(9)": st.just("\x01\x7f"),
}
_ANY = st.text("0123456789-:. +eE\0é", max_size=12)


def reader(name: str, zero_dates: str) -> ColumnReader:
    native = parse_type(name)
    return ColumnReader(ColumnSchema("c", carried(native), native_type=name), native, zero_dates)


def outcome(readers: list[ColumnReader], rows: list[list[bytes | None]], is_native: bool) -> Any:
    """The arrays, or what was said against a value."""
    payloads = [b"".join(map(lenenc, row)) for row in rows]
    data, starts = bytearray(), []
    for payload in payloads:
        data += len(payload).to_bytes(3, "little") + b"\0"
        starts.append(len(data))
        data += payload
    found = Rows(np.frombuffer(data, dtype=np.uint8), np.array(starts, dtype=np.int64), len(data))
    try:
        arrays = decoder_of(readers, is_native=is_native)(found)
    except (DataError, ServerError) as error:
        return type(error), str(error)
    for array in arrays:
        array.validate(full=True)
    return arrays


@st.composite
def results(draw: st.DrawFn) -> tuple[list[ColumnReader], list[list[bytes | None]]]:
    names = draw(st.lists(st.sampled_from(list(TYPES)), min_size=1, max_size=4))
    is_wild = draw(st.integers(0, 3)) == 0
    values = [st.none() | TYPES[name] | _ANY if is_wild else st.none() | TYPES[name] for name in names]
    rows = draw(st.lists(st.tuples(*values), min_size=1, max_size=12))
    texts = [[None if value is None else value.encode("utf-8", "surrogatepass") for value in row] for row in rows]
    if is_wild and draw(st.booleans()):
        texts[-1][0] = draw(st.binary(max_size=5))
    zero_dates = draw(st.sampled_from(["error", "null"]))
    return [reader(name, zero_dates) for name in names], texts


@settings(max_examples=600, deadline=None)
@given(results())
def test_both_ways_agree(made: tuple[list[ColumnReader], list[list[bytes | None]]]) -> None:
    readers, rows = made
    by_codec, by_numpy = (outcome(readers, rows, is_native) for is_native in (True, False))
    if isinstance(by_numpy, tuple):
        assert by_codec == by_numpy
        return
    assert isinstance(by_codec, list), by_codec
    for mine, theirs in zip(by_codec, by_numpy, strict=True):
        assert mine.type == theirs.type
        assert mine.equals(theirs)


_PLAIN = {
    "date": "2024-02-29",
    "datetime(6)": "0001-01-01 23:59:59.1",
    "timestamp": "1969-12-31 23:59:59",
    "time(6)": "23:59:59.000001",
    "uuid": "123E4567-e89b-12d3-a456-426655440000",
    "text": "é",
    "decimal(65,30)": f"-1.{'0' * 29}1",
    "decimal(38,38)": f"0.{'1' * 38}",
}


@pytest.mark.parametrize("name", [name for name in TYPES if name not in ("double", "blob", "bit(9)")])
def test_plain_values_are_decoded_in_c(name: str) -> None:
    """Were they not, the codec would do nothing, and the other tests would not see it."""
    plain = _PLAIN.get(name, "7" if "unsigned" in name else "-0")
    type_ = reader(name, "error").schema.type
    assert decoding(type_) is not AS_BYTES
    assert not isinstance(_WHY_NOT, str)
    data = lenenc(plain.encode())
    rows = Rows(np.frombuffer(data, dtype=np.uint8), np.zeros(1, dtype=np.int64), len(data))
    found = RowsDecoder(_WHY_NOT, [decoding(type_)]).columns(rows)
    assert found is not None
    [(array, is_decoded)] = found
    assert is_decoded
    assert array.equals(reader(name, "error").read(pa.array([plain.encode()])))


def test_a_column_that_was_not_plain_stays_the_servers_text() -> None:
    assert not isinstance(_WHY_NOT, str)
    decoder = RowsDecoder(_WHY_NOT, [decoding(pa.date32()), decoding(pa.int8())])
    for text in (b"0000-00-00", b"2024-01-01"):
        data = lenenc(text) + lenenc(b"1")
        rows = Rows(np.frombuffer(data, dtype=np.uint8), np.zeros(1, dtype=np.int64), len(data))
        found = decoder.columns(rows)
        assert found is not None
        assert [(array.to_pylist(), is_decoded) for array, is_decoded in found] == [([text], False), ([1], True)]
