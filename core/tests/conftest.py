"""Fixtures shared by all suites: real servers on free loopback ports, started once a session and only when used."""

import os

import pytest

# A process that has read over gRPC starts others with a fork in between, in which gRPC's own handler may abort.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

from servers.bigquery import bigquery_server
from servers.clickhouse import clickhouse_server
from servers.mariadb import mariadb_server
from servers.mysql9 import mysql9_server
from servers.postgres import postgres_server
from servers.snowflake import snowflake_server
from servers.spark import spark_server
from servers.sqlserver import sqlserver_fake

__all__ = [
    "bigquery_server",
    "clickhouse_server",
    "mariadb_server",
    "mysql9_server",
    "postgres_server",
    "snowflake_server",
    "spark_server",
    "sqlserver_fake",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first: a worker that is done takes over tests from the end, and there are only short ones."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
