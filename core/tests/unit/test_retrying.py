"""When something is tried again, how often, and after what waits; the clock is the test's."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from dvt import errors
from dvt.connections import clickhouse_errors, mysql_errors
from dvt.connections.connection import Connection
from dvt.connections.duckdb import SPEC
from dvt.connections.retrying import NETWORK_WORDS, Retries, always, attempts, says
from dvt.connections.secrets import register

_NETWORK = says(*NETWORK_WORDS)
_CONNECTION = Connection.from_output("shop", {"path": ":memory:"}, SPEC)


class Source:
    """Raises what it is given, one at a time, and then answers; keeps the waits."""

    def __init__(self, *failures: tuple[type[errors.DvtError], BaseException], cancelled_in: float = 1e9) -> None:
        self._failures = list(failures)
        self._left = cancelled_in
        self.asked = 0
        self.waits: list[float] = []

    def ask(self) -> str:
        self.asked += 1
        if not self._failures:
            return "answer"
        family, cause = self._failures.pop(0)
        raise family(str(cause)) from cause

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self._left -= seconds
        return self._left <= 0

    def answer(self, retries: Retries) -> str:
        return attempts(self.ask, retries, _CONNECTION, wait=self.wait)


def refused() -> tuple[type[errors.DvtError], BaseException]:
    return errors.ConnectionFailedError, ConnectionRefusedError(111, "Connection refused")


def test_waits_grow_until_it_answers() -> None:
    source = Source(refused(), refused(), refused())
    assert source.answer(Retries(3, _NETWORK)) == "answer"
    assert (source.asked, source.waits) == (4, [1, 4, 9])


def test_each_attempt_but_the_last_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    register("hunter2-secret")
    talkative = errors.ConnectionFailedError, OSError("refused:\n  password=hunter2-secret\n" + "x" * 1000)
    source = Source(refused(), talkative, refused())
    with pytest.raises(errors.ConnectionFailedError):
        source.answer(Retries(2, _NETWORK))
    lines = [record.getMessage() for record in caplog.records]
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2 == ["WARNING"] * len(source.waits)
    assert lines[0] == (
        "connection shop: attempt 1 of 3 to connect failed, again in 1 s: [Errno 111] Connection refused"
    )
    assert lines[1].startswith("connection shop: attempt 2 of 3 to connect failed, again in 4 s: refused: password=***")
    assert lines[1].endswith("xxx...")
    assert len(lines[1]) < 400
    assert not [line for line in lines if "\n" in line or "hunter2" in line]


def test_what_is_not_tried_again_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    assert Source().answer(Retries(2, _NETWORK)) == "answer"
    with pytest.raises(errors.AuthenticationError):
        Source((errors.AuthenticationError, OSError("refused"))).answer(Retries(2, _NETWORK))
    assert caplog.records == []


def test_the_last_failure_is_told_and_not_waited_for() -> None:
    last = (errors.ConnectionFailedError, TimeoutError("timed out at last"))
    source = Source(refused(), last, refused())
    with pytest.raises(errors.ConnectionFailedError, match="at last") as caught:
        source.answer(Retries(1, _NETWORK, always(0.5)))
    assert (source.asked, source.waits) == (2, [0.5])
    assert caught.value.__cause__ is last[1]


@pytest.mark.parametrize("most", [0, -1])
def test_none_is_none(most: int) -> None:
    source = Source(refused())
    with pytest.raises(errors.ConnectionFailedError):
        source.answer(Retries(most, _NETWORK))
    assert (source.asked, source.waits) == (1, [])


@pytest.mark.parametrize(
    "family",
    [
        errors.AuthenticationError,
        errors.ConfigurationError,
        errors.PrivilegeError,
        errors.RelationNotFoundError,
        errors.DataError,
        errors.InterruptedRunError,
    ],
)
def test_what_does_not_pass_is_asked_once(family: type[errors.DvtError]) -> None:
    # Whatever the engine's list says: here it says everything.
    source = Source((family, OSError("refused")))
    with pytest.raises(family):
        source.answer(Retries(5, lambda error: True))
    assert source.asked == 1


@pytest.mark.parametrize(
    "said", ["syntax error", "[Errno -2] Name or service not known (timeout)", "getaddrinfo failed: timed out"]
)
def test_what_is_not_on_the_list_is_asked_once(said: str) -> None:
    source = Source((errors.ConnectionFailedError, OSError(said)))
    with pytest.raises(errors.ConnectionFailedError):
        source.answer(Retries(5, _NETWORK))
    assert source.asked == 1


def test_a_cancellation_ends_the_wait() -> None:
    source = Source(refused(), refused(), refused(), cancelled_in=3)
    with pytest.raises(errors.InterruptedRunError) as caught:
        source.answer(Retries(3, _NETWORK))
    assert (source.asked, source.waits) == (2, [1, 4])
    assert (caught.value.connection, caught.value.phase) == ("shop", "connect")


def test_one_that_was_cancelled_before_does_not_wait() -> None:
    cancelled = threading.Event()
    cancelled.set()
    source = Source(refused())
    with pytest.raises(errors.InterruptedRunError):
        attempts(source.ask, Retries(3, _NETWORK, always(1e6)), _CONNECTION, cancelled=cancelled)
    assert source.asked == 1


class _Numbered(Exception):
    pass


@pytest.mark.parametrize(
    ("may_pass", "error", "expected"),
    [
        (mysql_errors.may_pass, _Numbered(1040, "Too many connections"), True),
        (mysql_errors.may_pass, _Numbered(2003, "Can't connect to MySQL server on 'x' (Connection refused)"), True),
        (mysql_errors.may_pass, _Numbered(2013, "Lost connection to MySQL server during query"), True),
        (mysql_errors.may_pass, _Numbered(1226, "User 'x' has exceeded the 'max_user_connections' resource"), True),
        (mysql_errors.may_pass, _Numbered(1226, "User 'x' has exceeded the 'max_queries_per_hour' resource"), False),
        (mysql_errors.may_pass, _Numbered(1045, "Access denied for user 'x'@'y'"), False),
        (mysql_errors.may_pass, _Numbered(1049, "Unknown database 'x'"), False),
        (mysql_errors.may_pass, _Numbered(1129, "Host 'x' is blocked because of many connection errors"), False),
        # Python's http.client, where the end of a connection is seen before its reset.
        (clickhouse_errors.may_pass, Exception("Remote end closed connection without response"), True),
        (clickhouse_errors.may_pass, Exception("Code: 516. DB::Exception: Authentication failed"), False),
    ],
)
def test_what_a_driver_says_has_a_list(
    may_pass: Callable[[BaseException], bool], error: BaseException, expected: bool
) -> None:
    assert may_pass(error) is expected
