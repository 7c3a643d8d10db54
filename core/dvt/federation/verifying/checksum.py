"""The checksum of rows: what is compared, column by column, and the one that is reckoned while rows pass."""

from __future__ import annotations

import hashlib
import sys
from array import array as machine_array
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from dvt.federation.hashing.client import row_texts

# Sums have far fewer digits than this.
_EXACT = Context(prec=100)
_MODULUS = 2**64


@dataclass(frozen=True)
class Compared:
    """One column, and how it is compared.

    Args:
        name: Its name where it was read, and where it landed.
        type: The type with which it was read.
        scale: Digits after the point of what is summed; None for a column that is not summed.
        is_hashed: Whether it is part of the rows' hash.
        lands_as: The type whose words give the text of what landed; it is another one where the engine has not this.
    """

    name: str
    type: pa.DataType
    scale: int | None = None
    is_hashed: bool = False
    lands_as: pa.DataType | None = None


@dataclass
class Checksum:
    """Of some rows.

    Args:
        rows: How many.
        present: By column, how many are not NULL.
        sums: By column that is summed, the sum; 0 of none.
        halves: The sums, modulo 2**64, of the first and second eight hexadecimal digits of the rows' MD5.
    """

    rows: int = 0
    present: dict[str, int] = field(default_factory=dict)
    sums: dict[str, Decimal] = field(default_factory=dict)
    halves: tuple[int, int] = (0, 0)

    def differences(self, other: Checksum) -> list[str]:
        """What is not the same, in words: this is what was sent, the other what is there."""
        found = [f"{self.rows} rows were sent, {other.rows} are there"] if self.rows != other.rows else []
        for name, sent in self.present.items():
            if sent != other.present[name]:
                found.append(f"column {name}: {sent} values were sent, {other.present[name]} are there")
        for name, total in self.sums.items():
            if total != other.sums[name]:
                found.append(f"column {name}: the values sent add up to {total}, those there to {other.sums[name]}")
        if not found and self.halves != other.halves:
            found.append("the rows' hashes do not add up to the same")
        return found


class Tally:
    """The checksum of batches as they pass."""

    def __init__(self, columns: Sequence[Compared]) -> None:
        self._columns = columns
        self._hashed = [column.name for column in columns if column.is_hashed]
        self.checksum = Checksum(
            present={column.name: 0 for column in columns},
            sums={column.name: Decimal(0) for column in columns if column.scale is not None},
        )

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch in."""
        found = self.checksum
        found.rows += batch.num_rows
        for column in self._columns:
            array = batch.column(column.name)
            found.present[column.name] += len(array) - array.null_count
            if column.scale is not None:
                found.sums[column.name] = _EXACT.add(found.sums[column.name], _total(array))
        if self._hashed:
            first, second = _halves(_as_landed(batch, self._columns), self._hashed)
            found.halves = (found.halves[0] + first) % _MODULUS, (found.halves[1] + second) % _MODULUS


def _total(array: pa.Array) -> Decimal:
    if pa.types.is_integer(array.type):
        array = array.cast(pa.decimal128(20, 0))
    return pc.sum(array).as_py() or Decimal(0)


def _as_landed(batch: pa.RecordBatch, columns: Sequence[Compared]) -> pa.RecordBatch:
    """Truth values as numbers where they land as such: everything else has the text of what it becomes."""
    for column in columns:
        if column.lands_as == pa.int8() and pa.types.is_boolean(column.type):
            place = batch.schema.get_field_index(column.name)
            batch = batch.set_column(place, column.name, batch.column(place).cast(pa.int8()))
    return batch


def _halves(batch: pa.RecordBatch, names: Sequence[str]) -> tuple[int, int]:
    texts = row_texts(batch, names).to_pylist()
    digests = b"".join(hashlib.md5(text.encode(), usedforsecurity=False).digest() for text in texts)
    numbers = machine_array("I", digests)  # four of each digest
    if sys.byteorder == "little":
        numbers.byteswap()
    return sum(numbers[0::4]), sum(numbers[1::4])
