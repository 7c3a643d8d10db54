"""How much of a landed table is compared with what was sent."""

from __future__ import annotations

from enum import Enum


class Verify(Enum):
    """What a model asks for in `meta.dvt_verify`; each level does what the one before does.

    `COUNT` is what every load does: the database counts the rows of the private table.
    `SUMS` compares, by column, the number of values that are not NULL, and the sums of exact numbers.
    `HASH` compares a checksum of the MD5 of each row as well.
    """

    COUNT = "count"
    SUMS = "sums"
    HASH = "hash"

    @classmethod
    def of(cls, given: object) -> Verify | None:
        """The level of a name; None for anything else."""
        return next((level for level in cls if level.value == given), None)
