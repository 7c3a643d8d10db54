"""Values as the texts of a Hive statement, and the expressions that make a column's values of them.

Facts are those of Hive's manual of types and functions: cast makes NULL of what it cannot read, and TRUE of every text;
a backslash escapes; a dollar and a brace begin a variable, wherever they stand.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.fitted import fitted
from dvt.types.landing_texts import plain_texts
from dvt.types.spark_landing import spark_shape

Literals = Callable[..., pa.Array]
NULL = "null"
_SPECIAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
# The backslash first.
_ESCAPED = {"\\": "\\\\", "'": "\\'", "$": "\\u0024", "\0": "\\u0000"}


def is_declarable(native: str) -> bool:
    """Whether a type keeps every value: char(n) pads."""
    found = spark_shape(native, "hive")
    return found is not None and not found.is_padded


def hive_values(array: pa.Array, native: str) -> pa.Array:
    """The values as Arrow has those of the column.

    Raises:
        ValueError: The column does not hold a value as it is.
    """
    to = spark_shape(native, "hive")
    if to is None:
        raise ValueError(f"{array.type} does not become {native} by itself")
    is_own = array.type == to.type
    return fitted(array if is_own or not pa.types.is_string(to.type) else plain_texts(array), to)


def hive_literals(array: pa.Array, native: str) -> pa.Array:
    r"""The values as texts in quotes; none of them is NULL for Arrow.

    Raises:
        ValueError: The column does not hold a value as it is.

    >>> print(hive_literals(pa.array(["it's ${x}"]), "string")[0])
    'it\'s \u0024{x}'
    """
    found = hive_values(array, native)
    if pa.types.is_binary(found.type):
        return pa.array([NULL if value is None else f"'{value.hex()}'" for value in found.to_pylist()], pa.string())
    texts = plain_texts(found)
    if pa.types.is_floating(found.type):
        for arrow, own in _SPECIAL.items():
            texts = pc.if_else(pc.equal(texts, arrow), own, texts)
    for plain, written in _ESCAPED.items():
        if pc.any(pc.match_substring(texts, plain)).as_py():
            texts = pc.replace_substring(texts, plain, written)
    return pc.binary_join_element_wise("'", texts, "'", "").fill_null(NULL)


def hive_literals_in_orc(array: pa.Array, native: str) -> pa.Array:
    """The same for a table of ORC files, which move moments before 1970 that have fractions of a second (ORC-763).

    Raises:
        ValueError: There is such a moment, or the column does not hold a value as it is.
    """
    require_orc_moments(array)
    return hive_literals(array, native)


def require_orc_moments(array: pa.Array) -> None:
    """Raise ValueError for a moment that ORC moves."""
    if pa.types.is_timestamp(array.type):
        micros = array.cast(pa.int64())
        is_whole = pc.equal(pc.multiply(pc.divide(micros, 1_000_000), 1_000_000), micros)
        if pc.all(pc.or_(is_whole, pc.greater_equal(micros, 0))).as_py() is False:
            raise ValueError(
                "ORC moves moments before 1970 with fractions of a second: set dvt.table_format to parquet"
            )


def hive_value(column: str, native: str) -> str:
    """The expression that makes a value of its text.

    >>> hive_value("c1", "boolean"), hive_value("c1", "bigint")
    ("c1 = 'true'", 'cast(c1 as bigint)')
    """
    if native.lower() == "boolean":
        return f"{column} = 'true'"
    return f"unhex({column})" if native.lower() == "binary" else f"cast({column} as {native})"
