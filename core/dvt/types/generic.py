"""How a column of any driver is read: its type, what its values are made of, or why they cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import ConfigurationError, DataError, UnsupportedError
from dvt.types.decimal_text import decimals_from_text
from dvt.types.declared import declared_arrow_type
from dvt.types.text_values import parser
from dvt.types.vocabulary import JSON, is_json, is_uuid

Convert = Callable[[pa.Array], pa.Array]

_BYTES = frozenset({"binary", "varbinary", "blob", "bytea"})
DECLARE = "Declare its data_type in the source's columns, or cast it in a query or a view"


@dataclass(frozen=True)
class Reading:
    """How one column is read.

    Args:
        name: Name as the driver gives it.
        type: What carries its values.
        native: What the driver calls its type.
        convert: From what the driver gives to the type; ValueError for a value that does not fit.
        refused: Why no value of the column can be read; empty when they can.
    """

    name: str
    type: pa.DataType
    native: str = ""
    convert: Convert = field(default=lambda array: array)
    refused: str = ""

    def require(self, connection: str, relation: str) -> None:
        """Stop where the column cannot be read."""
        if self.refused:
            raise UnsupportedError(
                self.refused,
                connection=connection,
                relation=relation,
                column=self.name,
                phase="describe",
                remedy=DECLARE,
            )

    def read(self, array: pa.Array) -> pa.Array:
        """The values in the column's type.

        Raises:
            DataError: One does not fit; the column is named.
        """
        try:
            return self.convert(array)
        except (ValueError, pa.ArrowException) as error:
            raise DataError(
                f"a value of type {self.native or 'unknown'} is not carried as {self.type}: {error}",
                column=self.name,
                phase="extract",
                remedy=DECLARE,
            ) from error


def declared_type(
    declared: Mapping[str, str], name: str, *, is_needed: bool, takes_bytes: bool = False
) -> pa.DataType | None:
    """The type that the project declares for a column; None when there is none.

    Args:
        declared: Declared types by column name; letters' case does not matter.
        name: The column.
        is_needed: Whether an unknown declared type is an error: the driver gives no type either.
        takes_bytes: Whether bytes come as bytes, so that they can be declared.
    """
    text = next((text for key, text in declared.items() if key.lower() == name.lower()), None)
    if text is None:
        return None
    if takes_bytes and text.strip().lower() in _BYTES:
        return pa.binary()
    try:
        return declared_arrow_type(text, name)
    except ConfigurationError:
        if is_needed:
            raise
        return None


def text_reader(type_: pa.DataType) -> Convert:
    """The function that reads a string array as a type; each text has to be of the type exactly.

    >>> text_reader(pa.timestamp("us"))(pa.array(["2024-01-02 03:04:05.1230000"])).cast(pa.string()).to_pylist()
    ['2024-01-02 03:04:05.123000']
    """
    if is_uuid(type_):
        read_uuid = parser(type_)
        return lambda texts: read_uuid(pc.utf8_lower(texts))
    if pa.types.is_timestamp(type_) or pa.types.is_time(type_):
        read_moment = parser(type_)
        return lambda texts: read_moment(_moment_texts(texts))
    if pa.types.is_floating(type_):
        return lambda texts: _plain(texts).cast(type_)
    return parser(type_)


def recast(source: pa.DataType, target: pa.DataType) -> Convert | None:
    """The exact way from what a driver gives to a declared type; None when there is none."""
    if source == target:
        return lambda array: array
    if pa.types.is_string(source):
        return None if pa.types.is_binary(target) else text_reader(target)
    if is_json(source) and pa.types.is_string(target):
        return lambda array: array.storage.cast(target)
    if pa.types.is_string(target) and not is_uuid(source):
        return None  # numbers and moments have many texts
    if pa.types.is_integer(source) and pa.types.is_decimal(target):
        return lambda array: decimals_from_text(array.cast(pa.string()), target)
    is_number = pa.types.is_integer(source) or pa.types.is_decimal(source)
    if is_number and (pa.types.is_integer(target) or pa.types.is_decimal(target)):
        return lambda array: array.cast(target)  # a cast that would lose anything is an error
    if pa.types.is_integer(source) and pa.types.is_boolean(target):
        return _flags
    if pa.types.is_integer(source) and target == pa.float64():
        return lambda array: array.cast(target)
    if pa.types.is_float32(source) and target == pa.float64():
        return lambda array: array.cast(target)
    return None


def json_array(texts: pa.Array) -> pa.Array:
    """Texts of a column of documents, as the database wrote them."""
    return pa.ExtensionArray.from_storage(JSON, texts.cast(JSON.storage_type))


def _moment_texts(texts: pa.Array) -> pa.Array:
    """Without zeros beyond microseconds, without SQL Server's blank before a zone, and with HSQLDB's hours in full."""
    texts = pc.replace_substring_regex(texts, r"(\.\d{6})0+", r"\1")
    texts = pc.replace_substring_regex(texts, r" ([+-]\d)", r"\1")
    texts = pc.replace_substring_regex(texts, r"^(\d:\d\d)", r"0\1")
    return pc.replace_substring_regex(texts, r"([+-])(\d:\d\d)$", r"\10\2")


def _flags(numbers: pa.Array) -> pa.Array:
    if pc.any(pc.or_(pc.less(numbers, 0), pc.greater(numbers, 1))).as_py():
        raise ValueError("a number is neither 0 nor 1")
    return numbers.cast(pa.bool_())


def _plain(texts: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(texts, r"[\s_xX]|^$")).as_py():
        raise ValueError("a text is not a number")
    return texts
