"""What every worker shares: the time of its own work, and its report. Imported by scripts of any environment."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Work = Callable[..., tuple[Mapping[str, Any], str]]


def main(works: Mapping[str, Work], prepare: Callable[[Mapping[str, Any]], object] = lambda details: None) -> None:
    """Run the work that the command line names, and print the report as the last line.

    Args:
        works: The works by name.
        prepare: Called with the work's details before the clock starts, for what is imported at the first use.
    """
    work, details = works[sys.argv[1]], json.loads(sys.argv[2])
    prepare(details)
    cpu, started = _cpu_s(), time.perf_counter()
    answer, note = work(**details)
    seconds = time.perf_counter() - started
    report = {"seconds": seconds, "cpu_seconds": _cpu_s() - cpu, "peak_bytes": _peak_bytes()}
    print(json.dumps({**report, "answer": answer, "note": note}), flush=True)
    # Freeing a large result at exit is nobody's work, and some libraries' threads would hold the process.
    os._exit(0)


def count(batches: Iterable[Any], key: str = "l_orderkey") -> dict[str, int]:
    """Rows and the sum of the key of Arrow batches: cheap enough not to matter in the time."""
    import pyarrow.compute as pc

    rows = total = 0
    for batch in batches:
        rows += batch.num_rows
        total += int(pc.sum(batch.column(key)).as_py() or 0)
    return {"rows": rows, "keys": total}


def count_rows(blocks: Iterable[Sequence[Sequence[Any]]]) -> dict[str, int]:
    """The same of rows, whose first value is the key."""
    rows = total = 0
    for block in blocks:
        rows += len(block)
        total += sum([int(row[0]) for row in block])
    return {"rows": rows, "keys": total}


def _cpu_s() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _peak_bytes() -> int:
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
