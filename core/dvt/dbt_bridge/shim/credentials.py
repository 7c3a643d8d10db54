"""Credentials of a shim adapter: the profile output itself, checked by dvt's own spec."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbt.adapters.contracts.connection import Credentials

from dvt.connections.connection import Connection
from dvt.connections.landing import landing_schema
from dvt.federation.registry import open_connection


@dataclass
class ShimCredentials(Credentials):
    """What dbt asks of credentials, and the output that dvt connects with."""

    output: dict[str, Any] = field(default_factory=dict)

    @property
    def unique_field(self) -> str:
        """What dbt would count in its usage statistics; dvt sends none."""
        return self.type

    def _connection_keys(self) -> tuple[str, ...]:
        return ("database", "schema")

    def connection(self) -> Connection:
        """The checked connection."""
        return open_connection(self.type.partition("@")[2] or self.type, self.output, Path.cwd())

    def __repr__(self) -> str:
        return f"ShimCredentials(type={self.type!r}, schema={self.schema!r})"


def credentials_class(type_: str) -> type[ShimCredentials]:
    """The credentials class for an engine; dbt reads the engine from it."""
    return type(f"{type_.title()}Credentials", (ShimCredentials,), {"type": property(lambda _: type_)})


def wrapped_output(output: dict[str, Any]) -> dict[str, Any]:
    """A profile output of a shim's engine in the form that `ShimCredentials` takes.

    Raises:
        ConfigurationError: A key is unknown or missing.
    """
    connection = open_connection(str(output["type"]), output)
    schema = landing_schema(connection) or "main"
    # Only where a relation's name has three parts is there a database to name.
    database = str(connection.first(*connection.spec.catalogue_settings, default=""))
    return {"type": output["type"], "database": database, "schema": schema, "output": dict(output)}
