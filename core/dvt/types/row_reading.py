"""How a column is asked for and its values are read, where a driver gives rows of Python values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.row_values import column_array

_COLUMN = "{c}"


@dataclass(frozen=True)
class RowReading:
    """How the values of a native type are read.

    Args:
        type: The Arrow type that carries them.
        sent: The SQL that asks for a column, with `{c}` for its quoted name.
        prepare: Makes the value that is carried of one that the driver gives; not called for NULL.
        is_padded: Whether blanks at a text's end are padding.
        refused: Why no value of the type can be read; empty when they can.
    """

    type: pa.DataType
    sent: str = _COLUMN
    prepare: Callable[[Any], Any] | None = None
    is_padded: bool = False
    refused: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether a column is asked for by its name."""
        return self.sent == _COLUMN

    def sql(self, quoted: str) -> str:
        """The SQL that asks for a column."""
        return self.sent.replace(_COLUMN, quoted)

    def array(self, values: Sequence[Any]) -> pa.Array:
        """A driver's values as an array.

        Raises:
            ValueError: One is not of the type, or would not be carried exactly.
        """
        if self.prepare is not None:
            values = [None if value is None else self.prepare(value) for value in values]
        return self.trimmed(column_array(values, self.type))

    def trimmed(self, array: pa.Array) -> pa.Array:
        """Texts without their padding."""
        return pc.utf8_rtrim(array, characters=" ") if self.is_padded else array
