"""The native decoder on streams made by hand: right ones, and each way in which they can be wrong."""

from __future__ import annotations

import struct
import subprocess
import sys
from decimal import Context, Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from copy_streams import HEADER, KINDS, SCALARS, TRAILER, Messages, array, decoded, field, made, numeric, row, values_of
from hypothesis import given, settings
from hypothesis import strategies as st

from dvt.native import decoder as native
from dvt.native import library as codec
from dvt.native.decoder import BrokenStreamError, Reading, ValueRefusedError

_WHY_NOT = codec.load()
pytestmark = pytest.mark.skipif(isinstance(_WHY_NOT, str), reason=f"no native codec: {_WHY_NOT}")

READINGS = [kind.reading for kind in KINDS.values()]
ROW = row(*(kind.sent for kind in KINDS.values()))
NULLS = row(*(None for _ in KINDS))
EXACT = Context(prec=500)
INT = [Reading(pa.int32(), codec.INT32)]
TEXT = [Reading(pa.string(), codec.TEXT)]


def one(reading: Reading, *values: bytes | None) -> pa.Array:
    outcome, batches = decoded([reading], Messages([HEADER, *(row(value) for value in values), TRAILER]))
    assert outcome == native.ENDED
    return batches[0].column(0)


def refused(reading: Reading, value: bytes) -> ValueRefusedError:
    with pytest.raises(ValueRefusedError) as caught:
        decoded([reading], Messages([HEADER + row(None), row(value), TRAILER]))
    assert (caught.value.row, caught.value.column) == (1, 0)
    return caught.value


@pytest.mark.parametrize("messages", [
    [HEADER + ROW + NULLS + ROW + TRAILER],
    [HEADER, ROW, NULLS, ROW, TRAILER],
    [HEADER + ROW, b"", NULLS, b"", b"", ROW, TRAILER],
    [HEADER[:15] + struct.pack(">i", 3) + b"ext" + ROW, NULLS + ROW + TRAILER],
], ids=["one message", "a message each", "waits between", "an extension"])  # fmt: skip
def test_every_kind(messages):
    outcome, batches = decoded(READINGS, Messages(messages))
    assert outcome == native.ENDED
    table = pa.Table.from_batches(batches).combine_chunks()
    for (name, kind), column in zip(KINDS.items(), table.columns, strict=True):
        assert column.type == kind.reading.type, name
        assert values_of(column.chunk(0)) == [kind.value, None, kind.value], name


def test_no_rows():
    for messages in ([HEADER + TRAILER], [HEADER, TRAILER]):
        assert decoded(READINGS, Messages(messages)) == (native.ENDED, [])


@pytest.mark.parametrize("name", list(KINDS))
def test_nulls_at_the_edges_of_bitmaps(name):
    kind = KINDS[name]
    for count in (1, 7, 8, 9, 16, 17, 65):
        for nulls in ({0}, {7}, {8}, {9}, {count - 1}, {0, 7, 8, 9, count - 1}, set(range(count)), set()):
            wanted = [None if number in nulls else kind.value for number in range(count)]
            found = one(kind.reading, *(None if number in nulls else kind.sent for number in range(count)))
            assert values_of(found) == wanted, (count, nulls)
            assert found.null_count == sum(value is None for value in wanted)
            assert (found.buffers()[0] is None) == (found.null_count == 0)


def test_batches_are_cut_by_rows_and_bytes():
    rows = [row(struct.pack(">i", number)) for number in range(10)]
    for messages in ([HEADER, *rows, TRAILER], [b"".join((HEADER, *rows, TRAILER))]):
        _, batches = decoded(INT, Messages(messages), rows=4)
        assert [batch.num_rows for batch in batches] == [4, 4, 2]
        assert [value for batch in batches for value in batch.column(0).to_pylist()] == list(range(10))
        _, batches = decoded(INT, Messages(messages), max_bytes=30)  # ten bytes a row
        assert [batch.num_rows for batch in batches] == [3, 3, 3, 1]
        _, batches = decoded(INT, Messages(messages), max_bytes=1)  # a row that is more than the limit
        assert [batch.num_rows for batch in batches] == [1] * 10


@pytest.mark.parametrize("stream", [HEADER + ROW + NULLS + TRAILER], ids=["all kinds"])
def test_every_cut_is_an_error(stream):
    for cut in range(len(stream)):
        try:
            outcome, batches = decoded(READINGS, Messages([stream[:cut]] if cut else []))
        except BrokenStreamError:
            continue
        # At the end of a row, or before the header: no bytes are wrong, but there is no trailer.
        assert outcome == native.STOPPED
        assert sum(batch.num_rows for batch in batches) <= 2
        assert cut in (0, len(HEADER), len(HEADER + ROW), len(HEADER + ROW + NULLS))


@pytest.mark.parametrize("header", [
    *[HEADER[:at] + bytes([HEADER[at] ^ 1]) + HEADER[at + 1:] for at in range(11)],
    HEADER[:11] + b"\0\1\0\0" + HEADER[15:],  # object ids
    HEADER[:11] + b"\0\0\0\1" + HEADER[15:],
    HEADER[:15] + b"\x7f\xff\xff\xff",
    HEADER[:15] + b"\xff\xff\xff\xff",
    HEADER[:-1],
    b"1\n",
])  # fmt: skip
def test_a_header_that_is_none(header):
    for messages in ([header], [header + row(b"\0\0\0\1") + TRAILER]):
        with pytest.raises(BrokenStreamError) as caught:
            decoded(INT, Messages(messages))
        assert (caught.value.row, caught.value.column) == (0, None)


def test_the_end_without_a_trailer_and_what_follows_one():
    rows = [HEADER, row(b"\0\0\0\1")]
    assert decoded(INT, Messages(rows))[0] == native.STOPPED
    assert decoded(INT, Messages(rows, end=-2))[0] == native.FAILED
    assert decoded(INT, Messages([*rows, TRAILER], end=-2))[0] == native.FAILED
    for after in (row(b"\0\0\0\2"), TRAILER, b"\0"):
        for messages in ([*rows, TRAILER, after], [*rows, TRAILER + after]):
            with pytest.raises(BrokenStreamError):
                decoded(INT, Messages(messages))


@pytest.mark.parametrize("fields", [0, 1, 3, 0x7FFF, 0x8000, 0xFFFE])
def test_another_number_of_fields(fields):
    wrong = struct.pack(">H", fields) + field(b"\0\0\0\1") * 3
    with pytest.raises(BrokenStreamError) as caught:
        decoded(INT * 2, Messages([HEADER, row(None, None), wrong, TRAILER]))
    assert (caught.value.row, caught.value.column) == (1, None)


@pytest.mark.parametrize("length", [-2, -(2**31), 5, 2**31 - 1, 2**31 - 5])
def test_lengths_that_are_not_there(length):
    wrong = struct.pack(">hi", 1, length) + b"\0\0\0\1"
    for readings in (INT, TEXT, [KINDS["text[]"].reading]):
        with pytest.raises(BrokenStreamError) as caught:
            decoded(readings, Messages([HEADER, row(None), wrong, TRAILER]))
        assert (caught.value.row, caught.value.column) == (1, 0)


@pytest.mark.parametrize("name", [name for name in SCALARS if name not in ("bytes", "text", "padded")])
def test_values_of_another_length(name):
    kind = SCALARS[name]
    wrong = [b""] if name == "jsonb" else [b"", kind.sent[:-1], kind.sent + b"\0", kind.sent * 2]
    oid = KINDS[f"{name}[]"].reading.element_oid
    for value in wrong:
        with pytest.raises(BrokenStreamError):
            one(kind.reading, value)
        with pytest.raises(BrokenStreamError):
            one(KINDS[f"{name}[]"].reading, array(oid, kind.sent, value))


@pytest.mark.parametrize(("name", "value"), [
    ("bool", b"\2"), ("jsonb", b'\2{}'), ("jsonb", b'{}'),
    ("decimal128", struct.pack(">hhHHh", 1, 0, 0, 0, 10000)),
    ("decimal128", struct.pack(">hhHHh", 1, 0, 0, 0, -1)),
    ("decimal128", struct.pack(">hhHHh", 1, 0, 0x1234, 0, 1)),
    ("decimal128", struct.pack(">hhHHh", 2, 0, 0, 0, 1)),
    ("decimal128", struct.pack(">hhHHh", -1, 0, 0, 0, 1)),
])  # fmt: skip
def test_bytes_that_are_no_value(name, value):
    with pytest.raises(BrokenStreamError):
        one(SCALARS[name].reading, value)


@pytest.mark.parametrize("value", [
    b"", struct.pack(">ii", 0, 0),
    struct.pack(">iiI", 0, 0, 7),  # elements of another type
    struct.pack(">iiI", 7, 0, 23) + struct.pack(">ii", 1, 1) * 7,
    struct.pack(">iiI", -1, 0, 23),
    struct.pack(">iiI", 0, 2, 23),
    struct.pack(">iiI", 0, 0, 23) + b"\0",
    struct.pack(">iiI", 1, 0, 23),  # no dimension
    struct.pack(">iiIii", 1, 0, 23, -1, 1),
    struct.pack(">iiIii", 1, 0, 23, 2, 1) + field(b"\0\0\0\1"),
    struct.pack(">iiIii", 1, 0, 23, 2**31 - 1, 1) + field(b"\0\0\0\1") * 3,
    struct.pack(">iiIii", 1, 0, 23, 1, 1) + field(b"\0\0\0\1") + b"\0",
    struct.pack(">iiIii", 1, 0, 23, 1, 1) + struct.pack(">i", 2**31 - 1),
    struct.pack(">iiIii", 1, 0, 23, 1, 1) + struct.pack(">i", -2),
])  # fmt: skip
def test_arrays_that_are_none(value):
    with pytest.raises(BrokenStreamError):
        one(Reading(pa.list_(pa.int32()), codec.INT32, element_oid=23), value)


def test_arrays_that_are_refused():
    reading = Reading(pa.list_(pa.int32()), codec.INT32, element_oid=23)
    two_dimensions = struct.pack(">iiIiiii", 2, 0, 23, 1, 1, 2, 1) + field(b"\0\0\0\1") * 2
    for value in (array(23, b"\0\0\0\1", lower=0), two_dimensions):
        error = refused(reading, value)
        assert (error.code, error.value, error.is_element) == (codec.ARRAY, value, False)


def test_empty_arrays_and_arrays_of_nulls():
    for name, kind in SCALARS.items():
        of_list = KINDS[f"{name}[]"].reading
        sent = [
            array(of_list.element_oid),
            None,
            array(of_list.element_oid, None),
            array(of_list.element_oid, kind.sent),
        ]
        assert values_of(one(of_list, *sent)) == [[], None, [None], [kind.value]]
        assert values_of(one(of_list, sent[0])) == [[]]


@pytest.mark.parametrize(("name", "value", "code"), [
    ("decimal128", struct.pack(">hhHH", 0, 0, 0xC000, 0), codec.NAN),
    ("decimal128", struct.pack(">hhHH", 0, 0, 0xD000, 32), codec.NAN),
    ("decimal128", struct.pack(">hhHH", 0, 0, 0xF000, 32), codec.NAN),
    ("decimal128", numeric(Decimal("0.001")), codec.DIGITS),
    ("decimal128", numeric(Decimal("1e-2000")), codec.DIGITS),
    ("decimal128", numeric(Decimal("10000000000")), codec.DIGITS),
    ("decimal128", numeric(Decimal("1e130000")), codec.DIGITS),
    ("decimal256", numeric(Decimal("1e56")), codec.DIGITS),
    ("text", b"a\xffb", codec.UTF8), ("padded", b"\xc3  ", codec.UTF8), ("jsonb", b'\1"\xed\xa0\x80"', codec.UTF8),
    ("date", struct.pack(">i", 2**31 - 2), codec.RANGE), ("date", struct.pack(">i", -(2**31) + 1), codec.RANGE),
    ("time", struct.pack(">q", -1), codec.RANGE), ("time", struct.pack(">q", 86_400_000_001), codec.RANGE),
    ("timestamp", struct.pack(">q", 2**63 - 2), codec.RANGE),
    ("timestamp", struct.pack(">q", 2**63 - 1 - 946_684_800_000_000), codec.RANGE),
    ("timestamp", struct.pack(">q", -(2**63) + 1), codec.RANGE),
    ("interval", struct.pack(">qii", 9_223_372_036_854_776, 0, 0), codec.RANGE),
    ("interval", struct.pack(">qii", -(2**63), 0, 0), codec.RANGE),
])  # fmt: skip
def test_what_arrow_cannot_carry_is_refused_with_its_bytes(name, value, code):
    kind = SCALARS[name]
    error = refused(kind.reading, value)
    assert (error.code, error.value, error.is_element) == (code, value, False)
    of_list = KINDS[f"{name}[]"].reading
    error = refused(of_list, array(of_list.element_oid, kind.sent, None, value))
    assert (error.code, error.value, error.is_element) == (code, value, True)


def test_the_last_values_that_fit():
    most_micros = 2**63 - 2 - 946_684_800_000_000
    for name, sent, value in (
        ("date", struct.pack(">i", 2**31 - 1), 2**31 - 1),
        ("date", struct.pack(">i", -(2**31)), -(2**31) + 1),
        ("date", struct.pack(">i", 2**31 - 2 - 10957), 2**31 - 2),
        ("time", struct.pack(">q", 86_400_000_000), 86_400_000_000),
        ("timestamp", struct.pack(">q", 2**63 - 1), 2**63 - 1),
        ("timestamp", struct.pack(">q", -(2**63)), -(2**63) + 1),
        ("timestamp", struct.pack(">q", most_micros), 2**63 - 2),
        ("decimal128", numeric(Decimal("-9999999999.99")), Decimal("-9999999999.99")),
    ):
        assert values_of(one(SCALARS[name].reading, sent)) == [value]
    nanos = 9_223_372_036_854_775_000
    found = one(SCALARS["interval"].reading, struct.pack(">qii", nanos // 1000, -(2**31), 2**31 - 1))
    assert found.to_pylist() == [pa.MonthDayNano([2**31 - 1, -(2**31), nanos])]


@settings(max_examples=400, deadline=None)
@given(
    whole=st.integers(-(10**38) + 1, 10**38 - 1),
    scale=st.integers(0, 38),
    more=st.integers(0, 6),
    zeros=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_any_decimal(whole, scale, more, zeros):
    """Each 128-bit number, also with zeros that the scale has no place for, and groups of zeros around it."""
    number = Decimal(whole).scaleb(-scale, EXACT)
    longer = Decimal(
        number.as_tuple()._replace(digits=(*number.as_tuple().digits, *[0] * more), exponent=-scale - more)
    )
    sent = numeric(longer, zeros_before=zeros[0], zeros_after=zeros[1])
    found = one(Reading(pa.decimal128(38, scale), codec.DECIMAL128, scale, 38), sent)
    assert found.to_pylist() == [number]  # each digit: Decimals compare exactly
    wide = one(Reading(pa.decimal256(76, scale), codec.DECIMAL256, scale, 76), sent)
    assert wide.to_pylist() == [number]


@settings(max_examples=300, deadline=None)
@given(digits=st.integers(1, 38), scale=st.integers(0, 38), number=st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_fits_or_is_refused(digits, scale, number):
    precision = max(digits, scale)
    reading = Reading(pa.decimal128(precision, scale), codec.DECIMAL128, scale, precision)
    if number.as_tuple().exponent < -16000 or number.adjusted() > 100_000:
        return  # PostgreSQL has no such number
    scaled = number.scaleb(scale, EXACT) if number else Decimal(0)
    fits = scaled == scaled.to_integral_value() and abs(scaled) < Decimal(10) ** precision
    try:
        found = one(reading, numeric(number)).to_pylist()
    except ValueRefusedError as error:
        assert (error.code, fits) == (codec.DIGITS, False)  # noqa: PT017
    else:
        assert fits
        assert found == [number]


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_utf8_is_what_python_says_it_is(data):
    try:
        wanted = data.decode()
    except UnicodeDecodeError:
        assert refused(TEXT[0], data).code == codec.UTF8
    else:
        assert one(TEXT[0], data).to_pylist() == [wanted]


def test_a_decoder_that_is_closed_or_has_failed_gives_no_more():
    decoder = made(INT)
    with pytest.raises(BrokenStreamError):
        decoder.pull(Messages([HEADER + b"\0\2"]), 10, 10)
    with pytest.raises(MemoryError):
        decoder.batch()
    decoder.close()
    decoder.close()
    assert decoder.pull(Messages([]), 10, 10) == native.FAILED
    assert decoder.is_closed


@pytest.mark.parametrize("reading", [
    Reading(pa.int32(), 99), Reading(pa.int32(), 0), Reading(pa.decimal128(38, 2), codec.DECIMAL128, 2, 39),
    Reading(pa.decimal128(38, 2), codec.DECIMAL128, -1, 10), Reading(pa.binary(16), codec.FIXED, 0),
])  # fmt: skip
def test_a_column_of_no_known_kind(reading):
    with pytest.raises(MemoryError):
        made([reading])


WILD = """\
import random, sys
sys.path.insert(0, {tests!r})
from copy_streams import HEADER, KINDS, TRAILER, Messages, decoded, row
from dvt.native.decoder import BrokenStreamError, ValueRefusedError
readings = [kind.reading for kind in KINDS.values()]
stream = HEADER + row(*(kind.sent for kind in KINDS.values())) + row(*(None for _ in KINDS)) + TRAILER
dice = random.Random({seed})
ends = {{"whole": 0, "broken": 0, "refused": 0}}
for _ in range(1500):
    wild = bytearray(stream)
    for _ in range(dice.choice((1, 1, 2, 5, 40))):
        at = dice.randrange(len(HEADER), len(wild))
        what = dice.randrange(4)
        if what == 0:
            wild[at] = dice.randrange(256)
        elif what == 1:
            wild[at : at + 4] = dice.choice((2**31 - 1, 2**31, 2**32 - 2, 0)).to_bytes(4, "big")
        elif what == 2:
            del wild[at : at + dice.randrange(1, 9)]
        else:
            wild[at:at] = dice.randbytes(dice.randrange(1, 9))
    try:
        decoded(readings, Messages([bytes(wild)]))
        ends["whole"] += 1
    except BrokenStreamError:
        ends["broken"] += 1
    except ValueRefusedError:
        ends["refused"] += 1
print(*ends.values())
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_wild_streams_crash_nothing(seed):
    """In a process of its own, which a wrong step would end; Arrow checks every batch that comes out."""
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", WILD.format(tests=tests, seed=seed)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert all(int(count) > 0 for count in done.stdout.split()), done.stdout
