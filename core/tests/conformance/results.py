"""Outcomes of a pytest run, from its JUnit XML."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

PASSED, SKIPPED, FAILED = "passed", "skipped", "failed"


@dataclass(frozen=True)
class Outcome:
    """How one test ended.

    Args:
        state: PASSED, SKIPPED or FAILED; an error in a fixture is a failure.
        message: The first line of what failed or why it was skipped.
    """

    state: str
    message: str = ""


def read_outcomes(path: Path) -> dict[str, Outcome]:
    """Outcomes by test, named `module.Class::test`."""
    # The file was written by the pytest that this process started.
    cases = ElementTree.parse(path).getroot().iter("testcase")
    found: dict[str, Outcome] = {}
    for case in cases:
        name = f"{case.get('classname', '')}::{case.get('name', '')}"
        outcome = _outcome(case)
        # A test that passes and whose fixture then fails to clean up is written twice: the failure counts.
        if name not in found or outcome.state == FAILED:
            found[name] = outcome
    return found


def failures(outcomes: dict[str, Outcome]) -> set[str]:
    """Names of the tests that failed."""
    return {name for name, outcome in outcomes.items() if outcome.state == FAILED}


def _outcome(case: ElementTree.Element) -> Outcome:
    for child in case:
        if child.tag in ("failure", "error"):
            return Outcome(FAILED, _first_line(child))
        if child.tag == "skipped":
            return Outcome(SKIPPED, _first_line(child))
    return Outcome(PASSED)


def _first_line(element: ElementTree.Element) -> str:
    return (element.get("message") or element.text or "").strip().partition("\n")[0][:200]
