"""The Oracle types under which Arrow types land, and their values as python-oracledb binds them.

Oracle has no empty texts and no empty bytes (they are NULL), so that they are refused. What is longer than 4000 bytes
needs a declared `clob`, by which nothing can be compared, sorted or grouped; what is nested is JSON text in one. Before
23ai truth is a number. Zeros have no sign, and there is one NaN.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.exact_cast import exactly
from dvt.types.kept_values import kept_bytes, kept_moments, require_length
from dvt.types.landing_texts import plain_texts
from dvt.types.oracle import UNICODE
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, is_json, is_uuid

_NANOS = pa.timestamp("ns")
_DIGITS = {"int8": 3, "int16": 5, "int32": 10, "int64": 19, "uint8": 3, "uint16": 5, "uint32": 10, "uint64": 20}
_PLAIN = {
    pa.bool_(): "number(1, 0)",
    pa.float32(): "binary_float",
    pa.float64(): "binary_double",
    pa.string(): "varchar2(4000 byte)",
    pa.binary(): "blob",
    pa.date32(): "date",
    TIME: "varchar2(15 byte)",
    MICROS: "timestamp(6)",
    MICROS_UTC: "timestamp(6) with time zone",
    _NANOS: "timestamp(9)",
}
# Types that keep what they are given, or refuse it. CHAR pads, FLOAT and numbers of negative scale round.
_NATIVE = re.compile(
    r"(?i)\s*(?:(?P<plain>number|binary_float|binary_double|boolean|date|n?clob|blob|json)"
    r"|number\s*\(\s*(?P<precision>\d+)\s*(?:,\s*(?P<scale>\d+)\s*)?\)"
    r"|(?P<moment>timestamp)\s*(?:\(\s*(?P<digits>\d)\s*\))?\s*(?P<zone>with\s+(?:local\s+)?time\s+zone)?"
    r"|(?P<text>n?varchar2)\s*\(\s*(?P<size>\d+)\s*(?P<unit>byte|char)?\s*\)"
    r"|(?P<bytes>raw)\s*\(\s*(?P<length>\d+)\s*\))\s*"
)
_DIGITS_UNSAID = 6


def oracle_type(type_: pa.DataType, has_boolean: bool = False) -> str | None:
    """The type of a column, None where there is none.

    Args:
        type_: The values' type.
        has_boolean: Whether the server has BOOLEAN, as from 23ai on.

    >>> oracle_type(pa.int64()), oracle_type(pa.decimal128(12, 2)), oracle_type(pa.duration("us"))
    ('number(19, 0)', 'number(12, 2)', None)
    """
    if pa.types.is_boolean(type_) and has_boolean:
        return "boolean"
    if is_uuid(type_):
        return "varchar2(36 byte)"
    if is_json(type_) or pa.types.is_nested(type_):
        return "clob"
    if pa.types.is_decimal128(type_):
        return f"number({type_.precision}, {type_.scale})" if 0 <= type_.scale <= type_.precision else None
    if digits := _DIGITS.get(str(type_)):
        return f"number({digits}, 0)"
    return _PLAIN.get(type_)


def is_declarable(native: str) -> bool:
    """Whether a type that a contract declares keeps the values that it is given, or refuses them.

    >>> [is_declarable(each) for each in ("varchar2(10 char)", "NUMBER(10,2)", "char(3)", "number(5, -2)", "float")]
    [True, True, False, False, False]
    """
    return _NATIVE.fullmatch(native) is not None


@dataclass(frozen=True)
class Binding:
    """How a column's values are bound.

    Args:
        native: The column's type.
        type: The values'.
        charset: The database's character set.
    """

    native: str
    type: pa.DataType
    charset: str = "AL32UTF8"

    @property
    def kind(self) -> str:
        """The driver's name of the type that is bound; empty where its size is found with the values."""
        found = self._found
        if found["text"]:
            return "DB_TYPE_VARCHAR"
        if found["bytes"]:
            return "DB_TYPE_RAW"
        if found["moment"]:
            return "DB_TYPE_VARCHAR" if self.type == _NANOS else "DB_TYPE_TIMESTAMP"
        plain = (found["plain"] or "number").upper()
        return "" if self.is_long else f"DB_TYPE_{plain}"

    @property
    def is_long(self) -> bool:
        """Whether it may be longer than what is bound before it (ORA-24816)."""
        return (self._found["plain"] or "").lower() in ("clob", "nclob", "blob", "json")

    @property
    def is_direct(self) -> bool:
        """Whether the values are bound as a direct path load stores them, which converts nothing.

        Booleans are not: releases of the driver before 4.1 send wrong ones (its issue 593).
        """
        return self.type != _NANOS and self.native == oracle_type(self.type)

    def expression(self, place: int) -> str:
        """What stands in VALUES; moments are said to be UTC's there, whatever the session's zone is."""
        bound, found = f":{place}", self._found
        if found["moment"] and self.type == _NANOS:
            bound = f"to_timestamp({bound}, 'YYYY-MM-DD HH24:MI:SS.FF9')"
        if found["zone"]:
            bound = f"from_tz({bound}, '+00:00')"
        return f"json({bound})" if (found["plain"] or "").lower() == "json" else bound

    def values(self, array: pa.Array) -> list[Any]:
        """The values as the driver binds them.

        Raises:
            ValueError: Oracle, or the column, has no place for one of them.
        """
        found = self._found
        plain = (found["plain"] or "").lower()
        if found["text"] or plain in ("clob", "nclob", "json"):
            return self._texts(plain_texts(array))
        if found["bytes"] or plain == "blob":
            return self._bytes(array)
        if plain in ("binary_float", "binary_double"):
            given = exactly(array, pa.float32() if plain == "binary_float" else pa.float64())
            numbers = pc.add(given, pa.scalar(0, given.type)).to_pylist()
            return [math.nan if number is not None and math.isnan(number) else number for number in numbers]
        if found["moment"] or plain == "date":
            return self._moments(array, 0 if plain == "date" else int(found["digits"] or _DIGITS_UNSAID))
        if plain == "boolean":
            return exactly(array, pa.bool_()).to_pylist()  # type: ignore[no-any-return]
        return self._numbers(array)

    def _numbers(self, array: pa.Array) -> list[Any]:
        found = self._found
        whole = array.cast(pa.int8()) if pa.types.is_boolean(array.type) else array
        if self.is_direct:
            return whole.to_pylist()  # type: ignore[no-any-return]
        if found["precision"] is None:
            if not (pa.types.is_integer(whole.type) or pa.types.is_decimal(whole.type)):
                raise ValueError(f"values of {array.type} are not all exact in {self.native}")
            return whole.to_pylist()  # type: ignore[no-any-return]
        precision, scale = int(found["precision"]), int(found["scale"] or 0)
        if not 0 <= scale <= precision <= 38:
            raise ValueError(f"{self.native} is not a number of at most 38 digits")
        return exactly(whole, pa.decimal128(precision, scale)).to_pylist()  # type: ignore[no-any-return]

    def _moments(self, array: pa.Array, digits: int) -> list[Any]:
        type_ = array.type
        if pa.types.is_timestamp(type_) and bool(type_.tz) is not bool(self._found["zone"]):
            raise ValueError(f"{type_} and {self.native}: one has a time zone, the other has none")
        moments = kept_moments(array, digits)
        return (moments.cast(pa.string()) if type_ == _NANOS else moments).to_pylist()  # type: ignore[no-any-return]

    def _texts(self, texts: pa.Array) -> list[Any]:
        found = self._found
        if pc.any(pc.equal(pc.binary_length(texts), 0)).as_py():
            raise ValueError("Oracle has no empty texts, they would become NULL: write nullif(..., '') in the model")
        if self.charset not in UNICODE and pc.all(pc.string_is_ascii(texts)).as_py() is False:
            raise ValueError(f"it is not ASCII, which the database's character set {self.charset} may not have")
        if found["text"]:
            lengths = pc.utf8_length(texts) if (found["unit"] or "").lower() == "char" else pc.binary_length(texts)
            require_length(lengths, int(found["size"]), "declare the column clob")
        return texts.to_pylist()  # type: ignore[no-any-return]

    def _bytes(self, array: pa.Array) -> list[Any]:
        most = int(self._found["length"]) if self._found["bytes"] else None
        kept = kept_bytes(array, most, "declare the column blob")
        if pc.any(pc.equal(pc.binary_length(kept), 0)).as_py():
            raise ValueError("Oracle has no empty bytes, they would become NULL")
        return kept.to_pylist()  # type: ignore[no-any-return]

    @property
    def _found(self) -> re.Match[str]:
        found = _NATIVE.fullmatch(self.native)
        assert found is not None, self.native
        return found
