"""A pytest plugin that writes a page of what the contract has shown.

`pytest -p dvt.testing.page --engines-page FILE` makes it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_NOTES = """Made by `hatch run engines-page` from the results of the conformance kit (`dvt.testing`).

- **real**: the engine itself ran. **emulated**: another program's imitation of it. **fake**: our own imitation of its
  protocol, under the vendor's own client. **driver**: a double of the vendor's client. The last three show what *dvt*
  does: its options, batches, types, errors. They show nothing of the vendor's SQL, rights, TLS, limits or speed.
- **method**: how the rows of the checks that passed were fetched, or loaded.
- A check that an engine does not take part in stands with its reason below the table.
"""


@dataclass
class Shown:
    """What was shown on one place.

    Args:
        tag: What the place is.
        outcomes: "passed", "failed" or "skipped", by check.
        reasons: Why checks were left out.
        methods: How rows were fetched, in checks that passed.
        types: Native types whose values came as they were written, in checks that passed, and what carried each.
    """

    tag: str = ""
    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    types: set[tuple[str, str]] = field(default_factory=set)


class _Recorder:
    def __init__(self, file: Path) -> None:
        self.file = file
        self.places: dict[str, dict[str, Shown]] = defaultdict(lambda: defaultdict(Shown))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of a check; a failed setup is a failed check."""
        told: Any = dict(report.user_properties).get("dvt_contract")
        if told is None or (report.when != "call" and report.outcome == "passed"):
            return
        check = report.nodeid.rpartition("::")[2].removeprefix("test_")
        place = self.places[told.get("direction", "reading")][told["place"]]
        place.tag = told["tag"]
        if place.outcomes.get(check) != "failed":
            place.outcomes[check] = report.outcome
        if report.outcome == "passed":
            place.methods.update(told.get("methods", ()))
            place.types.update((native, carrier) for native, carrier in told.get("types", ()))
        if report.outcome == "skipped" and isinstance(report.longrepr, (tuple, list)):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            place.reasons.add(f"{check.partition('[')[0].replace('_', ' ')}: {reason}")

    def pytest_sessionfinish(self) -> None:
        """Write the page."""
        self.file.write_text(page(self.places["reading"], self.places["loading"]), encoding="utf-8")


def page(reading: Mapping[str, Shown], loading: Mapping[str, Shown] | None = None) -> str:
    """The page's text in Markdown, for both directions."""
    lines = ["# What the conformance kit has shown", "", _NOTES, "## Reading", "", *_direction(reading)]
    if loading:
        lines += ["", "## Loading", "", *_direction(loading)]
    return "\n".join(lines) + "\n"


def _direction(places: Mapping[str, Shown]) -> list[str]:
    by_name = sorted(places.items())
    lines = ["| engine | shown on | method | passed | failed | left out |", "|---|---|---|---|---|---|"]
    lines += [_row(name, shown) for name, shown in by_name]
    lines += ["", "### Checks that were left out", ""]
    lines += [f"- **{name}**: {'; '.join(sorted(shown.reasons))}" for name, shown in by_name if shown.reasons]
    failed = [(name, check) for name, shown in by_name for check, o in shown.outcomes.items() if o == "failed"]
    if failed:
        lines += ["", "### Checks that failed", "", *(f"- **{name}**: {check}" for name, check in failed)]
    lines += ["", "### Types whose values came as they were written, and what carries them"]
    for name, shown in by_name:
        if shown.types:
            types = ", ".join(f"`{native}` {carrier}" for native, carrier in sorted(shown.types))
            lines += ["", f"#### {name}", "", types]
    return lines


def _row(name: str, shown: Shown) -> str:
    counts = Counter(shown.outcomes.values())
    figures = [str(counts[kind]) for kind in ("passed", "failed", "skipped")]
    return f"| {' | '.join([name, shown.tag, ', '.join(sorted(shown.methods)) or '-', *figures])} |"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that names the page."""
    parser.addoption("--engines-page", default=None, help="write what the conformance kit has shown to this file")


def pytest_configure(config: pytest.Config) -> None:
    """Record only where a page is wanted, and in the process that gathers all results."""
    file = config.getoption("--engines-page")
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(Path(file)), "dvt-engines-page")
