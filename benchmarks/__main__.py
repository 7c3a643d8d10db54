"""The command line: `python -m benchmarks [names] [--scale 1] [--runs 3]`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

from benchmarks.case import Case
from benchmarks.cases import CASES
from benchmarks.peers import Peers, find_peers
from benchmarks.run import CaseRuns, run_case
from benchmarks.table import case_table
from benchmarks.world import world


def main() -> int:
    """Run the cases; 1 when a contender failed or gave a wrong result, whatever the figures are."""
    chosen = _arguments()
    # The server is stopped and the data removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    peers = find_peers()
    print(_machine(peers, chosen.scale, chosen.runs), flush=True)
    found: list[CaseRuns] = []
    with world(chosen.scale, peers, _say) as here:
        for name in chosen.names or CASES:
            _say(name)
            found.append(run_case(_narrowed(CASES[name](here), chosen.only), here.env, chosen.runs, _say))
            print(case_table(found[-1]), flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps([_as_data(runs) for runs in found], indent=1))
    return int(any(_has_failed(runs) for runs in found))


def _narrowed(case: Case, only: list[str]) -> Case:
    """The case's first contender, and of the others those that were asked for."""
    kept = tuple(each for number, each in enumerate(case.contenders) if not only or not number or each.name in only)
    return replace(case, contenders=kept)


def _has_failed(found: CaseRuns) -> bool:
    return bool(found.case.failures or found.wrong() or any(found.error(name) for name in found.runs))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description="dvt against its peers; see benchmarks/README.md")
    parser.add_argument("names", nargs="*", metavar="name", help=f"cases: {', '.join(CASES)}; all when none is given")
    parser.add_argument("--scale", default="1", help="TPC-H scale factor")
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each contender")
    parser.add_argument(
        "--only", action="append", default=[], metavar="CONTENDER", help="beside the first, only these; may be repeated"
    )
    parser.add_argument("--json", type=Path, help="write every run's figures to this file")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in CASES]
    if unknown:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    return chosen


def _machine(peers: Peers, scale: str, runs: int) -> str:
    from importlib.metadata import version

    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    ours = ", ".join(f"{name} {version(name)}" for name in ("dvt", "dbt-core", "duckdb", "pyarrow", "psycopg"))
    theirs = ", ".join(f"{name} {number}" for name, number in peers.versions.items()) or "none"
    return "\n".join(
        [
            f"{date.today()}, TPC-H scale {scale}, median of {runs} runs",
            f"- {os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}, load at start {load}",
            f"- {ours}",
            f"- peers: {theirs}",
            "",
        ]
    )


def _say(text: str) -> None:
    load = os.getloadavg()[0]
    print(f"{text} [load {load:.1f}]", file=sys.stderr, flush=True)


def _as_data(found: CaseRuns) -> dict:
    runs = {name: [asdict(run) for run in measured] for name, measured in found.runs.items()}
    return {"case": found.case.name, "missing": found.case.missing, "wrong": found.wrong(), "runs": runs}


if __name__ == "__main__":
    sys.exit(main())
