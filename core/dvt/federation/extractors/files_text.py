"""Columns of text files as what they are declared to be; a value that is something else is named with its row."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from dvt.connections.object_paths import FilePath
from dvt.errors import DataError
from dvt.federation.stream import ColumnSchema
from dvt.types.text_values import Parser


def typed_texts(
    texts: pa.Array, column: ColumnSchema, parse: Parser, path: FilePath, row_of: Callable[[int], int]
) -> pa.Array:
    """Texts of one column in its type.

    Args:
        texts: As the file has them.
        column: Whose they are.
        parse: Of the column's type.
        path: The file.
        row_of: The number in the file of a text's row.

    Raises:
        DataError: A text is not of the type.
    """
    try:
        return parse(texts)
    except ValueError as error:
        for index in range(len(texts)):
            try:
                parse(texts.slice(index, 1))
            except ValueError:
                value = texts[index].as_py()
                raise DataError(
                    f"{path}: {value[:80]!r} is not of the declared type {column.native_type}",
                    column=column.name,
                    rows=f"row {row_of(index)}",
                    remedy="Mend the value, or declare the column as text",
                ) from error
        raise
