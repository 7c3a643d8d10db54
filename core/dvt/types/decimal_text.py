"""Decimals from text, exactly: the one parser for every engine whose values arrive as digits.

Arrow 26 wraps around, silently, where a text has more than 38 digits or is scaled up past 128 bits:
`25301027425203743779151633529203` as decimal128(38, 9) gives another number. Its 256 bits have room for the product of
any text that is short enough, and its cast from 256 to 128 bits checks each value.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation

import pyarrow as pa
import pyarrow.compute as pc

# 10 to these powers is below 2 to the power of 127 and 255.
_DIGITS_128, _DIGITS_256 = 38, 76
_EXACT = Context(prec=200, traps=[Inexact, InvalidOperation])


class DecimalUnfitError(ValueError):
    """A text that is no number, or one that the type does not hold.

    Args:
        value: The text.
        why: What is in the way.
    """

    def __init__(self, value: str, why: str) -> None:
        super().__init__(f"{value}: {why}")
        self.value = value
        self.why = why


def decimals_from_text(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    """A string array as decimals; nothing is rounded.

    Args:
        texts: Numbers with or without sign, point and exponent; nulls stay null.
        type_: A decimal128.

    Raises:
        DecimalUnfitError: The first value that does not fit.

    >>> decimals_from_text(pa.array(["1.5", None, "-2e3"]), pa.decimal128(8, 2)).to_pylist()
    [Decimal('1.50'), None, Decimal('-2000.00')]
    """
    way = _way(texts, type_.scale)
    if way is not None:
        try:
            return pc.cast(pc.cast(texts, way), type_)
        except pa.ArrowInvalid:
            pass  # the value is found below
    return pa.array([None if text is None else _exact(text, type_) for text in texts.to_pylist()], type_)


def _way(texts: pa.Array, scale: int) -> pa.DataType | None:
    """The type through which Arrow's own parser is exact for all the texts; None when there is none."""
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if pc.any(pc.match_substring_regex(texts, "[eE]")).as_py():
        return None
    if longest + scale <= _DIGITS_128:
        return pa.decimal128(_DIGITS_128, scale)
    if longest + scale > _DIGITS_256:
        whole = pc.max(pc.binary_length(pc.replace_substring_regex(texts, r"\..*$", ""))).as_py() or 0
        if longest > _DIGITS_256 or whole + scale > _DIGITS_256:
            return None
    return pa.decimal256(_DIGITS_256, scale)


def _exact(text: str, type_: pa.DataType) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise DecimalUnfitError(text, "it is not a number") from None
    if not number.is_finite():
        raise DecimalUnfitError(text, "a decimal cannot carry it")
    try:
        scaled = number.quantize(Decimal(1).scaleb(-type_.scale), context=_EXACT)
    except ArithmeticError:
        raise DecimalUnfitError(text, f"it does not fit {type_}") from None
    if scaled and scaled.adjusted() + type_.scale + 1 > type_.precision:
        raise DecimalUnfitError(text, f"it does not fit {type_}")
    return scaled
