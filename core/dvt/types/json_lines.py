"""JSON objects of one line each: their fields with all digits as they stand, and the types that values have."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

import pyarrow as pa

from dvt.types.vocabulary import JSON

_BLANK = re.compile(r"[ \t\n\r]*")
# Whole numbers up to here are each a double of their own.
_DOUBLE_INTEGERS = 2**53


class _Whole(str):
    """The digits of a number without a point."""


class _Fraction(str):
    """The digits of any other number."""


def plain_decoder() -> json.JSONDecoder:
    """A decoder that leaves numbers as the text that stands there, and refuses what JSON has not."""
    return _decoder(str, str)


def kinds_decoder() -> json.JSONDecoder:
    """The same; numbers are told apart from texts."""
    return _KINDS


def _decoder(whole: type[str], fraction: type[str]) -> json.JSONDecoder:
    return json.JSONDecoder(parse_int=whole, parse_float=fraction, parse_constant=_no_constant, object_pairs_hook=_once)


def fields(line: str, decoder: json.JSONDecoder) -> dict[str, Any]:
    """The fields of an object.

    Raises:
        ValueError: The line is no object, or names a field twice.
    """
    found = decoder.decode(line)
    if not isinstance(found, dict):
        raise ValueError("it is another value")
    return found


def raw_fields(line: str, decoder: json.JSONDecoder) -> dict[str, tuple[Any, str]]:
    """The fields of an object, each with the text that stands there.

    >>> raw_fields('{"a": {"b":  1.50}, "c": "x"}', plain_decoder())
    {'a': ({'b': '1.50'}, '{"b":  1.50}'), 'c': ('x', '"x"')}
    """
    fields(line, decoder)  # what follows takes a line that is right
    found: dict[str, tuple[Any, str]] = {}
    at = _after(line, line.index("{") + 1)
    while line[at] != "}":
        name, at = scanstring(line, at + 1)
        start = _after(line, _after(line, at) + 1)
        value, at = decoder.raw_decode(line, start)
        found[name] = (value, line[start:at])
        at = _after(line, at)
        if line[at] == ",":
            at = _after(line, at + 1)
    return found


def _after(line: str, at: int) -> int:
    found = _BLANK.match(line, at)
    assert found is not None, "it matches nothing as well"
    return found.end()


class Kinds:
    """What the values of one column are; `add` takes those that `kinds_decoder` gives."""

    def __init__(self) -> None:
        self._found: set[str] = set()

    def add(self, value: Any) -> None:
        """Take one value."""
        if value is not None:
            self._found.add(_kind(value))

    @property
    def is_empty(self) -> bool:
        """Whether all were NULL."""
        return not self._found

    @property
    def type(self) -> pa.DataType:
        """The type that has all the values, none of them changed.

        Fractions are doubles if a double has each of them with all its digits; else their text is kept.
        """
        found = self._found
        if found <= {"text"}:
            return pa.string()
        if found == {"truth"}:
            return pa.bool_()
        if found <= {"whole", "large"}:
            return pa.int64()
        if found <= {"whole", "fraction"}:
            return pa.float64()
        if found <= {"whole", "large", "fraction", "digits"}:
            return pa.string()
        return JSON


def _kind(value: Any) -> str:
    if type(value) is str:
        return "text"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, _Whole):
        if len(value) > 20:
            return "digits"
        number = int(value)
        if abs(number) <= _DOUBLE_INTEGERS:
            return "whole"
        return "large" if -(2**63) <= number < 2**63 else "digits"
    if isinstance(value, _Fraction):
        number_ = float(value)
        return "fraction" if math.isfinite(number_) and Decimal(str(value)) == Decimal(repr(number_)) else "digits"
    return "nested"


def _no_constant(constant: str) -> Any:
    raise ValueError(f"JSON has no {constant}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


_KINDS = _decoder(_Whole, _Fraction)
