"""Values in the type that a column is declared with: the same values, or none are sent.

For engines whose casts round, cut or move what does not fit without a word.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

from dvt.types.exact_cast import exactly
from dvt.types.kept_values import require_digits
from dvt.types.landing_texts import plain_texts
from dvt.types.text_values import parser
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, UUID

_T = exp.DataType.Type
_MOST_DIGITS = 9
_PLAIN = {
    _T.BOOLEAN: pa.bool_(),
    _T.TINYINT: pa.int8(),
    _T.SMALLINT: pa.int16(),
    _T.INT: pa.int32(),
    _T.BIGINT: pa.int64(),
    _T.FLOAT: pa.float32(),
    _T.DOUBLE: pa.float64(),
    _T.DATE: pa.date32(),
    _T.UUID: UUID,
    **dict.fromkeys((_T.BINARY, _T.VARBINARY), pa.binary()),
    **dict.fromkeys((_T.CHAR, _T.VARCHAR, _T.TEXT), pa.string()),
    **dict.fromkeys((_T.TIMESTAMP, _T.TIMESTAMPNTZ), MICROS),
    **dict.fromkeys((_T.TIMESTAMPTZ, _T.TIMESTAMPLTZ), MICROS_UTC),
    _T.TIME: TIME,
}


@dataclass(frozen=True)
class Shape:
    """What a column holds.

    Args:
        type: The Arrow type that carries its values.
        digits: Digits of a second, 9 where that says nothing.
        characters: Characters at most; None for any number.
        is_padded: Whether blanks at the end are nothing.
    """

    type: pa.DataType
    digits: int = _MOST_DIGITS
    characters: int | None = None
    is_padded: bool = False


def shape(native: str, dialect: str, *, digits: int) -> Shape | None:
    """What a native type holds; None for types without parts of this list, such as nested ones.

    Args:
        native: As CREATE TABLE takes it.
        dialect: Whose type it is.
        digits: Digits of a second where the type does not say.

    >>> shape("varchar(3)", "trino", digits=3)
    Shape(type=DataType(string), digits=9, characters=3, is_padded=False)
    """
    try:
        parsed = exp.DataType.build(native, dialect=dialect)
    except (sqlglot.errors.SqlglotError, ValueError):
        return None
    numbers = [int(part.name) for part in parsed.expressions if isinstance(part, exp.DataTypeParam)]
    if parsed.this is _T.DECIMAL:
        precision, scale = [*(numbers or [38 if dialect == "trino" else 10]), 0][:2]
        return Shape(pa.decimal128(precision, scale)) if 0 <= scale <= precision <= 38 and precision else None
    type_ = _PLAIN.get(parsed.this)
    if type_ is None:
        return None
    if pa.types.is_string(type_):
        is_padded = parsed.this is _T.CHAR
        return Shape(type_, characters=next(iter(numbers), 1 if is_padded else None), is_padded=is_padded)
    has_digits = pa.types.is_timestamp(type_) or pa.types.is_time(type_)
    return Shape(type_, digits=next(iter(numbers), digits)) if has_digits else Shape(type_)


def fitted(array: pa.Array, to: Shape) -> pa.Array:
    """The values as a column of that shape holds them.

    Raises:
        ValueError: One of them would change.

    >>> fitted(pa.array([1, None]), Shape(pa.int8())).type
    DataType(int8)
    """
    found = _of_type(array, to.type)
    if to.digits < _MOST_DIGITS and pa.types.is_temporal(found.type) and not pa.types.is_date(found.type):
        require_digits(found, 9 if found.type.unit == "ns" else 6, to.digits)
    if to.characters is not None:
        longest = pc.max(pc.utf8_length(found)).as_py() or 0
        if longest > to.characters:
            raise ValueError(f"a text of {longest} characters is longer than {to.characters}")
    if to.is_padded and pc.any(pc.ends_with(found, " ")).as_py():
        raise ValueError("a text ends in blanks, which are nothing there")
    return found


def _of_type(array: pa.Array, type_: pa.DataType) -> pa.Array:
    given = array.type
    is_nanos = pa.types.is_timestamp(given) and given.unit == "ns" and pa.types.is_timestamp(type_)
    if given == type_ or (is_nanos and given.tz == type_.tz):
        return array
    if pa.types.is_string(type_):
        return plain_texts(array)
    if pa.types.is_string(given):
        return parser(type_)(array)
    is_number = _is_exact(given) and (_is_exact(type_) or (pa.types.is_integer(given) and pa.types.is_floating(type_)))
    is_wider = given == pa.float32() and type_ == pa.float64()
    if is_number or is_wider or (pa.types.is_date(given) and type_ == MICROS):
        return array.cast(type_)  # raises for what would change
    if given == pa.float64() and type_ == pa.float32():
        return exactly(array, type_)
    raise ValueError(f"{given} does not become {type_} by itself")


def _is_exact(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_decimal(type_))
