"""The one exception tree. Families say what the caller should do; every error carries a stable code.

Codes are part of the public interface: `DVT1xx` configuration, `DVT2xx` connection, `DVT3xx` query,
`DVT4xx` data, `DVT5xx` resources of this machine, `DVT8xx` interrupted, `DVT9xx` a fault in dvt itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from dvt.connections.secrets import redact


class DvtError(Exception):
    """Root of all errors that dvt raises on purpose.

    Args:
        message: What happened, in one sentence, without the place.
        code: Stable code; the family's general code when not given.
        connection: Name of the connection (a profile output).
        relation: The relation as a person would write it.
        column: Name of the column.
        node: dbt node name or unique id.
        rows: Rows concerned, for example "row 17" or "rows 1-10000".
        phase: What dvt was doing: "connect", "describe", "extract", "compute", "load", "land".
        remedy: What to do about it, in one sentence.
    """

    default_code = "DVT900"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        connection: str | None = None,
        relation: str | None = None,
        column: str | None = None,
        node: str | None = None,
        rows: str | None = None,
        phase: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.connection = connection
        self.relation = relation
        self.column = column
        self.node = node
        self.rows = rows
        self.phase = phase
        self.remedy = remedy

    def at(self, **place: str | None) -> DvtError:
        """Fill in parts of the place that are still unknown, and return the same error."""
        for name, value in place.items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        return self

    @property
    def place(self) -> str:
        """The place as text: `connection crm, relation public.orders, column amount (extract)`."""
        named = (
            ("node", self.node),
            ("connection", self.connection),
            ("relation", self.relation),
            ("column", self.column),
            ("", self.rows),
        )
        parts = [f"{label} {value}".strip() for label, value in named if value]
        text = ", ".join(parts)
        if self.phase:
            text = f"{text} ({self.phase})" if text else self.phase
        return text

    def __str__(self) -> str:
        text = f"{self.code} {self.place}: {self.message}" if self.place else f"{self.code} {self.message}"
        if self.remedy:
            ended = text.rstrip(". ")
            text = f"{ended} {self.remedy}" if ended.endswith(("?", "!")) else f"{ended}. {self.remedy}"
        return redact(text)


class ConfigurationError(DvtError):
    """The project or profile says something that cannot be: mend it and run again."""

    default_code = "DVT100"


class MissingDriverError(ConfigurationError):
    """A connection needs a package that is not installed."""

    default_code = "DVT110"


class UnsupportedError(ConfigurationError):
    """What was asked for does not exist for this engine."""

    default_code = "DVT120"


class ConnectionFailedError(DvtError):
    """The server cannot be reached or ended the session: look at the network and the server."""

    default_code = "DVT200"


class AuthenticationError(ConnectionFailedError):
    """The server refused the credentials: running again will not help."""

    default_code = "DVT210"


class ConnectionLostError(ConnectionFailedError):
    """The session broke after it stood: running again may help."""

    default_code = "DVT220"


class QueryError(DvtError):
    """A database refused a statement."""

    default_code = "DVT300"


class PrivilegeError(QueryError):
    """The login may not do this."""

    default_code = "DVT310"


class RelationNotFoundError(QueryError):
    """A relation or column that does not exist."""

    default_code = "DVT320"


class TimeoutExceededError(QueryError):
    """A statement ran longer than allowed."""

    default_code = "DVT330"


class PlanError(DvtError):
    """A federated query that cannot be planned: a syntax error, an unknown relation or column."""

    default_code = "DVT340"


class NotAQueryError(PlanError):
    """A statement that is not one query, where only reading is possible."""


class DataError(DvtError):
    """A value cannot be carried exactly: the column is named, nothing was landed."""

    default_code = "DVT400"


class DuplicateKeyError(DataError):
    """A merge's delta holds one key more than once."""

    default_code = "DVT410"


class VerificationError(DataError):
    """A landed table does not hold what was sent."""

    default_code = "DVT420"


class ResourceError(DvtError):
    """This machine or the server ran out of disk or memory."""

    default_code = "DVT500"


class InterruptedRunError(DvtError):
    """Ctrl-C or a fail-fast stop ended the work; what was private was dropped."""

    default_code = "DVT800"


class InternalError(DvtError):
    """A fault in dvt: please report it."""

    default_code = "DVT900"


@contextmanager
def located(**place: str | None) -> Iterator[None]:
    """Fill in the place of an error that leaves the body."""
    try:
        yield
    except DvtError as error:
        error.at(**place)
        raise


_MOST_NAMES = 20


def nearest_first(name: str, known: Iterable[str]) -> str:
    """The known names, the ones most like a misspelt one in front.

    >>> nearest_first("cmr", ["erp", "warehouse", "crm"])
    'crm, erp, warehouse'
    """
    folded = name.lower()
    ranked = sorted(set(known), key=lambda each: (-_likeness(folded, each.lower()), each))
    more = f" and {len(ranked) - _MOST_NAMES} more" if len(ranked) > _MOST_NAMES else ""
    return ", ".join(ranked[:_MOST_NAMES]) + more if ranked else "none"


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: `did you mean 'crm'?`, or the known names when none is near.

    >>> nearest("cmr", ["crm", "erp"])
    "did you mean 'crm'?"
    >>> nearest("zzz", ["crm", "erp"])
    'known: crm, erp'
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return "known: " + (", ".join(names[:_MOST_NAMES]) + more if names else "none")
