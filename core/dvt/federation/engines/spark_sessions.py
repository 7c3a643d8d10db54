"""Which Spark an engine asks: one that was given back, or a new one; and what is missing for it, in one line."""

from __future__ import annotations

import importlib.util
import os
import re
import time
from pathlib import Path

from dvt.connections.spark_home import find_spark, lacks
from dvt.connections.spark_process import IdleProcesses, SparkProcess, SparkSaidError
from dvt.errors import MissingDriverError
from dvt.federation.engines.base import EngineLimits
from dvt.federation.engines.spark_options import SparkOptions

_WORKER = Path(__file__).with_name("spark_worker.py")
_MOST = 400
# A server of Spark Connect ends a session of which it has heard nothing for an hour.
_FRESH_S = 1200
_idle = IdleProcesses()
end_all = _idle.end_all


def require(options: SparkOptions) -> Path | None:
    """The Spark to run; None where a server is asked by the installed client.

    Raises:
        MissingDriverError: There is none, or no Java of 17 or above.
    """
    if options.remote:
        if importlib.util.find_spec("pyspark") is None:
            raise _missing("the client of Spark Connect is not installed", "Run: pip install 'dvt[spark]'")
        return None
    home = find_spark(options.home, options.root)
    why = lacks(home)
    if why is not None:
        java = os.environ.get("JAVA_HOME")
        place = f" (JAVA_HOME is {java})" if java and "Java" in why else ""
        raise _missing(
            f"{why}{place}",
            "Install Java 17 or above, and Spark: pip install pyspark, or name its folder in engines.spark.home",
        )
    return home


def taken(options: SparkOptions, limits: EngineLimits) -> SparkProcess:
    """A process that nobody else asks.

    Raises:
        MissingDriverError: Spark does not start, or its server is not reached.
    """
    home = require(options)
    settings = options.settings(limits.threads, limits.memory_bytes)
    key = (home, tuple(sorted(settings.items())))
    while idle := _idle.taken(key):
        if not options.remote or time.monotonic() - idle.idle_since < _FRESH_S:
            return idle
        idle.end()
    process = SparkProcess(key, _WORKER, settings, home)
    try:
        process.ask("version")
    except SparkSaidError as error:
        process.end()
        raise _missing(f"it does not start: {_line(error)}", "Correct engines.spark in dvt.yml") from error
    return process


def given_back(process: SparkProcess, *, is_whole: bool) -> None:
    """Keep a process for the next engine; one that was interrupted is ended."""
    try:
        if is_whole:
            process.ask("forget")
            process.idle_since = time.monotonic()
            _idle.give_back(process)
            return
    except SparkSaidError:
        pass  # it has ended by itself
    process.end()


def _line(error: SparkSaidError) -> str:
    """What was said, in one line; of gRPC's many words those that it quotes."""
    found = re.search(r'details = "([^"]*)"', str(error))
    return found.group(1) if found else " ".join(str(error).split())[-_MOST:]


def _missing(what: str, remedy: str) -> MissingDriverError:
    return MissingDriverError(f"the Spark engine cannot run: {what}", phase="compute", remedy=remedy)
