"""The ways in which a private table takes its target's place, by what an engine can do."""

from __future__ import annotations

from enum import Enum


class Way(str, Enum):
    """How a whole table lands; the spec names the engine's, and `dvt plan` says it before anything runs."""

    TRANSACTION = "drop and rename in one transaction"
    STATEMENT = "one atomic step"  # one statement, or the rename of a file
    ROWS = "DELETE and INSERT in one transaction"  # where the columns stay; drop and rename where they do not
    STEPS = "drop and rename, one after the other"

    @property
    def is_atomic(self) -> bool:
        """Whether readers see the old table or the new one at every moment, as long as the columns stay."""
        return self is not Way.STEPS

    def caution(self, type_: str) -> str:
        """What a user has to know of it before a run; empty where there is nothing."""
        if self is Way.STEPS:
            return f"not atomic on {type_}: readers may see no table for a moment while it is replaced"
        if self is Way.ROWS:
            return f"not atomic on {type_} where its columns change: readers may then see no table for a moment"
        return ""
