"""Failing well: which error, what it says, what it never says, and what is left behind."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from dvt.connections.connection import Connection
from dvt.connections.secrets import Secret
from dvt.errors import (
    AuthenticationError,
    ConnectionFailedError,
    DvtError,
    InterruptedRunError,
    QueryError,
    RelationNotFoundError,
)
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.registry import new_extractor, open_connection
from dvt.testing.base import Contract, Maker
from dvt.testing.place import Place
from dvt.testing.reading import _many
from dvt.testing.words import EngineWords

_ENDED_WITHIN_S = 60


def _whole(error: BaseException) -> str:
    """Everything that an error shows, with its causes."""
    texts = []
    found: BaseException | None = error
    while found is not None:
        texts += [str(found), repr(found), *map(str, found.args)]
        found = found.__cause__ or found.__context__
    return "\n".join(texts)


class FailingContract(Contract):
    """Credentials, unknown names, wrong queries, cancelling, secrets."""

    def test_a_wrong_login_is_refused(self, place: Place) -> None:
        if place.refused is None:
            pytest.skip("there is no login")
        connection = open_connection("kit", place.refused, place.root)
        with pytest.raises(AuthenticationError) as raised:
            new_extractor(connection).ping()
        assert raised.value.connection == "kit"
        assert raised.value.remedy
        assert not _shown(connection, raised.value)

    def test_unknown_relations_and_columns(self, place: Place, made: Maker) -> None:
        relation = made({"id": "integer", "name": "text"}, [[1, "a"]])
        with place.extractor() as extractor:
            for request in (
                ExtractionConfig(relation=place.relation("dvt_kit_nonesuch"), source_name="crm.nonesuch"),
                made.request(relation, columns=("nonesuch",), source_name="crm.nonesuch"),
            ):
                with pytest.raises(RelationNotFoundError) as raised:
                    extractor.describe(request)
                with pytest.raises(RelationNotFoundError):
                    extractor.scan(request).to_table()
                assert "nonesuch" in str(raised.value)
                assert raised.value.connection == "kit"
            with extractor.scan(made.request(relation)) as stream:
                assert len(stream.to_table()) == 1

    def test_a_query_with_a_mistake(self, place: Place, made: Maker) -> None:
        relation = made({"id": "integer", "name": "text"}, [[1, "a"]])
        with place.extractor() as extractor:
            with pytest.raises(QueryError) as raised:
                extractor.extract_stream("select selekt from from").to_table()
            assert raised.value.connection == "kit"
            assert extractor.get_row_count(relation) == 1

    def test_cancelling_from_another_thread(self, place: Place, words: EngineWords, made: Maker) -> None:
        relation = _many(place, words, made)
        extractor = place.extractor(batch_rows=100)
        ended = threading.Event()
        outcome: list[Any] = []

        def read(stream: Any) -> None:
            try:
                outcome.append(sum(batch.num_rows for batch in stream.batches()))
            except DvtError as error:
                outcome.append(error)
            finally:
                ended.set()

        with extractor:
            stream = extractor.scan(made.request(relation))
            assert stream.read_batch(1) is not None
            extractor.cancel()
            threading.Thread(target=read, args=(stream,), daemon=True).start()
            assert ended.wait(_ENDED_WITHIN_S), "the scan went on after it was cancelled"
        assert place.running is None or place.running() == 0
        # Whoever cancelled is told so, also where the rest had arrived already: a cancel that does nothing shows here.
        assert isinstance(outcome[0], InterruptedRunError), f"it ended as if nothing had been: {outcome[0]!r}"
        with place.extractor() as again:
            assert again.ping()

    def test_a_closed_port_is_a_failed_connection(self, place: Place) -> None:
        closed = place.closed or ({**place.output, "port": 1} if "port" in place.output else None)
        if closed is None:
            pytest.skip("there is no port")
        connection = open_connection("kit", closed, place.root)
        with pytest.raises(ConnectionFailedError) as raised:
            new_extractor(connection).ping()
        assert not isinstance(raised.value, AuthenticationError)
        assert not _shown(connection, raised.value)

    def test_a_secret_is_never_shown(self, place: Place, made: Maker) -> None:
        connection = place.connection()
        with place.extractor() as extractor:
            with pytest.raises(DvtError) as raised:
                extractor.describe(ExtractionConfig(relation=place.relation("dvt_kit_nonesuch")))
            assert not _shown(connection, raised.value, extractor)
        for request in (ExtractionConfig(query="select 1"), ExtractionConfig(relation=place.relation("t"))):
            assert not _shown(connection, extractor.source_sql(request))


def _shown(connection: Connection, *things: Any) -> list[str]:
    """The secrets of a connection that can be read somewhere."""
    texts = [repr(connection), str(connection), repr(dict(connection.settings))]
    for thing in things:
        texts.append(_whole(thing) if isinstance(thing, BaseException) else f"{thing}\n{thing!r}")
    secrets = _secrets(connection.settings)
    return [secret for secret in secrets if secret and any(secret in text for text in texts)]


def _secrets(value: Any) -> list[str]:
    """All that stand in a setting, also those within mappings."""
    if isinstance(value, Secret):
        return [value.reveal()]
    return [secret for inner in value.values() for secret in _secrets(inner)] if isinstance(value, Mapping) else []
