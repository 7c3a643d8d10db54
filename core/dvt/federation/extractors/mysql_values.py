"""From the server's text of values to Arrow: whole columns at once, one by one only to name what cannot be carried."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import DataError
from dvt.federation.stream import ColumnSchema
from dvt.types.decimal_text import decimals_from_text
from dvt.types.mysql import NativeType
from dvt.types.vocabulary import MICROS, is_json, is_uuid

# A date whose month or day is zero; MySQL stores them in its lax modes.
_ZERO_DATE = r"^\d{4}-(00-\d\d|\d\d-00)"
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class ColumnReader:
    """How one column of a result becomes Arrow.

    Args:
        schema: The column as the stream announces it.
        native: Its native type.
        zero_dates: "null" reads zero dates as NULL; "error" refuses them.
    """

    schema: ColumnSchema
    native: NativeType
    zero_dates: str = "error"

    def read(self, raw: pa.Array) -> pa.Array:
        """The carried values of a binary array with the server's text (for bit and binary columns: the bytes).

        Raises:
            DataError: A value cannot be carried; the column and the value are named.
        """
        try:
            return self._cast(raw)
        except ValueError:
            return self._read_carefully(raw)

    def _read_carefully(self, raw: pa.Array) -> pa.Array:
        if self._is_dated and self.zero_dates == "null":
            is_zero = pc.match_substring_regex(raw, _ZERO_DATE)
            raw = pc.if_else(is_zero, pa.scalar(None, raw.type), raw)
            try:
                return self._cast(raw)
            except ValueError:
                pass
        for index in range(len(raw)):
            try:
                self._cast(raw.slice(index, 1))
            except ValueError as error:
                raise self._refusal(raw[index].as_py()) from error
        raise DataError("values cannot be carried together", column=self.schema.name, phase="extract")

    @property
    def _is_dated(self) -> bool:
        return self.native.base in ("date", "datetime", "timestamp")

    def _cast(self, raw: pa.Array) -> pa.Array:
        type_ = self.schema.type
        if self.native.base == "bit":
            return _bits(raw, self.native)
        if pa.types.is_binary(type_):
            return raw
        text = raw.cast(pa.string())  # checks that it is UTF-8
        if pa.types.is_string(type_):
            return text
        if is_json(type_):
            return pa.ExtensionArray.from_storage(type_, text)
        if is_uuid(type_):
            return _uuids(text, type_)
        if pa.types.is_float32(type_):
            # The server was asked for the double: its text of a FLOAT has six digits.
            return text.cast(pa.float64()).cast(pa.float32())
        if pa.types.is_timestamp(type_):
            return text.cast(MICROS).cast(type_) if type_.tz is None else text.cast(MICROS).view(type_)
        if pa.types.is_time(type_):
            # Arrow has no cast from text to time: read it on the first day, where midnight is zero.
            return pc.binary_join_element_wise("1970-01-01", text, " ").cast(MICROS).view(pa.int64()).view(type_)
        if pa.types.is_decimal(type_):
            return decimals_from_text(text, type_)
        return text.cast(type_)

    def _refusal(self, value: bytes) -> DataError:
        shown = value.decode("utf-8", "backslashreplace")
        if len(shown) > _SHOWN_CHARACTERS:
            shown = shown[:_SHOWN_CHARACTERS] + "..."
        remedy = "Cast the column in a query of the source, or mend the value"
        if self._is_dated and "00" in (shown[5:7], shown[8:10]):
            remedy = "Set the connection's option dvt.zero_dates: null to read zero dates as NULL"
        if self.native.base == "time":
            remedy = "Set the connection's option dvt.time_as: text; a time of day ends before 24:00:00"
        return DataError(
            f"value '{shown}' of type {self.native.text} is not a {self.schema.type}",
            column=self.schema.name,
            phase="extract",
            remedy=remedy,
        )


def _bits(raw: pa.Array, native: NativeType) -> pa.Array:
    """BIT(n) arrives as big-endian bytes; carried as its n digits."""
    width = native.parameters[0] if native.parameters else 1
    digits = (None if v is None else format(int.from_bytes(v, "big"), f"0{width}b") for v in raw.to_pylist())
    return pa.array(list(digits), pa.string())


def _uuids(text: pa.Array, type_: pa.DataType) -> pa.Array:
    stored = [None if v is None else bytes.fromhex(v.replace("-", "")) for v in text.to_pylist()]
    return pa.ExtensionArray.from_storage(type_, pa.array(stored, pa.binary(16)))
