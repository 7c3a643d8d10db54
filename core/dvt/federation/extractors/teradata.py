"""Reads Teradata: large tables by FastExport into a Parquet file, everything else by a cursor."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from sqlglot import exp

from dvt.connections.retrying import Retries
from dvt.connections.teradata import SPEC, connect, translate, tried_again
from dvt.connections.teradata_errors import is_deadlock
from dvt.errors import ConnectionLostError, DvtError, QueryError, UnsupportedError, located
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.driver_rows import DriverRowsExtractor, RowColumn, column_of, text_literal
from dvt.federation.extractors.methods import BUFFERED
from dvt.federation.extractors.teradata_export import ParquetExport
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation
from dvt.types.teradata import LARGE_TYPES, base_type, native_type, reading

_NATIVE_SQL = "{fn teradata_nativesql}"
_PREPARE_ONLY = "{fn teradata_rpo(S)}"
# Below them the sessions that FastExport opens cost more than they bring; the vendor's number, and a guess.
_MANY_ROWS, _MANY_BYTES = 100_000, 64 << 20
_TYPED_LITERALS = {
    exp.DataType.Type.DATE: "DATE",
    exp.DataType.Type.TIMESTAMP: "TIMESTAMP",
    exp.DataType.Type.TIMESTAMPNTZ: "TIMESTAMP",
}


class TeradataExtractor(DriverRowsExtractor):
    """Reads one Teradata system. Each statement takes its own read locks and sees a state of its own."""

    spec = SPEC
    whole_because = "FastExport has sessions of its own"
    hash_keys: ClassVar[str] = "STRIPPED"
    _export: ParquetExport | None = None

    def ping(self) -> str:
        """Connect, log in, and give the database's version."""
        return f"Teradata {self._told('{fn teradata_database_version}')}"

    def close(self) -> None:
        """End the session, and remove what a stream that nobody closed has left."""
        super().close()
        self._end_export()

    def _end_export(self) -> None:
        export, self._export = self._export, None
        if export is not None:
            export.close()

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """Rows by the last COLLECT STATISTICS, and the table's permanent space; views have neither."""
        relation = request.relation
        if relation is None:
            return None
        owner = text_literal(relation.schema, "teradata") if relation.schema else "DATABASE"
        where = ["WHERE DatabaseName =", owner, "AND TableName =", text_literal(relation.name, "teradata")]
        found: list[int | None] = []
        for what in ("SELECT MAX(RowCount) FROM DBC.StatsV", "SELECT SUM(CurrentPerm) FROM DBC.TableSizeV"):
            try:
                (number,), *_ = self._rows(" ".join([what, *where]), "describe", request.label)
            except QueryError:  # the login may not read the dictionary
                number = None
            found.append(None if number is None else int(number))
        return TableStatistics(*found) if found != [None, None] else None

    def _connect(self) -> Any:
        return connect(self.connection, self._is_cancelled)

    def _statements_again(self) -> Retries:
        return tried_again(self.connection, is_deadlock)

    def _translated(self, error: Exception, phase: str, label: str) -> DvtError | None:
        is_own = isinstance(error, self._ending_errors())
        return translate(error, self.connection, phase=phase, relation=label) if is_own else None

    def _ending_errors(self) -> tuple[type[Exception], ...]:
        import teradatasql

        return (teradatasql.Error,)

    def _interrupt(self) -> None:
        with contextlib.suppress(*self._ending_errors()):
            self._session.cancel()

    def _told(self, function: str, sql: str = "") -> str:
        """What the driver itself knows: nothing is sent to the database."""
        return str(self._rows(_NATIVE_SQL + function + sql, "connect" if not sql else "extract", "")[0][0])

    def _catalogue(self, relation: Relation, label: str) -> Mapping[str, RowColumn]:
        # The dictionary has no types for views: the database prepares a statement instead.
        return self._of_query(" ".join(["SELECT * FROM", relation.sql("teradata")]), label)

    def _of_query(self, query: str, label: str) -> Mapping[str, RowColumn]:
        session = self._opened()
        with self._guarded("describe", label), contextlib.closing(session.cursor()) as cursor:
            cursor.execute(_PREPARE_ONLY + query)
            described, names = cursor.description or [], getattr(cursor, "columntypename", None)
        if names is None:
            raise UnsupportedError(
                "this release of teradatasql does not tell the types of columns",
                connection=self.connection.name,
                phase="describe",
                remedy="Install teradatasql 20.0.0.19 or newer",
            )
        found = {}
        for (name, _, _, _, precision, scale, nullable), type_ in zip(described, names, strict=True):
            native = native_type(str(type_).upper(), precision, scale)
            found[name] = column_of(name, native, reading(native), nullable is not False)
        return found

    def _sql(self, request: ExtractionConfig, columns: Sequence[RowColumn] | None) -> str:
        # A cast of a text follows the session's formats; a typed literal has one form.
        predicates = tuple(predicate.transform(_with_typed_literals) for predicate in request.predicates)
        return super()._sql(replace(request, predicates=predicates), columns)

    def _stream(self, sql: str, columns: Sequence[RowColumn], request: ExtractionConfig) -> RowStream:
        is_buffered = self.connection.options["read_by"] == BUFFERED
        how = "never" if is_buffered else self.connection.options["fastexport"]
        if how != "never" and self._can_be_exported(columns) and (how == "always" or self._is_large(request)):
            self._end_export()  # a stream is at its end when the next scan begins
            export = ParquetExport(self._opened(), columns, is_required=how == "always")
            self._export = export
            if self._is_exact(export, columns, request):
                return self._exported(export, sql, columns, request)
            export.close()
        if how == "always":
            raise UnsupportedError(
                "the rows cannot come by FastExport: the driver does not write each of these columns exactly",
                connection=self.connection.name,
                relation=request.label,
                phase="extract",
                remedy="Set dvt.fastexport: auto",
            )
        return super()._stream(sql, columns, request)

    def _is_exact(self, export: ParquetExport, columns: Sequence[RowColumn], request: ExtractionConfig) -> bool:
        try:
            with self._guarded("extract", request.label):
                return export.probe(self._sql(replace(request, limit=0), columns))
        except (QueryError, ConnectionLostError):
            # A driver that knows no such function; a session that is lost shows itself again.
            return False
        except BaseException:
            export.close()
            raise

    def _exported(
        self, export: ParquetExport, sql: str, columns: Sequence[RowColumn], request: ExtractionConfig
    ) -> RowStream:
        place = {"connection": self.connection.name, "relation": request.label, "phase": "extract"}
        try:
            with self._guarded("extract", request.label), located(**place):
                method = export.run(sql)
            self._check()
        except BaseException:
            export.close()
            raise
        batches = export.batches(self.batch_rows(request), self._check, place)
        return RowStream([column.schema for column in columns], batches, close=export.close, method=method)

    def _can_be_exported(self, columns: Sequence[RowColumn]) -> bool:
        return not any(base_type(column.schema.native_type) in LARGE_TYPES for column in columns)

    def _is_large(self, request: ExtractionConfig) -> bool:
        if request.relation is None or request.limit is not None:
            return False
        known = self.statistics(request)
        return known is not None and ((known.rows or 0) >= _MANY_ROWS or (known.bytes or 0) >= _MANY_BYTES)


def _with_typed_literals(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) and node.this.is_string:
        word = _TYPED_LITERALS.get(node.to.this)
        if word:
            return exp.Var(this=f"{word} {node.this.sql(dialect='teradata')}")
    return node
