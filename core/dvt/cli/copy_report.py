"""What `dvt copy` prints when it is done, or with --dry-run: lines for people, a document for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dvt.cli.copy_running import size
from dvt.connections.landing_ways import Way
from dvt.federation.verifying.level import Verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvt.federation.copy_names import End
    from dvt.federation.copying import CopyPlan, CopyRequest, CopyResult
    from dvt.federation.extractors.methods import PassedOver

_WORTH_A_RATE = 10_000
_NOT_ATOMIC = "NOT atomic: for a moment readers may find no table, or half of one"


def result_lines(request: CopyRequest, result: CopyResult) -> list[str]:
    """The last line: rows, bytes, seconds, methods, swap; before it, what a user should know of the reading."""
    lines = _remarks(request, result.scan.how.passed_over)
    if result.scan.how.whole_because:
        lines.append(f"read by one session: {result.scan.how.whole_because}")
    rate = f" ({result.rows / result.seconds:,.0f} rows/s)" if result.rows >= _WORTH_A_RATE else ""
    parts = f" in {result.scan.how.parts} parts" if result.scan.how.parts > 1 else ""
    compared = "" if request.verify is Verify.COUNT else f"compared by {request.verify.value}, "
    methods = f"read by {result.scan.method}{parts}, loaded by {result.load.method}, {compared}{swap(request)}"
    figures = f"{_rows(result.rows)}, {size(result.bytes)}, {result.seconds:.2f} s{rate}"
    return [*lines, f"{request.source} -> {request.target}: {figures}; {methods}"]


def result_document(request: CopyRequest, result: CopyResult) -> dict[str, Any]:
    """The same for programs."""
    scan = result.scan
    return {
        **_ends(request),
        "rows": result.rows,
        "bytes": result.bytes,
        "seconds": round(result.seconds, 3),
        "read_by": scan.method,
        "passed_over": [asdict(each) for each in scan.how.passed_over],
        "parts": scan.how.parts,
        "whole_because": scan.how.whole_because,
        "loaded_by": result.load.method,
        "verified_by": request.verify.value,
        **_swap_facts(request),
    }


def plan_lines(request: CopyRequest, plan: CopyPlan) -> list[str]:
    """What would be done, for people."""
    about = f", about {_rows(plan.estimated_rows)}" if plan.estimated_rows is not None else ""
    width = max((len(column.name) for column in plan.columns), default=0)
    columns = [
        f"  {column.name:<{width}}  {column.native_type or column.type} -> {native}"
        for column, native in zip(plan.columns, plan.native_types, strict=True)
    ]
    lines = [
        f"read     {_end(request.source)}{about}",
        f"  {plan.statement}",
        f"  by {plan.read_by}",
        *(f"  {line}" for line in [*_remarks(request, plan.passed_over), *plan.remarks]),
        f"land     {_end(request.target)}, {_what_becomes(request, plan)}",
        f"  {swap(request)}",
        "columns"
        if request.replaces or not plan.is_there
        else "columns  (of the staged rows; the target keeps its own types)",
        *columns,
    ]
    return [*lines, "Nothing was read or written (--dry-run)."]


def plan_document(request: CopyRequest, plan: CopyPlan) -> dict[str, Any]:
    """The same for programs."""
    return {
        "dry_run": True,
        **_ends(request),
        "statement": plan.statement,
        "read_by": plan.read_by,
        "passed_over": [asdict(each) for each in plan.passed_over],
        "remarks": list(plan.remarks),
        "estimated_rows": plan.estimated_rows,
        "target_exists": plan.is_there,
        "columns": [
            {"name": column.name, "source_type": column.native_type or str(column.type), "target_type": native}
            for column, native in zip(plan.columns, plan.native_types, strict=True)
        ],
        **_swap_facts(request),
    }


def swap(request: CopyRequest) -> str:
    """How the rows come into their place, in words."""
    spec = request.target.connection.spec
    what = "swapped" if request.replaces else _CHANGES[request.mode]
    if not request.replaces and spec.runs_sql:
        return f"{what} in one transaction" if is_atomic(request) else f"{what}, {_NOT_ATOMIC}"
    return f"{what} {_way(request)}" if is_atomic(request) else f"{what}, {_NOT_ATOMIC}"


def is_atomic(request: CopyRequest) -> bool:
    """Whether readers see the old table or the new one, and nothing between."""
    spec = request.target.connection.spec
    return request.target.connection.landing().is_atomic if request.replaces else spec.transactional_changes


_CHANGES = {"append": "appended", "merge": "merged", "delete+insert": "deleted and inserted", "table": "swapped"}


def _way(request: CopyRequest) -> str:
    connection = request.target.connection
    if not connection.spec.runs_sql:
        return "by a rename of the file"
    is_transaction = connection.spec.transactional_ddl or connection.landing() is Way.TRANSACTION
    return "in one transaction" if is_transaction else "by one statement"


def _what_becomes(request: CopyRequest, plan: CopyPlan) -> str:
    if not plan.is_there:
        return "which is made"
    if request.replaces:
        return "which is there, and is replaced"
    keys = f" by {', '.join(request.unique_key)}" if request.unique_key else ""
    return f"which is there: rows are {_CHANGES[request.mode]}{keys}"


def _ends(request: CopyRequest) -> dict[str, Any]:
    source, target = request.source, request.target
    return {
        "source": {
            **_end_facts(source),
            "where": request.where or None,
            "columns": list(request.columns) if request.columns is not None else None,
            "limit": request.limit,
        },
        "target": {
            **_end_facts(target),
            "mode": "replace" if request.replaces else request.mode,
            "unique_key": list(request.unique_key),
        },
    }


def _end_facts(end: End) -> dict[str, Any]:
    return {"connection": end.connection.name, "type": end.connection.type, "relation": str(end.relation)}


def _swap_facts(request: CopyRequest) -> dict[str, Any]:
    return {"swap": swap(request), "is_atomic": is_atomic(request)}


def _end(end: End) -> str:
    return f"{end} ({end.connection.type})"


def _remarks(request: CopyRequest, passed_over: Sequence[PassedOver]) -> list[str]:
    return [f"{request.source} was not read by {each}" for each in passed_over]


def _rows(count: int | None) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
