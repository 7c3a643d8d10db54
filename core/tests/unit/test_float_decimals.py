"""Decimals that are read as floats, and what must not slip through; dictionaries of Parquet files."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pyarrow.csv as csv
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvt.errors import DataError
from dvt.federation.extractors.postgres_csv import CsvDecoder
from dvt.federation.stream import ColumnSchema
from dvt.types.decimal_text import decimals_from_text
from dvt.types.float_decimals import decimals, decimals_of_floats, is_read_as_float
from dvt.types.postgres import Carrier


def _floats(texts: list[str]) -> pa.Array:
    data = "\n".join(["x", *texts, ""]).encode()
    options = csv.ConvertOptions(column_types={"x": pa.float64()}, null_values=[""])
    parse = csv.ParseOptions(ignore_empty_lines=False)
    column = csv.read_csv(pa.BufferReader(data), parse_options=parse, convert_options=options)["x"]
    return column.combine_chunks()


@st.composite
def _typed(draw: st.DrawFn) -> tuple[int, int, list[Decimal | None]]:
    precision = draw(st.integers(1, 15))
    scale = draw(st.integers(0, precision))
    edge = 10**precision - 1
    numbers = st.integers(-edge, edge) | st.sampled_from([edge, -edge, edge // 2, 1, -1, 0])
    values = draw(st.lists(st.none() | numbers, min_size=1, max_size=20))
    return precision, scale, [None if v is None else Decimal(v).scaleb(-scale) for v in values]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_typed())
def test_every_decimal_of_up_to_fifteen_digits_comes_out_as_it_was(case):
    precision, scale, values = case
    texts = ["" if value is None else f"{value:f}" for value in values]
    found = decimals(_floats(texts), pa.decimal128(precision, scale))
    found.validate(full=True)
    assert found.to_pylist() == values


def test_all_decimals_around_each_power_of_ten_come_out_as_they_were():
    type_ = pa.decimal128(15, 4)
    whole = [sign * (10**digits + step) for digits in range(15) for step in range(-40, 41) for sign in (1, -1)]
    values = [Decimal(number).scaleb(-4) for number in whole if abs(number) < 10**15]
    assert decimals(_floats([f"{value:f}" for value in values]), type_).to_pylist() == values


@pytest.mark.parametrize("text", ["NaN", "inf", "-inf", "0.001", "12345678.015", "10000000000000.00", "1e300"])
def test_what_is_no_value_of_the_type_is_refused(text):
    with pytest.raises(pa.ArrowInvalid):
        decimals(_floats(["1.25", text]), pa.decimal128(15, 2))


def test_only_nulls_and_nothing_are_no_faults():
    type_ = pa.decimal128(9, 3)
    assert decimals(pa.array([None, None], pa.float64()), type_).to_pylist() == [None, None]
    assert decimals(pa.array([], pa.float64()), type_) == pa.array([], type_)


def test_sixteen_digits_go_another_way():
    assert not is_read_as_float(pa.decimal128(16, 2))
    # The nearest float of this is of another decimal.
    assert float("9007199254740993") == float("9007199254740992")
    column = ColumnSchema("x", pa.decimal128(16, 0))
    batch = CsvDecoder((column,), (Carrier(column.type),), "t").decode([b"9007199254740993\n"])
    assert batch.column(0).to_pylist() == [Decimal(9007199254740993)]


def test_a_block_with_a_value_that_is_none_names_it():
    column = ColumnSchema("price", pa.decimal128(10, 2), native_type="numeric(10,2)")
    decoder = CsvDecoder((column,), (Carrier(column.type),), "t")
    assert decoder.decode([b"1.10\n", b"\n", b"-99999999.99\n"]).column(0).to_pylist() == [
        Decimal("1.10"),
        None,
        Decimal("-99999999.99"),
    ]
    with pytest.raises(DataError, match="NaN") as raised:
        decoder.decode([b"1.10\n", b"NaN\n"])
    assert raised.value.column == "price"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(
    st.integers(0, 15),
    st.lists(
        st.none() | st.integers(-(10**6), 10**6).map(lambda n: n / 100) | st.floats() | st.sampled_from([0.1 + 0.2]),
        min_size=1,
        max_size=6,
    ),
)
def test_floats_become_their_shortest_texts_or_are_refused(scale: int, floats: list[float | None]) -> None:
    """What a float is written as decides, as it does where its digits are read."""
    type_ = pa.decimal128(15, scale)
    texts = pa.array([None if number is None else repr(number) for number in floats], pa.string())
    try:
        by_texts = decimals_from_text(texts, type_)
    except ValueError:
        by_texts = None
    try:
        found = decimals_of_floats(pa.array(floats, pa.float64()), type_)
    except pa.ArrowInvalid:
        found = None
    assert (found is None) == (by_texts is None)
    assert found is None or by_texts is None or found.equals(by_texts)
