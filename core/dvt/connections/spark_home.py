"""Where a Spark stands on this machine that dvt can run, and what it lacks."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from dvt.connections.connection import Connection

# Spark 4 runs on no older one.
_LEAST_JAVA = 17


def spark_home(connection: Connection) -> Path | None:
    """The folder with Spark's jars and its Python: the connection's, the environment's, or the installed PySpark's."""
    return find_spark(str((connection.options.get("jdbc") or {}).get("spark_home") or ""), connection.root)


def find_spark(given: str, root: Path) -> Path | None:
    """The folder that is given, against a root; else the environment's, or the installed PySpark's."""
    given = given or os.environ.get("SPARK_HOME", "")
    if given:
        folder = root / given
        return folder if _is_spark(folder) else None
    found = importlib.util.find_spec("pyspark")
    folders = [Path(place) for place in (found.submodule_search_locations or ())] if found is not None else []
    return next((folder for folder in folders if _is_spark(folder)), None)


def python_path(home: Path) -> list[str]:
    """What Spark's Python needs to be found."""
    return [str(path) for path in sorted((home / "python" / "lib").glob("*.zip"))]


def spark_lacks(connection: Connection) -> str | None:
    """What is missing for a local Spark session; None when nothing is."""
    return lacks(spark_home(connection))


def lacks(home: Path | None) -> str | None:
    """What is missing to run the Spark of a folder; None when nothing is."""
    if home is None:
        return "PySpark with its jars is not installed"
    version = java_version(os.environ.get("JAVA_HOME", ""))
    if version is None:
        return "there is no Java"
    if version < _LEAST_JAVA:
        return f"Spark wants Java {_LEAST_JAVA}, and this is Java {version}"
    return None


@cache
def java_version(java_home: str) -> int | None:
    """The number of the machine's Java, as Spark finds it; None when there is none."""
    program = Path(java_home) / "bin" / "java" if java_home else shutil.which("java")
    if not program:
        return None
    try:
        said = subprocess.run([str(program), "-version"], capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        return None
    number = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(number.group(1)) if number else None


def _is_spark(folder: Path) -> bool:
    has_python = any((folder / "python" / "lib").glob("py4j-*.zip"))
    return has_python and any((folder / "jars").glob("spark-sql_*.jar"))
