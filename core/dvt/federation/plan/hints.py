"""What a query could have meant: the columns that its inputs have, or the relations that there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from dvt.errors import PlanError, nearest
from dvt.federation.plan.model import Input
from dvt.federation.stream import ColumnSchema

# The engine's words. What it suggests itself is taken from the columns that were read, not from all of a source's.
_NAME = r'"(?P<name>(?:[^"]|"")*)"'
_NO_COLUMN = re.compile(
    f"Referenced column {_NAME} not found|does not have a column named {_NAME.replace('name', 'of_table')}"
    f"|Column {_NAME.replace('name', 'of_join')} (?:does not exist on|in \\w+ list not found)"
)
_NO_RELATION = re.compile(r"Table with name (?P<name>.+?) does not exist")


def add_hint(
    error: PlanError,
    inputs: Sequence[Input],
    describe: Callable[[Input], list[ColumnSchema]],
    others: Iterable[Input] = (),
) -> None:
    """Put the nearest column, and where the query's columns come from, into the remedy of an error about one.

    Args:
        error: What the engine said.
        inputs: What the query reads.
        describe: Gives an input's columns.
        others: What it might have meant.
    """
    found = _NO_RELATION.search(error.message)
    if found is not None:
        error.message = error.message[: found.end()]
        known = {input_.relation.name for input_ in (*inputs, *others)}
        error.remedy = f"Refer to relations through ref() and source(): {nearest(found['name'], known)}"
        return
    found = _NO_COLUMN.search(error.message)
    if found is None or not inputs:
        return
    name = next(part for part in found.groups() if part is not None).replace('""', '"')
    columns = {column.name for input_ in inputs for column in describe(input_)}
    read = ", ".join(sorted({f"{input_.read} of connection {input_.connection.name}" for input_ in inputs}))
    error.message = re.split(r"\s*Candidate |\s*\n", error.message)[0]
    error.remedy = f"Correct the model's SQL, which reads {read}: {nearest(name, columns)}"
