"""The manifest of a managed folder: which part files are the table, and in which types (plans/0041).

A manifest is written once, under a name of its own; the newest one that is whole counts. No file is ever replaced.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from dvt.connections.object_paths import FilePath, open_input
from dvt.errors import RelationNotFoundError

FOLDER = "_dvt"
# 20 digits: nanoseconds since 1970, so that names sort as versions do.
_NAME = re.compile(r"(\d{20})-[0-9A-Za-z]+\.json")
_TRIES = 5


@dataclass(frozen=True)
class Part:
    """One part file.

    Args:
        path: Below the managed folder, with `/` between names.
        rows: Its rows.
        bytes: Its size.
    """

    path: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """One version of a managed folder.

    Args:
        version: Larger than that of every version before.
        format: Of all parts.
        columns: Names and types, as DuckDB calls them, of what was loaded.
        parts: The files.
        partition_by: Columns whose values are folders.
        delimiter: Of CSV.
        header: Of CSV.
    """

    version: int
    format: str
    columns: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    partition_by: tuple[str, ...] = ()
    delimiter: str = ","
    header: bool = True

    @property
    def rows(self) -> int:
        """The rows of all parts."""
        return sum(part.rows for part in self.parts)

    def name(self, run_id: str) -> str:
        """The file's name below `FOLDER`."""
        return f"{self.version:020d}-{run_id}.json"

    def text(self) -> str:
        """The file's content: for other programs, `files` are the paths of the parts."""
        found = {**asdict(self), "rows": self.rows, "files": [part.path for part in self.parts]}
        return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def written(folder: FilePath) -> list[FilePath]:
    """The manifests of a folder, the oldest first; none for a folder that is not managed."""
    found = [path for path in (folder / FOLDER).glob("*.json") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name)


def version_of(path: FilePath) -> int:
    """The version that a manifest's name tells."""
    found = _NAME.fullmatch(path.name)
    assert found is not None, "only names that match are listed"
    return int(found[1])


def read(path: FilePath) -> Manifest | None:
    """A manifest; None for one that is not whole: a store may show it empty while it is written."""
    with open_input(path) as file:
        content: bytes = file.read()
    try:
        found: dict[str, Any] = json.loads(content)
    except ValueError:
        return None
    return Manifest(
        version=version_of(path),
        format=str(found["format"]),
        columns=tuple((str(name), str(type_)) for name, type_ in found["columns"]),
        parts=tuple(Part(str(part["path"]), int(part["rows"]), int(part["bytes"])) for part in found["parts"]),
        partition_by=tuple(map(str, found["partition_by"])),
        delimiter=str(found["delimiter"]),
        header=bool(found["header"]),
    )


def current(folder: FilePath) -> Manifest | None:
    """The version of a folder that counts; None for a folder that has none, or that is not managed."""
    for last in range(_TRIES, 0, -1):
        try:
            for path in reversed(written(folder)):
                if (found := read(path)) is not None:
                    return found
            return None
        except (FileNotFoundError, RelationNotFoundError):  # it was superseded and removed since it was listed
            if last == 1:
                raise
    return None
