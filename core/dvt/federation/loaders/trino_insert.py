"""INSERTs of many rows: texts of values, and one cast for each column, in pieces that the server takes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import DataError
from dvt.federation.loaders.bundles import bundled
from dvt.federation.loaders.filling import Filling
from dvt.identifiers import quote, quote_all
from dvt.types.landing_texts import named
from dvt.types.trino_landing import is_uncast, trino_literals

_DIALECT = "trino"
_PIECE_BYTES = 4 << 20


def inserts(filling: Filling, most: int) -> Iterator[str]:
    """The statements, each of at most `most` characters as the server counts them: UTF-16's.

    Raises:
        DataError: A row alone is longer, or a value has no place; the column is named.
    """
    head, tail = _frame(filling)
    free = most - len(head) - len(tail)
    sized = (row for batch in filling.batches(_PIECE_BYTES) for row in _rows(batch, filling, free))
    for rows in bundled(sized, free):
        yield "".join([head, ",".join(rows), tail])


def _frame(filling: Filling) -> tuple[str, str]:
    """What stands before and after the rows."""
    names = filling.schema.names
    places = [quote(f"c{place}", _DIALECT) for place in range(1, len(names) + 1)]
    read = (c if is_uncast(type_) else f"cast({c} as {type_})" for c, type_ in zip(places, filling.types, strict=True))
    into = ["insert into", filling.relation.sql(_DIALECT), "(", quote_all(names, _DIALECT), ")"]
    head = " ".join([*into, "select", ", ".join(read), "from (values "])
    return head, " ".join([") as dvt_rows (", ", ".join(places), ")"])


def _rows(batch: pa.RecordBatch, filling: Filling, most: int) -> Iterator[tuple[str, int]]:
    """Each row as a list of literals, and its length with the comma behind it."""
    names = filling.schema.names
    columns = [
        named(partial(trino_literals, native=native), column, name, "Trino")
        for column, name, native in zip(batch.columns, names, filling.types, strict=True)
    ]
    listed = pc.binary_join_element_wise(*columns, ",") if len(columns) > 1 else columns[0]
    for place, text in enumerate(listed.to_pylist()):
        row = f"({text})"
        size = len(row) if row.isascii() else len(row.encode("utf-16-le")) // 2
        if size > most:
            widest = max(range(len(names)), key=lambda each: len(columns[each][place].as_py()))
            raise DataError(
                f"a row takes {size} characters of a statement, which has {most} for it",
                column=names[widest],
                phase="load",
                remedy="Raise query.max-length of the server and dvt.statement_characters, or leave the column out",
            )
        yield row, size + 1
