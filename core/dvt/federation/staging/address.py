"""Which scans are the same: a content address that holds no secret."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.secrets import Secret
from dvt.federation.plan.model import QueryPlan, ScanPlan


@dataclass(frozen=True)
class ScanUnit:
    """Scans that have to come from one snapshot, and so are staged and shared together or not at all.

    Args:
        connection: Where all of them are read.
        scans: In the order in which they are read.
        address: Equal for units that give the same rows at one time.
    """

    connection: Connection
    scans: tuple[ScanPlan, ...]
    address: str


def scan_units(plan: QueryPlan) -> list[ScanUnit]:
    """A query's scans by snapshot: all scans of a connection that has snapshots, else each for itself."""
    by_connection: dict[str, list[ScanPlan]] = {}
    for scan in plan.scans:
        by_connection.setdefault(scan.input.connection.name, []).append(scan)
    units = []
    for scans in by_connection.values():
        connection = scans[0].input.connection
        for part in [scans] if connection.spec.has_snapshot else [[scan] for scan in scans]:
            units.append(unit_of(part))
    return units


def unit_of(scans: Sequence[ScanPlan]) -> ScanUnit:
    """Some scans of a connection as one unit, in one order for all queries, so that equal sets are equal units."""
    ordered = sorted(scans, key=scan_address)
    address = _digest([scan_address(scan) for scan in ordered])
    return ScanUnit(ordered[0].input.connection, tuple(ordered), address)


def scan_address(scan: ScanPlan) -> str:
    """SHA-256 over the connection's identity without its secrets, and all that shapes the result."""
    connection = scan.input.connection
    return _digest(
        {
            "type": connection.type,
            "place": connection.place,
            "settings": {k: v for k, v in connection.settings.items() if not isinstance(v, Secret)},
            "options": dict(connection.options),
            "relation": scan.input.relation.parts,
            "sql": scan.sql,
            "predicates": [predicate.sql() for predicate in scan.predicates],
            "limit": [scan.limit, scan.order],
            "columns": scan.columns,
            "declared": dict(scan.input.declared),
            "file_options": dict(scan.input.file_options),
        }
    )


def _digest(content: dict[str, Any] | Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
