"""`dvt plan` as text: node by node, below each its scans, below each of these its conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from dvt.dbt_bridge.plan_document import PlannedCondition, PlannedNode, PlannedScan
from dvt.federation.plan.coercions import Coercion

_BELOW = " " * 11


def plan_text(planned: Sequence[PlannedNode]) -> str:
    """All nodes in the order of the run; native tests, of which there is little to say, in one line at the end."""
    tests = Counter(node.landing for node in planned if _is_plain_test(node))
    parts = ["\n".join(_paragraph(node)) for node in planned if not _is_plain_test(node)]
    if tests:
        parts.append("native tests: " + ", ".join(f"{count} on {name}" for name, count in sorted(tests.items())))
    return "\n\n".join(parts) if parts else "nothing is selected"


def _is_plain_test(node: PlannedNode) -> bool:
    return node.lane == "native" and node.unique_id.startswith("test.") and not node.error


def amount(number: float, units: Sequence[str] = ("", " k", " M", " G", " T")) -> str:
    """A number that a person can take in: three digits and a unit.

    >>> amount(7), amount(1234), amount(45_600_000), amount(999_999)
    ('7', '1.23 k', '45.6 M', '1 M')
    """
    index = 0
    while index < len(units) - 1 and float(f"{number:.3g}") >= 1000:
        number, index = number / 1000, index + 1
    return f"{number:.0f}{units[index]}" if number >= 1000 or index == 0 else f"{number:.3g}{units[index]}"


def _size(bytes_: float) -> str:
    return amount(bytes_, (" B", " kB", " MB", " GB", " TB"))


def _rows(rows: int) -> str:
    return "1 row" if rows == 1 else f"{amount(rows)} rows"


def _paragraph(node: PlannedNode) -> Iterator[str]:
    yield node.unique_id
    yield f"  lane     {node.lane}"
    if node.relation:
        yield f"  landing  {node.landing}: {node.relation}"
    if node.loading is not None and node.loading.passed_over:
        yield f"  loads    by {node.loading.method}"
        for passed in node.loading.passed_over:
            yield f"{_BELOW}not by {passed}"
    if node.inputs:
        yield f"  reads    {', '.join(node.inputs)}"
    for scan in node.scans:
        yield from _scan(scan)
    if node.engine_sql:
        yield f"  engine   {node.engine_sql}"
    if node.actual is not None:
        yield f"  result   {_rows(node.actual.rows)}, {_size(node.actual.bytes)}, {node.actual.seconds:.2f} s"
    for note in node.notes:
        yield f"  note     {note}"
    if node.error:
        yield f"  ERROR    {node.error}"


def _scan(scan: PlannedScan) -> Iterator[str]:
    how = scan.type if scan.read_by == "native" else f"{scan.type} by {scan.read_by.upper()}"
    yield f"  scan     {scan.connection} ({how}): {scan.sql}"
    if estimate := _estimate(scan):
        yield f"{_BELOW}about {estimate}"
    if scan.actual is not None:
        did = scan.actual
        parts = f"{did.parts} parts" if did.parts > 1 else ""
        how = ", ".join(word for word in (did.method, parts, "shared" if did.shared else "") if word)
        yield f"{_BELOW}read {_rows(did.rows)}, {_size(did.bytes)}, {did.seconds:.2f} s ({how})"
        if did.whole_because:
            yield f"{_BELOW}in one part: {did.whole_because}"
    if scan.passed_over or scan.remarks:
        yield f"{_BELOW}by {'; '.join([scan.method, *scan.remarks])}"
    for passed in scan.passed_over:
        yield f"{_BELOW}not by {passed}"
    if scan.reason:
        yield f"{_BELOW}all columns: {scan.reason}"
    for coercion in scan.coercions:
        yield f"{_BELOW}{_coercion(coercion)}"
    for condition in scan.conditions:
        yield f"{_BELOW}{_condition(condition)}"


def _estimate(scan: PlannedScan) -> str:
    rows = _rows(scan.estimated_rows) if scan.estimated_rows is not None else ""
    size = _size(scan.estimated_bytes) if scan.estimated_bytes is not None else ""
    return ", ".join(part for part in (rows, size) if part)


def _coercion(coercion: Coercion) -> str:
    check = ", a value that does not fit stops the run" if coercion.checked else ""
    return f"{coercion.column} is carried as {coercion.carried_as}, not {coercion.native_type}{check}"


def _condition(condition: PlannedCondition) -> str:
    word = "pushed" if condition.pushed else "stays "
    why = f"  [{condition.code}: {condition.reason}]" if condition.code else ""
    return f"{word} {condition.condition}{why}"
