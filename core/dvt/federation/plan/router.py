"""Where a query runs: on its landing connection, or in the compute engine.

Whether a query that is not native needs the engine at all (the direct lane) is decided with its plan, not here.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from dvt.connections.connection import Connection


class Lane(str, Enum):
    """How a model is run."""

    NATIVE = "native"
    DIRECT = "direct"
    FEDERATED = "federated"


def route(landing: Connection, inputs: Iterable[Connection]) -> Lane:
    """Native when the landing engine runs SQL and holds every input itself.

    Connections are the same place when they reach the same server and database, whatever their names. A query
    without inputs is native wherever SQL runs.
    """
    if not landing.spec.runs_sql:
        return Lane.FEDERATED
    if all(connection.spec.runs_sql and connection.place == landing.place for connection in inputs):
        return Lane.NATIVE
    return Lane.FEDERATED
