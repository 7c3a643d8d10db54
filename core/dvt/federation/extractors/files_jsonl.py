"""JSON lines as one stream: every value is read as the text that stands there, then as the column's type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from dvt.connections.object_paths import FilePath, open_input
from dvt.errors import DataError
from dvt.federation.extractors.files_text import typed_texts
from dvt.federation.stream import ColumnSchema
from dvt.types.declared import declared_arrow_type
from dvt.types.json_lines import Kinds, fields, kinds_decoder, plain_decoder, raw_fields
from dvt.types.text_values import parser
from dvt.types.vocabulary import is_json

_BLOCK_BYTES = 1 << 20
_BATCH_BYTES = 4 << 20
_BOM = b"\xef\xbb\xbf"


def json_columns(files: Sequence[FilePath], declared: Mapping[str, str], most_bytes: int) -> list[ColumnSchema]:
    """The columns of all rows of all files, which are read for it, in the order in which they first occur.

    A column that is declared has that type; others have the type that all of their values have.

    Args:
        files: Read to their ends.
        declared: Types by column.
        most_bytes: Largest row.

    Raises:
        DataError: A line is no JSON object; or there is no row, and nothing is declared.
    """
    kinds: dict[str, Kinds] = {}
    for path in files:
        with open_input(path) as file:
            for number, line in _lines(file, path, most_bytes):
                for name, value in _read(fields, line, kinds_decoder(), path, number).items():
                    kinds.setdefault(name, Kinds()).add(value)
    for name in declared:
        kinds.setdefault(name, Kinds())
    if not kinds:
        raise DataError(
            f"{files[0]} has no rows, which would tell the columns", remedy="Declare the columns in the source"
        )
    types = {name: declared_arrow_type(declared[name], name) if declared.get(name) else kinds[name].type
             for name in kinds}  # fmt: skip
    return [
        ColumnSchema(name, type_, True, declared.get(name) or ("null" if kinds[name].is_empty else str(type_)))
        for name, type_ in types.items()
    ]


def json_batches(
    path: FilePath, columns: list[ColumnSchema], most_bytes: int, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """One file's rows with these columns; what a row does not name is NULL."""
    schema = pa.schema([pa.field(column.name, column.type) for column in columns])
    parsers = [parser(column.type) for column in columns]
    kept = {column.name for column in columns if is_json(column.type)}
    take = _taking([column.name for column in columns], kept)
    decoder = plain_decoder()
    with open_input(path) as file:
        numbers: list[int] = []
        rows: list[list[str | None]] = []
        held = 0

        def batch() -> pa.RecordBatch:
            texts = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
            each = zip(texts, columns, parsers, strict=True)
            arrays = [typed_texts(*one, path, numbers.__getitem__) for one in each]
            return pa.RecordBatch.from_arrays(arrays, schema=schema)

        for number, line in _lines(file, path, most_bytes):
            rows.append(_read(take, line, decoder, path, number))
            numbers.append(number)
            held += len(line)
            if len(rows) >= batch_rows or held >= _BATCH_BYTES:
                yield batch()
                numbers, rows, held = [], [], 0
        if rows:
            yield batch()


def _taking(names: list[str], kept: set[str]) -> Callable[[str, Any], list[str | None]]:
    """A function that takes the columns' texts out of a line; of some the JSON as it stands."""

    def take(line: str, decoder: Any) -> list[str | None]:
        if not kept:
            found = fields(line, decoder)
            values = [found.get(name) for name in names]
            if all(value is None or type(value) is str for value in values):
                return values
        raw = raw_fields(line, decoder)
        return [_text(*raw.get(name, (None, "")), is_kept=name in kept) for name in names]

    return take


def _text(value: Any, raw: str, *, is_kept: bool) -> str | None:
    if value is None:
        return None
    return raw if is_kept or type(value) is not str else value


def _read(read: Callable[[str, Any], Any], line: bytes, decoder: Any, path: FilePath, number: int) -> Any:
    try:
        return read(line.decode(), decoder)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error}", rows=f"line {number}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: the line is no JSON object: {error}", rows=f"line {number}", remedy="Mend the line"
        ) from error


def _lines(file: pa.NativeFile, path: FilePath, most_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers."""
    rest, number = b"", 0
    while block := file.read(_BLOCK_BYTES):
        if not number and not rest:
            block = block.removeprefix(_BOM)
        *whole, rest = (rest + block).split(b"\n")
        if max(map(len, (*whole, rest))) > most_bytes:
            raise DataError(f"{path}: a row is larger than a block", remedy="Raise dvt.block_bytes")
        for line in whole:
            number += 1
            if line.strip():
                yield number, line
    if rest.strip():
        yield number + 1, rest
