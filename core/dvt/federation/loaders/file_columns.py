"""A result's columns as the files of a load have them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from dvt.types.landing_texts import named

if TYPE_CHECKING:
    from dvt.federation.loaders.filling import Filling

Values = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True)
class FileColumns:
    """How each column goes into a file, by its place. It can be pickled: processes beside dvt make the same files.

    Args:
        schema: The files'.
        values: Makes a file's column of the stream's, or raises ValueError for a value that has no place; functions of
            a module, or parts of such.
        names: Of the stream's columns, for messages.
        engine: The target's name, for messages.
    """

    schema: pa.Schema
    values: tuple[Values, ...]
    names: tuple[str, ...]
    engine: str

    @classmethod
    def of(
        cls, types: Iterable[pa.DataType], values: Iterable[Values], names: Iterable[str], engine: str
    ) -> FileColumns:
        """Columns under names of ours (`c0`), for engines that are told what they are by their places."""
        schema = pa.schema([(own_name(place), type_) for place, type_ in enumerate(types)])
        return cls(schema, tuple(values), tuple(names), engine)

    @classmethod
    def by_native(cls, convert: Callable[..., pa.Array], filling: Filling, engine: str) -> FileColumns:
        """Columns that one function makes, `convert(array, native=...)`; their types are those that it gives."""
        values = [partial(convert, native=native) for native in filling.types]
        given = zip(values, filling.schema, strict=True)
        types = [named(each, pa.array([], field.type), field.name, engine).type for each, field in given]
        return cls.of(types, values, filling.schema.names, engine)

    def under(self, names: Sequence[str]) -> FileColumns:
        """The same under other names."""
        schema = pa.schema([field.with_name(name) for field, name in zip(self.schema, names, strict=True)])
        return replace(self, schema=schema)

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of the stream as a file has them.

        Raises:
            DataError: A value has no place; the column is named.
        """
        given = zip(self.values, batch.columns, self.names, strict=True)
        arrays = [named(values, array, name, self.engine) for values, array, name in given]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def own_name(place: int) -> str:
    """The name of a column in files and in tables over them: a plain word, which no engine wants quoted.

    >>> own_name(0)
    'c0'
    """
    return f"c{place}"
