"""Rows into a Teradata table by the driver's FastLoad, by way of a staging table in which no two rows are equal.

FastLoad wants an empty table without secondary indexes, drops rows that are equal in all columns, takes a column's type
from the first row, and goes on past rows that do not fit (the driver's "FastLoad" chapter). So the rows have a running
number in the staging table, each batch begins with a row of samples, whose number is negative, errors are asked for,
and rows are counted. One INSERT ... SELECT brings the named columns into the private table.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.teradata_errors import told_words
from dvt.errors import DataError
from dvt.federation.loaders.filling import Filling
from dvt.identifiers import Relation, quote_all
from dvt.types.landing_texts import named
from dvt.types.teradata_landing import Binding, is_fastloaded

Rows = Callable[..., list[Sequence[Any]]]

# A batch is held as Python objects, and spread over the driver's sessions.
BATCH_BYTES = 4 << 20
_NATIVE = "{fn teradata_nativesql}"
_NUMBER = "dvt_row"
_ODD = re.compile(r"[^A-Za-z0-9_]")
_NAME_CHARACTERS = 64
_OWN_NAME = re.compile(r"(?i)\bdvt_c(\d+)\b")
_REMEDY = "Mend it in the model, or set dvt.load_with to insert"


def why_not(connection: Connection, filling: Filling) -> str | None:
    """What is missing for it; None where nothing is."""
    if str(connection.first("sip_support", default="true")).lower() == "false":
        return "FastLoad needs sip_support, which the output turns off"
    for name, native in zip(filling.schema.names, filling.types, strict=True):
        if not is_fastloaded(native):
            return f"column {name}: {native} is not for FastLoad"
    return None


def staging_of(private: Relation) -> Relation:
    """The staging table's place: plain letters, because the driver makes the names of the error tables of it."""
    plain = _ODD.sub("_", private.name)[-_NAME_CHARACTERS:]
    return private.sibling(f"{plain}_{uuid.uuid4().hex[:8]}_fl")


def tables_of(staging: Relation) -> list[Relation]:
    """The staging table, and the error tables that the driver makes beside it."""
    return [staging, *(staging.sibling(staging.name + ending) for ending in ("_ERR_1", "_ERR_2"))]


class FastLoad:
    """One FastLoad.

    Args:
        filling: The private table.
        staging: Where the staging table is to be.
        rows: Runs one request, with the rows that are bound, and gives the rows of its result.
    """

    def __init__(self, filling: Filling, staging: Relation, rows: Rows) -> None:
        self._filling, self._staging, self._rows = filling, staging, rows
        self._bindings = [Binding(native) for native in filling.types]
        self._columns = [f"dvt_c{place}" for place in range(len(filling.types))]
        names = quote_all([_NUMBER, *self._columns], "teradata")
        marks = ", ".join("?" * (len(self._columns) + 1))
        words = ["insert into", staging.sql("teradata"), "(", names, ") values (", marks, ")"]
        self._insert = "{fn teradata_require_fastload}" + " ".join(words)
        self._sent = self._batches = 0
        self._warnings = ""

    def create_sql(self) -> str:
        """CREATE TABLE of the staging table, whose rows the running number spreads."""
        listed = zip([_NUMBER, *self._columns], ["bigint not null", *self._filling.types], strict=True)
        columns = ", ".join(f"{quote_all([name], 'teradata')} {native}" for name, native in listed)
        number = quote_all([_NUMBER], "teradata")
        made = ["create multiset table", self._staging.sql("teradata"), "(", columns, ") primary index (", number, ")"]
        return " ".join(made)

    def send(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Send the rows; the transaction stays open.

        Raises:
            DataError: A value has no place, or the database refused rows of a batch.
        """
        names = self._filling.schema.names
        for batch in batches:
            given = zip(self._bindings, batch.columns, names, strict=True)
            values = [named(binding.values, column, name, "Teradata") for binding, column, name in given]
            first = self._sent + 1
            self._sent += batch.num_rows
            self._batches += 1
            samples = [-self._batches, *(binding.sample for binding in self._bindings)]
            numbered = zip(range(first, self._sent + 1), *values, strict=True)
            self._rows(self._insert, [samples, *(list(row) for row in numbered)])
            self._require_no_errors(f"rows {first}-{self._sent}")

    def require_applied(self) -> None:
        """Right after the commit: raise for rows that the database refused as it put them into the table."""
        self._require_no_errors(None)
        self._warnings = self._told("teradata_get_warnings")

    def require_all(self) -> None:
        """Count the rows, when each statement commits by itself again."""
        counted = ["select count(*) from", self._staging.sql("teradata"), "where", self._is_row]
        kept = int(self._rows(" ".join(counted))[0][0])
        if kept != self._sent:
            raise DataError(f"FastLoad kept {kept} of {self._sent} rows: {told_words(self._warnings)}", remedy=_REMEDY)

    def insert_sql(self) -> str:
        """INSERT ... SELECT of the rows into the private table."""
        into, names = self._filling.relation.sql("teradata"), quote_all(self._filling.schema.names, "teradata")
        own = quote_all(self._columns, "teradata")
        words = ["insert into", into, "(", names, ") select", own, "from", self._staging.sql("teradata")]
        return " ".join([*words, "where", self._is_row])

    @property
    def _is_row(self) -> str:
        return quote_all([_NUMBER], "teradata") + " > 0"

    def _told(self, function: str) -> str:
        """What the driver keeps for who asks with the text of the INSERT."""
        found = self._rows(_NATIVE + "{fn " + function + "}" + self._insert)
        return str(found[0][0] or "").strip() if found else ""

    def _require_no_errors(self, rows: str | None) -> None:
        told = self._told("teradata_get_errors")
        if not told:
            return
        places = {int(place) for place in _OWN_NAME.findall(told)}
        own = places.pop() if len(places) == 1 else len(self._columns)
        names = self._filling.schema.names
        column = names[own] if own < len(names) else None
        raise DataError(f"FastLoad refused rows: {told_words(told)}", column=column, rows=rows, remedy=_REMEDY)
