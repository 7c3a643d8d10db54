"""CSV files as one stream: every value is read as text, then as the type that the project declares."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.csv as pacsv

from dvt.connections.files import CsvOptions
from dvt.connections.object_paths import FilePath, open_input
from dvt.errors import ConfigurationError, DataError
from dvt.federation.extractors.files_text import typed_texts
from dvt.federation.stream import ColumnSchema
from dvt.types.declared import declared_arrow_type
from dvt.types.text_values import parser


def csv_columns(files: Sequence[FilePath], declared: Mapping[str, str], options: CsvOptions) -> list[ColumnSchema]:
    """The columns by the header, or by the declaration where there is no header; text where nothing is declared.

    Raises:
        DataError: A header names a column twice, or the files' headers differ.
    """
    if not options.header:
        if not declared:
            raise ConfigurationError(
                "the file has no header and no columns are declared", remedy="Declare the columns in the source"
            )
        names = list(declared)
    else:
        names = _header(files[0], options)
        for path in files[1:]:
            if sorted(_header(path, options)) != sorted(names):
                raise DataError(f"the header of {path} names other columns than that of {files[0]}")
    types = {name: declared_arrow_type(declared[name], name) if declared.get(name) else pa.string() for name in names}
    return [ColumnSchema(name, types[name], True, declared.get(name) or "text") for name in names]


def csv_batches(
    path: FilePath, columns: list[ColumnSchema], all_names: list[str], options: CsvOptions, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """One file's rows with these columns.

    Args:
        path: The file.
        columns: The columns wanted.
        all_names: The names of all columns, in order, where there is no header.
        options: How the file is written.
        batch_rows: Rows in one batch, at most.
    """
    schema = pa.schema([pa.field(column.name, column.type) for column in columns])
    parsers = {column.name: parser(column.type) for column in columns}
    first_row = 1
    with open_input(path) as file:
        names, has_rows = _head(file, path, options, all_names)
        if not has_rows:
            return
        file.seek(0)
        try:
            with _open(file, names, [column.name for column in columns], options) as reader:
                for block in reader:
                    for start in range(0, block.num_rows, batch_rows):
                        part = block.slice(start, batch_rows)
                        at = first_row.__add__
                        texts = [part.column(part.schema.get_field_index(column.name)) for column in columns]
                        arrays = [
                            typed_texts(column_texts, column, parsers[column.name], path, at)
                            for column_texts, column in zip(texts, columns, strict=True)
                        ]
                        first_row += part.num_rows
                        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        except pa.ArrowInvalid as error:
            raise _refusal(error, path, names) from error


def _open(file: pa.NativeFile, names: list[str], wanted: list[str], options: CsvOptions) -> pacsv.CSVStreamingReader:
    return pacsv.open_csv(
        file,
        read_options=pacsv.ReadOptions(
            use_threads=False,  # errors then name the row
            block_size=options.block_bytes,
            encoding=options.encoding,
            column_names=None if options.header else names,
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=options.delimiter,
            quote_char=options.quote,
            newlines_in_values=True,
            ignore_empty_lines=len(names) > 1,  # in a single column an empty line is a NULL
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={name: pa.string() for name in (*names, *wanted)},
            include_columns=wanted,
            include_missing_columns=options.may_lack_columns,  # they are NULL
            null_values=[options.null_text],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _header(path: FilePath, options: CsvOptions) -> list[str]:
    with open_input(path) as file:
        return _head(file, path, options, [])[0]


def _head(file: pa.NativeFile, path: FilePath, options: CsvOptions, names: list[str]) -> tuple[list[str], bool]:
    """The column names, and whether anything follows the header."""
    encoding = "utf-8-sig" if options.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else options.encoding
    try:
        text = io.TextIOWrapper(file, encoding=encoding, newline="")
    except LookupError as error:
        raise ConfigurationError(f"unknown encoding '{options.encoding}'", remedy="Correct dvt.encoding") from error
    try:
        if not options.header:
            return names, bool(text.read(1))
        found = next(csv.reader(text, delimiter=options.delimiter, quotechar=options.quote, strict=True), None)
        if not found:
            raise DataError(f"{path} is empty: it has no header", remedy="Write a header, or set dvt.header: false")
        if len(set(found)) != len(found):
            double = next(name for name in found if found.count(name) > 1)
            raise DataError(f"the header of {path} names a column twice", column=double, remedy="Rename one")
        return found, bool(text.read(1))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not {options.encoding}: {error}", remedy="Set dvt.encoding") from error
    except csv.Error as error:
        raise DataError(f"the header of {path} cannot be read: {error}") from error
    finally:
        text.detach()


def _refusal(error: pa.ArrowInvalid, path: FilePath, names: list[str]) -> DataError:
    text = str(error)
    remedy = None
    if "straddling" in text:
        text, remedy = "a row is larger than a block", "Raise dvt.block_bytes"
    elif "invalid UTF8" in text:
        remedy = "Set dvt.encoding"
    number = re.search(r"In CSV column #(\d+)", text)
    column = names[int(number[1])] if number and int(number[1]) < len(names) else None
    row = re.search(r"Row #(\d+)", text)
    return DataError(f"{path}: {text}", column=column, rows=f"line {row[1]}" if row else None, remedy=remedy)
