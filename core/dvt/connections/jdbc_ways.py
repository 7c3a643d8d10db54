"""How engines are reached over JDBC, where their own client is not installed: addresses as data.

The keys are those of the engine's own output. Nothing is downloaded: the jars are the user's, or Debian's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.generic import SPEC as GENERIC
from dvt.errors import ConfigurationError, MissingDriverError

# Keys below `dvt: {jdbc: ...}`.
_KEYS = ("jars", "url", "driver", "properties")
_CHAIN_KEYS = ("by", "parts", "split_by", "spark_home", "spark_settings")
_HOST = {"host": (("host", "server"), "localhost")}
_LOGIN = (("user", "username", "UID"), ("password", "pass", "PWD"))


@dataclass(frozen=True)
class JdbcWay:
    """One engine's address.

    Args:
        url: With the names of `parts` in braces.
        parts: The output's keys for each part, and what stands where none of them is set; None where one has to be.
        properties: What the driver is told besides.
    """

    url: str
    parts: Mapping[str, tuple[tuple[str, ...], str | None]]
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SparkWay:
    """What is to be known of an engine that a local Spark reads over JDBC.

    Args:
        scheme: How the address begins for Spark, which knows no other of this engine.
        driver: The class of Debian's driver.
        text: The type to which values are cast that Spark would change.
        begin: A statement that each of Spark's sessions begins with.
        is_mysql: Whether it is of MySQL's family: floats are printed in full when multiplied with a double only.
        has_schemas: Whether JDBC calls the place of a table a schema, and not a catalogue.
    """

    scheme: str
    driver: str
    text: str
    begin: str = ""
    is_mysql: bool = False
    has_schemas: bool = True

    def url(self, url: str) -> str:
        """An address as Spark is given it."""
        if url.startswith(self.scheme) or not url.startswith("jdbc:mariadb:"):
            return url
        # Without a dialect of its own Spark quotes MariaDB's names as texts; newer drivers want to be told.
        return f"{self.scheme}{url.removeprefix('jdbc:mariadb:')}{'&' if '?' in url else '?'}permitMysqlScheme"


_SPARK_MYSQL = SparkWay(
    "jdbc:mysql:",
    "org.mariadb.jdbc.Driver",
    "char",
    begin="set session time_zone = '+00:00'",
    is_mysql=True,
    has_schemas=False,
)
SPARK_WAYS: Mapping[str, SparkWay] = {
    "postgres": SparkWay("jdbc:postgresql:", "org.postgresql.Driver", "text"),
    "mysql": _SPARK_MYSQL,
    "mariadb": _SPARK_MYSQL,
}


def _parts(port: int, **others: tuple[tuple[str, ...], str | None]) -> dict[str, tuple[tuple[str, ...], str | None]]:
    return {**_HOST, "port": (("port", "dbs_port"), str(port)), **others}


_DATABASE = (("dbname", "database"), None)
_MYSQL = JdbcWay(
    "jdbc:mariadb://{host}:{port}/{database}",
    _parts(3306, database=(("schema", "database"), None)),
    {"sessionVariables": "time_zone='+00:00'"},  # TIMESTAMPs are shown in the session's zone
)
JDBC_WAYS: Mapping[str, JdbcWay] = {
    "postgres": JdbcWay("jdbc:postgresql://{host}:{port}/{database}", _parts(5432, database=_DATABASE)),
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "clickhouse": JdbcWay(
        "jdbc:clickhouse://{host}:{port}/{database}", _parts(8123, database=(("schema",), "default"))
    ),
    "redshift": JdbcWay("jdbc:redshift://{host}:{port}/{database}", _parts(5439, database=_DATABASE)),
    "sqlserver": JdbcWay(
        "jdbc:sqlserver://{host}:{port};databaseName={database};encrypt={encrypt};trustServerCertificate={trust}",
        _parts(1433, database=_DATABASE, encrypt=(("encrypt",), "true"), trust=(("trust_cert",), "false")),
    ),
    "oracle": JdbcWay(
        "jdbc:oracle:thin:@//{host}:{port}/{service}", _parts(1521, service=(("service", "database"), None))
    ),
    "db2": JdbcWay("jdbc:db2://{host}:{port}/{database}", _parts(50000, database=_DATABASE)),
    "trino": JdbcWay(
        "jdbc:trino://{host}:{port}/{catalog}/{schema}",
        _parts(8080, catalog=(("database", "catalog"), None), schema=(("schema",), "default")),
    ),
    "hive": JdbcWay("jdbc:hive2://{host}:{port}/{schema}", _parts(10000, schema=(("schema",), "default"))),
    "vertica": JdbcWay("jdbc:vertica://{host}:{port}/{database}", _parts(5433, database=_DATABASE)),
    "teradata": JdbcWay(
        "jdbc:teradata://{host}/DBS_PORT={port},CHARSET=UTF8,DATABASE={schema}", _parts(1025, schema=(("schema",), ""))
    ),
    "exasol": JdbcWay("jdbc:exa:{host}:{port}", _parts(8563)),
    "snowflake": JdbcWay(
        "jdbc:snowflake://{account}.snowflakecomputing.com/?db={database}&schema={schema}&warehouse={warehouse}",
        {
            "account": (("account",), None),
            "database": (("database",), ""),
            "schema": (("schema",), ""),
            "warehouse": (("warehouse",), ""),
        },
    ),
}


def reads_by_jdbc(connection: Connection) -> bool:
    """Whether a connection is read over JDBC: because it says so, or because only so it can be.

    Raises:
        ConfigurationError: It says so, and there is no way.
    """
    return why_jdbc(connection) is not None


def why_jdbc(connection: Connection) -> str | None:
    """Why a connection is read over JDBC and not by the engine's own client; None when it is not.

    Raises:
        ConfigurationError: It says so, and there is no way.
    """
    chosen = connection.options.get("read_by", "auto")
    if chosen == "jdbc" and connection.type not in JDBC_WAYS:
        raise ConfigurationError(
            f"type {connection.type} is not read over JDBC",
            code="DVT103",
            connection=connection.name,
            remedy="Remove dvt.read_by, or make an output of type generic with the driver's own address",
        )
    if chosen == "jdbc":
        return "dvt.read_by is jdbc"
    if chosen != "auto" or connection.type not in JDBC_WAYS or not connection.options.get("jdbc"):
        return None
    try:
        connection.require_driver()
    except MissingDriverError as error:
        return error.message
    return None


def jdbc_connection(connection: Connection) -> Connection:
    """The same place as a generic connection over JDBC, under the same name.

    Raises:
        ConfigurationError: A key of the output, or of `dvt.jdbc`, is missing or unknown.
    """
    given = dict(connection.options.get("jdbc") or {})
    for key in given:
        if key not in (*_KEYS, *_CHAIN_KEYS):
            raise ConfigurationError(
                f"unknown key 'dvt.jdbc.{key}'",
                code="DVT102",
                connection=connection.name,
                remedy=f"Use {', '.join((*_KEYS, *_CHAIN_KEYS))}",
            )
    way = JDBC_WAYS[connection.type]
    settings: dict[str, Any] = {
        "method": "jdbc",
        "dialect": connection.dialect,
        "url": given.get("url") or _url(connection, way),
        "properties": {**way.properties, **(given.get("properties") or {})},
        **{key: given[key] for key in ("jars", "driver") if given.get(key)},
    }
    for name, keys in zip(("user", "password"), _LOGIN, strict=True):
        value = connection.first(*keys)
        if value is not None:
            settings[name] = value
    spec = replace(GENERIC, comparing=connection.spec.comparing, comparing_of=connection.spec.comparing_of)
    options = {option.name: connection.options.get(option.name, option.default) for option in spec.all_options}
    options["jdbc"] = None  # its keys are settings now
    return Connection(connection.name, spec, settings, options, connection.root)


def _url(connection: Connection, way: JdbcWay) -> str:
    values = {}
    for part, (keys, default) in way.parts.items():
        value = connection.first(*keys, default=default)
        if value is None:
            raise ConfigurationError(
                f"key '{keys[0]}' is missing, and the JDBC address needs it",
                code="DVT105",
                connection=connection.name,
                remedy="Add it to the output in profiles.yml, or give the whole address as dvt.jdbc.url",
            )
        values[part] = str(value).lower() if isinstance(value, bool) else str(value)
    return way.url.format(**values)
