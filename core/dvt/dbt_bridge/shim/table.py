"""The engines behind the shim adapter and what says their words; imported for one engine when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping

_SHIM = "dvt.dbt_bridge.shim"

# A class, which is given the type where it is one of those that only read, or a dialect that is ready.
DIALECT_PLACES: Mapping[str, str] = {
    "mysql": f"{_SHIM}.dialects:MySQLDialect",
    "mariadb": f"{_SHIM}.dialects:MySQLDialect",
    "sqlite": f"{_SHIM}.dialects:SQLiteDialect",
    "files": f"{_SHIM}.dialects:FilesDialect",
    "clickhouse": f"{_SHIM}.clickhouse:ClickHouseDialect",
    "db2": f"{_SHIM}.db2:Db2Dialect",
    "teradata": f"{_SHIM}.teradata:TeradataDialect",
    "snowflake": f"{_SHIM}.snowflake:SnowflakeDialect",
    "sqlserver": f"{_SHIM}.sqlserver:SqlServerDialect",
    "oracle": f"{_SHIM}.oracle:OracleDialect",
    "trino": f"{_SHIM}.trino:TrinoDialect",
    "exasol": f"{_SHIM}.exasol:ExasolDialect",
    "spark": f"{_SHIM}.spark:SparkWritingDialect",
    "hive": f"{_SHIM}.spark:SparkWritingDialect",
    "databricks": f"{_SHIM}.databricks:DatabricksDialect",
    "bigquery": f"{_SHIM}.bigquery:BigQueryDialect",
    "generic": f"{_SHIM}.generic:GenericDialect",
    "redshift": f"{_SHIM}.catalogued:REDSHIFT",
    "vertica": f"{_SHIM}.catalogued:VERTICA",
    "firebolt": f"{_SHIM}.catalogued:FIREBOLT",
    "athena": f"{_SHIM}.catalogued:ATHENA",
}
