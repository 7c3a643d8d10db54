"""Running a case: its contenders in turns, and whether all of them did the same work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from benchmarks.case import Case, Contender
from benchmarks.measure import Measurement, measure


@dataclass(frozen=True)
class CaseRuns:
    """The runs of a case.

    Args:
        case: The case.
        runs: Counted runs of each contender, in the order of the case.
    """

    case: Case
    runs: Mapping[str, list[Measurement]]

    def error(self, name: str) -> str:
        """Why a contender has no figures; empty when it has."""
        return next((run.error for run in self.runs[name] if run.error), "")

    def wrong(self) -> list[str]:
        """Contenders whose answer is not that of the first that has one."""
        answers = {name: runs[-1].answer for name, runs in self.runs.items() if not self.error(name)}
        expected = next(iter(answers.values()), {})
        drains = {contender.name for contender in self.case.contenders if contender.is_drain}

        def differs(name: str, answer: Mapping[str, str]) -> bool:
            if name in drains and answer:
                return any(expected.get(key) != value for key, value in answer.items())
            return dict(answer) != dict(expected)

        return [
            name
            for name, runs in self.runs.items()
            if not self.error(name) and any(differs(name, run.answer) for run in runs)
        ]


def run_case(case: Case, env: Mapping[str, str], runs: int, say: Callable[[str], None]) -> CaseRuns:
    """Run every contender `runs` times, A B A B, so that whatever else the machine does falls on all of them."""
    measured: dict[str, list[Measurement]] = {contender.name: [] for contender in case.contenders}
    for turn in range(-case.warm_ups, runs):
        for contender in case.contenders:
            if any(run.error for run in measured[contender.name]):
                continue
            run = _one(contender, env)
            what = run.error.splitlines()[-1] if run.error else f"{run.wall_s:.2f} s"
            say(f"  {'warm-up' if turn < 0 else turn + 1} {contender.name}: {what}")
            if turn >= 0 or run.error:
                measured[contender.name].append(run)
    return CaseRuns(case, measured)


def _one(contender: Contender, env: Mapping[str, str]) -> Measurement:
    if contender.prepare is not None:
        contender.prepare()
    run = measure(contender.command, env, contender.folder)
    if run.error or contender.answer is None:
        return run
    return replace(run, answer=contender.answer())
