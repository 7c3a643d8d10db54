"""Loads that fail: the old table is whole, nothing is left behind, and the error says where."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from dvt.errors import AuthenticationError, ConnectionFailedError, ConnectionLostError, DataError, InterruptedRunError
from dvt.federation.registry import loader_class, open_connection
from dvt.identifiers import Relation
from dvt.testing.failing import _shown
from dvt.testing.landing import Lander, LandingContract, cancelled_from_aside, numbered_rows
from dvt.testing.place import Place
from dvt.testing.streams import NUMBERED, numbered, stream, typed
from dvt.testing.words import EngineWords, arrow_type


class LoadFailingContract(LandingContract):
    """Broken sources, values that do not fit, cancelling, credentials, secrets."""

    @pytest.mark.parametrize("mode", ["table", "append"])
    def test_a_source_that_breaks_leaves_the_old_table(self, place: Place, land: Lander, mode: str) -> None:
        land.numbers(range(3))

        def broken() -> Iterator[pa.RecordBatch]:
            yield from numbered(range(5_000))
            raise ConnectionLostError("the source has gone", connection="crm", relation="public.orders")

        with place.loader() as loader:
            with pytest.raises(ConnectionLostError) as raised:
                loader.load(stream(NUMBERED, broken()), land.config(mode=mode))
            # The source's own error, with its own place.
            assert (raised.value.connection, raised.value.relation) == ("crm", "public.orders")
            assert land.rows() == numbered_rows(range(3))
            land.check_clean()
            loader.load(stream(NUMBERED, numbered([9])), land.config())  # the session is as good as new
        assert land.rows() == numbered_rows([9])

    def test_a_value_that_does_not_fit_is_named(self, place: Place, words: EngineWords, land: Lander) -> None:
        if not words.unfit:
            pytest.skip("every value of every type fits")
        arrow, text, *declared = words.unfit
        land.numbers(range(3))
        type_ = arrow_type(arrow)
        schema = pa.schema([("id", pa.int64()), ("v", type_)])

        def batches() -> Iterator[pa.RecordBatch]:
            for number in range(200):
                last = typed([text if number == 199 else None], type_)
                yield pa.RecordBatch.from_arrays([pa.array([number]), last], schema=schema)

        config = land.config(declared={"v": declared[0]} if declared else {}, streaming_batch_size=20)
        with place.loader() as loader, pytest.raises(DataError) as raised:
            loader.load(stream(schema, batches()), config)
        assert raised.value.column == "v"
        assert raised.value.connection == "kit"
        assert land.rows() == numbered_rows(range(3))
        land.check_clean()

    def test_cancelling_from_another_thread(self, place: Place, land: Lander) -> None:
        land.numbers(range(3))
        config = land.config(streaming_batch_size=50)
        with place.loader() as loader, pytest.raises(InterruptedRunError):
            loader.load(stream(NUMBERED, cancelled_from_aside(loader)), config)
        assert place.comes_to_rest()
        assert land.rows() == numbered_rows(range(3))
        land.check_clean()

    def test_a_wrong_login_is_refused(self, place: Place) -> None:
        if place.refused is None:
            pytest.skip("there is no login")
        connection = open_connection("kit", place.refused, place.root)
        with loader_class(place.type)(connection) as loader, pytest.raises(AuthenticationError) as raised:
            loader.describe(Relation("dvt_kit", place.schema))
        assert raised.value.connection == "kit"
        assert not _shown(connection, raised.value)

    def test_a_closed_port_is_a_failed_connection(self, place: Place) -> None:
        closed = place.closed or ({**place.output, "port": 1} if "port" in place.output else None)
        if closed is None:
            pytest.skip("there is no port")
        connection = open_connection("kit", closed, place.root)
        with loader_class(place.type)(connection) as loader, pytest.raises(ConnectionFailedError) as raised:
            loader.stage(stream(NUMBERED, numbered([1])), Relation("dvt_kit_private", place.schema))
        assert not isinstance(raised.value, AuthenticationError)
        assert not _shown(connection, raised.value)

    def test_a_secret_is_never_shown(self, place: Place, land: Lander) -> None:
        connection = place.connection()
        config = land.config()
        with place.loader() as loader:
            result = loader.load(stream(NUMBERED, numbered([1])), config)
            private = loader.private_relation(config)
            loader.stage(stream(NUMBERED, numbered([2])), private)
            statements = loader.landing_sql(private, config)
            loader.drop(private)
            with pytest.raises(DataError) as raised:
                loader.load(stream(pa.schema([("v", pa.duration("us"))]), iter(())), config)
            assert raised.value.column == "v"
            assert not _shown(connection, raised.value, loader, result, statements)
