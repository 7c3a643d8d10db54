"""PostgreSQL's text to Arrow and back, without a server: the edges that a fast path gets wrong."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal, getcontext

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvt.errors import DataError
from dvt.federation.extractors.postgres_csv import CsvDecoder
from dvt.federation.extractors.postgres_text import ValueRefusedError, decode
from dvt.federation.loaders.postgres_encode import as_csv, as_text
from dvt.federation.stream import ColumnSchema
from dvt.types.hexadecimal import binary_from_hex, hex_from_binary, uuid_digits, uuid_storage_from_text
from dvt.types.postgres import Carrier, array, ddl, scalar
from dvt.types.postgres_dates import date_days, date_text, timestamp_micros, timestamp_text
from dvt.types.vocabulary import DATE_INFINITY, DATE_MINUS_INFINITY, TIMESTAMP_INFINITY


def decoder(**carriers: Carrier) -> CsvDecoder:
    columns = tuple(ColumnSchema(name, carrier.type) for name, carrier in carriers.items())
    return CsvDecoder(columns, tuple(carriers.values()), "public.t")


def rows(*texts: str) -> list[memoryview]:
    return [memoryview(text.encode()) for text in texts]


@given(st.integers(-2_456_000, 2_145_000_000))
def test_dates_go_there_and_back(days):
    assert date_days(date_text(days)) == days


def test_dates_agree_with_python_where_it_has_them():
    for days in range(-719_162, 2_932_896, 97):
        assert date_text(days) == (date(1970, 1, 1) + timedelta(days)).isoformat()


@given(st.integers(-210_000_000_000_000_000, 9_223_000_000_000_000_000))
def test_timestamps_go_there_and_back(micros):
    assert timestamp_micros(timestamp_text(micros, "+00")) == micros


def test_decimals_are_exact_or_refused():
    """Arrow's own cast wraps around where scaling up overflows 128 bits: no value may come out changed."""
    getcontext().prec = 200
    chance = random.Random(7)
    carried = refused = 0
    for _ in range(5000):
        digits = chance.randint(1, 60)
        text = str(chance.randint(10 ** (digits - 1), 10**digits - 1))
        fraction = chance.randint(0, min(digits - 1, 12))
        text = f"{text[:-fraction]}.{text[-fraction:]}" if fraction else text
        try:
            value = decode(pa.array([text]), scalar(1700, -1, 9))[0].as_py()
        except ValueRefusedError as error:
            refused += 1
            named = error.value
        else:
            named = None
        if named is not None:
            assert named == text
            assert len(text.partition(".")[0]) > 29 or len(text.partition(".")[2].rstrip("0")) > 9
        else:
            carried += 1
            assert value == Decimal(text)
    assert carried > 500
    assert refused > 500


def test_a_value_that_wraps_in_arrow_is_refused():
    with pytest.raises(DataError, match="25301027425203743779151633529203") as caught:
        decoder(a=scalar(1700, -1, 9)).decode(rows("25301027425203743779151633529203\n"))
    assert caught.value.column == "a"


def test_null_and_empty_and_a_leading_byte_order_mark():
    batch = decoder(a=scalar(25, -1, 9)).decode(rows("\ufeffx\n", "\n", '""\n', "\\N\n", '"\n"\n'))
    assert batch.column(0).to_pylist() == ["\ufeffx", None, "", "\\N", "\n"]


def test_a_block_with_one_odd_value_keeps_the_others():
    batch = decoder(a=scalar(1082, -1, 9), b=scalar(16, -1, 9)).decode(rows("infinity,t\n", "2024-02-29,f\n", ",\n"))
    assert batch.column(0).view(pa.int32()).to_pylist() == [DATE_INFINITY, 19782, None]
    assert batch.column(1).to_pylist() == [True, False, None]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{}", []),
        ("{1,NULL}", ["1", None]),
        ('{"NULL",NULL,""}', ["NULL", None, ""]),
        ('{"a\\"b","c\\\\d","e,f","{g}"}', ['a"b', "c\\d", "e,f", "{g}"]),
        ('{" x ",y}', [" x ", "y"]),
    ],
)
def test_array_texts(text, wanted):
    carrier = array(scalar(25, -1, 9), ",")
    assert decode(pa.array([text, None, "{}"]), carrier).to_pylist() == [wanted, None, []]


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(st.lists(st.one_of(st.none(), st.lists(st.one_of(st.none(), _TEXT)))))
def test_text_arrays_go_there_and_back(values):
    typed = pa.array(values, pa.list_(pa.string()))
    assert decode(as_text(typed), array(scalar(25, -1, 9), ",")).to_pylist() == values


@given(st.lists(st.one_of(st.none(), st.binary())), st.integers(0, 3))
def test_hexadecimal_of_slices(values, start):
    typed = pa.array(values, pa.binary()).slice(start)
    assert hex_from_binary(typed).to_pylist() == [None if v is None else v.hex() for v in values[start:]]
    assert binary_from_hex(hex_from_binary(typed)).to_pylist() == values[start:]


def test_uuids_of_slices_with_nulls():
    texts = ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", None, "00000000-0000-0000-0000-000000000001"]
    storage = uuid_storage_from_text(pa.array(texts))
    assert storage.null_count == 1
    assert uuid_digits(storage.slice(1)).to_pylist() == [None, "0" * 31 + "1"]


def test_encoding_of_slices_does_not_look_outside():
    days = pa.array([DATE_MINUS_INFINITY, 0, 1], pa.int32()).view(pa.date32())
    assert as_csv(days.slice(1)).type == pa.date32()
    assert as_csv(days).to_pylist() == ["-infinity", "1970-01-01", "1970-01-02"]
    nested = pa.array([["a"], ["b", None], None, []], pa.list_(pa.string()))
    assert as_text(nested.slice(1)).to_pylist() == ['{"b",NULL}', None, "{}"]


def test_infinity_survives_a_change_of_unit():
    nanos = pa.array([TIMESTAMP_INFINITY, -TIMESTAMP_INFINITY, 5000], pa.int64()).view(pa.timestamp("ns"))
    assert as_text(nanos).to_pylist() == ["infinity", "-infinity", "1970-01-01 00:00:00.000005"]


def test_every_vocabulary_type_has_a_column_type_or_none():
    assert ddl(pa.list_(pa.list_(pa.int8()))) is None
    assert ddl(pa.duration("s")) is None
    assert ddl(pa.map_(pa.string(), pa.int8())) == "json"
    assert ddl(pa.list_(pa.struct({"a": pa.int8()}))) == "json[]"
    assert ddl(pa.uint64()) == "numeric(20,0)"
