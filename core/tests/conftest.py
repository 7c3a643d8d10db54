"""Fixtures shared by all suites: real servers on free loopback ports, started once a session and only when used."""

from servers.clickhouse import clickhouse_server
from servers.mariadb import mariadb_server
from servers.postgres import postgres_server
from servers.snowflake import snowflake_server
from servers.sqlserver import sqlserver_fake

__all__ = ["clickhouse_server", "mariadb_server", "postgres_server", "snowflake_server", "sqlserver_fake"]
