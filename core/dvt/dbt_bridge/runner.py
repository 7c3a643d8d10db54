"""`dvtRunner`: dbt's programmatic runner, federated."""

from __future__ import annotations

from typing import Any

from dbt.cli.main import dbtRunner, dbtRunnerResult

from dvt.dbt_bridge.substitution import substituted


class dvtRunner(dbtRunner):
    """Runs dvt commands in this process, as `dbtRunner` runs dbt's.

    Example:
        >>> from dvt import dvtRunner
        >>> result = dvtRunner().invoke(["run", "--select", "revenue"])  # doctest: +SKIP
    """

    def invoke(self, args: list[str], **kwargs: Any) -> dbtRunnerResult:
        """Run one command; arguments and result are those of `dbtRunner.invoke`."""
        with substituted(args):
            return super().invoke(args, **kwargs)
