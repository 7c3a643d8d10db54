"""One run of one process: wall time, CPU time and peak memory of the process and its children."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SAMPLE_S = 0.02


@dataclass(frozen=True)
class Measurement:
    """What one run took.

    Args:
        wall_s: Seconds on the clock.
        cpu_s: Seconds of CPU, user and system, of the client's processes (not of the database server).
        peak_bytes: Sum of the peak resident memory of the client's processes.
        answer: What a worker says that it read or wrote.
        note: A worker's remark.
        error: Last lines of what a failed process said; empty when it did not fail.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    answer: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    error: str = ""


def measure(command: Sequence[str], env: Mapping[str, str], folder: Path | None = None) -> Measurement:
    """Run a process to its end.

    A worker (its last line is a JSON object with `seconds`) reports the times of its own work, without the start of
    the interpreter and its imports; memory is always that of the whole process.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=_environment(env), cwd=folder, stdout=output, stderr=errors)
        sampler = _Sampler(process.pid)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # Ctrl-C or SIGTERM
            process.kill()
            raise
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        # Not ru_maxrss: it counts what the forked child shared with this process before its exec.
        peak_bytes = sampler.stop()
        text, complaint = _text(output), _text(errors)
    cpu_s = usage.ru_utime + usage.ru_stime
    if process.returncode:
        return Measurement(wall_s, cpu_s, peak_bytes, error=_last_lines(complaint or text))
    report = _report(text)
    return Measurement(
        float(report.get("seconds", wall_s)),
        float(report.get("cpu_seconds", cpu_s)),
        max(peak_bytes, int(report.get("peak_bytes", 0))),
        {key: str(value) for key, value in report.get("answer", {}).items()},
        str(report.get("note", "")),
    )


class _Sampler:
    """Looks at a process and its descendants now and then, and keeps each one's high-water mark."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peaks: dict[int, int] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """The sum of the peaks, in bytes."""
        self._done.set()
        self._thread.join()
        return sum(self._peaks.values())

    def _run(self) -> None:
        while not self._done.wait(_SAMPLE_S):
            for pid in _tree(self._pid):
                # A child between fork and exec has all of its parent's memory: it counts from the second look on.
                is_new = pid != self._pid and pid not in self._peaks
                self._peaks[pid] = 0 if is_new else max(self._peaks.get(pid, 0), _peak_bytes(pid))


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, with `env`; Python keeps compiled modules, as it does where dvt is installed."""
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}, **env}


def _tree(pid: int) -> list[int]:
    found, rest = [], [pid]
    while rest:
        current = rest.pop()
        found.append(current)
        for path in Path(f"/proc/{current}/task").glob("*/children"):
            try:
                rest += [int(word) for word in path.read_text().split()]
            except OSError:  # the process has ended meanwhile
                continue
    return found


def _peak_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _text(file: object) -> str:
    file.seek(0)  # type: ignore[attr-defined]
    return str(file.read().decode(errors="replace"))  # type: ignore[attr-defined]


def _report(text: str) -> dict:
    lines = text.strip().splitlines()
    try:
        report = json.loads(lines[-1]) if lines else {}
    except json.JSONDecodeError:
        return {}
    return report if isinstance(report, dict) and "seconds" in report else {}


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-5:]) or "it said nothing"
