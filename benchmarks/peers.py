"""Peers that live in an environment of their own: DuckDB 2.0, which dvt is made on, has no scanner offline."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
_PROBES = {
    "DuckDB ATTACH": "import duckdb, duckdb_extension_postgres_scanner; print(duckdb.__version__)",
    "ADBC": "import adbc_driver_postgresql.dbapi, importlib.metadata as m; print(m.version('adbc-driver-postgresql'))",
    "pgpq": "import pgpq, psycopg, importlib.metadata as m; print(m.version('pgpq'))",
    "sling": "import sling_linux_amd64, importlib.metadata as m; print(m.version('sling-linux-amd64'))",
    "connectorx": "import connectorx; print(connectorx.__version__)",
    "DuckDB ATTACH, MySQL": "import duckdb, duckdb_extension_mysql_scanner; print(duckdb.__version__)",
    "DuckDB ATTACH, SQLite": "import duckdb, duckdb_extension_sqlite_scanner; print(duckdb.__version__)",
    "ADBC SQLite": "import adbc_driver_sqlite.dbapi, importlib.metadata as m; print(m.version('adbc-driver-sqlite'))",
}


@dataclass(frozen=True)
class Peers:
    """The environment of the peers.

    Args:
        python: Its interpreter; None when there is no such environment.
        versions: Version of each peer that can be imported.
        reasons: Why each of the others cannot.
    """

    python: str | None
    versions: dict[str, str]
    reasons: dict[str, str]

    def missing(self, *names: str) -> tuple[str, ...]:
        """Lines for those of the named peers that are not there."""
        return tuple(f"{name} ({self.reasons[name]})" for name in names if name in self.reasons)


def find_peers() -> Peers:
    """Look into `$DVT_BENCH_PEERS` (an interpreter), or hatch's environment `peers`."""
    python = Path(os.environ.get("DVT_BENCH_PEERS") or ROOT / ".hatch" / "peers" / "bin" / "python")
    if not python.exists():
        reason = f"there is no {python}: run `hatch run peers:versions`, or set DVT_BENCH_PEERS"
        return Peers(None, {}, dict.fromkeys(_PROBES, reason))
    versions, reasons = {}, {}
    for name, probe in _PROBES.items():
        done = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=False)
        if done.returncode:
            reasons[name] = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        else:
            versions[name] = done.stdout.strip()
    return Peers(str(python), versions, reasons)
