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


def plugin_macros(config: Any, type_: str, known_packages: set[str]) -> dict[str, Any]:
    """The macros of an adapter's packages that are not in the manifest, and dvt's landing macros.

    Args:
        config: The connection's `RuntimeConfig`.
        type_: The adapter's type.
        known_packages: Packages whose macros the manifest has.
    """
    return package_macros(config, [*FACTORY.get_include_paths(type_), OWN_PACKAGE], known_packages)


def package_macros(config: Any, folders: list[Path], known_packages: set[str]) -> dict[str, Any]:
    """Parse the macros of package folders, skipping packages that are known."""
    bare = copy.copy(config)
    bare.dependencies = None
    found: dict[str, Any] = {}
    for folder in folders:
        for name, project in bare.load_projects([folder]):
            if name not in known_packages:
                found.update(_parse(project))
    return found


def _parse(project: Any) -> dict[str, Any]:
    manifest = Manifest()
    parser = MacroParser(project, manifest)
    for path in parser.get_paths():
        source = load_source_file(path, ParseFileType.Macro, project.project_name, {})
        if source is not None:
            parser.parse_file(FileBlock(source))
    return dict(manifest.macros)
