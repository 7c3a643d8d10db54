"""The SQL Server types under which Arrow types land, and what of a column's values has no place there.

Texts are nvarchar(max): it holds all of Unicode under every collation. A declared varchar takes ASCII alone: for what
its code page has not, the driver's bulk load puts question marks without a word, under collations of UTF-8 as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import DataError
from dvt.types.sqlserver import reading
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, is_json, is_uuid

_NANOS = pa.timestamp("ns")
_PLAIN = {
    pa.bool_(): "bit",
    pa.int8(): "smallint",  # tinyint has no sign
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.uint8(): "tinyint",
    pa.uint16(): "int",
    pa.uint32(): "bigint",
    pa.uint64(): "decimal(20, 0)",
    pa.float32(): "real",
    pa.float64(): "float",
    pa.string(): "nvarchar(max)",
    pa.binary(): "varbinary(max)",
    pa.date32(): "date",
    TIME: "time(6)",
    MICROS: "datetime2(6)",
    MICROS_UTC: "datetimeoffset(6)",
    _NANOS: "datetime2(7)",
}
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31
_DAY_US = 86_400_000_000
_MOMENTS = (pa.int64(), _FIRST_DAY * _DAY_US, (_LAST_DAY + 1) * _DAY_US - 1)
_RANGES = {pa.date32(): (pa.int32(), _FIRST_DAY, _LAST_DAY), MICROS: _MOMENTS, MICROS_UTC: _MOMENTS}
# Types that keep what they are given. `char` pads, `datetime` and `money` round, `float(n)` is one of two others.
_DECLARED = re.compile(
    r"(?i)\s*(?:(?P<plain>bit|tinyint|smallint|int|bigint|real|float|date|uniqueidentifier)"
    r"|(?:decimal|numeric)\s*\(\s*\d+\s*(?:,\s*\d+\s*)?\)"
    r"|(?:time|datetime2|datetimeoffset)\s*(?:\(\s*(?P<digits>[0-7])\s*\))?"
    r"|(?P<text>n?varchar|varbinary)\s*\(\s*(?P<size>\d+|max)\s*\)(?:\s+collate\s+\w+)?)\s*"
)


def sqlserver_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none.

    >>> sqlserver_type(pa.decimal128(10, 2)), sqlserver_type(pa.list_(pa.int8()))
    ('decimal(10, 2)', None)
    """
    if pa.types.is_decimal128(type_):
        return f"decimal({type_.precision}, {type_.scale})" if 0 <= type_.scale <= type_.precision else None
    if is_uuid(type_):
        return "uniqueidentifier"
    return "nvarchar(max)" if is_json(type_) else _PLAIN.get(type_)


def is_declarable(native: str) -> bool:
    """Whether a type that a contract declares keeps the values that it is given.

    >>> [is_declarable(each) for each in ("nvarchar(10)", "varchar(9) collate Latin1_General_100_BIN2_UTF8", "char(3)")]
    [True, True, False]
    """
    return _DECLARED.fullmatch(native) is not None


@dataclass(frozen=True)
class Sending:
    """How a column's values are sent.

    Args:
        column: Its name.
        native: Its type.
    """

    column: str
    native: str

    def sent(self, array: pa.Array) -> pa.Array:
        """A column's values as the driver is given them.

        Raises:
            DataError: The type has no place for one of them; the column is named.
        """
        type_ = array.type
        plain = array.storage if isinstance(array, pa.ExtensionArray) else array
        found = _DECLARED.fullmatch(self.native)
        if type_ in _RANGES:
            self._check_range(array)
        if is_uuid(type_) or found is None:
            return plain
        if found["text"] and found["text"].lower() != "varbinary":
            texts = plain if pa.types.is_string(plain.type) else self._cast(plain, pa.string())
            self._check_text(texts, found["text"].lower(), found["size"])
            return texts
        target = _NANOS if type_ == _NANOS else reading(self.native).type
        values = plain if plain.type == target or is_uuid(target) else self._cast(plain, target)
        if (
            pa.types.is_floating(target)
            and not pc.all(pc.is_finite(values)).as_py()
            and len(values) > values.null_count
        ):
            raise self._refusal("SQL Server has neither NaN nor infinities", "Make them NULL in the model")
        if pa.types.is_timestamp(target) or pa.types.is_time(target):
            self._check_fraction(values, int(found["digits"] or 7))
        if found["text"] and found["size"].lower() != "max" and _longest(pc.binary_length(values)) > int(found["size"]):
            raise self._too_long()
        return values

    def _cast(self, array: pa.Array, type_: pa.DataType) -> pa.Array:
        """A cast after which every value is the same."""
        try:
            cast = array.cast(type_)
            is_same = cast.cast(array.type).equals(array)
        except pa.ArrowException as error:
            raise self._refusal(f"a value of {array.type} is none of {self.native}: {error}") from error
        if not is_same:
            raise self._refusal(f"a value of {array.type} is none of {self.native}")
        return cast

    def _check_range(self, array: pa.Array) -> None:
        number, first, last = _RANGES[array.type]
        span = pc.min_max(array.view(number))
        smallest, largest = span["min"].as_py(), span["max"].as_py()
        if smallest is not None and (smallest < first or largest > last):
            raise self._refusal("a value is outside of the years 1 to 9999")

    def _check_fraction(self, array: pa.Array, digits: int) -> None:
        """Digits of a second that the type has not."""
        step = 10 ** max(0, {"us": 6, "ns": 9}[array.type.unit] - digits)
        numbers = array.view(pa.int64())
        if step > 1 and pc.any(pc.not_equal(pc.multiply(pc.divide(numbers, step), step), numbers)).as_py():
            raise self._refusal(f"a value has more than {digits} digits after the second")

    def _check_text(self, texts: pa.Array, base: str, size: str) -> None:
        if base == "varchar" and pc.any(pc.invert(pc.string_is_ascii(texts))).as_py():
            raise self._refusal("a text of a varchar is not ASCII, which may not arrive", "Declare nvarchar")
        if size.lower() == "max":
            return
        # In UTF-16, where what is four bytes of UTF-8 takes two places.
        pairs = pc.count_substring_regex(texts, r"[\x{10000}-\x{10FFFF}]")
        lengths = pc.add(pc.utf8_length(texts), pairs)
        if _longest(lengths) > int(size):
            raise self._too_long()

    def _too_long(self) -> DataError:
        return self._refusal(f"a value is longer than {self.native}")

    def _refusal(self, message: str, remedy: str = "Mend or drop it in the model") -> DataError:
        return DataError(message, column=self.column, phase="load", remedy=remedy)


def _longest(lengths: pa.Array) -> int:
    return pc.max(lengths).as_py() or 0
