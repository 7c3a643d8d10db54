"""What the encoder writes the decoder reads back: values, NULLs, lists, slices, whatever the buffer's size."""

from __future__ import annotations

import contextlib
import decimal
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from copy_streams import Messages, decoded
from hypothesis import given, settings
from hypothesis import strategies as st

from dvt.native import decoder as native
from dvt.native import library as codec
from dvt.native.decoder import Reading
from dvt.native.encoder import HEADER, TRAILER, BinaryEncoder, EncodingProblem
from dvt.types.vocabulary import INTERVAL, MICROS, TIME

_WHY_NOT = codec.load()
pytestmark = pytest.mark.skipif(isinstance(_WHY_NOT, str), reason=f"no native codec: {_WHY_NOT}")

_INT64 = st.integers(-(2**63), 2**63 - 1)
_INT32 = st.integers(-(2**31), 2**31 - 1)
_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
_MICROS = st.integers(-210_866_803_200_000_000, 2**63 - 1 - 946_684_800_000_001)


def _decimals(precision: int, scale: int) -> st.SearchStrategy[decimal.Decimal]:
    most = 10**precision - 1
    exact = decimal.Context(prec=80)
    return st.integers(-most, most).map(lambda number: decimal.Decimal(number).scaleb(-scale, exact))


_KINDS = {
    "bool": (Reading(pa.bool_(), codec.BOOL), st.booleans(), 16),
    "int16": (Reading(pa.int16(), codec.INT16), st.integers(-(2**15), 2**15 - 1), 21),
    "int32": (Reading(pa.int32(), codec.INT32), _INT32, 23),
    "int64": (Reading(pa.int64(), codec.INT64), _INT64, 20),
    "float32": (Reading(pa.float32(), codec.FLOAT32), _INT32, 700),  # any bits: each NaN too
    "float64": (Reading(pa.float64(), codec.FLOAT64), _INT64, 701),
    **{
        f"decimal({p},{s})": (Reading(pa.decimal128(p, s), codec.DECIMAL128, s, p), _decimals(p, s), 1700)
        for p, s in ((1, 0), (4, 4), (5, 3), (9, 2), (18, 5), (19, 0), (38, 0), (38, 6), (38, 38))
    },
    **{
        f"decimal256({p},{s})": (Reading(pa.decimal256(p, s), codec.DECIMAL256, s, p), _decimals(p, s), 1700)
        for p, s in ((39, 0), (60, 59), (76, 0), (76, 10), (76, 76))
    },
    "bytes": (Reading(pa.binary(), codec.BYTES), st.binary(max_size=12), 17),
    "text": (Reading(pa.string(), codec.TEXT), _TEXTS, 25),
    "jsonb": (Reading(pa.string(), codec.JSONB), _TEXTS, 3802),
    "uuid": (Reading(pa.binary(16), codec.FIXED, 16), st.binary(min_size=16, max_size=16), 2950),
    "date": (Reading(pa.date32(), codec.DATE), st.integers(-2_440_588, 2_145_042_905), 1082),
    "time": (Reading(TIME, codec.TIME), st.integers(0, 86_400_000_000), 1083),
    "timestamp": (Reading(MICROS, codec.TIMESTAMP), _MICROS, 1114),
    "interval": (
        Reading(INTERVAL, codec.INTERVAL),
        st.tuples(_INT32, _INT32, st.integers(-(2**53), 2**53).map(lambda micros: micros * 1000)),
        1186,
    ),
}
_PHYSICAL = {
    pa.date32(): pa.int32(),
    TIME: pa.int64(),
    MICROS: pa.int64(),
    pa.float32(): pa.int32(),
    pa.float64(): pa.int64(),
}


def _parts(array: pa.Array) -> list[pa.Array]:
    """What two equal arrays have in common: of lists the lengths and elements, of floating point numbers the bits."""
    if pa.types.is_list(array.type):
        return [array.is_null(), pc.list_value_length(array), *_parts(array.flatten())]
    return [array.view(_PHYSICAL[array.type]) if pa.types.is_floating(array.type) else array]


def _array(type_: pa.DataType, values: list[object]) -> pa.Array:
    physical = _PHYSICAL.get(type_)
    if type_ == INTERVAL:
        return pa.array([None if value is None else pa.MonthDayNano(list(value)) for value in values], type_)
    return pa.array(values, type_) if physical is None else pa.array(values, physical).view(type_)


@st.composite
def _columns(draw: st.DrawFn, rows: int) -> tuple[Reading, pa.Array]:
    reading, values, oid = _KINDS[draw(st.sampled_from(list(_KINDS)))]
    if not draw(st.booleans()):
        return reading, _array(reading.type, draw(st.lists(st.none() | values, min_size=rows, max_size=rows)))
    lists = draw(st.lists(st.none() | st.lists(st.none() | values, max_size=4), min_size=rows, max_size=rows))
    ends = [0]
    for one in lists:
        ends.append(ends[-1] + len(one or []))
    flat = _array(reading.type, [value for one in lists for value in one or []])
    mask = pa.array([one is None for one in lists], pa.bool_())
    array = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), flat, mask=mask)
    return Reading(array.type, reading.kind, reading.scale, reading.precision, oid), array


@st.composite
def _batches(draw: st.DrawFn) -> tuple[list[Reading], pa.RecordBatch]:
    rows = draw(st.integers(0, 12))
    columns = draw(st.lists(_columns(rows), min_size=1, max_size=5))
    batch = pa.RecordBatch.from_arrays([array for _, array in columns], [f"c{at}" for at in range(len(columns))])
    return [reading for reading, _ in columns], batch.slice(draw(st.integers(0, rows)))


def _encoded(readings: list[Reading], batch: pa.RecordBatch, size: int) -> list[bytes]:
    assert not isinstance(_WHY_NOT, str)
    columns = [codec.Column(one.kind, one.scale, one.element_oid != 0, one.element_oid) for one in readings]
    return [bytes(piece) for piece in BinaryEncoder(columns, _WHY_NOT, size).pieces(batch)]


@settings(max_examples=400, deadline=None)
@given(made=_batches(), size=st.sampled_from([1, 64, 300, 1 << 18]))
def test_what_is_written_is_read(made: tuple[list[Reading], pa.RecordBatch], size: int) -> None:
    readings, batch = made
    outcome, batches = decoded(readings, Messages([HEADER, *_encoded(readings, batch, size), TRAILER]))
    assert outcome == native.ENDED
    assert sum(one.num_rows for one in batches) == batch.num_rows
    for at, array in enumerate(batch.columns if batches else []):
        found = pa.concat_arrays([one.column(at) for one in batches])
        assert all(one.equals(other) for one, other in zip(_parts(found), _parts(array), strict=True))


@pytest.mark.parametrize(("values", "row"), [(["a\0"], 0), (["", "b", None, "\0"], 3), (["a", "\0b", "\0"], 1)])
def test_a_nul_is_named_by_its_row(values: list[str | None], row: int) -> None:
    batch = pa.record_batch({"n": pa.array([0] * len(values)), "t": pa.array(values)})
    with pytest.raises(EncodingProblem) as raised:
        _encoded([_KINDS["int64"][0], _KINDS["text"][0]], batch, 64)
    assert (raised.value.code, raised.value.column, raised.value.row) == (codec.NUL, 1, row)


def test_a_nul_below_a_null_is_none_of_the_tables() -> None:
    texts = pa.array(["a\0", "b"])
    hidden = pa.StringArray.from_buffers(2, texts.buffers()[1], texts.buffers()[2], pa.py_buffer(b"\x02"), 1)
    batch = pa.record_batch({"t": hidden})
    (piece,) = _encoded([_KINDS["text"][0]], batch, 64)
    assert piece == b"\0\1\xff\xff\xff\xff\0\1\0\0\0\1b"


@contextlib.contextmanager
def _passing_on() -> Iterator[None]:
    yield


def test_a_refusal_passes_through_a_context_manager_of_python() -> None:
    """Which gives it another traceback: a frozen error would be replaced by one about that."""
    with pytest.raises(EncodingProblem), _passing_on():
        _encoded([_KINDS["text"][0]], pa.record_batch({"t": ["\0"]}), 64)
