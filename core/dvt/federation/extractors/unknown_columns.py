"""The error for a column that a relation has not: the same words for every engine."""

from __future__ import annotations

from collections.abc import Iterable

from dvt.errors import RelationNotFoundError, nearest


def unknown_column(name: str, known: Iterable[str], connection: str, relation: str) -> RelationNotFoundError:
    """The error, with the nearest name.

    Args:
        name: The column that was asked for.
        known: The relation's columns.
        connection: The connection's name.
        relation: What messages call the relation.
    """
    return RelationNotFoundError(
        f"there is no column '{name}': {nearest(name, known)}",
        connection=connection,
        relation=relation,
        column=name,
        phase="describe",
    )
