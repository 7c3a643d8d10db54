"""dvt's errors as dbt shows them: one message, without a traceback, under the node's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from dvt.errors import DvtError


class DbtSideError(DbtRuntimeError):
    """A `DvtError` on its way through dbt."""

    def __init__(self, error: DvtError, node: Any = None) -> None:
        super().__init__(str(error), node=node)
        self.error = error


@contextmanager
def shown_by_dbt(node: Any = None) -> Iterator[None]:
    """Turn a `DvtError` into the kind that dbt prints as a message."""
    try:
        yield
    except DvtError as error:
        raise DbtSideError(error, node) from error
