"""Credentials of a shim adapter: the profile output itself, checked by dvt's own spec."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbt.adapters.contracts.connection import Credentials

from dvt.connections.connection import Connection
from dvt.connections.landing import landing_schema
from dvt.dbt_bridge.failures import shown_by_dbt
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

    def translate_aliases(cls: Any, kwargs: dict[str, Any], recurse: bool = False) -> dict[str, Any]:
        # dbt sends a project's quoting settings (true or false) through here too.
        if "output" in kwargs or all(isinstance(value, bool) for value in kwargs.values()):
            return kwargs
        output = {**kwargs, "type": type_}
        with shown_by_dbt():
            schema = landing_schema(open_connection(type_, output)) or "main"
        return {"database": "", "schema": schema, "output": output}

    return type(
        f"{type_.title()}Credentials",
        (ShimCredentials,),
        {"type": property(lambda _: type_), "translate_aliases": classmethod(translate_aliases)},
    )
