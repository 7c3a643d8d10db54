"""Blocks of COPY's CSV as record batches, with a schema that was declared before the first byte came."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as csv

from dvt.errors import DataError
from dvt.federation.extractors.postgres_text import ValueRefusedError, decode
from dvt.federation.stream import ColumnSchema
from dvt.types.float_decimals import decimals, is_read_as_float
from dvt.types.postgres import Carrier
from dvt.types.vocabulary import INTERVAL, is_json, is_uuid

_SHOWN_CHARACTERS = 60
# pyarrow drops a byte order mark at the start of a block, also where it is the first value's: so it is given its own.
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class CsvDecoder:
    """Turns whole CSV rows into record batches of one schema.

    Args:
        columns: The columns that are announced.
        carriers: How each is carried, in the same order.
        relation: What error messages call the source.
    """

    columns: tuple[ColumnSchema, ...]
    carriers: tuple[Carrier, ...]
    relation: str

    def decode(self, rows: list[bytes]) -> pa.RecordBatch:
        """One block of whole CSV rows as a batch.

        Raises:
            DataError: A value does not fit its Arrow type; column and value are named.
        """
        data = b"".join((_MARK, *rows))
        try:
            parsed = self._parse(data, [_csv_type(carrier) for carrier in self.carriers])
            pairs = zip(parsed.columns, self.carriers, strict=True)
            arrays = [_exact(_contiguous(column), carrier) for column, carrier in pairs]
        except pa.ArrowInvalid:
            # Infinity, years before Christ, NaN in a decimal, ...: this block goes column by column.
            parsed = self._parse(data, [pa.binary()] * len(self.carriers))
            return self.decode_texts([_contiguous(array) for array in parsed.columns])
        return self.assemble(arrays)

    def decode_texts(self, texts: list[pa.Array]) -> pa.RecordBatch:
        """A batch from the server's text output, one binary array per column."""
        pairs = zip(texts, self.columns, strict=True)
        return self.assemble([self._checked(array, column) for array, column in pairs])

    def assemble(self, texts: list[pa.Array]) -> pa.RecordBatch:
        """A batch from columns of which some are still text."""
        arrays = [
            self._column(array, column, carrier)
            for array, column, carrier in zip(texts, self.columns, self.carriers, strict=True)
        ]
        fields = [pa.field(column.name, column.type, column.nullable) for column in self.columns]
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))

    def _column(self, array: pa.Array, column: ColumnSchema, carrier: Carrier) -> pa.Array:
        if array.type == carrier.type and not carrier.is_padded:
            return array
        try:
            return decode(array, carrier)
        except ValueRefusedError as error:
            raise self.refused(column, error.value, error.why) from error

    def refused(self, column: ColumnSchema, value: str, why: str) -> DataError:
        """The error for a value that Arrow's type cannot carry."""
        shown = value if len(value) <= _SHOWN_CHARACTERS else value[:_SHOWN_CHARACTERS] + "..."
        return DataError(
            f"value {shown!r} of type {column.native_type}: {why}",
            relation=self.relation,
            column=column.name,
            phase="extract",
            remedy="Cast the column in a query or view of the source, for example to text",
        )

    def not_utf8(self, column: ColumnSchema) -> DataError:
        """The error for a text that is none."""
        return DataError(
            "the text is not valid UTF-8",
            relation=self.relation,
            column=column.name,
            phase="extract",
            remedy="The database has no encoding (SQL_ASCII): convert the column with convert_from in a view",
        )

    def _checked(self, array: pa.Array, column: ColumnSchema) -> pa.Array:
        try:
            return array.cast(pa.string())
        except pa.ArrowInvalid as error:
            raise self.not_utf8(column) from error

    def _parse(self, data: bytes, types: list[pa.DataType]) -> pa.Table:
        # Columns are numbered, because pyarrow needs distinct names and knows no empty or odd ones.
        names = [str(number) for number in range(len(types))]
        return csv.read_csv(
            pa.BufferReader(data),
            read_options=csv.ReadOptions(column_names=names, block_size=len(data) + 1),
            parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=dict(zip(names, types, strict=True)),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )


def _csv_type(carrier: Carrier) -> pa.DataType:
    """The type as which pyarrow's CSV reader reads a column: its own where it is exact, else text."""
    type_ = carrier.type
    is_text = (
        carrier.element is not None
        or carrier.is_rescaled
        or is_uuid(type_)
        or is_json(type_)
        or type_ == INTERVAL
        or pa.types.is_binary(type_)
        or pa.types.is_string(type_)
    )
    if is_text:
        return pa.string()
    return pa.float64() if is_read_as_float(type_) else type_


def _exact(array: pa.Array, carrier: Carrier) -> pa.Array:
    """A parsed column; what was parsed as floats for speed becomes decimals again."""
    is_by_way_of_floats = pa.types.is_floating(array.type) and is_read_as_float(carrier.type)
    return decimals(array, carrier.type) if is_by_way_of_floats else array


def _contiguous(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
