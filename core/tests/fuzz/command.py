"""The command line: `hatch run fuzz --count 1000 [--seed 1] [--pair postgres-mysql] [--level safe]`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from dvt.federation.plan.pushdown import Pushdown
from fuzz.hunt import LEVELS, Hunt
from fuzz.worlds import ENGINES, PAIRS, World


def main() -> int:
    """Hunt on every pair; 1 when answers differ, whose cases are written below core/tests/fuzz/cases."""
    chosen = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers are stopped on the way out
    folder = Path(tempfile.mkdtemp(prefix="dvt-fuzz-"))
    folder.chmod(0o755)  # PostgreSQL may run as another user
    levels = (Pushdown(chosen.level),) if chosen.level else LEVELS
    differences = 0
    try:
        with World(folder) as world:
            for names in chosen.pairs:
                pair = "-".join(names)
                missing = [why for why in map(world.missing, names) if why]
                if missing:
                    print(f"{pair}: LEFT OUT, {', '.join(missing)}", flush=True)
                    continue
                places = (world.place(names[0]), world.place(names[1]))
                hunt = Hunt(places, chosen.count, chosen.seed, folder, levels, chosen.most, not chosen.no_shrink)
                started = time.monotonic()
                tally = hunt.run(lambda text: print(text, file=sys.stderr, flush=True))
                rate = tally.asked / (time.monotonic() - started)
                print(f"{pair}: {tally.line()}; {rate:.1f} queries/s, each at {len(levels)} levels", flush=True)
                if chosen.shapes:
                    print("  " + ", ".join(f"{name} {number}" for name, number in tally.shapes.most_common()))
                for found in tally.found:
                    print(found.report, f"kept as {found.case.write()}", "", sep="\n", flush=True)
                differences += len(tally.found)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(differences > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description="Random queries with pushdown off, safe and full")
    parser.add_argument("--count", type=int, default=200, help="queries for each pair")
    parser.add_argument(
        "--seed", type=int, default=None, help="seed of the first schema; a new one each time if not given"
    )
    parser.add_argument(
        "--pair", action="append", help=f"two of {', '.join(ENGINES)}, as in postgres-mysql; all when not given"
    )
    parser.add_argument("--level", choices=["off", "safe", "full"], help="compare this level only")
    parser.add_argument("--most", type=int, default=1, help="end a pair after that many differences")
    parser.add_argument("--no-shrink", action="store_true", help="report differences as they are found")
    parser.add_argument("--shapes", action="store_true", help="say how many queries there were of each shape")
    chosen = parser.parse_args()
    if chosen.seed is None:
        chosen.seed = int.from_bytes(os.urandom(3), "big")
        print(f"seed {chosen.seed}", flush=True)
    chosen.pairs = [tuple(pair.split("-")) for pair in chosen.pair] if chosen.pair else list(PAIRS)
    wrong = [pair for pair in chosen.pairs if len(pair) != 2 or not set(pair) <= set(ENGINES)]
    if wrong:
        parser.error(f"no pair {'-'.join(wrong[0])}")
    return chosen
