"""`COPY FROM STDIN (FORMAT binary)` of Arrow batches by the native codec: bytes that take each column's own type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import DataError, InternalError
from dvt.federation.extractors.postgres_raw import speaks_binary
from dvt.federation.loaders.filling import Filling
from dvt.federation.loaders.postgres_encode import ValueUnfitError, as_json, as_text, micros
from dvt.native import library as native
from dvt.native.encoder import HEADER, TRAILER, BinaryEncoder, EncodingProblem
from dvt.types.postgres_native import Encoding, TargetType, encoding

if TYPE_CHECKING:
    import psycopg

# The columns' types, with the base of each domain and the element of each array.
_TYPES = """
with recursive given(number, oid) as (
  select number, to_regtype(name)::oid from unnest(%s::text[]) with ordinality as names(name, number)
), found(number, oid, kind, base, element) as (
  select g.number, t.oid, t.typtype::text, t.typbasetype, case t.typcategory when 'A' then t.typelem else 0 end
  from given g join pg_catalog.pg_type t on t.oid = g.oid
  union all
  select f.number, t.oid, t.typtype::text, t.typbasetype, case t.typcategory when 'A' then t.typelem else 0 end
  from found f join pg_catalog.pg_type t on t.oid = f.base where f.kind = 'd'
)
select f.oid, f.kind = 'e', f.element, coalesce(e.typtype::text, '') from given g
left join found f on f.number = g.number and f.kind <> 'd' left join pg_catalog.pg_type e on e.oid = f.element
order by g.number
"""

_WHY = {
    native.NUL: "a text holds a NUL character, which PostgreSQL does not store",
    native.UNFIT: "an interval has digits below the microsecond, which PostgreSQL does not store",
    native.RANGE: "a date or time is outside of what PostgreSQL carries",
    native.MEMORY: "this machine has no memory left for it",
}
_REMEDY = "Cast or replace the value in the model"


@dataclass(frozen=True)
class BinaryPlan:
    """How a table's columns are written.

    Args:
        names: The columns.
        encodings: One for each.
        library: The native codec.
    """

    names: list[str]
    encodings: list[Encoding]
    library: Any

    def blocks(self, batches: Iterator[pa.RecordBatch]) -> Iterator[memoryview | bytes]:
        """What COPY is to be sent; each block is to be sent before the next is asked for.

        Raises:
            DataError: A value that PostgreSQL cannot hold; the column and the row are named.
        """
        columns = [
            native.Column(kind=e.kind, scale=e.scale, is_list=e.element_oid != 0, element_oid=e.element_oid)
            for e in self.encodings
        ]
        encoder, rows = BinaryEncoder(columns, self.library), 0
        yield HEADER
        for batch in batches:
            try:
                yield from encoder.pieces(self._prepared(batch, rows))
            except EncodingProblem as problem:
                raise self._refusal(batch, problem, rows) from None
            rows += batch.num_rows
        yield TRAILER

    def _prepared(self, batch: pa.RecordBatch, rows: int) -> pa.RecordBatch:
        arrays = []
        for array, wanted, name in zip(batch.columns, self.encodings, self.names, strict=True):
            try:
                arrays.append(_physical(array, wanted))
            except (ValueUnfitError, pa.ArrowInvalid) as error:
                row = rows + _first_unfit(array, wanted) + 1
                raise DataError(str(error), column=name, rows=f"row {row}", phase="load", remedy=_REMEDY) from error
        fields = [pa.field(str(number), array.type) for number, array in enumerate(arrays)]
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))

    def _refusal(self, batch: pa.RecordBatch, problem: EncodingProblem, rows: int) -> DataError:
        why = _WHY.get(problem.code, "it cannot be written")
        if problem.code == native.RANGE:
            why = f"{why}: {as_text(batch.column(problem.column).slice(problem.row, 1))[0].as_py()}"
        row = f"row {rows + problem.row + 1}"
        return DataError(why, column=self.names[problem.column], rows=row, phase="load", remedy=_REMEDY)


def binary_plan(session: psycopg.Connection[Any], filling: Filling) -> BinaryPlan | str:
    """How a table is filled by binary COPY, or why it cannot be."""
    library = native.load()
    if isinstance(library, str):
        return f"the native codec is not there: {library}"
    if not speaks_binary(session):
        return "the server is not PostgreSQL itself with texts in UTF-8"
    encodings = []
    for field, name, target in zip(filling.schema, filling.types, _targets(session, filling.types), strict=True):
        found = None if target is None else encoding(field.type, target)
        if found is None:
            return f"column {field.name}: {field.type} has no safe binary form for {name}"
        encodings.append(found)
    return BinaryPlan(filling.schema.names, encodings, library)


def _targets(session: psycopg.Connection[Any], types: Sequence[str]) -> list[TargetType | None]:
    rows = session.execute(_TYPES, [list(types)]).fetchall() if types else []
    return [
        None
        if oid is None
        # An array of domains, or of arrays, is left to its text.
        else TargetType(oid, is_enum, TargetType(element, kind == "e") if element and kind in "be" else None)
        for oid, is_enum, element, kind in rows
    ]


def _physical(array: pa.Array, wanted: Encoding) -> pa.Array:
    """The values in the Arrow type that the codec reads.

    Raises:
        ValueUnfitError: A value that PostgreSQL cannot hold.
        pyarrow.ArrowInvalid: A whole number that is outside of the column's type.
    """
    type_ = array.type
    if pa.types.is_struct(type_) or pa.types.is_map(type_):
        return pc.if_else(pc.is_null(array), pa.scalar(None, pa.string()), as_json(array))
    if pa.types.is_timestamp(type_):
        return micros(array)
    if isinstance(type_, pa.BaseExtensionType):
        return array.storage
    if type_ == wanted.type:
        return array
    if pa.types.is_list(type_) and pa.types.is_integer(type_.value_type):
        # A cast looks at all elements that are there, also at those of rows that were cut off, or are null.
        return array.take(pa.array(range(len(array)), pa.int64())).cast(wanted.type)
    return array.cast(wanted.type) if pa.types.is_integer(type_) else array


def _first_unfit(array: pa.Array, wanted: Encoding) -> int:
    """The row of a value that was refused."""
    for row in range(len(array)):
        try:
            _physical(array.slice(row, 1), wanted)
        except (ValueUnfitError, pa.ArrowInvalid):
            return row
    raise InternalError("a column was refused, and none of its values is")
