"""The types under which Arrow types land through a driver of any kind, by what is known of the database.

Of a database that has no entry here nothing is known: it gets standard SQL's types, and the output says others. What
is nested lands as JSON text everywhere, and no decimal becomes a float. Whether each value arrived is found out by
reading it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.landing_texts import plain_texts, require_finite
from dvt.types.text_values import check_range
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, is_json, is_uuid

# How a project's `dvt.column_types` calls them.
KINDS = (
    *("boolean", "smallint", "integer", "bigint", "decimal", "double", "text", "binary"),
    *("date", "time", "timestamp", "timestamptz", "uuid", "json"),
)
_KIND: Mapping[pa.DataType, str] = {
    pa.bool_(): "boolean",
    **dict.fromkeys((pa.int8(), pa.int16(), pa.uint8()), "smallint"),
    **dict.fromkeys((pa.int32(), pa.uint16()), "integer"),
    **dict.fromkeys((pa.int64(), pa.uint32()), "bigint"),
    pa.uint64(): "decimal",
    # A float has a double's values; as its own type some drivers show it in six digits.
    **dict.fromkeys((pa.float32(), pa.float64()), "double"),
    pa.string(): "text",
    pa.binary(): "binary",
    pa.date32(): "date",
    TIME: "time",
    MICROS: "timestamp",
    MICROS_UTC: "timestamptz",
}
_UNSIGNED_DIGITS = 20
_STANDARD: Mapping[str, str] = {
    "boolean": "boolean",
    "smallint": "smallint",
    "integer": "integer",
    "bigint": "bigint",
    "decimal": "decimal({precision}, {scale})",
    "double": "double precision",
    "text": "varchar(4000)",
    "binary": "varbinary(4000)",
    "date": "date",
    "time": "time(6)",
    "timestamp": "timestamp(6)",
    "timestamptz": "timestamp(6) with time zone",
}


@dataclass(frozen=True)
class Family:
    """What is known of a database's types.

    Args:
        name: Whose they are.
        types: By kind, where they differ from standard SQL's; empty where there is none.
        most_digits: Digits of its longest decimal.
        truth: The texts of true and false.
        has_nan: Whether doubles may be NaN and infinite.
    """

    name: str
    types: Mapping[str, str] = field(default_factory=dict)
    most_digits: int = 38
    truth: tuple[str, str] = ("true", "false")
    has_nan: bool = True

    def native(self, type_: pa.DataType, given: Mapping[str, str]) -> str | None:
        """The type of a column, None where there is none.

        Args:
            type_: What carries it.
            given: Types by kind, as the output says; they count first.

        >>> FAMILIES["sqlite"].native(pa.decimal128(12, 2), {}), Family("").native(pa.uint64(), {})
        ('text', 'decimal(20, 0)')
        """
        kind = _kind(type_)
        if kind is None:
            return None
        known = {**_STANDARD, **self.types, **given}
        if kind in ("uuid", "json") and kind not in known:
            kind = "text"
        if kind != "decimal":
            return known[kind] or None
        precision, scale = (type_.precision, type_.scale) if pa.types.is_decimal(type_) else (_UNSIGNED_DIGITS, 0)
        if not 0 <= scale <= precision or (precision > self.most_digits and "decimal" not in given):
            return None
        return known[kind].format(precision=precision, scale=scale)


def _kind(type_: pa.DataType) -> str | None:
    if is_uuid(type_):
        return "uuid"
    if is_json(type_) or pa.types.is_nested(type_):
        return "json"
    return "decimal" if pa.types.is_decimal(type_) else _KIND.get(type_)


_NUMBERS = ("1", "0")
FAMILIES: Mapping[str, Family] = {
    "postgres": Family(
        "postgres",
        {"text": "text", "binary": "bytea", "uuid": "uuid", "json": "json", "decimal": "numeric({precision}, {scale})"},
    ),
    # The zone of a session, which is not known, would move a TIMESTAMP.
    "mysql": Family(
        "mysql",
        {
            "boolean": "tinyint(1)",
            "double": "double",
            "text": "longtext",
            "binary": "longblob",
            "timestamp": "datetime(6)",
            "timestamptz": "",
        },
        truth=_NUMBERS,
        has_nan=False,
    ),
    # A decimal's text would become a float in a column of any other type.
    "sqlite": Family(
        "sqlite",
        {
            "decimal": "text",
            "double": "real",
            "text": "text",
            "binary": "blob",
            "time": "time",
            "timestamp": "timestamp",
            "timestamptz": "timestamptz",
        },
        truth=_NUMBERS,
    ),
    "h2": Family("h2", {"text": "varchar", "binary": "varbinary", "uuid": "uuid"}),
    "hsqldb": Family("hsqldb", {"text": "longvarchar", "binary": "longvarbinary", "uuid": "uuid"}),
    # Its times have no fraction: one that has is found out.
    "derby": Family(
        "derby",
        {
            "text": "varchar(32672)",
            "binary": "varchar(32672) for bit data",
            "double": "double",
            "time": "time",
            "timestamp": "timestamp",
            "timestamptz": "",
        },
        most_digits=31,
        has_nan=False,
    ),
}


def checked(array: pa.Array, family: Family) -> pa.Array:
    """The same values, of which every day and moment is one that four-digit years have, and every number one that is.

    Raises:
        ValueError: One is infinite, or of another year, or NaN where there is no such number.
    """
    type_ = array.type
    if pa.types.is_floating(type_) and not family.has_nan:
        require_finite(array)
    if pa.types.is_date(type_) or pa.types.is_timestamp(type_) or pa.types.is_time(type_):
        check_range(array.cast(MICROS) if pa.types.is_timestamp(type_) else array)
    return array


def sent_texts(array: pa.Array, family: Family) -> pa.Array:
    """The values as texts that the database reads in a column of theirs; bytes stay bytes.

    >>> sent_texts(pa.array([True, None]), FAMILIES["mysql"]).to_pylist()
    ['1', None]
    >>> sent_texts(pa.array([float("nan"), float("-inf"), 0.5]), FAMILIES["h2"]).to_pylist()
    ['NaN', '-Infinity', '0.5']
    """
    if pa.types.is_binary(array.type):
        return array
    if pa.types.is_boolean(array.type):
        return pc.if_else(array, *family.truth)
    texts = plain_texts(array)
    if pa.types.is_floating(array.type):
        texts = pc.replace_substring(pc.replace_substring(texts, "nan", "NaN"), "inf", "Infinity")
    return texts


def plain_values(array: pa.Array) -> pa.Array:
    """The values in the few types that drivers take: signed numbers, decimals, doubles, texts, bytes, moments."""
    type_ = array.type
    if is_uuid(type_) or is_json(type_) or pa.types.is_nested(type_):
        return plain_texts(array)
    if type_ == pa.uint64():
        return array.cast(pa.decimal128(_UNSIGNED_DIGITS, 0))
    wider = {"smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64(), "double": pa.float64()}
    return array.cast(wider.get(_KIND.get(type_, ""), type_))
