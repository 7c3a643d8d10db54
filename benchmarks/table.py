"""The figures of a case as a Markdown table: medians, spread, and dvt's ratio to each peer."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from benchmarks.measure import Measurement
from benchmarks.run import CaseRuns

_HEAD = ("", "wall s", "min-max", "CPU s", "peak MB", "dvt/it wall", "dvt/it CPU", "dvt/it memory")
_MB = 1_000_000


def case_table(found: CaseRuns) -> str:
    """A case's section: title, table, differences, what is missing, what has to be known."""
    lines = [f"### {found.case.name}: {found.case.title}", ""]
    if found.case.contenders:
        first = found.case.contenders[0].name
        rows = [_row(found, contender.name, contender.against or first) for contender in found.case.contenders]
        lines += [*markdown([_HEAD, *rows]), ""]
    if found.case.table:
        lines += [*found.case.table, ""]
    for slower, faster in found.case.differences:
        lines.append(f"- {slower} minus {faster}: {_difference(found, slower, faster)}")
    wrong = found.wrong()
    if wrong:
        lines.append(f"- WRONG RESULT: {', '.join(wrong)}")
    lines += [f"- FAILED: {text}" for text in found.case.failures]
    lines += [f"- missing: {text}" for text in found.case.missing]
    lines += [f"- {name}: {note}" for name, note in _notes(found).items()]
    lines += [f"- {text}" for text in found.case.remarks]
    return "\n".join(lines).rstrip() + "\n"


def ratio(reference: float, other: float) -> str:
    """How many times the other's figure the reference's is: above 1 the reference needs more.

    >>> ratio(3.0, 2.0), ratio(1.0, 0.0)
    ('1.50x', '-')
    """
    return f"{reference / other:.2f}x" if other > 0 else "-"


def _row(found: CaseRuns, name: str, reference: str) -> tuple[str, ...]:
    error = found.error(name)
    if error:
        return (name, f"failed: {error.splitlines()[-1][:120]}", *[""] * (len(_HEAD) - 2))
    runs = found.runs[name]
    walls = [run.wall_s for run in runs]
    figures = (
        name,
        f"{median(walls):.2f}",
        f"{min(walls):.2f}-{max(walls):.2f}",
        f"{_median(runs, _cpu):.2f}",
        f"{_median(runs, _peak) / _MB:.0f}",
    )
    if name == reference or found.error(reference):
        return (*figures, "", "", "")
    ours = found.runs[reference]
    return (*figures, *(ratio(_median(ours, what), _median(runs, what)) for what in (_wall, _cpu, _peak)))


def _difference(found: CaseRuns, slower: str, faster: str) -> str:
    """The median of the differences between runs of the same turn, which the machine's load shifts least."""
    if found.error(slower) or found.error(faster):
        return "-"
    pairs = zip(found.runs[slower], found.runs[faster], strict=True)
    return f"{median(a.wall_s - b.wall_s for a, b in pairs):+.2f} s"


def _notes(found: CaseRuns) -> dict[str, str]:
    return {name: runs[-1].note for name, runs in found.runs.items() if runs and runs[-1].note}


def markdown(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows of cells as the lines of a Markdown table; the first row is its head."""
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [lines[0], rule, *lines[1:]]


def _median(runs: list[Measurement], what: Callable[[Measurement], float]) -> float:
    return median(what(run) for run in runs)


def _wall(run: Measurement) -> float:
    return run.wall_s


def _cpu(run: Measurement) -> float:
    return run.cpu_s


def _peak(run: Measurement) -> float:
    return float(run.peak_bytes)
