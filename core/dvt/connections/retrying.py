"""Trying again what may go better a moment later: few times, after growing waits, and never after a cancellation.

What may pass is a closed list of each engine's, kept beside its errors: a port that does not answer yet, a server that
starts, ends or is full, a victim of a deadlock. A wrong password is sent once: accounts are locked after a few.
Each failure after which there is another attempt is told in the log, in one line.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.secrets import redact

Made = TypeVar("Made")
Seconds = Callable[[int], float]
MayPass = Callable[[BaseException], bool]

_LOG = logging.getLogger(__name__)
_LONGEST_SAID = 300
# What drivers and operating systems say of a network that failed; a name that nobody knows is not among it.
NETWORK_WORDS = (
    *("refused", "reset by", "without response", "broken pipe"),
    *("timed out", "time out", "timeout", "unreachable", "no route"),
)
# What resolvers say of a name that nobody knows; it stays wrong.
_UNKNOWN_NAME = ("name or service not known", "nodename nor servname", "getaddrinfo", "name resolution", "no address")
# Whatever an engine's list says: these do not pass by themselves.
_FINAL = (
    errors.AuthenticationError,
    errors.ConfigurationError,
    errors.PrivilegeError,
    errors.RelationNotFoundError,
    errors.DataError,
    errors.InterruptedRunError,
    errors.InternalError,
)


def squares(number: int) -> float:
    """The waits of dbt's adapters in seconds: 1, 4, 9 and so on."""
    return float(number**2)


def always(seconds: float) -> Seconds:
    """The same wait before each attempt."""
    return lambda _: seconds


@dataclass(frozen=True)
class Retries:
    """How often something is tried again, and after how long.

    Args:
        most: Attempts after the first one.
        may_pass: Whether an exception of the driver is on the engine's closed list.
        wait_s: Seconds to wait after the failed attempt of a number, from 1 on.
    """

    most: int
    may_pass: MayPass
    wait_s: Seconds = squares

    def after(self, number: int, failure: errors.DvtError) -> bool:
        """Whether there is another attempt after one that failed."""
        cause = failure.__cause__ or failure
        if number > self.most or isinstance(failure, _FINAL) or says(*_UNKNOWN_NAME)(cause):
            return False
        return self.may_pass(cause)


def widened(may_pass: MayPass, connection: Connection, *keys: str) -> MayPass:
    """An engine's list; where the output says `retry_all`, or one of other keys, each failure that may pass at all."""
    return (lambda _: True) if connection.first("retry_all", *keys) else may_pass


def says(*words: str) -> MayPass:
    """A list of words, in lower case, of which an exception's text has one.

    >>> says("starting up")(OSError("FATAL: the database system is starting up"))
    True
    """
    return lambda error: any(word in str(error).lower() for word in words)


def attempts(
    act: Callable[[], Made],
    retries: Retries,
    connection: Connection,
    *,
    cancelled: threading.Event | None = None,
    wait: Callable[[float], bool] | None = None,
    phase: str = "connect",
) -> Made:
    """What an act gives, at the first attempt that gives it.

    Args:
        act: One attempt; it raises errors of dvt, `from` the driver's.
        retries: How often, and after what.
        connection: Where it happens.
        cancelled: Ends the waiting when it is set.
        wait: Waits for so many seconds, and says whether it was cancelled meanwhile; by default a wait on `cancelled`.
        phase: For the error of a cancellation.

    Raises:
        DvtError: The last attempt's, or the first that does not pass.
        InterruptedRunError: It was cancelled.
    """
    waited = wait or (cancelled or threading.Event()).wait
    number = 0
    while True:
        number += 1
        try:
            return act()
        except errors.DvtError as failure:
            if not retries.after(number, failure):
                raise
            pause_s = retries.wait_s(number)
            _LOG.warning("%s", _told(failure, connection, phase, f"{number} of {retries.most + 1}", pause_s))
            if waited(pause_s):
                raise errors.InterruptedRunError(
                    "cancelled while it waited for another attempt", connection=connection.name, phase=phase
                ) from failure


def _told(failure: errors.DvtError, connection: Connection, phase: str, which: str, pause_s: float) -> str:
    """The line of a failed attempt; what a server said may have several."""
    relation = f", relation {failure.relation}" if failure.relation else ""
    said = " ".join(redact(failure.message).split())
    said = said if len(said) <= _LONGEST_SAID else f"{said[:_LONGEST_SAID]}..."
    place = redact(f"connection {connection.name}{relation}")
    return f"{place}: attempt {which} to {phase} failed, again in {pause_s:g} s: {said}"
