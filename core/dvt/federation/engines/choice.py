"""Which engine computes a query: the one that is named, or, with `auto`, the one that its size asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dvt.federation.plan.model import ScanPlan

EMBEDDED, SPARK, AUTO = "duckdb", "spark", "auto"
AUTO_BYTES = 50 * 10**9
"""What one machine is left with: about what DuckDB reads and spills on an ordinary disk within minutes."""


@dataclass(frozen=True)
class EngineChoice:
    """A project's choice.

    Args:
        engine: The engine's name, or "auto": Spark for a query whose scans bring more than `auto_bytes` by their
            sources' own statistics, DuckDB for all others, among them those of which a size is not known.
        auto_bytes: Arrow bytes of all scans of a query together.
    """

    engine: str = EMBEDDED
    auto_bytes: int = AUTO_BYTES

    def of(self, wanted: str | None, scans: Callable[[], Sequence[ScanPlan]]) -> str:
        """The engine of a query.

        Args:
            wanted: What its model says; None when it says nothing.
            scans: Gives its scans with about their bytes; asked with "auto" only.
        """
        name = wanted or self.engine
        if name != AUTO:
            return name
        sizes = [scan.estimated_bytes for scan in scans()]
        known = [size for size in sizes if size is not None]
        return SPARK if len(known) == len(sizes) and sum(known) > self.auto_bytes else EMBEDDED
