"""Project-wide settings: an optional `dvt.yml` beside `dbt_project.yml`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvt.errors import ConfigurationError, nearest
from dvt.federation.engines.choice import AUTO, AUTO_BYTES, EMBEDDED, SPARK
from dvt.federation.machine import memory_bytes
from dvt.federation.plan.pushdown import ALL_MOVES, Move, Pushdown
from dvt.federation.registry import engine_class
from dvt.safe_yaml import load_yaml

ENGINES = (EMBEDDED, SPARK, AUTO)
KEYS = (
    "engine",
    "engines",
    "auto_bytes",
    "memory_limit",
    "threads",
    "staging_folder",
    "pushdown",
    "pushdown_without",
    "direct",
)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_SIZE = re.compile(r"^\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>%|[KMGT]?I?B|)\s*$", re.IGNORECASE)
_LEAST_MEMORY_BYTES = 64 << 20
# Of engines' options, those that are paths, or may be.
_PATHS = ("home", "staging", "keyfile", "ca_file")


@dataclass(frozen=True)
class ProjectSettings:
    """What a project may say about its runs.

    Args:
        engine: Compute engine of federated models, where a model does not say; "auto" goes by their size.
        memory_bytes: Memory that all engines of a run may hold together.
        engine_threads: Threads of one engine.
        staging: Where staged and spilled data lie during a run; None for a folder below dbt's target path.
        pushdown: How much of a query moves to its sources, where a model does not say otherwise.
        direct: Whether the engine may be left out of a plain read of one relation, where a model does not say.
        moves: What may move when pushdown is full.
        engine_options: What `engines:` says, by engine.
        auto_bytes: With "auto", a model that reads more is computed by Spark.
    """

    engine: str
    memory_bytes: int
    engine_threads: int
    staging: Path | None = None
    pushdown: Pushdown = Pushdown.SAFE
    direct: bool = True
    moves: frozenset[Move] = ALL_MOVES
    engine_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    auto_bytes: int = AUTO_BYTES

    def staging_folder(self, target: Path) -> Path:
        """The folder for staged and spilled data, given dbt's target path."""
        return self.staging or target / "dvt"

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any], project: Path, file: str = "dvt.yml") -> ProjectSettings:
        """Checked settings, with defaults for what is not given.

        Args:
            given: Keys `engine`, `engines`, `auto_bytes`, `memory_limit`, `threads`, `staging_folder`, `pushdown`,
                `pushdown_without`, `direct`.
            project: Folder against which `staging_folder` is resolved.
            file: What messages call the file.

        Raises:
            ConfigurationError: A key is unknown or a value is not what it takes.
        """
        for key in given:
            if key not in KEYS:
                raise _refusal(file, f"unknown key '{key}': {nearest(str(key), KEYS)}", "Correct or remove it")
        engine = given.get("engine", "duckdb")
        if engine not in ENGINES:
            raise _refusal(file, f"engine is {engine!r}", f"It takes one of: {', '.join(ENGINES)}")
        folder = given.get("staging_folder")
        if folder is not None and (not isinstance(folder, str) or not folder.strip()):
            raise _refusal(file, f"staging_folder is {folder!r}", "It takes a path")
        staging = project / Path(folder).expanduser() if folder else None
        memory = _memory_bytes(given.get("memory_limit", "50%"), file)
        pushdown = Pushdown.of(given.get("pushdown", Pushdown.SAFE.value))
        if pushdown is None:
            raise _refusal(file, f"pushdown is {given['pushdown']!r}", "It takes one of: off, safe, full")
        direct = given.get("direct", True)
        if not isinstance(direct, bool):
            raise _refusal(file, f"direct is {direct!r}", "It takes true or false")
        threads, moves = _threads(given.get("threads"), file), _moves(given, file)
        options = _engine_options(given.get("engines", {}), project, file)
        size = _size(given.get("auto_bytes", f"{AUTO_BYTES}B"), "auto_bytes", file)
        return cls(engine, memory, threads, staging, pushdown, direct, moves, options, size)


def load_settings(path: Path) -> ProjectSettings:
    """The settings of a `dvt.yml`; the defaults when there is no such file.

    Raises:
        ConfigurationError: The file is not plain YAML, or says something that cannot be.
    """
    given = load_yaml(path) if path.exists() else None
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise _refusal(path.name, "it is not a mapping", "Write it as `key: value` lines")
    return ProjectSettings.from_mapping(given, path.parent, path.name)


def _engine_options(given: Any, project: Path, file: str) -> dict[str, dict[str, Any]]:
    """What is said of each engine, checked by the engine itself."""
    if not isinstance(given, Mapping) or not all(isinstance(each, Mapping) for each in given.values()):
        raise _refusal(file, f"engines is {given!r}", "It takes a mapping for each engine")
    found = {}
    for name, options in given.items():
        if name not in ENGINES or name == AUTO:
            raise _refusal(file, f"unknown engine '{name}': {nearest(str(name), ENGINES)}", "Correct or remove it")
        engine_class(name).check_options(options)
        found[str(name)] = _with_paths(options, project)
    return found


def _with_paths(options: Mapping[str, Any], project: Path) -> dict[str, Any]:
    """The options of an engine, which are checked, with paths that do not depend on where dvt runs."""
    found = dict(options)
    for key in _PATHS:
        if options.get(key) and "://" not in options[key]:
            found[key] = str(project / Path(options[key]).expanduser())
    if store := options.get("store"):
        found["store"] = _with_paths(store, project)
    return found


def _size(value: Any, key: str, file: str) -> int:
    found = _SIZE.match(value) if isinstance(value, str) else None
    if found is None or found["unit"] == "%":
        raise _refusal(file, f"{key} is {value!r}", 'It takes a size such as "50GB"')
    return int(float(found["number"]) * _UNITS[found["unit"].upper().rstrip("B")])


def _memory_bytes(value: Any, file: str) -> int:
    found = _SIZE.match(value) if isinstance(value, str) else None
    if found is None:
        raise _refusal(file, f"memory_limit is {value!r}", 'It takes a size such as "4GB", or a share such as "50%"')
    number, unit = float(found["number"]), found["unit"].upper()
    size = int(memory_bytes() * number / 100) if unit == "%" else int(number * _UNITS[unit.rstrip("B")])
    if unit == "%" and number > 100:
        raise _refusal(file, f"memory_limit is {value!r}", "A share is at most 100%")
    if size < _LEAST_MEMORY_BYTES:
        raise _refusal(file, f"memory_limit is {value!r}, which is {size} bytes", "The smallest limit is 64MiB")
    return size


def _threads(value: Any, file: str) -> int:
    if value is None:
        return os.cpu_count() or 1
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _refusal(file, f"threads is {value!r}", "It takes a whole number of at least 1")
    return int(value)


def _moves(given: Mapping[str, Any], file: str) -> frozenset[Move]:
    """What `full` still has, when some of it is switched off."""
    names = given.get("pushdown_without", [])
    known = {move.value: move for move in Move}
    if not isinstance(names, list) or not all(isinstance(name, str) and name in known for name in names):
        raise _refusal(file, f"pushdown_without is {names!r}", f"It takes a list of: {', '.join(known)}")
    return ALL_MOVES - {known[name] for name in names}


def _refusal(file: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{file}: {what}", code="DVT111", remedy=remedy)
