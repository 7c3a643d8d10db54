"""Judge a run in which every model and snapshot is federated: `forced.txt` names what cannot pass, and why."""

from __future__ import annotations

from pathlib import Path

from results import Outcome, failures

ENVIRONMENT = {"DVT_FORCE_FEDERATED": "1"}
_EXPECTED = Path(__file__).parent / "forced.txt"


def expected_failures() -> dict[str, str]:
    """Reasons by test; in `forced.txt` a reason is a `#` line over the tests to which it belongs."""
    reason, found = "", {}
    for line in _EXPECTED.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text.startswith("#"):
            reason = text.lstrip("# ")
        elif text:
            found[text] = reason
    return found


def report(stock: dict[str, Outcome], forced: dict[str, Outcome]) -> bool:
    """Print the expected failures with their reasons, and whatever is not as expected.

    Args:
        stock: Outcomes with stock dbt; what fails there says nothing about dvt.
        forced: Outcomes of the federated run.

    Returns:
        Whether exactly the expected tests, of those that ran, failed besides the baseline.
    """
    expected = expected_failures()
    failed = failures(forced) - failures(stock)
    unexpected = sorted(failed - set(expected))
    mended = sorted(name for name in expected if name in forced and name not in failed)
    for name in sorted(failed & set(expected)):
        print(f"  expected  {name}  {expected[name]}")
    for name in unexpected:
        print(f"  FAILED  {name}  {forced[name].message}")
    for name in mended:
        print(f"  NO LONGER FAILS (take it out of {_EXPECTED.name})  {name}")
    counts = f"{len(failures(stock))} fail with stock dbt, {len(failed)} more when everything is federated"
    print(f"forced: {len(forced)} tests, {counts}, {len(unexpected)} of them unexpectedly")
    return not (unexpected or mended or set(stock) ^ set(forced))
