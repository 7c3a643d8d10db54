"""The choice of a method: the first that can, of the kind that is asked for, with the reasons of those before it."""

from __future__ import annotations

import pytest

from dvt.connections.connection import Connection
from dvt.errors import UnsupportedError
from dvt.federation.extractors.methods import BUFFERED, HELD_IN_MEMORY, JDBC, Chosen, Method, PassedOver, first_that_can
from dvt.federation.registry import connection_spec


def connection(read_by: str) -> Connection:
    return Connection("crm", connection_spec("sqlite"), {}, {"read_by": read_by})


def chain(copy: str | None, cursor: str | None, client: str | None = None) -> list[Method]:
    return [
        Method("copy_streaming", lacks=lambda: copy),
        Method("cursor_streaming", lacks=lambda: cursor),
        Method("buffered", BUFFERED, lambda: client, (HELD_IN_MEMORY,)),
        Method("jdbc", JDBC),
    ]


def test_the_first_that_can() -> None:
    assert first_that_can(chain(None, None), connection("auto")) == Chosen("copy_streaming")
    passed = (PassedOver("copy_streaming", "no COPY"), PassedOver("cursor_streaming", "no cursor"))
    found = first_that_can(chain("no COPY", "no cursor"), connection("auto"))
    assert found == Chosen("buffered", passed, (HELD_IN_MEMORY,))
    assert first_that_can(chain("no COPY", "no cursor", "no client"), connection("native")).method == "jdbc"


def test_what_is_behind_the_chosen_one_is_not_asked() -> None:
    def never() -> str | None:
        raise AssertionError("it was asked")

    methods = [Method("copy_streaming"), Method("buffered", BUFFERED, never)]
    assert first_that_can(methods, connection("auto")).method == "copy_streaming"


def test_only_what_is_asked_for() -> None:
    found = first_that_can(chain(None, None), connection("jdbc"))
    assert (found.method, {each.why for each in found.passed_over}) == ("jdbc", {"dvt.read_by is jdbc"})
    with pytest.raises(UnsupportedError) as raised:
        first_that_can(chain("no COPY", "no cursor"), connection("streaming"))
    for words in ("copy_streaming: no COPY", "cursor_streaming: no cursor", "buffered: dvt.read_by is streaming"):
        assert words in raised.value.message
