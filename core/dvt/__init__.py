"""dvt: the open data virtualization tool.

One dbt project whose models read from any mix of databases. The two entry points for Python are `dvt.read`
(a query on one connection as a stream of Arrow batches) and `dvt.dvtRunner` (dbt's runner, federated). Both are
loaded on first use, so that `import dvt` imports neither dbt nor a driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvt.api import read
    from dvt.dbt_bridge.runner import dvtRunner

__version__ = "0.1.0"
__all__ = ["__version__", "dvtRunner", "read"]


def __getattr__(name: str) -> Any:
    if name == "read":
        from dvt.api import read

        return read
    if name == "dvtRunner":
        from dvt.dbt_bridge.contract import check_dbt

        check_dbt()  # an unsupported dbt-core is named, rather than the import that it breaks
        from dvt.dbt_bridge.runner import dvtRunner

        return dvtRunner
    raise AttributeError(f"module 'dvt' has no attribute {name!r}")
