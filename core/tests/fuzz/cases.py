"""Differences that were found, as files: the tables, the query, and how to make the answers differ again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz.schema import Table

FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class CaseFile:
    """One query over some tables.

    Args:
        pair: The engines of side 0 and side 1.
        query: The query; handles name the connections `<engine>0` and `<engine>1`.
        is_ordered: Whether the order of its rows is determined.
        tables: The tables.
        seed: Where it came from.
        what: What was wrong when it was found.
        before: A query of the same run, asked before; perhaps none.
        known: Why it is wrong still; empty when it is mended.
    """

    pair: tuple[str, str]
    query: str
    is_ordered: bool
    tables: tuple[Table, ...]
    seed: str
    what: str
    before: str = ""
    known: str = ""

    def write(self, folder: Path = FOLDER) -> Path:
        """Keep it under a name made of its content."""
        digest = hashlib.sha256(repr((self.before, self.query, self.tables)).encode()).hexdigest()[:8]
        path = folder / f"{self.pair[0]}_{self.pair[1]}_{digest}.json"
        data = {
            "what": self.what,
            **({"known": self.known} if self.known else {}),
            "seed": self.seed,
            "pair": list(self.pair),
            "is_ordered": self.is_ordered,
            **({"before": self.before} if self.before else {}),
            "query": self.query,
            "tables": [table.as_data() for table in self.tables],
        }
        path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path


def read_case(path: Path) -> CaseFile:
    """A case from its file."""
    data = json.loads(path.read_text(encoding="utf-8"))
    tables = tuple(Table.from_data(table) for table in data["tables"])
    pair, known = tuple(data["pair"]), data.get("known", "")
    return CaseFile(
        pair, data["query"], data["is_ordered"], tables, data["seed"], data["what"], data.get("before", ""), known
    )


def case_files() -> Sequence[Path]:
    """All cases that are kept."""
    return sorted(FOLDER.glob("*.json"))
