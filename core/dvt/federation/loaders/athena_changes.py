"""The query that gives all rows of a table after its change: Athena's plain tables change none in place."""

from __future__ import annotations

from collections.abc import Mapping

from dvt.errors import DataError
from dvt.federation.loaders.changes import Changes
from dvt.federation.loaders.config import Mode
from dvt.identifiers import quote
from dvt.types.athena_landing import queried_as


def rewritten(changes: Changes, mode: Mode, types: Mapping[str, str], given: set[str]) -> str:
    """Rows of the target that stay, and the private table's.

    Args:
        changes: The tables and the key.
        mode: How they change.
        types: The target's columns, and their types.
        given: The private table's columns.

    Raises:
        DataError: A merge does not give a column: it would be lost.
    """
    old, new, target = [], [], []
    for name, native in types.items():
        quoted = quote(name, "athena")
        as_ = queried_as(native)
        target.append(quoted)
        old.append(f"t.{quoted}")
        value = f"s.{quoted}" if name in given else "null"
        new.append(f"cast({value} as {as_}) as {quoted}")
        if mode == "merge" and name not in given:
            raise DataError(
                "a merge here replaces whole rows, and the model does not give this column of the target",
                column=name,
                remedy="Select the column too, or use incremental_strategy: append or delete+insert",
            )
    stays = ["select", ", ".join(old), "from", changes.target.sql("athena"), "as t"]
    if mode != "append":
        stays.append(changes.absent_in_private())
    comes = ["select", ", ".join(new), "from", changes.private.sql("athena"), "as s"]
    return " ".join([*stays, "\nunion all\n", *comes])
