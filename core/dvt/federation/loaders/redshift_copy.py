"""The two ways of rows into a Redshift table: COPY of Parquet files in a bucket, and INSERT of many rows."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import DataError
from dvt.federation.extractors.redshift_unload import literal
from dvt.federation.loaders.bucket_files import BucketFiles
from dvt.federation.loaders.bundles import bundled
from dvt.federation.loaders.file_columns import FileColumns
from dvt.federation.loaders.filling import Filling
from dvt.identifiers import quote, quote_all
from dvt.types.landing_texts import named
from dvt.types.redshift_landing import Sent, sent

Run = Callable[[str], Any]

# A statement has at most 16 MB; much shorter ones are compiled faster.
_MOST_BYTES, _USUAL_BYTES = 16 << 20, 1 << 20
_PIECE_BYTES = 16 << 20


def columns_of(filling: Filling) -> list[Sent]:
    """How each column is sent; the types were looked at before."""
    found = [sent(native) for native in filling.types]
    return [column for column in found if column is not None]


def file_columns(filling: Filling) -> FileColumns:
    """The rows as Redshift's types have them; COPY goes by the columns' places."""
    columns = columns_of(filling)
    return FileColumns.of((c.type for c in columns), (c.values for c in columns), filling.schema.names, "Redshift")


def copy(filling: Filling, files: BucketFiles, authorization: str, run: Run) -> None:
    """Let the cluster read the files, which a manifest lists.

    COPY has no Parquet form for TIME, and a text stays a text in SUPER: where there are such columns, the files are
    copied into a temporary table, from which a query makes the values.
    """
    columns = columns_of(filling)
    manifest = _write_manifest(files)
    source = ["from", literal(manifest), authorization, "format as parquet manifest"]
    target = filling.relation.sql("redshift")
    if not any(column.made_by for column in columns):
        run(" ".join(["copy", target, *source]))
        return
    raw = quote(f"dvt_raw_{uuid.uuid4().hex[:12]}", "redshift")
    types = ", ".join(f"c{index} {_copied_as(column)}" for index, column in enumerate(columns))
    made = ", ".join((column.made_by or "{}").format(f"c{index}") for index, column in enumerate(columns))
    run(" ".join(["create temporary table", raw, "(", types, ")"]))
    run(" ".join(["copy", raw, *source]))
    run(
        " ".join(["insert into", target, "(", quote_all(filling.schema.names, "redshift"), ") select", made])
        + f" from {raw}"
    )
    run(" ".join(["drop table", raw]))


def _copied_as(column: Sent) -> str:
    return "varchar(65535)" if column.made_by else column.native


def _write_manifest(files: BucketFiles) -> str:
    """The list of the files. For Parquet their sizes have to stand in it; a file that is missing fails the COPY."""
    entries = [{"url": file.url, "mandatory": True, "meta": {"content_length": file.bytes}} for file in files.written]
    folder = files.folder
    with folder.guarded(), folder.filesystem.open_output_stream(f"{folder.path}/manifest.json") as file:
        file.write(json.dumps({"entries": entries}).encode())
    return f"{folder.url}manifest.json"


def insert(filling: Filling, run: Run) -> int:
    """Send the rows as INSERTs of many rows, and give the bytes of the statements."""
    columns, names = columns_of(filling), filling.schema.names
    listed = quote_all(names, "redshift")
    head = " ".join(["insert into", filling.relation.sql("redshift"), "(", listed, ") values\n"])
    total = 0
    for batch in map(file_columns(filling).batch, filling.batches(_PIECE_BYTES)):
        for rows in bundled(_rows(batch, columns, names), _USUAL_BYTES):
            filling.check()
            statement = head + ",\n".join(rows)
            run(statement)
            total += len(statement)
    return total


def _rows(batch: pa.RecordBatch, columns: Sequence[Sent], names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Each row in parentheses, with its bytes."""
    literals = [
        named(partial(column.literals), array, name, "Redshift")
        for column, array, name in zip(columns, batch.columns, names, strict=True)
    ]
    rows = pc.binary_join_element_wise("(", pc.binary_join_element_wise(*literals, ", "), ")", "")
    for row, length in zip(rows.to_pylist(), pc.binary_length(rows).to_pylist(), strict=True):
        if length > _MOST_BYTES - _USUAL_BYTES:
            raise DataError(
                f"a row of {length} bytes is too long for a statement of Redshift's",
                phase="load",
                remedy="Set dvt.load_through, so that rows come as files",
            )
        yield row, length
