"""Which of PostgreSQL's methods a server lets through: asked with statements that read nothing.

What speaks PostgreSQL's protocol does not always know COPY, and poolers may not let it, or cursors, through.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from dvt.federation.extractors.methods import BUFFERED, HELD_IN_MEMORY, Method
from dvt.federation.extractors.postgres_native import lack_of_native
from dvt.federation.extractors.postgres_raw import lack_of_binary
from dvt.native import library as codec

if TYPE_CHECKING:
    import psycopg

    from dvt.connections.connection import Connection

# What a server says of a statement that it does not know or does not allow: feature not supported, syntax error (the
# statements here are right), insufficient privilege. All else is no lack of a method, and is reported as itself.
_REFUSALS = frozenset({"0A000", "42601", "42501"})
_PROBE = "select 1 where false"
NATIVE = "copy_native"
COPY = "copy_streaming"
# Places and users that were found to let a method through; what was refused is asked again by the next session.
_allowed: set[tuple[Any, ...]] = set()


def methods_of(session: psycopg.Connection[Any], connection: Connection) -> list[Method]:
    """The chain of a session that is in no transaction.

    Args:
        session: It is asked, when the chain comes to a method.
        connection: With the option `method`: "copy" or "cursor" is taken without asking.
    """
    only = connection.options["method"]
    found = []
    lack_of_copy = cache(_lack(session, connection, only, _copy))  # two methods need it
    if only == "auto" and connection.options["native"] and not isinstance(codec.load(), str):
        found.append(Method(NATIVE, lacks=lambda: lack_of_native(session) or lack_of_binary(session) or lack_of_copy()))
    if only in ("auto", "copy"):
        found.append(Method(COPY, lacks=lack_of_copy))
    if only in ("auto", "cursor"):
        found.append(Method("cursor_streaming", lacks=_lack(session, connection, only, _cursor)))
    return [*found, Method(BUFFERED, BUFFERED, remarks=(HELD_IN_MEMORY,))]


def _lack(
    session: psycopg.Connection[Any],
    connection: Connection,
    only: str,
    probe: Callable[[psycopg.Connection[Any]], None],
) -> Callable[[], str | None]:
    if only != "auto":
        return lambda: None
    key = (*connection.place, connection.first("user"), probe.__name__)
    return partial(refusal, session, key, probe)


def refusal(
    session: psycopg.Connection[Any], key: tuple[Any, ...], probe: Callable[[psycopg.Connection[Any]], None]
) -> str | None:
    """What the server says against a method; None when it takes it.

    Args:
        session: It is asked.
        key: The place, the user and the method: what was let through is not asked again.
        probe: Uses the method without reading or writing a row.
    """
    import psycopg

    if key in _allowed:
        return None
    try:
        probe(session)
    except psycopg.Error as error:
        if error.sqlstate not in _REFUSALS:
            raise
        words = error.diag.message_primary or str(error)
        return f"the server refuses it: {words} (SQLSTATE {error.sqlstate})"
    _allowed.add(key)
    return None


def _copy(session: psycopg.Connection[Any]) -> None:
    with session.cursor() as cursor, cursor.copy(f"copy ({_PROBE}) to stdout (format csv)") as copy:
        for _ in copy:
            pass


def _cursor(session: psycopg.Connection[Any]) -> None:
    session.execute("begin read only")
    try:
        session.execute(f"declare dvt_probe no scroll cursor for {_PROBE}")
        session.execute("fetch forward 1 from dvt_probe")
    finally:
        if not session.closed:
            session.execute("rollback")
