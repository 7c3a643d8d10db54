"""Sessions of the generic extractor: logging in, secrets, early ends on the server, cancelling, time limits, memory."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from integration.generic_kit import connect, extractor, read
from servers.generic import changed, generic_place, missing
from servers.place import Place
from servers.postgres import PostgresServer

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.fault_signals import fault_handlers
from dvt.connections.generic import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.generic import GenericExtractor

POSTGRES = ("adbc-postgres", "odbc-postgres", "dbapi-postgres", "jdbc-postgres")
MARIADB = ("odbc-mariadb", "dbapi-mariadb", "jdbc-mariadb")
# A function in FROM would be run to its end first.
ENDLESS = "select generate_series(1, 2000000000) as n, repeat('x', 100) as filler"
SUM = "select count(*) as n from generate_series(1, 1000000) as a(n) cross join generate_series(1, 1000000) as b(n)"


@pytest.fixture(params=POSTGRES)
def postgres(request: pytest.FixtureRequest) -> Place:
    return generic_place(request.param, request, Path())


@pytest.fixture(params=(*POSTGRES, *MARIADB))
def server(request: pytest.FixtureRequest) -> Place:
    return generic_place(request.param, request, Path())


def test_a_host_that_is_not_there(server: Place) -> None:
    with pytest.raises(errors.ConnectionFailedError) as caught:
        extractor(changed(server, address=("no-such-host.invalid", 5432)), connect_timeout_s=5).ping()
    assert not isinstance(caught.value, errors.AuthenticationError)


def test_no_secret_is_shown(server: Place) -> None:
    connection = connect(server)
    password = server.output.get("password") or server.output["connect_args"]["password"]
    extractor_ = GenericExtractor(connection)
    with pytest.raises(errors.QueryError) as caught, extractor_:
        extractor_.scan(ExtractionConfig(query=f"select '{password.replace(chr(39), '')}' from nowhere"))
    assert password not in f"{connection!r} {connection.place} {dict(connection.settings)} {caught.value}"


@pytest.mark.parametrize(
    "output",
    [
        {"driver": "postgresql", "uri": "postgresql://joe:s3cr3t-in-uri@127.0.0.1:1/x"},
        {"driver": "PostgreSQL Unicode", "connection_string": "Server=127.0.0.1;Port=1;UID=joe;PWD={s3cr3t-in-uri};"},
        {"url": "jdbc:postgresql://127.0.0.1:1/x?user=joe&password=s3cr3t-in-uri"},
        {"driver": "psycopg", "connect_args": {"conninfo": "host=127.0.0.1 port=1 password=s3cr3t-in-uri"}},
    ],
)
def test_secrets_within_addresses_are_not_shown(output: dict[str, Any]) -> None:
    connection = Connection.from_output("shop", {"type": "generic", **output}, SPEC)
    with pytest.raises((errors.ConnectionFailedError, errors.MissingDriverError)) as caught:
        GenericExtractor(connection).ping()
    assert "s3cr3t-in-uri" not in f"{caught.value} {caught.value!r} {connection!r} {connection.place}"


def running(server: PostgresServer) -> str:
    return server.psql(
        "postgres",
        "select pid || ' ' || state || ' ' || query from pg_stat_activity"
        " where datname = 'generic' and pid <> pg_backend_pid()",
    )


def wait_until_gone(server: PostgresServer) -> None:
    deadline = time.monotonic() + 30
    while left := running(server):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_an_early_end_leaves_nothing_at_the_server(postgres: Place, postgres_server: PostgresServer) -> None:
    with extractor(postgres, batch_rows=1000) as reader:
        rows = reader.scan(ExtractionConfig(query=ENDLESS))
        batch = rows.read_batch(10)
        assert batch is not None
        assert batch.column(0).to_pylist() == list(range(1, 11))
        rows.close()
        wait_until_gone(postgres_server)
        with reader.scan(ExtractionConfig(query="select 1 as n")) as more:
            assert more.to_table().to_pylist() == [{"n": 1}]
    wait_until_gone(postgres_server)


def test_closing_the_extractor_ends_all(postgres: Place, postgres_server: PostgresServer) -> None:
    reader = extractor(postgres, batch_rows=1000)
    stream = reader.scan(ExtractionConfig(query=ENDLESS))
    stream.read_batch(1)
    reader.close()
    reader.close()
    wait_until_gone(postgres_server)


@pytest.mark.parametrize("query", [ENDLESS, SUM])
def test_cancel_from_another_thread(postgres: Place, postgres_server: PostgresServer, query: str) -> None:
    if "connection_string" in postgres.output and query is not ENDLESS:
        pytest.skip("arrow-odbc cannot end a call that runs")
    reader = extractor(postgres, batch_rows=1000)
    timer = threading.Timer(0.5, reader.cancel)
    timer.start()
    with pytest.raises(errors.InterruptedRunError):
        _read_all(reader, query)
    timer.join()
    reader.close()
    wait_until_gone(postgres_server)
    with pytest.raises(errors.InterruptedRunError):
        reader.scan(ExtractionConfig(query="select 1"))


def test_a_statement_may_not_run_longer_than_allowed(postgres: Place, postgres_server: PostgresServer) -> None:
    with pytest.raises(errors.TimeoutExceededError):
        _read_all(extractor(postgres, statement_timeout_s=1), "select pg_sleep(30)::text as v")
    wait_until_gone(postgres_server)


def _read_all(reader: GenericExtractor, query: str) -> None:
    with reader.scan(ExtractionConfig(query=query)) as rows:
        for _ in rows.batches():
            pass


def test_a_connection_that_breaks_is_told_and_replaced(postgres: Place, postgres_server: PostgresServer) -> None:
    with extractor(postgres, batch_rows=1000) as reader:
        rows = reader.scan(ExtractionConfig(query=ENDLESS))
        assert rows.read_batch(1) is not None
        postgres_server.psql(
            "postgres", "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'generic'"
        )
        with pytest.raises(errors.DvtError) as caught:
            for _ in rows.batches():
                pass
        assert caught.value.connection == "shop"
        with reader.scan(ExtractionConfig(query="select 1 as n")) as more:
            assert more.to_table().to_pylist() == [{"n": 1}]


def test_an_error_on_the_way_is_no_end(postgres: Place) -> None:
    query = "select 1 / (200000 - n) as v from generate_series(1, 300000) as s(n)"
    with extractor(postgres, batch_rows=1000) as reader:
        rows = reader.scan(ExtractionConfig(query=query))
        with pytest.raises(errors.DataError, match="division by zero"):
            for _ in rows.batches():
                pass


def test_memory_stays_within_a_few_batches(postgres: Place) -> None:
    query = "select n, repeat('x', 500) as filler from generate_series(1, 200000) as s(n)"
    with extractor(postgres, batch_rows=5000) as reader:
        before, most, count = pa.total_allocated_bytes(), 0, 0
        with reader.scan(ExtractionConfig(query=query)) as rows:
            for batch in rows.batches():
                count += batch.num_rows
                most = max(most, pa.total_allocated_bytes() - before)
    assert count == 200_000
    assert most < 50 << 20  # the result has 100 MB


def test_long_values_end_a_batch_of_jdbc_early(request: pytest.FixtureRequest) -> None:
    place = generic_place("jdbc-postgres", request, Path())
    query = "select n, repeat('x', 1000000) as filler, null::bytea as b from generate_series(1, 60) as s(n)"
    with extractor(place, batch_rows=1000) as reader, reader.scan(ExtractionConfig(query=query)) as rows:
        sizes = [batch.num_rows for batch in rows.batches()]
    assert sum(sizes) == 60
    assert max(sizes) <= 17  # sixteen million characters, and the value that goes beyond them


def test_half_of_a_character_is_refused(request: pytest.FixtureRequest) -> None:
    place = generic_place("jdbc-h2", request, Path("halves"))
    assert read(place, query='select char(55357) || char(56898) as "v"').to_pylist() == [{"v": "🙂"}]
    for text in ("char(55357)", "'a' || char(56898)"):
        with pytest.raises(errors.DataError):
            read(place, query=f"select {text} as v")
    with pytest.raises(errors.DataError):
        read(place, query="select * from (values (1, char(55357)), (2, char(56898))) as t(n, v) order by n")


def test_names_in_the_wrong_quotes_are_refused(request: pytest.FixtureRequest) -> None:
    """MariaDB takes "id" for a text."""
    place = generic_place("jdbc-mariadb", request, Path())
    wrong = Place(place.type, place.tag, {**place.output, "dialect": "ansi"}, place.execute)
    with pytest.raises(errors.ConfigurationError, match="quotes names"):
        extractor(wrong).ping()


def test_freetds_takes_a_password_with_odd_letters(request: pytest.FixtureRequest) -> None:
    """A brace, which it does not read within braces, and what braces are there for."""
    place, fake = generic_place("odbc-freetds", request, Path()), request.getfixturevalue("sqlserver_fake")
    for password in ("a}b'=%41", "a;{b' %41"):
        with fake.changed(password=password):
            assert extractor(changed(place, password=password)).ping()
            with pytest.raises(errors.AuthenticationError):
                extractor(changed(place, password=password[:-1])).ping()


def test_a_cursor_that_is_not_read_holds_no_lock(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Of sqlite3: its session is closed, and only the cursor's end lets go of the file."""
    place = generic_place("dbapi-sqlite", request, tmp_path)
    place.execute("create table t (n integer); insert into t values (1), (2), (3)")
    reader = extractor(place, batch_rows=1)
    stream = reader.scan(ExtractionConfig(query="select n from t", declared={"n": "integer"}))
    stream.read_batch(1)
    reader.close()
    place.execute("drop table t")


def test_signals_of_faults_stay_whose_they_were(tmp_path: Path) -> None:
    """Of Java, for example, which hangs when a fault of its own goes to chdb, whose engine takes them at each start."""
    if why := missing("adbc-chdb"):
        pytest.skip(why)
    before = fault_handlers()
    output = {"type": "generic", "driver": "chdb", "db_kwargs": {"uri": f"chdb://{tmp_path}"}}
    with GenericExtractor(Connection.from_output("shop", output, SPEC)) as reader:
        assert "ClickHouse" in reader.ping()
    # The handlers themselves: the kernel's flags beside them differ once they were set.
    assert {number: action[:8] for number, action in fault_handlers().items()} == {
        number: action[:8] for number, action in before.items()
    }
