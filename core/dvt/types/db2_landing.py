"""The Db2 types under which Arrow types land, and their values as they are bound.

All but floats and bytes are bound as texts, which Db2 casts by the rules of its SQL: what the driver makes of numbers
and moments depends on the types of the first row. Db2 has 31 digits, no NaN, no time zones (instants are kept as UTC's
wall time) and no fractions of a TIME (they are texts); what is nested is JSON text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.exact_cast import exactly
from dvt.types.kept_values import kept_bytes, kept_moments, require_length
from dvt.types.landing_texts import plain_texts, require_finite
from dvt.types.text_values import check_range
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, is_json, is_uuid

MOST_BYTES = 32_672
_MOST_DIGITS = 31
_NANOS = pa.timestamp("ns")
_TEXT = f"varchar({MOST_BYTES} octets)"
_PLAIN = {
    pa.bool_(): "boolean",
    pa.int8(): "smallint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.uint8(): "smallint",
    pa.uint16(): "integer",
    pa.uint32(): "bigint",
    pa.uint64(): "decimal(20, 0)",
    pa.float32(): "real",
    pa.float64(): "double",
    pa.string(): _TEXT,
    pa.binary(): f"varbinary({MOST_BYTES})",
    pa.date32(): "date",
    TIME: "varchar(15 octets)",
    MICROS: "timestamp(6)",
    MICROS_UTC: "timestamp(6)",
    _NANOS: "timestamp(9)",
}
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
# Types that keep what they are given, or refuse it. CHAR pads, DECFLOAT rounds.
_NATIVE = re.compile(
    r"(?i)\s*(?:(?P<plain>boolean|smallint|integer|int|bigint|real|double|date)"
    r"|(?:decimal|numeric)\s*\(\s*(?P<precision>\d+)\s*(?:,\s*(?P<scale>\d+)\s*)?\)"
    r"|(?P<moment>timestamp)\s*(?:\(\s*(?P<digits>\d+)\s*\))?"
    r"|(?P<text>varchar|clob)\s*\(\s*(?P<size>\d+)\s*(?P<unit>[kmg]?)\s*(?:octets)?\s*\)"
    r"|(?P<bytes>varbinary|blob)\s*\(\s*(?P<length>\d+)\s*(?P<multiple>[kmg]?)\s*\))\s*"
)
_WHOLE = {"smallint": pa.int16(), "integer": pa.int32(), "int": pa.int32(), "bigint": pa.int64()}


def db2_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none.

    >>> db2_type(pa.int8()), db2_type(pa.decimal128(31, 2)), db2_type(pa.decimal128(38, 2))
    ('smallint', 'decimal(31, 2)', None)
    """
    if is_uuid(type_):
        return "varchar(36 octets)"
    if is_json(type_) or pa.types.is_nested(type_):
        return _TEXT
    if pa.types.is_decimal128(type_):
        is_held = 0 <= type_.scale <= type_.precision <= _MOST_DIGITS
        return f"decimal({type_.precision}, {type_.scale})" if is_held else None
    return _PLAIN.get(type_)


def is_declarable(native: str) -> bool:
    """Whether a type that a contract declares keeps the values that it is given, or refuses them.

    >>> [is_declarable(each) for each in ("varchar(10)", "clob(2M)", "char(3)", "decfloat(16)")]
    [True, True, False, False]
    """
    return _NATIVE.fullmatch(native) is not None


@dataclass(frozen=True)
class Binding:
    """How a column's values are bound.

    Args:
        native: The column's type.
        empty_is_null: Whether the database takes an empty text for NULL, as Oracle does.
        is_unicode: Whether its texts are in UTF-8.
    """

    native: str
    empty_is_null: bool = False
    is_unicode: bool = True

    @property
    def expression(self) -> str:
        """What stands in VALUES."""
        found = self._found
        plain = (found["plain"] or "").lower()
        if plain in ("real", "double") or found["bytes"] or found["text"]:
            return f"cast(? as {self.native})"
        return f"cast(cast(? as varchar(64)) as {self.native})"

    def values(self, array: pa.Array) -> list[Any]:
        """The values as they are bound.

        Raises:
            ValueError: Db2, or the column, has no place for one of them.
        """
        found = self._found
        plain = (found["plain"] or "").lower()
        if found["text"]:
            return self._texts(plain_texts(array))
        if found["bytes"]:
            return self._bytes(array)
        if plain in ("real", "double"):
            if pa.types.is_floating(array.type):
                require_finite(array)
            return exactly(array, pa.float32() if plain == "real" else pa.float64()).to_pylist()  # type: ignore[no-any-return]
        if plain == "date" or found["moment"]:
            return self._moments(array)
        if plain == "boolean":
            return plain_texts(exactly(array, pa.bool_())).to_pylist()  # type: ignore[no-any-return]
        target = _WHOLE.get(plain) or self._decimal
        return plain_texts(exactly(array, target)).to_pylist()  # type: ignore[no-any-return]

    @property
    def _decimal(self) -> pa.DataType:
        precision, scale = int(self._found["precision"]), int(self._found["scale"] or 0)
        if not 0 <= scale <= precision <= _MOST_DIGITS:
            raise ValueError(f"{self.native} is not a number of at most {_MOST_DIGITS} digits")
        return pa.decimal128(precision, scale)

    def _moments(self, array: pa.Array) -> list[Any]:
        if (self._found["plain"] or "").lower() == "date":
            days = exactly(array, pa.date32())
            check_range(days)
            return plain_texts(days).to_pylist()  # type: ignore[no-any-return]
        return kept_moments(array, int(self._found["digits"] or 6)).cast(pa.string()).to_pylist()  # type: ignore[no-any-return]

    def _texts(self, texts: pa.Array) -> list[Any]:
        found = self._found
        if self.empty_is_null and pc.any(pc.equal(pc.binary_length(texts), 0)).as_py():
            raise ValueError("this database takes an empty text for NULL: write nullif(..., '') in the model")
        if pc.any(pc.match_substring(texts, "\0")).as_py():
            raise ValueError("it holds a NUL character, at which the driver may end it")
        if not self.is_unicode and pc.all(pc.string_is_ascii(texts)).as_py() is False:
            raise ValueError("it is not ASCII, which the database's code page may not have")
        most = int(found["size"]) * _UNITS[(found["unit"] or "").lower()]
        require_length(pc.binary_length(texts), most, "declare the column clob")
        return texts.to_pylist()  # type: ignore[no-any-return]

    def _bytes(self, array: pa.Array) -> list[Any]:
        most = int(self._found["length"]) * _UNITS[(self._found["multiple"] or "").lower()]
        return kept_bytes(array, most, "declare the column blob").to_pylist()  # type: ignore[no-any-return]

    @property
    def _found(self) -> re.Match[str]:
        found = _NATIVE.fullmatch(self.native)
        assert found is not None, self.native
        return found
