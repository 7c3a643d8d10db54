"""The columns of Oracle tables as the catalogue has them, and whether one table's take another's values as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dvt.errors import DataError

COLUMNS = (
    "select column_name, data_type, data_precision, data_scale, data_length, char_length, char_used"
    " from all_tab_columns where owner = :owner and table_name = :name order by column_id"
)
_TEXTS = ("VARCHAR2", "NVARCHAR2", "CLOB", "NCLOB")
# For a type by its first word, those that hold its values, or say that they do not (a text that is too long).
_HOLDING = {
    "VARCHAR2": _TEXTS,
    "NVARCHAR2": _TEXTS,
    "CLOB": ("CLOB", "NCLOB"),
    "NCLOB": ("CLOB", "NCLOB"),
    "NUMBER": ("NUMBER",),
    "BINARY_FLOAT": ("BINARY_FLOAT", "BINARY_DOUBLE"),
    "DATE": ("DATE", "TIMESTAMP"),
    "TIMESTAMP": ("TIMESTAMP",),
    "RAW": ("RAW", "BLOB"),
}


@dataclass(frozen=True)
class NativeColumn:
    """A column of a table.

    Args:
        name: Its name.
        type: Such as "VARCHAR2" or "TIMESTAMP(6) WITH TIME ZONE".
        precision: Digits of a number.
        scale: Digits after its point, or of a moment's second.
        length: Bytes.
        characters: Characters of a text.
        unit: "B" or "C" for what a text's length is counted in.
    """

    name: str
    type: str
    precision: int | None
    scale: int | None
    length: int | None
    characters: int | None
    unit: str | None

    @property
    def base(self) -> str:
        """The type's first word."""
        return self.type.split("(")[0].split(" ")[0]


def require_kept(new: Sequence[NativeColumn], old: Sequence[NativeColumn]) -> None:
    """Raise where an INSERT would pad, round or convert: Oracle does so without a word."""
    there = {column.name.lower(): column for column in old}
    for column in new:
        into = there[column.name.lower()]
        if not _keeps(into, column):
            raise DataError(
                f"the target holds {_said(into)}, the new rows {_said(column)}: values could change",
                column=column.name,
                remedy="Cast it in the model, or run with --full-refresh",
            )


def _keeps(there: NativeColumn, new: NativeColumn) -> bool:
    if there.base not in _HOLDING.get(new.base, (new.base,)):
        return False
    if there.base == "NUMBER":
        return (there.scale or 0) >= min(0, new.scale or 0)
    if there.base == "TIMESTAMP":
        return (there.scale or 0) >= (0 if new.base == "DATE" else new.scale or 0)
    return True


def _said(column: NativeColumn) -> str:
    numbers = [str(number) for number in (column.precision, column.scale) if number is not None]
    return f"{column.type}({','.join(numbers)})" if column.base == "NUMBER" and numbers else column.type
