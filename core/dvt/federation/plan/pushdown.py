"""How much of a query a source is asked to do."""

from __future__ import annotations

from enum import Enum


class Move(str, Enum):
    """What `full` has beside `safe`; each can be switched off by itself."""

    JOINS = "joins"
    GROUPS = "groups"
    KEYS = "keys"


ALL_MOVES = frozenset(Move)


class Pushdown(str, Enum):
    """How much of a query moves to its sources. The answer is the same with each.

    OFF reads whole relations. SAFE reads the columns and rows that the query needs. FULL also sends joins,
    aggregates and the keys of a small side to where a large side lives.
    """

    OFF = "off"
    SAFE = "safe"
    FULL = "full"

    @classmethod
    def of(cls, value: object) -> Pushdown | None:
        """The member of a setting; None when it is none. YAML reads a bare `off` as false.

        >>> Pushdown.of(False), Pushdown.of("full"), Pushdown.of("some")
        (<Pushdown.OFF: 'off'>, <Pushdown.FULL: 'full'>, None)
        """
        if value is False:
            return cls.OFF
        return next((member for member in cls if member.value == value), None)

    def at_most(self, other: Pushdown | None) -> Pushdown:
        """The weaker of two: a source's own setting may only hold back.

        >>> Pushdown.FULL.at_most(Pushdown.OFF), Pushdown.SAFE.at_most(None)
        (<Pushdown.OFF: 'off'>, <Pushdown.SAFE: 'safe'>)
        """
        order = list(Pushdown)
        return self if other is None else min(self, other, key=order.index)
