"""How rows get into a private table of Databricks: as Parquet that COPY INTO takes, or as one bound value of an INSERT.

Both give each column in text or in the Arrow type of its native one, under a name of ours, and cast it explicitly, so
that nothing is inferred.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from dvt.errors import UnsupportedError
from dvt.federation.loaders.file_columns import FileColumns, own_name
from dvt.federation.loaders.filling import Filling
from dvt.identifiers import quote, quote_all
from dvt.types.databricks_landing import carrier, sent
from dvt.types.landing_texts import plain_texts

_DIALECT = "databricks"
_FILE_BYTES = 32 << 20
_BATCH_BYTES = 8 << 20
DOCUMENT_BYTES = 1 << 20
# Files are by Arrow, whose days are of the one calendar; COPY INTO would take those before 1582 to be of the other.
_FORMAT = "format_options ('datetimeRebaseMode' = 'CORRECTED', 'mergeSchema' = 'false')"
_STRICT = "map('mode', 'FAILFAST')"


def parquet_files(filling: Filling) -> Iterator[bytes]:
    """The rows as Parquet files of some megabytes each; none where there are no rows."""
    columns = file_columns(filling)
    sink, writer = io.BytesIO(), None
    for batch in filling.batches(_BATCH_BYTES):
        if writer is None:
            sink = io.BytesIO()
            writer = pq.ParquetWriter(sink, columns.schema, compression="zstd")
        writer.write_batch(columns.batch(batch))
        if sink.tell() >= _FILE_BYTES:
            writer.close()
            writer = None
            yield sink.getvalue()
    if writer is not None:
        writer.close()
        yield sink.getvalue()


def file_columns(filling: Filling) -> FileColumns:
    """The columns of files in a bucket."""
    values = [partial(sent, native=native) for native in filling.types]
    return FileColumns.of(map(_carried, filling.types), values, filling.schema.names, "Databricks")


def _carried(native: str) -> pa.DataType:
    return carrier(native) or pa.string()


def copy_sql(filling: Filling, folder: str, files: Sequence[str]) -> str:
    """COPY INTO of just these files."""
    columns = zip(filling.schema.names, filling.types, strict=True)
    casts = [f"cast({own_name(at)} as {_cast_to(native)}) as {quote(name, _DIALECT)}"
             for at, (name, native) in enumerate(columns)]  # fmt: skip
    source = ["from ( select", ", ".join(casts), "from", literal(folder), ")"]
    listed = ["files = (", ", ".join(map(literal, files)), ")"]
    target = filling.relation.sql(_DIALECT)
    return " ".join(["copy into", target, *source, "fileformat = parquet", *listed, _FORMAT])


def insert_sql(filling: Filling) -> str:
    """INSERT of the rows of a JSON document that is bound as `rows`."""
    natives = filling.types
    struct = literal(f"array<struct<{', '.join(f'{own_name(at)}: string' for at in range(len(natives)))}>>")
    values = [
        f"unhex({own_name(at)})" if carrier(native) == pa.binary() else f"cast({own_name(at)} as {_cast_to(native)})"
        for at, native in enumerate(natives)
    ]
    into = ["insert into", filling.relation.sql(_DIALECT), "(", quote_all(filling.schema.names, _DIALECT), ")"]
    read = ["from inline(from_json(:rows,", struct, ",", _STRICT, "))"]
    return " ".join(map(str, [*into, "select", ", ".join(values), *read]))


def documents(filling: Filling) -> Iterator[tuple[str, int]]:
    """The rows as JSON documents of about a megabyte each, with their numbers of rows.

    Raises:
        UnsupportedError: A column is nested: what `from_json` makes of numbers and moments within is its own.
    """
    for field, native in zip(filling.schema, filling.types, strict=True):
        if pa.types.is_nested(carrier(native) or pa.null()):
            raise UnsupportedError(
                f"{native} is loaded through a volume only",
                column=field.name,
                phase="load",
                remedy="Give the output `dvt: {volume: /Volumes/catalog/schema/volume}`, or cast the column to text",
            )
    columns = file_columns(filling)
    for batch in filling.batches(DOCUMENT_BYTES):
        texts = [_texts(column) for column in columns.batch(batch).columns]
        rows = [dict(zip(columns.schema.names, values, strict=True)) for values in zip(*texts, strict=True)]
        yield json.dumps(rows, ensure_ascii=False, separators=(",", ":")), batch.num_rows


def literal(text: str) -> str:
    """A text as Databricks reads it."""
    return exp.Literal.string(text).sql(dialect=_DIALECT)


def _texts(array: pa.Array) -> list[str | None]:
    if pa.types.is_binary(array.type):
        return [None if value is None else value.hex() for value in array.to_pylist()]
    found: list[str | None] = plain_texts(array).to_pylist()
    return found


def _cast_to(native: str) -> str:
    """A text of a limited length is not cast, since that cuts it; the table itself refuses one that is too long."""
    return "string" if carrier(native) == pa.string() else native
