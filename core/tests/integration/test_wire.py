"""A session that another thread closes while this one waits for the server: nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from servers.postgres import PostgresServer

from dvt.errors import DvtError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.postgres import PostgresExtractor
from dvt.federation.extractors.postgres_wire import Wire
from dvt.federation.registry import open_connection
from dvt.identifiers import Relation

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> str:
    postgres_server.create_database("wire")
    postgres_server.psql("wire", "create table held (i int); insert into held select generate_series(1, 100);")
    return "wire"


@pytest.fixture
def lock(postgres_server: PostgresServer, database: str) -> Iterator[Callable[[], None]]:
    """The table is held by another session, so that nothing that reads it starts; waits until someone wants to."""
    output = postgres_server.output(database)
    names = {name: output[name] for name in ("host", "port", "user", "password", "dbname")}
    waiting = "select count(*) from pg_locks where not granted and relation = 'held'::regclass"

    def until_it_is_wanted() -> None:
        deadline = time.monotonic() + 60
        while postgres_server.psql(database, waiting) == "0":
            assert time.monotonic() < deadline
            time.sleep(0.02)

    with psycopg.connect(**names) as session:
        session.execute("lock table held in access exclusive mode")
        yield until_it_is_wanted


def told(work: Callable[[], object], meanwhile: Callable[[], object]) -> Any:
    """What work in a thread of its own ends with after something has been done meanwhile; None when it does not."""
    ends: list[object] = []

    def run() -> None:
        try:
            ends.append(work())
        except (psycopg.Error, DvtError) as error:
            ends.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    meanwhile()
    thread.join(20)
    return ends[0] if ends else None


WAYS: dict[str, Callable[[Wire], object]] = {
    "starts": lambda wire: wire.start_copy("copy (select * from held) to stdout"),
    "describes": lambda wire: wire.describe("select * from held"),
}


@pytest.mark.parametrize("way", WAYS)
def test_closed_while_a_statement_starts(postgres_server, database, lock, way):
    output = postgres_server.output(database)
    session = psycopg.connect(**{name: output[name] for name in ("host", "port", "user", "password", "dbname")})

    def close() -> None:
        lock()
        session.close()

    assert isinstance(told(lambda: WAYS[way](Wire(session)), close), psycopg.OperationalError)


def test_closed_between_two_rows(postgres_server, database):
    output = postgres_server.output(database)
    session = psycopg.connect(**{name: output[name] for name in ("host", "port", "user", "password", "dbname")})
    wire, has_begun = Wire(session), threading.Event()

    def read() -> None:
        wide = "repeat('x', 20000), pg_sleep(case when i > 3 then 40 else 0 end)"  # the server sends row by row
        wire.start_copy(f"copy (select {wide} from generate_series(1, 4) i) to stdout")
        for _ in wire.copy_rows(1, 1):
            has_begun.set()

    def close() -> None:
        assert has_begun.wait(60)
        time.sleep(0.2)  # it reads what there is, and waits
        session.close()

    assert isinstance(told(read, close), psycopg.OperationalError)


@pytest.mark.parametrize("method", ["auto", "copy"])
def test_an_extractor_that_is_closed_while_its_copy_starts(postgres_server, database, lock, method):
    connection = open_connection("wire", {**postgres_server.output(database), "dvt": {"method": method}})
    extractor = PostgresExtractor(connection)

    def close() -> None:
        lock()
        extractor.close()

    request = ExtractionConfig(relation=Relation("held", "public"))
    assert isinstance(told(lambda: extractor.scan(request).to_table(), close), DvtError)
