"""Macros that the project's manifest has not: those of other adapters' packages, and dvt's own."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from dbt.adapters.factory import FACTORY
from dbt.contracts.files import ParseFileType
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.macros import MacroParser
from dbt.parser.read_files import load_source_file
from dbt.parser.search import FileBlock

OWN_PACKAGE = Path(__file__).parent / "include"
_parsed: dict[Path, dict[str, Any]] = {}


def plugin_macros(config: Any, type_: str, known_packages: set[str]) -> dict[str, Any]:
    """The macros of an adapter's packages that are not in the manifest, and dvt's landing macros.

    Args:
        config: The connection's `RuntimeConfig`.
        type_: The adapter's type.
        known_packages: Packages whose macros the manifest has.
    """
    names = [name for name in FACTORY.get_adapter_package_names(type_) if name not in known_packages]
    found: dict[str, Any] = {}
    for folder in (*(FACTORY.packages[name] for name in names), OWN_PACKAGE):
        found.update(package_macros(config, folder))
    return found


def package_macros(config: Any, folder: Path) -> dict[str, Any]:
    """The macros of an installed package; they are parsed once in a process, for they are the same for every config."""
    if folder not in _parsed:
        bare = copy.copy(config)
        bare.dependencies = None
        _parsed[folder] = {}
        ((_, project),) = bare.load_projects([folder])
        _parsed[folder] = _parse(project)
    return _parsed[folder]


def _parse(project: Any) -> dict[str, Any]:
    manifest = Manifest()
    parser = MacroParser(project, manifest)
    for path in parser.get_paths():
        source = load_source_file(path, ParseFileType.Macro, project.project_name, {})
        if source is not None:
            parser.parse_file(FileBlock(source))
    return dict(manifest.macros)
