"""Rows of an INSERT together in statements of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def bundled(rows: Iterable[tuple[str, int]], room: int) -> Iterator[list[str]]:
    """The rows in their order, as many together as there is room for; one that is longer goes alone.

    Args:
        rows: Each with its size, and in that what joins it to the next.
        room: Of one bundle, in the unit of the sizes.

    >>> [*bundled([("(1)", 4), ("(2)", 4), ("(3)", 4), ("(45678)", 9)], 8)]
    [['(1)', '(2)'], ['(3)'], ['(45678)']]
    """
    held: list[str] = []
    total = 0
    for row, size in rows:
        if held and total + size > room:
            yield held
            held, total = [], 0
        held.append(row)
        total += size
    if held:
        yield held
