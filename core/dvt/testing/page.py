"""A pytest plugin that writes a page of what the contract has shown.

`pytest -p dvt.testing.page --engines-page FILE` makes it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

# Outcomes of each check, by place.
Results = Mapping[str, Mapping[str, str]]

_NOTES = """Made by `hatch run engines-page` from the results of the conformance kit (`dvt.testing`).

- **real**: the engine itself ran. **emulated**: another program's imitation of it. **fake**: our own imitation of its
  protocol, under the vendor's own client. **driver**: a double of the vendor's client. The last three show what *dvt*
  does: its options, batches, types, errors. They show nothing of the vendor's SQL, rights, TLS, limits or speed.
- A check that an engine does not take part in stands with its reason below the table.
"""


class _Recorder:
    def __init__(self, file: Path) -> None:
        self.file = file
        self.tags: dict[str, str] = {}
        self.outcomes: dict[str, dict[str, str]] = defaultdict(dict)
        self.reasons: dict[str, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of a check; a failed setup is a failed check."""
        told: Any = dict(report.user_properties).get("dvt_contract")
        if told is None or (report.when != "call" and report.outcome == "passed"):
            return
        check = report.nodeid.rpartition("::")[2].removeprefix("test_")
        place = told["place"]
        self.tags[place] = told["tag"]
        if self.outcomes[place].get(check) != "failed":
            self.outcomes[place][check] = report.outcome
        if report.outcome == "skipped" and isinstance(report.longrepr, (tuple, list)):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            self.reasons[place].add(f"{check.partition('[')[0].replace('_', ' ')}: {reason}")

    def pytest_sessionfinish(self) -> None:
        """Write the page."""
        self.file.write_text(page(self.outcomes, self.tags, self.reasons), encoding="utf-8")


def page(outcomes: Results, tags: Mapping[str, str], reasons: Mapping[str, set[str]]) -> str:
    """The page's text in Markdown."""
    lines = ["# What the conformance kit has shown", "", _NOTES, "| engine | shown on | passed | failed | left out |"]
    lines.append("|---|---|---|---|---|")
    for place in sorted(outcomes):
        counts = Counter(outcomes[place].values())
        figures = " | ".join(str(counts[kind]) for kind in ("passed", "failed", "skipped"))
        lines.append(f"| {place} | {tags[place]} | {figures} |")
    lines += ["", "## Checks that were left out", ""]
    lines += [f"- **{place}**: {'; '.join(sorted(reasons[place]))}" for place in sorted(reasons)]
    failed = [
        f"- **{place}**: {check}" for place in sorted(outcomes) for check, o in outcomes[place].items() if o == "failed"
    ]
    lines += ["", "## Checks that failed", "", *failed] if failed else []
    return "\n".join(lines) + "\n"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that names the page."""
    parser.addoption("--engines-page", default=None, help="write what the conformance kit has shown to this file")


def pytest_configure(config: pytest.Config) -> None:
    """Record only where a page is wanted, and in the process that gathers all results."""
    file = config.getoption("--engines-page")
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(Path(file)), "dvt-engines-page")
