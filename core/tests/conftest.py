"""Fixtures shared by all suites: real servers on free loopback ports, started once a session and only when used."""

from servers.mariadb import mariadb_server
from servers.postgres import postgres_server

__all__ = ["mariadb_server", "postgres_server"]
