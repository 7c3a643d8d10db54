"""What an engine's plugin says about its connections: keys, options, drivers and facts, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from dvt.connections.comparing import ComparingFacts
from dvt.connections.landing_ways import Way
from dvt.errors import ConfigurationError, nearest

if TYPE_CHECKING:
    from dvt.connections.connection import Connection
    from dvt.identifiers import Relation

Kind = Literal["int", "float", "str", "bool", "map"]
_KINDS: dict[Kind, str] = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "map": "a mapping of keys and values",
}


@dataclass(frozen=True)
class Option:
    """One option below `dvt:` in a profile output.

    Args:
        name: Option key; units stand in the name.
        kind: Type of the value.
        default: Value when the option is absent.
        doc: One sentence for the README's table of options.
        choices: The only values allowed, when not empty.
        minimum: Smallest number allowed.
        words: Texts that stand for a number that dvt finds out.
    """

    name: str
    kind: Kind
    default: Any
    doc: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    words: tuple[str, ...] = ()

    def check(self, value: Any, connection: str) -> Any:
        """The value in its type, or a `ConfigurationError` that names the option and what it takes."""
        if value in self.words:
            return value
        wanted: dict[Kind, tuple[type, ...]] = {
            "int": (int,),
            "float": (int, float),
            "str": (str,),
            "bool": (bool,),
            "map": (Mapping,),
        }
        is_right = isinstance(value, wanted[self.kind]) and (self.kind == "bool" or not isinstance(value, bool))
        if not is_right:
            raise self._refusal(value, connection, f"it takes {' or '.join([_KINDS[self.kind], *self.words])}")
        if self.choices and value not in self.choices:
            raise self._refusal(value, connection, f"it takes one of {', '.join(self.choices)}")
        if self.minimum is not None and value < self.minimum:
            raise self._refusal(value, connection, f"the smallest value is {self.minimum:g}")
        return value

    def _refusal(self, value: Any, connection: str, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"option dvt.{self.name} is {value!r}",
            code="DVT103",
            connection=connection,
            remedy=f"{why[0].upper()}{why[1:]}: correct it in profiles.yml (the README has a table of options)",
        )


COMMON_OPTIONS = (
    Option("batch_rows", "int", 50_000, "rows in one Arrow batch", minimum=1),
    Option("connect_timeout_s", "int", 10, "seconds until a connection attempt is given up", minimum=1),
    Option("statement_timeout_s", "int", 0, "seconds a statement may run on the server; 0 is no limit", minimum=0),
    Option(
        "read_by",
        "str",
        "auto",
        "what reads: the engine's own client (native), only as a stream or only buffered, with a result in memory as a"
        " whole, or the JDBC driver; auto is the first that can of streaming, buffered and JDBC, the last where the"
        " client is not installed and `jdbc` says how",
        choices=("auto", "native", "streaming", "buffered", "jdbc"),
    ),
    Option(
        "load_by",
        "str",
        "auto",
        "what loads: only a stream, only statements that each carry some rows (buffered), or the JDBC driver; auto is"
        " the first that can of streaming, buffered and JDBC, the last where `jdbc` says how",
        choices=("auto", "streaming", "buffered", "jdbc"),
    ),
    Option(
        "jdbc",
        "map",
        None,
        "for JDBC: `jars`, and where wanted `url`, `driver` and `properties`; `by` (auto, spark, jpype; auto is Spark"
        " where it is installed), `parts` that Spark reads side by side, `split_by`, the column that cuts them,"
        " `spark_home` and `spark_settings`; of these `generic` takes `jars`",
    ),
)


@dataclass(frozen=True)
class ConnectionSpec:
    """The facts of one engine that extractor, loader, router and `dvt debug` share.

    Args:
        type: The `type` of the profile output.
        dialect: sqlglot's name of the engine's SQL dialect.
        settings: Keys of the output, the same as the stock dbt adapter's.
        unread: Keys of the stock adapter that are taken and do nothing here, each with the reason: a run says so.
        required: Keys without which nothing works; an inner tuple lists alternatives.
        secret_settings: Keys whose values are wrapped as secrets.
        options: The engine's own options below `dvt:`, besides the common ones.
        drivers: Modules of which one must be importable; empty when nothing is needed.
        extra: The pip extra that brings the driver.
        place: Function from the settings to a key that is equal for the same server and database.
        runs_sql: Whether the engine runs SQL of its own (files do not).
        has_snapshot: Whether all scans of one extractor see one state of the data.
        landing: How a table is replaced; `dvt plan` says so where there is a moment in which it is missing.
        transactional_ddl: Whether a transaction that fails also takes back a table's replacement.
        transactional_changes: Whether rows are deleted and inserted in one transaction (for files: in one new file).
        readers_block_writers: Whether nothing can be written to a database while a query on it is read.
        max_identifier_bytes: Longest identifier.
        catalogue_settings: Keys that name the catalogue (database) above the schemas, where a connection reaches
            several by three-part names; empty where it does not.
        comparing: How the engine compares values, for the planner; a source of which nothing is known filters nothing.
        comparing_of: The same for one relation, by its connection, name and file options, where relations of one
            connection differ; it takes the place of `comparing`.
        landing_of: How a table is replaced on one connection, by the options of one table that lands in files; it takes
            the place of `landing`.
        dialect_of: The dialect of one connection, where not all of the type speak one; it takes the place of `dialect`.
    """

    type: str
    dialect: str
    settings: tuple[str, ...]
    place: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    unread: tuple[tuple[str, str], ...] = ()
    required: tuple[str | tuple[str, ...], ...] = ()
    secret_settings: tuple[str, ...] = ("password", "pass")
    options: tuple[Option, ...] = ()
    drivers: tuple[str, ...] = ()
    extra: str | None = None
    runs_sql: bool = True
    has_snapshot: bool = True
    landing: Way = Way.TRANSACTION
    transactional_ddl: bool = True
    transactional_changes: bool = True
    readers_block_writers: bool = False
    max_identifier_bytes: int = 63
    catalogue_settings: tuple[str, ...] = ()
    comparing: ComparingFacts = field(default=ComparingFacts())
    comparing_of: Callable[[Connection, Relation, Mapping[str, Any]], ComparingFacts] | None = None
    common_options: tuple[Option, ...] = field(default=COMMON_OPTIONS)
    dialect_of: Callable[[Connection], str] | None = None
    landing_of: Callable[[Connection, Mapping[str, Any]], Way] | None = None

    @property
    def all_options(self) -> tuple[Option, ...]:
        """The common options, then the engine's own."""
        return self.common_options + self.options

    def check_options(self, given: Any, connection: str) -> dict[str, Any]:
        """All options with their values: the given ones checked, the others at their defaults."""
        if given is None:
            given = {}
        if not isinstance(given, Mapping):
            raise ConfigurationError(
                f"`dvt:` is {given!r}",
                code="DVT103",
                connection=connection,
                remedy="Write it as a mapping of options, for example `dvt: {batch_rows: 20000}`, in profiles.yml",
            )
        known = {option.name: option for option in self.all_options}
        for name in given:
            if name not in known:
                raise ConfigurationError(
                    f"unknown option dvt.{name} for type {self.type}: {nearest(str(name), known)}",
                    code="DVT102",
                    connection=connection,
                    remedy="Correct or remove it in profiles.yml",
                )
        return {
            name: option.check(given[name], connection) if name in given else option.default
            for name, option in known.items()
        }
