"""Whether a target that stays can take the new rows' columns without changing a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from dvt.errors import DataError
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation, quote

if TYPE_CHECKING:
    from dvt.federation.loaders.sql import SQLLoader


def common_columns(new: Sequence[ColumnSchema], old: Sequence[ColumnSchema]) -> list[str]:
    """The new rows' columns by the target's names.

    Raises:
        DataError: The target has not one of them, or holds fewer values of it than may come.
    """
    known = {column.name: column for column in old}
    folded = {column.name.lower(): column for column in old}
    names = []
    for column in new:
        there = known.get(column.name) or folded.get(column.name.lower())
        if there is None:
            raise DataError(
                f"the target has no column {column.name!r}",
                column=column.name,
                remedy="Add it to the target, or run with --full-refresh",
            )
        if not holds(there.type, column.type):
            raise DataError(
                f"the target holds {there.native_type or there.type}, the new rows"
                f" {column.native_type or column.type}: values could change",
                column=column.name,
                remedy="Cast it in the model, or run with --full-refresh",
            )
        names.append(there.name)
    return names


def holds(there: pa.DataType, new: pa.DataType) -> bool:
    """Whether a type has every value of another one.

    >>> holds(pa.int64(), pa.int16()), holds(pa.decimal128(10, 2), pa.decimal128(10, 3)), holds(pa.int64(), pa.uint64())
    (True, False, False)
    """
    if there == new or pa.types.is_null(new):
        return True
    if pa.types.is_decimal(there):
        digits = _whole_digits(new)
        return digits is not None and digits <= there.precision - there.scale and _scale(new) <= there.scale
    if pa.types.is_integer(there) and pa.types.is_integer(new):
        is_wide_enough = there.bit_width > new.bit_width or (
            there.bit_width == new.bit_width and _is_signed(there) == _is_signed(new)
        )
        return is_wide_enough and (_is_signed(there) or not _is_signed(new))
    if pa.types.is_floating(there):
        if pa.types.is_floating(new):
            return bool(there.bit_width >= new.bit_width)
        return bool(pa.types.is_integer(new) and new.bit_width < (32 if there.bit_width == 32 else 64))
    return False


def require_length_of(
    loader: SQLLoader, private: Relation, column: str, most: int, measure: str = "octet_length"
) -> None:
    """Raise where a staged text is longer than the target's column: some engines cut blanks, and say nothing."""
    name = quote(column, loader.dialect)
    sql = ["select max(", f"{measure}({name})", ") from", private.sql(loader.dialect)]
    longest = loader.rows(" ".join(sql))[0][0]
    if longest is not None and int(longest) > most:
        raise DataError(
            f"a value is {longest} long, and the target takes {most}",
            column=column,
            remedy="Shorten it in the model, or run with --full-refresh",
        )


def _is_signed(type_: pa.DataType) -> bool:
    return bool(pa.types.is_signed_integer(type_))


def _whole_digits(type_: pa.DataType) -> int | None:
    if pa.types.is_decimal(type_):
        return int(type_.precision - type_.scale)
    return {8: 3, 16: 5, 32: 10, 64: 20}[type_.bit_width] if pa.types.is_integer(type_) else None


def _scale(type_: pa.DataType) -> int:
    return int(type_.scale) if pa.types.is_decimal(type_) else 0
