"""Decimals from text against Python's decimals: the same number, or a refusal; for each engine's own reader."""

from __future__ import annotations

import random
from decimal import Decimal

import pyarrow as pa
import pytest

from dvt.errors import DataError
from dvt.federation.extractors.mysql_values import ColumnReader
from dvt.federation.extractors.postgres_text import ValueRefusedError, decode
from dvt.federation.stream import ColumnSchema
from dvt.types.decimal_text import DecimalUnfitError, decimals_from_text
from dvt.types.mysql import parse_type
from dvt.types.postgres import Carrier
from dvt.types.sqlite_read import array_builder
from dvt.types.text_values import parser


def _mysql(texts, type_):
    raw = pa.array([None if text is None else text.encode() for text in texts], pa.binary())
    return ColumnReader(ColumnSchema("v", type_), parse_type("decimal(65,30)")).read(raw)


READERS = {
    "shared": lambda texts, type_: decimals_from_text(pa.array(texts, pa.string()), type_),
    "postgres": lambda texts, type_: decode(pa.array(texts, pa.string()), Carrier(type_, is_rescaled=True)),
    "mysql": _mysql,
    "csv": lambda texts, type_: parser(type_)(pa.array(texts, pa.string())),
    "sqlite": lambda texts, type_: array_builder(type_)(texts),
}
REFUSALS = (ValueError, DataError, ValueRefusedError)


def _fits(text: str, precision: int, scale: int) -> bool:
    scaled = Decimal(text).scaleb(scale)
    return scaled == scaled.to_integral_value() and abs(scaled) < 10**precision


def _random_text(generator: random.Random, has_exponents: bool) -> str:
    digits = "".join(generator.choices("0123456789", k=generator.randint(1, 45)))
    point = generator.randint(0, len(digits))
    text = generator.choice(["", "-"]) + (digits[:point] or "0") + ("." + digits[point:] if digits[point:] else "")
    return text + (f"e{generator.randint(-50, 50)}" if has_exponents else "")


@pytest.fixture(autouse=True)
def enough_digits():
    from decimal import localcontext

    with localcontext() as context:
        context.prec = 400
        yield


@pytest.mark.parametrize("has_exponents", [False, True])
@pytest.mark.parametrize("reader", READERS)
def test_a_random_text_is_the_same_number_or_refused(reader: str, has_exponents: bool) -> None:
    generator = random.Random(f"{reader}{has_exponents}")
    taken = 0
    for _ in range(600):
        precision = generator.choice([38, 38, 18, generator.randint(1, 38)])
        scale = generator.randint(0, precision)
        text = _random_text(generator, has_exponents)
        if _fits(text, precision, scale):
            taken += 1
            assert READERS[reader]([text], pa.decimal128(precision, scale))[0].as_py() == Decimal(text), (
                text,
                precision,
                scale,
            )
        else:
            with pytest.raises(REFUSALS):
                READERS[reader]([text], pa.decimal128(precision, scale))
    assert 20 < taken < 580


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("25301027425203743779151633529203", pa.decimal128(38, 9)),
        ("7.15470626311858459778106719306051553254", pa.decimal128(38, 38)),  # 39 digits wrap without being rescaled
        ("1" * 40, pa.decimal128(38, 38)),
        ("100.00", pa.decimal128(4, 2)),
        ("0.001", pa.decimal128(4, 2)),
    ],
)
def test_what_arrow_would_wrap_or_round_is_refused(reader: str, text: str, type_: pa.DataType) -> None:
    with pytest.raises(REFUSALS, match=text[:20]) if reader in ("shared", "mysql") else pytest.raises(REFUSALS):
        READERS[reader](["0", None, text], type_)


@pytest.mark.parametrize("reader", READERS)
def test_the_largest_and_smallest_are_taken(reader: str) -> None:
    nines, least = "9" * 38, "-0." + "0" * 37 + "1"
    assert READERS[reader]([nines, None, "-" + nines], pa.decimal128(38, 0))[2].as_py() == Decimal("-" + nines)
    assert READERS[reader]([least, None], pa.decimal128(38, 38)).to_pylist() == [Decimal(least), None]


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "NaN", "-Infinity", "--1"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(DecimalUnfitError) as caught:
        decimals_from_text(pa.array(["1", text]), pa.decimal128(38, 9))
    assert caught.value.value == text
