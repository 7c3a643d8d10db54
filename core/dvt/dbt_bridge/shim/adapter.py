"""A dbt adapter over dvt's own sessions, for engines that have none for this dbt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import agate
from dbt.adapters.base import BaseRelation, Column, available
from dbt.adapters.base.relation import Policy
from dbt.adapters.sql import SQLAdapter
from dbt_common.clients.agate_helper import DEFAULT_TYPE_TESTER

from dvt.dbt_bridge.failures import shown_by_dbt
from dvt.dbt_bridge.shim.dialects import DIALECTS, ShimDialect
from dvt.dbt_bridge.shim.manager import ShimConnectionManager
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.registry import can_land, connection_spec, loader_class, new_extractor
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation, quote

_CATALOG = (
    "table_database",
    "table_schema",
    "table_name",
    "table_type",
    "table_comment",
    "table_owner",
    "column_name",
    "column_index",
    "column_type",
    "column_comment",
)


class ShimAdapter(SQLAdapter):
    """Answers dbt's questions about relations and columns from dvt's loaders and a few catalogue queries."""

    ConnectionManager = ShimConnectionManager
    Column = Column
    engine = ""
    is_dvt_shim = True

    @classmethod
    def type(cls) -> str:
        """The engine's name: macros dispatch to it."""
        return cls.engine

    @classmethod
    def date_function(cls) -> str:
        """dbt's parse-time context wants it; nothing uses it."""
        return "current_timestamp"

    @classmethod
    def is_cancelable(cls) -> bool:
        """Running statements can be ended."""
        return True

    @classmethod
    def quote(cls, identifier: str) -> str:
        """The engine's quoting."""
        return quote(identifier, cls.engine)

    @property
    def _dialect(self) -> ShimDialect:
        return DIALECTS[self.engine]

    @property
    def _has_catalogues(self) -> bool:
        return bool(connection_spec(self.engine).catalogue_settings)

    def _database(self, relation: Any) -> str | None:
        """What stands above a relation's schema, where there is such a thing."""
        return relation.database or None if self._has_catalogues else None

    def _cursor(self) -> Any:
        return self.connections.get_thread_connection().handle.cursor()

    def _run(self, sql: str) -> None:
        self.add_query(sql, auto_begin=False)

    def add_query(self, sql: str, auto_begin: bool = True, bindings: Any = None, abridge_sql_log: bool = False) -> Any:
        """Run one statement."""
        return self.connections.add_query(sql, auto_begin, bindings, abridge_sql_log)

    def list_schemas(self, database: str | None) -> list[str]:
        """Names of schemas."""
        with self.connections.exception_handler("list schemas"):
            return self._dialect.list_schemas(self._cursor())

    def check_schema_exists(self, database: str | None, schema: str) -> bool:
        """Whether a schema exists."""
        return schema in self.list_schemas(database)

    def create_schema(self, relation: Any) -> None:
        """Make a schema when the engine has such a thing."""
        with shown_by_dbt():
            sql = self._dialect.create_schema_sql(self.quote(relation.schema)) if relation.schema else None
        if sql:
            self._run(sql)

    def drop_schema(self, relation: Any) -> None:
        """Refused: dvt never drops a whole schema of a source or landing."""
        raise NotImplementedError(f"dvt does not drop schemas on {self.engine}")

    def list_relations_without_caching(self, schema_relation: Any) -> list[Any]:
        """Tables and views of a schema."""
        with self.connections.exception_handler("list relations"):
            connection = self.config.credentials.connection()
            place = Relation("", schema_relation.schema, self._database(schema_relation))
            found = self._dialect.list_relations(self._cursor(), place, connection)
        return [
            self.Relation.create(
                database=schema_relation.database, schema=schema_relation.schema, identifier=name, type=kind
            )
            for name, kind in found
        ]

    def get_columns_in_relation(self, relation: Any) -> list[Any]:
        """Columns with the engine's own type names."""
        described = self._describe(relation)
        return [Column(column.name, column.native_type) for column in described]

    def _describe(self, relation: Any) -> list[ColumnSchema]:
        connection = self.config.credentials.connection()
        with shown_by_dbt():
            if not can_land(connection.type):
                named = Relation(relation.identifier, relation.schema, self._database(relation))
                request = ExtractionConfig(relation=named)
                with new_extractor(connection) as extractor:
                    return extractor.describe(request)
            with loader_class(connection.type)(connection) as loader:
                return loader.describe(Relation(relation.identifier, relation.schema)) or []

    def drop_relation(self, relation: Any) -> None:
        """Drop a table or view; nothing that depends on it goes with it."""
        kind = "view" if str(relation.type) == "view" else "table"
        self.cache_dropped(relation)
        self._run(f"drop {kind} if exists " + str(relation))

    def truncate_relation(self, relation: Any) -> None:
        """Delete all rows, in the transaction that fills the table again."""
        self.add_query(self._dialect.truncate_sql(str(relation)), auto_begin=True)

    def rename_relation(self, from_relation: Any, to_relation: Any) -> None:
        """Rename a table within its schema."""
        self.cache_renamed(from_relation, to_relation)
        target = str(to_relation) if self.engine != "sqlite" else self.quote(to_relation.identifier)
        self._run(" ".join(["alter table", str(from_relation), "rename to", target]))

    def expand_column_types(self, goal: Any, current: Any) -> None:
        """These engines' text columns have no length that could be too small."""

    @available.parse_none
    def view_statements(self, relation: Any, existing: Any, query: str) -> list[str]:
        """The statements that put a view in place of what is there."""
        kind = None if existing is None else str(getattr(existing.type, "value", existing.type))
        return self._dialect.replace_view_sql(str(relation), kind, query)

    def _get_one_catalog(self, information_schema: Any, schemas: Any, used_schemas: Any) -> agate.Table:
        return self._catalog([self.Relation.create(schema=schema) for schema in sorted(schemas)], None)

    def get_filtered_catalog(self, relation_configs: Any, used_schemas: Any, relations: Any = None) -> Any:
        """The catalogue of what the project uses."""
        places = sorted({(d if self._has_catalogues else None, s) for d, s in used_schemas if s}, key=str)
        schemas = [self.Relation.create(database=database, schema=schema) for database, schema in places]
        wanted = {(config.schema.lower(), config.identifier.lower()) for config in relation_configs}
        return self._catalog(schemas, wanted), []

    def _catalog(self, schemas: list[Any], wanted: set[tuple[str, str]] | None) -> agate.Table:
        rows = []
        with self.connection_named("catalog"):
            for schema in schemas:
                for found in self.list_relations_without_caching(schema):
                    if wanted is not None and (found.schema.lower(), found.identifier.lower()) not in wanted:
                        continue
                    for index, column in enumerate(self._describe(found), start=1):
                        kind = str(getattr(found.type, "value", found.type))
                        place = (found.database or "", found.schema, found.identifier, kind, "", "")
                        rows.append((*place, column.name, index, column.native_type, ""))
        return agate.Table(rows, _CATALOG, column_types=DEFAULT_TYPE_TESTER)

    @classmethod
    def convert_text_type(cls, agate_table: agate.Table, col_idx: int) -> str:
        """Type of a seed's text column."""
        return DIALECTS[cls.engine].types["text"]

    @classmethod
    def convert_number_type(cls, agate_table: agate.Table, col_idx: int) -> str:
        """Type of a seed's number column."""
        decimals = agate_table.aggregate(agate.MaxPrecision(col_idx))
        return DIALECTS[cls.engine].types["number" if decimals else "integer"]

    @classmethod
    def convert_integer_type(cls, agate_table: agate.Table, col_idx: int) -> str:
        """Type of a seed's integer column."""
        return DIALECTS[cls.engine].types["integer"]

    @classmethod
    def convert_boolean_type(cls, agate_table: agate.Table, col_idx: int) -> str:
        """Type of a seed's boolean column."""
        return DIALECTS[cls.engine].types["boolean"]

    @classmethod
    def convert_datetime_type(cls, agate_table: agate.Table, col_idx: int) -> str:
        """Type of a seed's timestamp column."""
        return DIALECTS[cls.engine].types["datetime"]

    @classmethod
    def convert_date_type(cls, agate_table: agate.Table, col_idx: int) -> str:
        """Type of a seed's date column."""
        return DIALECTS[cls.engine].types["date"]

    @classmethod
    def convert_time_type(cls, agate_table: agate.Table, col_idx: int) -> str:
        """Type of a seed's time column."""
        return DIALECTS[cls.engine].types["time"]


def adapter_class(type_: str) -> type[ShimAdapter]:
    """The adapter class of one engine."""
    dialect = DIALECTS[type_]
    mark = dialect.quote_character
    fold = getattr(dialect, "fold", str)
    quoting = Policy() if getattr(dialect, "quotes_names", True) else Policy(False, False, False)
    has_catalogues = bool(connection_spec(type_).catalogue_settings)

    @dataclass(frozen=True, eq=False, repr=False)
    class ShimRelation(BaseRelation):
        quote_character: str = mark
        # Most of these engines have nothing above the schema.
        include_policy: Policy = field(
            default_factory=lambda: Policy(database=has_catalogues, schema=True, identifier=True)
        )
        quote_policy: Policy = field(default_factory=lambda: quoting)

        def quoted(self, identifier: str) -> str:
            # dbt hashes relations that are nothing but a database; there is none here.
            return quote(fold(identifier), type_) if identifier else ""

        def _is_exactish_match(self, field: Any, value: str) -> bool:
            # What is listed has the names of the catalogue, into which a model's are folded, by dvt or by the engine.
            if fold is str and quoting.get_part(field):
                return bool(super()._is_exactish_match(field, value))
            folded = str.lower if fold is str else fold
            return bool(folded(str(self.path.get_part(field) or "")) == folded(value))

    return type(f"{type_.title()}Adapter", (ShimAdapter,), {"engine": type_, "Relation": ShimRelation})
