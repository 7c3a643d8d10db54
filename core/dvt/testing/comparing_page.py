"""A page of what each engine's comparisons are trusted with, out of the facts that the planner reads.

`python -m dvt.testing.comparing_page FILE` makes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.federation.registry import connection_spec, known_types

_INTRODUCTION = """# What the planner trusts each engine with

Made by `hatch run comparing-page` from `connections/<engine>.py`, which is what the planner itself reads. A word says
in which rows the engine finds a condition true:

- **exact**: in the same rows as the compute engine. **more**: in all of these, perhaps in others too; the condition is
  sent, and checked again. **no**: not known to be either; the condition stays in the compute engine.
- *columns*: two columns of one relation are compared. *prefix*: the beginning of a LIKE pattern.
- *types*: a pattern that the engine's own name of the column's type has to match, in lower case. What stands in no
  row stays in the compute engine.

`dvt plan` shows what becomes of each condition of a model; docs/pushdown.md tells the rest. Types that are not listed
here (`files`, `generic`) decide by the file's format, or trust nothing.
"""

_WORDS = {Trust.EXACT: "exact", Trust.SUPERSET: "more", Trust.UNKNOWN: "no"}
_HEAD = ("family", "types", "=, IN", "<>", "<, >", "prefix", "IS NULL", "columns")


def page() -> str:
    """The page's text in Markdown."""
    lines = [_INTRODUCTION]
    for type_, others in _distinct():
        facts = connection_spec(type_).comparing
        lines += [f"## {', '.join((type_, *others))}", "", *_row(_HEAD), *_row(("---",) * len(_HEAD))]
        for family, kinds in facts.families.items():
            lines += [line for kind in kinds for line in _row(_cells(family, kind))]
        lines += ["", " ".join(_remarks(facts)), ""]
    return "\n".join(lines)


def _distinct() -> Iterator[tuple[str, list[str]]]:
    """Types that trust something, each with those that share its facts."""
    seen: list[tuple[ComparingFacts, str, list[str]]] = []
    for type_ in known_types():
        facts = connection_spec(type_).comparing
        if not facts.families:
            continue
        alike = next((others for known, _, others in seen if known == facts), None)
        if alike is None:
            seen.append((facts, type_, []))
        else:
            alike.append(type_)
    for _, type_, others in seen:
        yield type_, others


def _cells(family: str, kind: Comparing) -> tuple[str, ...]:
    native = kind.native.replace("|", "\\|")
    trusts = (kind.equal, kind.unequal, kind.order, kind.prefix, kind.is_null, kind.columns)
    return (family, "all" if native == ".*" else f"`{native}`", *(_WORDS[trust] for trust in trusts))


def _row(cells: tuple[str, ...]) -> list[str]:
    return [f"| {' | '.join(cells)} |"]


def _remarks(facts: ComparingFacts) -> Iterator[str]:
    yield f"IS NOT NULL of any column: {_WORDS[facts.any_null_test]}."
    yield f"The first rows of an order: {'yes' if facts.takes_order else 'no'}."
    yield f"Joins of its relations: {'yes' if facts.takes_joins else 'no'}."
    yield f"Groups: {', '.join(sorted(facts.aggregates)) or 'no'}."


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
