"""The Teradata types under which Arrow types land, and their values as the driver binds them.

Texts are UNICODE of at most 32,000 characters, in which Teradata has those of the basic plane: others may become a
replacement character. Truth is a BYTEINT; FLOAT has neither NaN nor numbers below the smallest normal one; a moment has
six digits of a second; what is nested is JSON text.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.exact_cast import exactly
from dvt.types.kept_values import kept_bytes, require_digits, require_length
from dvt.types.landing_texts import plain_texts, require_finite
from dvt.types.text_values import check_range
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, is_json, is_uuid

_LONGEST = 32_000
_TEXT = f"varchar({_LONGEST}) character set unicode casespecific"
_NANOS = pa.timestamp("ns")
_SMALLEST_NORMAL = 2.2250738585072014e-308
_PLAIN = {
    pa.bool_(): "byteint",
    pa.int8(): "byteint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.uint8(): "smallint",
    pa.uint16(): "integer",
    pa.uint32(): "bigint",
    pa.uint64(): "decimal(20, 0)",
    pa.float32(): "float",
    pa.float64(): "float",
    pa.string(): _TEXT,
    pa.binary(): f"varbyte({_LONGEST})",
    pa.date32(): "date",
    TIME: "time(6)",
    MICROS: "timestamp(6)",
    MICROS_UTC: "timestamp(6) with time zone",
    _NANOS: "timestamp(6)",
}
# Types that keep what they are given, or refuse it. CHAR pads, and LATIN has few characters.
_NATIVE = re.compile(
    r"(?i)\s*(?:(?P<plain>byteint|smallint|integer|bigint|float|date)"
    r"|(?:decimal|numeric)\s*\(\s*(?P<precision>\d+)\s*(?:,\s*(?P<scale>\d+)\s*)?\)"
    r"|(?P<moment>timestamp|time)\s*(?:\(\s*(?P<digits>[0-6])\s*\))?\s*(?P<zone>with\s+time\s+zone)?"
    r"|(?P<text>varchar)\s*\(\s*(?P<size>\d+)\s*\)\s*character\s+set\s+unicode(?:\s+(?:not\s+)?casespecific)?"
    r"|(?P<bytes>varbyte)\s*\(\s*(?P<length>\d+)\s*\))\s*"
)
_WHOLE = {"byteint": pa.int8(), "smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64()}


def teradata_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none.

    >>> teradata_type(pa.int8()), teradata_type(pa.decimal128(38, 2)), teradata_type(pa.duration("us"))
    ('byteint', 'decimal(38, 2)', None)
    """
    if is_uuid(type_):
        return "varchar(36) character set unicode casespecific"
    if is_json(type_) or pa.types.is_nested(type_):
        return _TEXT
    if pa.types.is_decimal128(type_):
        return f"decimal({type_.precision}, {type_.scale})" if 0 <= type_.scale <= type_.precision else None
    return _PLAIN.get(type_)


def is_declarable(native: str) -> bool:
    """Whether a type that a contract declares keeps the values that it is given, or refuses them.

    >>> [is_declarable(each) for each in ("varchar(9) character set unicode", "varchar(9)", "char(3)", "timestamp(0)")]
    [True, False, False, True]
    """
    return _NATIVE.fullmatch(native) is not None


def is_bytes(native: str) -> bool:
    """Whether a column takes bytes: a NULL among texts is none for it, so that its type has to be said."""
    return native.lower().startswith("varbyte")


def is_fastloaded(native: str) -> bool:
    """Whether FastLoad takes a column as it is bound: a time is bound without a zone.

    >>> is_fastloaded("timestamp(6) with time zone"), is_fastloaded("time(6) with time zone"), is_fastloaded("clob")
    (True, False, False)
    """
    found = _NATIVE.fullmatch(native)
    return found is not None and not ((found["moment"] or "").lower() == "time" and found["zone"])


@dataclass(frozen=True)
class Binding:
    """How a column's values are bound.

    Args:
        native: The column's type.
    """

    native: str

    def values(self, array: pa.Array) -> list[Any]:
        """The values as the driver binds them.

        Raises:
            ValueError: Teradata, or the column, has no place for one of them.
        """
        found = self._found
        plain = (found["plain"] or "").lower()
        if found["text"]:
            return self._texts(plain_texts(array), int(found["size"]))
        if found["bytes"]:
            kept = kept_bytes(array, int(found["length"]), "there is no type for longer ones")
            return kept.to_pylist()  # type: ignore[no-any-return]
        if plain == "float":
            return self._floats(array)
        if plain == "date":
            days = exactly(array, pa.date32())
            check_range(days)
            return days.to_pylist()  # type: ignore[no-any-return]
        if found["moment"]:
            return self._moments(array)
        whole = array.cast(pa.int8()) if pa.types.is_boolean(array.type) else array
        if plain:
            return exactly(whole, _WHOLE[plain]).to_pylist()  # type: ignore[no-any-return]
        return exactly(whole, pa.decimal128(int(found["precision"]), int(found["scale"] or 0))).to_pylist()  # type: ignore[no-any-return]

    @property
    def sample(self) -> Any:
        """A value of the kind that `values` gives; for FastLoad, which takes a column's type from its first value.

        >>> Binding("decimal(9, 2)").sample, Binding("varbyte(9)").sample, Binding("date").sample
        (Decimal('0.00'), b'\\x00', datetime.date(2000, 1, 1))
        """
        found = self._found
        plain = (found["plain"] or "").lower()
        if found["text"]:
            return "x"
        if found["bytes"]:
            return b"\0"
        if found["moment"]:
            zone = dt.timezone.utc if found["zone"] else None
            is_time = found["moment"].lower() == "time"
            return dt.time() if is_time else dt.datetime(2000, 1, 1, tzinfo=zone)
        if plain in _WHOLE:
            return 0
        others = {"float": 0.0, "date": dt.date(2000, 1, 1)}
        return others[plain] if plain else Decimal(0).scaleb(-int(found["scale"] or 0))

    def _floats(self, array: pa.Array) -> list[Any]:
        numbers = exactly(array, pa.float64())
        require_finite(numbers)
        size = pc.abs(numbers)
        if pc.any(pc.and_(pc.greater(size, 0), pc.less(size, _SMALLEST_NORMAL))).as_py():
            raise ValueError("a number is nearer to zero than Teradata's FLOAT has them")
        return numbers.to_pylist()  # type: ignore[no-any-return]

    def _moments(self, array: pa.Array) -> list[Any]:
        found, type_ = self._found, array.type
        digits = int(found["digits"] or 6)
        if found["moment"].lower() == "time":
            times = exactly(array, TIME)
            check_range(times)
            require_digits(times, 6, digits)
            return times.to_pylist()  # type: ignore[no-any-return]
        if not pa.types.is_timestamp(type_) or bool(type_.tz) is not bool(found["zone"]):
            raise ValueError(f"{type_} and {self.native}: one has a time zone, the other has none")
        micros = array.cast(MICROS) if type_ == _NANOS else array
        check_range(micros)
        require_digits(micros, 6, digits)
        return micros.to_pylist()  # type: ignore[no-any-return]

    def _texts(self, texts: pa.Array, most: int) -> list[Any]:
        if pc.any(pc.match_substring_regex(texts, r"[\x{10000}-\x{10FFFF}]")).as_py():
            raise ValueError("it has a character outside of Unicode's basic plane, for which another may be put")
        require_length(pc.utf8_length(texts), most, "there is no type for longer ones")
        return texts.to_pylist()  # type: ignore[no-any-return]

    @property
    def _found(self) -> re.Match[str]:
        found = _NATIVE.fullmatch(self.native)
        assert found is not None, self.native
        return found
