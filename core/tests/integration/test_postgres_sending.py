"""A COPY that a thread of its own sends: what is given up, and what breaks, while the server takes nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from servers.postgres import PostgresServer

from dvt.federation.loaders import postgres_sending
from dvt.federation.loaders.postgres_sending import SendingAhead

pytestmark = pytest.mark.postgres
PIECE = b"x" * 1023 + b"\n"
_SLOW = """
create table t (v text);
create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$;
create trigger waits before insert on t for each row execute function wait()
"""


@pytest.fixture
def session(postgres_server: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    place = {key: getattr(postgres_server, key) for key in ("host", "port", "user", "password")}
    with psycopg.connect(dbname=postgres_server.create_database("sending"), autocommit=True, **place) as found:
        yield found


def _copy(
    session: psycopg.Connection[Any], pieces: int, error: Exception | None = None, *, frozen: int | None = None
) -> None:
    """Send pieces of a megabyte, perhaps to a process that is frozen, and then perhaps fail."""
    with session.cursor() as cursor, cursor.copy("copy t from stdin", writer=SendingAhead(cursor)) as copy:
        if frozen:
            os.kill(frozen, signal.SIGSTOP)
        for _ in range(pieces):
            copy.write(PIECE * 1024)
        if error:
            raise error


def _senders() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "dvt-copy"]


def test_all_that_is_sent_arrives(session: psycopg.Connection[Any]) -> None:
    session.execute("create table t (v text)")
    _copy(session, 20)
    assert session.execute("select count(*), min(v) = max(v) from t").fetchone() == (20 * 1024, True)
    with session.cursor() as cursor, cursor.copy("copy t from stdin", writer=SendingAhead(cursor)) as copy:
        copy.write(PIECE * 3000)  # more than one piece
    assert session.execute("select count(*) from t").fetchone() == (20 * 1024 + 3000,)
    _copy(session, 0)
    assert _senders() == []


def test_a_failure_while_the_server_takes_nothing_ends_at_once(session: psycopg.Connection[Any]) -> None:
    """The session is there for the next statement, which no late cancel meets."""
    session.execute(_SLOW)
    begun = time.monotonic()
    with pytest.raises(ValueError, match="the stream broke"):
        _copy(session, 10, ValueError("the stream broke"))
    assert time.monotonic() - begun < 30
    assert session.execute("select count(*) from t, pg_sleep(0.3)").fetchone() == (0,)
    assert _senders() == []


def test_a_failure_while_the_server_takes_rows_leaves_none(session: psycopg.Connection[Any]) -> None:
    session.execute("create table t (v text)")
    with pytest.raises(ValueError, match="the stream broke"):
        _copy(session, 3, ValueError("the stream broke"))
    assert session.execute("select count(*) from t, pg_sleep(0.3)").fetchone() == (0,)
    assert _senders() == []


def test_a_value_that_the_server_refuses_is_its_error(session: psycopg.Connection[Any]) -> None:
    session.execute("create table t (v int)")
    with pytest.raises(psycopg.errors.InvalidTextRepresentation, match="invalid input syntax for type integer"):
        _copy(session, 20)
    assert session.execute("select count(*) from t").fetchone() == (0,)
    assert _senders() == []


def test_a_session_that_is_ended_is_an_error_of_the_next_piece(
    session: psycopg.Connection[Any], postgres_server: PostgresServer
) -> None:
    session.execute(_SLOW)
    pid = session.info.backend_pid
    ending = threading.Timer(0.5, postgres_server.psql, ("sending", f"select pg_terminate_backend({pid})"))
    ending.start()
    with pytest.raises(psycopg.OperationalError):
        _copy(session, 1000)
    ending.join()
    assert _senders() == []


def test_a_failure_while_the_server_is_frozen_ends_the_session(
    session: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes nothing, and hears no cancel: the first error is told, and nobody waits for it."""
    monkeypatch.setattr(postgres_sending, "_LAST_PATIENCE_S", 1.0)
    session.execute("create table t (v text)")
    pid = session.info.backend_pid
    try:
        with pytest.raises(ValueError, match="the stream broke"):
            _copy(session, 10, ValueError("the stream broke"), frozen=pid)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert session.closed
    assert _senders() == []
