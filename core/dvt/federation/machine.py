"""What this machine, or the container around this process, allows."""

from __future__ import annotations

import os
from pathlib import Path

# Where there is no such figure (Windows), a modest one.
_UNKNOWN_BYTES = 4 << 30


def memory_bytes(cgroups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int:
    """Physical memory, or the cgroup's limit where that is smaller.

    Args:
        cgroups: Root of the cgroup file system (version 2, or the version 1 hierarchies).
        membership: The process's own groups, as `cgroups(7)` describes it.
    """
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        physical = _UNKNOWN_BYTES
    return min([physical, *_limits(cgroups, membership)])


def _limits(cgroups: Path, membership: Path) -> list[int]:
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            root, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        # A limit of any group above holds too. Inside of a container the path may not be visible: then only the root.
        folder = root / group.lstrip("/")
        for place in [folder, *folder.parents]:
            found += _limit(place / name)
            if place == root:
                break
    return found


def _limit(file: Path) -> list[int]:
    try:
        text = file.read_text().strip()
    except OSError:
        return []
    return [int(text)] if text.isdigit() else []  # "max" is no limit
