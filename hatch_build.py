"""Builds the native COPY codec (core/dvt/native/src) into the package where a C compiler is found.

Without one the package is built all the same: dvt then reads and writes PostgreSQL by PyArrow, with the same values.
`DVT_NATIVE=off` leaves it out, `DVT_NATIVE=required` makes a failure an error (as the wheels' build does).
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FOLDER = Path("core/dvt/native")


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles before a wheel or an editable wheel is put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what the wheel is for."""
        wanted = os.environ.get("DVT_NATIVE", "auto")
        library = Path(self.root, _FOLDER, "_codec.dll" if os.name == "nt" else "_codec.so")
        if wanted == "off":
            library.unlink(missing_ok=True)
            return
        why_not = _compile(Path(self.root, _FOLDER, "src"), library)
        if why_not is not None:
            if wanted == "required":
                raise RuntimeError(f"the native COPY codec was not built: {why_not}")
            self.app.display_warning(f"dvt is built without its native COPY codec: {why_not}")
            return
        build_data["pure_python"] = False
        # The library is plain C, of no Python's version: only the platform counts.
        build_data["tag"] = f"py3-none-{_platform()}"
        build_data["artifacts"].append(library.relative_to(self.root).as_posix())


def _compile(source: Path, library: Path) -> str | None:
    """The reason why there is no library, None when there is one."""
    compiler = _compiler()
    if compiler is None:
        return "no C compiler was found (CC names one)"
    files = sorted(str(path) for path in source.glob("*.c"))
    building = library.with_name(f"{library.name}.{os.getpid()}")
    command = [*compiler, *_flags(), *files, "-o", str(building)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{shlex.join(command)} said: {done.stderr.strip()[-2000:]}"
        os.replace(building, library)  # a process that uses the old one keeps it
    finally:
        building.unlink(missing_ok=True)
    return None


def _compiler() -> list[str] | None:
    named = os.environ.get("CC")
    for words in [shlex.split(named)] if named else [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(words[0]):
            return words
    return None


def _flags() -> list[str]:
    flags = ["-std=c11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra"]
    flags += ["-dynamiclib"] if sys.platform == "darwin" else ["-shared"]
    if os.name != "nt":
        flags.append("-fPIC")
    return [*flags, *shlex.split(os.environ.get("CFLAGS", ""))]


def _platform() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
