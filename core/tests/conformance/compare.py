"""Run dbt's own tests twice, with stock dbt and through dvt's tasks, and compare the lists of failures.

    hatch run conformance                  the subset for CI
    hatch run conformance --full           every base class, and the suites in the adapters' own source packages
    hatch run conformance --forced         the subset once, every model and snapshot federated, against forced.txt
    hatch run conformance -k incremental   other options are pytest's

Ends with 0 when both lists are equal, else prints the difference and ends with 1.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import adapter_suites
import forced
from results import Outcome, failures, read_outcomes

HERE = Path(__file__).parent


def main() -> int:
    """Run what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="everything, not the CI subset")
    parser.add_argument("--forced", action="store_true", help="federate every model and snapshot that has inputs")
    options, pytest_options = parser.parse_known_args()
    if not options.full:
        pytest_options = ["--subset", *pytest_options]
    with tempfile.TemporaryDirectory(prefix="dvt-conformance-") as folder:
        work = Path(folder)
        if options.forced:
            return forced.report(run(work, "forced", [*pytest_options, "--dvt-tasks"], forced.ENVIRONMENT))
        is_equal = _compare("dbt-tests-adapter", *(run(work, name, [*pytest_options, *more]) for name, more in MODES))
        if options.full:
            for suite in adapter_suites.suites(work):
                runs = (adapter_suites.run(suite, work / f"{suite.name}-{name}.xml", more) for name, more in MODES)
                is_equal &= _compare(suite.name, *runs)
    return 0 if is_equal else 1


MODES = (("stock", []), ("dvt", ["--dvt-tasks"]))


def run(work: Path, name: str, options: list[str], environment: dict[str, str] | None = None) -> dict[str, Outcome]:
    """Run the suite once.

    Args:
        work: Folder for the results.
        name: Name of the run.
        options: Options of pytest.
        environment: Variables to set.
    """
    xml = work / f"{name}.xml"
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-c", str(HERE / "pytest.ini"), str(HERE), f"--junitxml={xml}"]
    done = subprocess.run([*command, *options], env={**os.environ, **(environment or {})}, check=False)
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    if done.returncode not in (0, 1):  # 1: tests failed, which the comparison judges
        raise SystemExit(f"pytest ended with {done.returncode}")
    return read_outcomes(xml)


def _compare(title: str, stock: dict[str, Outcome], dvt: dict[str, Outcome]) -> bool:
    """Print what differs.

    Returns:
        Whether the same tests ran and the same ones failed.
    """
    both = failures(stock) & failures(dvt)
    only_stock, only_dvt = failures(stock) - both, failures(dvt) - both
    counts = f"{len(failures(stock))} fail with stock dbt, {len(failures(dvt))} through dvt"
    print(f"\n{title}: {len(stock)} tests, {counts}")
    for name in sorted(both):
        print(f"  baseline  {name}  {stock[name].message}")
    for name in sorted(only_dvt):
        print(f"  DVT ONLY  {name}  {dvt[name].message}")
    for name in sorted(only_stock):
        print(f"  STOCK ONLY  {name}  {stock[name].message}")
    not_in_both = set(stock) ^ set(dvt)
    for name in sorted(not_in_both):
        print(f"  RAN ONCE  {name}")
    is_equal = not (only_stock or only_dvt or not_in_both)
    print("the lists of failures are equal" if is_equal else "the lists of failures DIFFER")
    return is_equal


if __name__ == "__main__":
    raise SystemExit(main())
