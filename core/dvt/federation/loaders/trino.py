"""Writes Trino: files that it reads, or INSERTs of literals, into a private table, which takes its target's place."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.shared_folder import LocalFolder, private_folder
from dvt.connections.store_folder import StoreFolder
from dvt.connections.trino import SPEC, connect
from dvt.connections.trino_errors import CutOffError, translate
from dvt.connections.trino_statement import Cancelled, Statement
from dvt.errors import DataError, DvtError, PrivilegeError, RelationNotFoundError
from dvt.federation.extractors.methods import BUFFERED
from dvt.federation.extractors.trino import TrinoExtractor
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Landing, Words
from dvt.federation.loaders.setting_aside import SettingAside
from dvt.federation.loaders.sql import SQLLoader
from dvt.federation.loaders.through_files import Carried, ThroughFiles
from dvt.federation.loaders.trino_files import trino_carried
from dvt.federation.loaders.trino_insert import inserts
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation
from dvt.types.fitted import Shape
from dvt.types.trino_landing import is_declarable, trino_shape, trino_type

if TYPE_CHECKING:
    from dvt.connections.trino import TrinoLogin

# By the reference of these connectors, CREATE OR REPLACE TABLE is one snapshot of the table: readers see the old one or
# the new one. Others have no such statement, or drop first.
_REPLACING = frozenset({"iceberg", "delta_lake"})


class TrinoLoader(ThroughFiles, SettingAside, SQLLoader):
    """Writes to one Trino coordinator. Each statement is committed by itself.

    What merges or replaces rows is one MERGE: a connector that has none refuses, and nothing has changed.
    """

    spec = SPEC
    words = Words(rename="alter table {private} rename to {target}")
    change_words = ChangeWords(delete="merge", merge="merge")
    begins = ""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._running: Statement | None = None
        self._connectors: dict[str, str] = {}
        self._catalogue = str(connection.first("database", "catalog", default=""))

    def connect(self) -> TrinoLogin:
        """What sends statements."""
        return connect(self.connection)

    def disconnect(self, session: TrinoLogin) -> None:
        """End the statement that may still run, and the sockets."""
        running, self._running = self._running, None
        if running is not None:
            running.close()
        session.http.close()

    def interrupt(self, session: TrinoLogin) -> None:
        """Cancel the statement on the server."""
        running = self._running
        if running is not None:
            running.cancel()

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the client, the server or the socket raises."""
        import requests
        from trino.exceptions import Error, HttpError

        own = (Error, HttpError, requests.RequestException, OSError, CutOffError, Cancelled)
        return translate(error, self.connection, phase=phase, relation=relation) if isinstance(error, own) else None

    def run(self, sql: str) -> None:
        """Run one statement. It is sent once: one whose answer is lost may have been run."""
        login: TrinoLogin = self.session()
        statement = self._running = Statement(login.request, sql, login.once)
        try:
            self.check()  # it was cancelled while there was nothing to cancel
            for _ in statement.pages():
                pass
        finally:
            self._running = None
            statement.close()

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        extractor = TrinoExtractor(self.connection)
        self._describing = extractor
        try:
            self.check()
            return list(extractor.asked(sql, "load"))
        finally:
            self._describing = None
            extractor.close()

    def stage(self, stream: RowStream, relation: Relation, **more: Any) -> Any:
        """As every loader; what types there are depends on the relation's catalogue."""
        self._catalogue = self.qualified(relation).database or ""
        return super().stage(stream, relation, **more)

    def native_type(self, field: pa.Field) -> str | None:
        """Trino's type for a column, as far as the connector of its catalogue holds it."""
        return trino_type(field.type, self._connector(self._catalogue))

    def check_declared(self, type_: str, column: str) -> None:
        """Refuses also the types that change values."""
        if not is_declarable(type_):
            raise DataError(
                f"{type_} is no type of Trino's that keeps every value it is given",
                column=column,
                remedy="Declare for example varchar, decimal(p, s), timestamp(6) or varbinary",
            )

    def create(self, relation: Relation, schema: pa.Schema, types: list[str]) -> None:
        """CREATE TABLE; a connector that takes a type and makes a lesser one of it is found out."""
        super().create(relation, schema, types)
        found = self.describe(relation) or []
        for asked, made in zip(types, found, strict=True):
            there = made.native_type
            if _is_less(trino_shape(there), trino_shape(asked)):
                raise DataError(
                    f"the catalogue's connector makes {there} of {asked}: values would change",
                    column=made.name,
                    remedy="Cast the column in the model, or declare its type in a contract",
                )

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """Parquet files that a catalogue of the Hive connector reads, where the output names a bucket; else INSERTs."""
        return [*self.through_files(filling), LoadMethod("insert", BUFFERED, fill=self._insert)]

    def private_folder(self) -> StoreFolder | LocalFolder:
        """In a bucket."""
        return private_folder(self.connection)

    def why_no_files(self, filling: Filling) -> str | None:
        """Also where the catalogue is none that reads files where they lie."""
        why = super().why_no_files(filling)
        catalogue = self._files_relation("x").database or ""
        if why is None and (connector := self._connector(catalogue)) not in ("hive", ""):
            return f"dvt.load_catalog names none of the Hive connector, which reads files: {catalogue} is {connector}'s"
        return why

    def carried(self, field: pa.Field, native: str) -> Carried | None:
        """Moments as texts: the connector's own have as many digits as its catalogue says."""
        return trino_carried(field.type, native)

    def external(self, private: Relation) -> Relation:
        """In the catalogue that reads files."""
        return self._files_relation(self.external_name(private))

    def _files_relation(self, name: str) -> Relation:
        options = self.connection.options
        return self.qualified(Relation(name, options["load_schema"] or None, options["load_catalog"] or None))

    def external_sql(self, external: Relation, columns: str, url: str) -> str:
        """A table of the Hive connector's that is not its own."""
        properties = f"external_location = {self.literal(url)}, format = 'PARQUET'"
        return " ".join(["create table", external.sql(self.dialect), "(", columns, ") with (", properties, ")"])

    def _insert(self, filling: Filling) -> Filled:
        sent_bytes = 0
        for sql in inserts(filling, int(self.connection.options["statement_characters"])):
            sent_bytes += len(sql)
            self.run(sql)
        return Filled(bytes=sent_bytes)

    def qualified(self, relation: Relation) -> Relation:
        """With the connection's catalogue and schema, in lower case, as Trino has all names."""
        schema = relation.schema or self.connection.first("schema")
        database = relation.database or self.connection.first("database", "catalog")
        return Relation(*(part and str(part).lower() for part in (relation.name, schema, database)))

    def ensure_schema(self, relation: Relation) -> None:
        """Create the schema when it is missing."""
        self._catalogue = self.qualified(relation).database or ""
        super().ensure_schema(relation)

    def has_schema(self, name: str) -> bool:
        """Whether there is a schema of that name."""
        return bool(self._told("schemata", ["schema_name"], Relation("schema_name", name, self._catalogue)))

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        found = self._told("tables", ["table_type"], relation, ["table_name =", self.literal(relation.name)])
        return None if not found else "view" if "VIEW" in str(found[0][0]).upper() else "table"

    def _told(self, view: str, columns: list[str], of: Relation, more: Sequence[str] = ()) -> list[Sequence[Any]]:
        """What the information schema of a catalogue says."""
        own = "schema_name" if view == "schemata" else "table_schema"
        where = ["where", own, "=", self.literal(of.schema or ""), *(["and", *more] if more else [])]
        source = Relation(view, "information_schema", of.database).sql(self.dialect)
        return self.rows(" ".join(["select", *columns, "from", source, *where]))

    def _connector(self, catalogue: str) -> str:
        """The name of a catalogue's connector; empty where it may not be asked for."""
        if catalogue not in self._connectors:
            sql = "select connector_name from system.metadata.catalogs where catalog_name ="
            found: list[Sequence[Any]] = []
            with contextlib.suppress(PrivilegeError, RelationNotFoundError):
                found = self.rows(" ".join([sql, self.literal(catalogue)]))
            self._connectors[catalogue] = str(found[0][0]) if found else ""
        return self._connectors[catalogue]

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """One statement where the connector has it; else the old table goes aside, and is dropped at the end."""
        if kind == "table" and self._connector(target.database or "") in _REPLACING:
            parts = ["create or replace table", target.sql(self.dialect), "as select * from", private.sql(self.dialect)]
            return Landing(Way.STATEMENT, (" ".join(parts),))
        return super().replacing(private, target, kind, config)

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """Refuses also moments and texts that the target would cut: what carries them in Arrow is the same."""
        changes = super().changes(private, target, config)
        old = {column.name.lower(): column.native_type for column in self.describe(target) or []}
        for column in self.describe(private) or []:
            there = old[column.name.lower()]
            if _is_less(trino_shape(there), trino_shape(column.native_type)):
                message = f"the target holds {there}, the new rows {column.native_type}: values could change"
                raise DataError(message, column=column.name, remedy="Cast it in the model, or run with --full-refresh")
        return changes


def _is_less(there: Shape | None, asked: Shape | None) -> bool:
    """Whether a column holds fewer values than what was asked for; nested ones are the server's to compare."""
    from dvt.federation.loaders.fitting import holds

    if there is None or asked is None:
        return (there is None) is not (asked is None)
    is_cut = there.characters is not None and (asked.characters is None or asked.characters > there.characters)
    is_padded = there.is_padded and not asked.is_padded
    return is_cut or is_padded or there.digits < asked.digits or not holds(there.type, asked.type)
