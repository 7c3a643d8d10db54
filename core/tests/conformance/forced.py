"""Judge a run in which every model and snapshot is federated: `forced.txt` names what cannot pass, and why."""

from __future__ import annotations

from pathlib import Path

from results import FAILED, Outcome, failures

ENVIRONMENT = {"DVT_FORCE_FEDERATED": "1"}
_EXPECTED = Path(__file__).parent / "forced.txt"


def expected_failures() -> dict[str, str]:
    """Reasons by test; `forced.txt` has a reason as a `# heading` over the tests to which it belongs."""
    reason, found = "", {}
    for line in _EXPECTED.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text.startswith("#"):
            reason = text.lstrip("# ")
        elif text:
            found[text] = reason
    return found


def report(outcomes: dict[str, Outcome]) -> int:
    """Print the expected failures by reason, and whatever is not as expected.

    Returns:
        0 when exactly the expected tests of those that ran failed, else 1.
    """
    expected = expected_failures()
    failed = failures(outcomes)
    for name in sorted(failed & set(expected)):
        print(f"  expected  {name}  {expected[name]}")
    unexpected = sorted(failed - set(expected))
    mended = sorted(name for name in expected if name in outcomes and outcomes[name].state != FAILED)
    for name in unexpected:
        print(f"  FAILED  {name}  {outcomes[name].message}")
    for name in mended:
        print(f"  NO LONGER FAILS (take it out of {_EXPECTED.name})  {name}")
    print(f"forced: {len(outcomes)} tests, {len(failed)} failed, {len(unexpected)} of them unexpectedly")
    return 1 if unexpected or mended else 0
