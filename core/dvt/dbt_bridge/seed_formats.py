"""Which files of a seed folder are seeds: dbt's CSV, and what dvt reads beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

# By ending: the format by which the files extractor knows it; JSON documents are made JSON lines first.
FORMATS = {".parquet": "parquet", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def format_of(path: str) -> str | None:
    """The format of a seed's file; None for CSV, which is dbt's.

    >>> format_of("seeds/prices.parquet"), format_of("seeds/countries.csv")
    ('parquet', None)
    """
    return FORMATS.get(PurePath(path).suffix)


def with_formats(file_types: Callable[[Any], dict[Any, dict[str, Any]]]) -> Callable[[Any], Any]:
    """dbt's table of what it looks for in a project's folders, with more endings of seeds."""

    def get_file_types_for_project(project: Any) -> Any:
        found = file_types(project)
        for kind, entry in found.items():
            if kind.value == "seed":
                entry["extensions"] = [*entry["extensions"], *FORMATS]
        return found

    return get_file_types_for_project


def with_bytes(load: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """dbt's reading of a seed for its checksum, which takes every file for text; large ones have that of their path."""

    def load_seed_source_file(match: Any, project_name: str) -> Any:
        if format_of(match.relative_path) is None or match.seed_too_large():
            return load(match, project_name)
        from dbt.artifacts.resources import FileHash
        from dbt.contracts.files import ParseFileType, SourceFile

        with open(match.absolute_path, "rb") as file:
            checksum = FileHash.from_contents(file.read().decode("latin-1"))  # a letter for each byte
        found = SourceFile(path=match, checksum=checksum, project_name=project_name)
        found.parse_file_type, found.contents = ParseFileType.Seed, ""
        return found

    return load_seed_source_file
