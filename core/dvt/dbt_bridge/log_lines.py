"""What dvt's own layers say in Python's log, as lines of dbt's: on the terminal, in dbt.log and as JSON."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note

from dvt.connections.secrets import redact

_LEVELS = {logging.WARNING: EventLevel.WARN, logging.ERROR: EventLevel.ERROR}


class _DbtLines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on."""
        fire_event(Note(msg=redact(record.getMessage())), level=_LEVELS.get(record.levelno, EventLevel.INFO))


@contextmanager
def told_by_dbt() -> Iterator[None]:
    """Within it, warnings of dvt's layers are warnings of the dbt command, and of it alone."""
    log, handler = logging.getLogger("dvt"), _DbtLines(logging.WARNING)
    propagates, log.propagate = log.propagate, False  # some package gives the root a handler of its own
    handlers, log.handlers = log.handlers, [handler]
    try:
        yield
    finally:
        log.handlers = handlers
        log.propagate = propagates
