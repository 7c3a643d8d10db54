"""How a command that ended early says so on the terminal: one message, with the stack trace in dbt's log only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from dbt.events.types import MainEncounteredError, MainStackTrace
from dbt_common.events.base_types import EventLevel
from dbt_common.exceptions import DbtBaseException

from dvt import signals
from dvt.connections.secrets import redact
from dvt.dbt_bridge.failures import as_internal
from dvt.errors import DvtError


def quieter(fire_event: Callable[..., None]) -> Callable[..., None]:
    """dbt's `fire_event` for the last words of a command.

    dbt prints a stack trace for everything that is not its own exception, an interrupt too.

    Args:
        fire_event: dbt's own.
    """

    def fire(event: Any, *args: Any, **more: Any) -> None:
        error = sys.exc_info()[1]
        if isinstance(event, MainStackTrace):
            trace = MainStackTrace(stack_trace=redact(event.stack_trace))
            fire_event(trace, level=EventLevel.DEBUG)
            return
        if isinstance(event, MainEncounteredError):
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                signals.ending()
                return  # the command's own line says it
            if isinstance(error, DvtError):
                event = MainEncounteredError(exc=str(error))
            elif isinstance(error, Exception) and not isinstance(error, DbtBaseException):
                event = MainEncounteredError(exc=str(as_internal(error)))
        fire_event(event, *args, **more)

    return fire
