"""The chain of methods on real servers: what is passed over and why, and errors that pass nothing over."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from servers.cut_off import cut_off
from servers.mariadb import MariaDBServer
from servers.pooler import Pooler, pooler
from servers.postgres import PostgresServer

from dvt import errors
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.methods import PassedOver
from dvt.federation.registry import new_extractor, open_connection
from dvt.identifiers import Relation

NO_COPY = ("0A000", "COPY is not supported by this pooler")
NO_CURSOR = ("42501", "cursors are not allowed")
COPIES = ["copy_native", "copy_streaming"]
# With this, JDBC could be read too: nothing below may come to it.
ALL_METHODS = {"jdbc": {"by": "jpype"}}
HARD = """\
create table hard (id int primary key, n numeric(20, 4), f real, d double precision, t text, at timestamptz, raw bytea,
  mark uuid, tags int[], day date);
insert into hard select i, i / 7.0, i / 3.0, i / 3.0, case when i % 5 = 0 then null when i % 7 = 0 then '' else
  'ä"\\,' || chr(10) || i end, timestamptz '2024-01-01 12:00+05' + i * interval '1 second', decode('00ff', 'hex'),
  '00000000-0000-0000-0000-000000000001', array[i, null], date '2024-02-29' - i from generate_series(1, 1000) i;
insert into hard (id, n, d) values (1001, null, 'NaN');
"""
REQUEST = ExtractionConfig(relation=Relation("hard", "public"), batch_size=300)


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> str:
    name = postgres_server.create_database("method_chain")
    postgres_server.psql(name, HARD)
    return name


def postgres_output(server: PostgresServer, database: str, port: int | None = None, **dvt: Any) -> dict[str, Any]:
    found = server.output(database, dvt={**ALL_METHODS, **dvt})
    return {**found, "port": port or server.port}


@pytest.mark.parametrize(
    ("refused", "method", "passed"),
    [
        ({}, "copy_native", []),
        ({"copy": NO_COPY}, "cursor_streaming", COPIES),
        ({"copy": NO_COPY, "declare": NO_CURSOR}, "buffered", [*COPIES, "cursor_streaming"]),
    ],
)
def test_what_a_pooler_refuses_is_passed_over(
    postgres_server: PostgresServer, database: str, refused: dict[str, Any], method: str, passed: list[str]
) -> None:
    with new_extractor(open_connection("crm", postgres_output(postgres_server, database))) as extractor:
        with extractor.scan(REQUEST) as stream:
            expected = stream.to_table()
    with pooler(postgres_server.port, **refused) as before:
        connection = open_connection("crm", postgres_output(postgres_server, database, before.port))
        with new_extractor(connection) as extractor:
            chosen = extractor.chosen()
            for _ in range(2):  # asked once a session
                with extractor.scan(REQUEST) as stream:
                    assert (stream.method, [each.method for each in stream.how.passed_over]) == (method, passed)
                    batches = list(stream.batches())
        with new_extractor(connection) as another:  # what was let through is known to the next session
            assert another.chosen() == chosen
        assert before.asked("select 1 where false) to stdout") == (2 if "copy" in refused else 1)
    assert (chosen.method, bool(chosen.remarks)) == (method, method == "buffered")
    whys = [each.why for each in chosen.passed_over]
    words = [refused["copy"], *refused.values()] if refused else []
    assert all(word in why for (_, word), why in zip(words, whys, strict=True)), whys
    assert [batch.num_rows for batch in batches][:3] == [300, 300, 300]
    assert pa_text(batches) == pa_text(expected.to_batches())
    asked = "select string_agg(n::text, ',' order by id) from hard"
    assert ",".join(str(n) for batch in batches for n in batch["n"].to_pylist() if n is not None) == (
        postgres_server.psql(database, asked)
    )


def pa_text(batches: list[Any]) -> list[str]:
    return sorted(repr(row) for batch in batches for row in batch.to_pylist())


@pytest.mark.parametrize(("state", "family"), [("53300", errors.DvtError), ("XX000", errors.QueryError)])
def test_what_is_no_refusal_is_reported(
    postgres_server: PostgresServer, database: str, state: str, family: type[errors.DvtError]
) -> None:
    with pooler(postgres_server.port, copy=(state, "something else is wrong")) as before:
        connection = open_connection("crm", postgres_output(postgres_server, database, before.port))
        with new_extractor(connection) as extractor, pytest.raises(family, match="something else is wrong"):
            extractor.scan(REQUEST)
        assert (before.connections, before.asked("from hard"), before.asked("declare")) == (1, 0, 0)


@pytest.mark.parametrize("read_by", ["streaming", "buffered"])
def test_a_method_can_be_asked_for(postgres_server: PostgresServer, database: str, read_by: str) -> None:
    with pooler(postgres_server.port, copy=NO_COPY, declare=NO_CURSOR) as before:
        connection = open_connection("crm", postgres_output(postgres_server, database, before.port, read_by=read_by))
        with new_extractor(connection) as extractor:
            if read_by == "streaming":
                with pytest.raises(errors.UnsupportedError, match=r"(?s)COPY is not.*cursors are not.*read_by"):
                    extractor.scan(REQUEST)
                return
            with extractor.scan(REQUEST) as stream:
                assert stream.method == "buffered"
                assert set(stream.how.passed_over) == {
                    PassedOver(name, "dvt.read_by is buffered") for name in (*COPIES, "cursor_streaming")
                }
                assert stream.to_table().num_rows == 1001


def test_results_say_what_was_passed_over(postgres_server: PostgresServer, database: str, tmp_path: Path) -> None:
    with pooler(postgres_server.port, copy=NO_COPY) as before:
        connection = open_connection("crm", postgres_output(postgres_server, database, before.port))
        with new_extractor(connection) as extractor:
            done = extractor.extract(REQUEST, tmp_path / "hard.parquet")
    assert (done.rows, done.method) == (1001, "cursor_streaming")
    assert [str(each) for each in done.passed_over] == [
        f"{name}: the server refuses it: COPY is not supported by this pooler (SQLSTATE 0A000)" for name in COPIES
    ]
    assert pq.read_metadata(done.path).num_rows == 1001


def test_a_buffered_scan_that_is_left_early_leaves_the_session_usable(
    postgres_server: PostgresServer, database: str
) -> None:
    connection = open_connection("crm", postgres_output(postgres_server, database, read_by="buffered"))
    with new_extractor(connection) as extractor:
        for _ in range(2):
            with extractor.scan(REQUEST) as stream:
                assert stream.read_batch(10).num_rows == 10


def test_mariadb_buffered(mariadb_server: MariaDBServer) -> None:
    name = mariadb_server.create_database("method_chain")
    mariadb_server.execute(
        "create table t (id int, n decimal(20, 4), f float, t varchar(20));"
        "insert into t select seq, seq / 7, seq / 3, concat('ä', seq) from seq_1_to_1000",
        name,
    )
    connection = open_connection("erp", mariadb_server.output(name, dvt={"read_by": "buffered", "batch_rows": 300}))
    with new_extractor(connection) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("t", name))) as stream:
            assert stream.method == "buffered"
            # The server has sent everything: the session is free for another statement.
            assert extractor.get_row_count(Relation("t", name)) == 1000
            batches = list(stream.batches())
    assert [batch.num_rows for batch in batches] == [300, 300, 300, 100]
    asked = "select group_concat(concat_ws('|', id, n, cast(f * 1e0 as char), t) order by id) from t"
    rows = (row for batch in batches for row in batch.to_pylist())
    expected = mariadb_server.query("set session group_concat_max_len = 1000000; " + asked, name).split(",")
    for row, text in zip(sorted(rows, key=lambda row: row["id"]), expected, strict=True):
        number, n, f, t = text.split("|")
        assert (str(row["id"]), str(row["n"]), row["f"], row["t"]) == (number, n, float(f), t)


def test_what_an_engine_has_not_is_refused_at_once(tmp_path: Path) -> None:
    connection = open_connection("f", {"type": "files", "path": ".", "dvt": {"read_by": "buffered"}}, tmp_path)
    with pytest.raises(errors.ConfigurationError, match="files has no buffered method"):
        new_extractor(connection)


# Each wrong thing is reported as itself, once: on one connection, with nothing asked again.


@contextmanager
def small_files() -> Iterator[None]:
    """No file becomes larger than a kilobyte: the same error path as a full disk, without one."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.fixture(params=["postgres", "mariadb"])
def engine(request: pytest.FixtureRequest, database: str) -> tuple[dict[str, Any], str]:
    """An output with all methods, and the name of a schema with a large table `big`."""
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        server.psql(
            database,
            "drop table if exists big; create table big as select i as id, md5(i::text) as t"
            " from generate_series(1, 100000) i",
        )
        return postgres_output(server, database), "public"
    server = request.getfixturevalue("mariadb_server")
    name = server.create_database("method_errors")
    server.execute("create table big as select seq as id, md5(seq) as t from seq_1_to_100000", name)
    return server.output(name, dvt=ALL_METHODS), name


@pytest.fixture
def watched(engine: tuple[dict[str, Any], str]) -> Iterator[tuple[Pooler, dict[str, Any], str]]:
    output, schema = engine
    with pooler(output["port"], speaks_postgres=output["type"] == "postgres") as before:
        yield before, {**output, "port": before.port}, schema


Failing = Callable[[Any, str], Any]


def scan(**request: Any) -> Failing:
    def run(extractor: Any, schema: str) -> Any:
        given = dict(request)
        if "name" in given:
            given["relation"] = Relation(given.pop("name"), schema)
        with extractor.scan(ExtractionConfig(**given)) as stream:
            return stream.to_table()

    return run


@pytest.mark.parametrize("read_by", ["auto", "buffered"])
@pytest.mark.parametrize(
    ("run", "family"),
    [
        (scan(name="nonesuch"), errors.RelationNotFoundError),
        (scan(query="selec 1"), errors.QueryError),
        (scan(query="select 1 from nonesuch_either"), errors.RelationNotFoundError),
    ],
)
def test_a_wrong_statement(
    watched: tuple[Pooler, dict[str, Any], str], run: Failing, family: type[errors.DvtError], read_by: str
) -> None:
    before, output, schema = watched
    with new_extractor(open_connection("x", {**output, "dvt": {**output["dvt"], "read_by": read_by}})) as extractor:
        with pytest.raises(family) as raised:
            run(extractor, schema)
    assert before.connections == 1, raised.value
    assert not isinstance(raised.value, errors.UnsupportedError)


def test_a_wrong_password(watched: tuple[Pooler, dict[str, Any], str]) -> None:
    before, output, schema = watched
    with new_extractor(open_connection("x", {**output, "password": "wr0ng-pass"})) as extractor:
        with pytest.raises(errors.AuthenticationError):
            scan(name="big")(extractor, schema)
    assert before.connections == 1


def test_a_full_disk(watched: tuple[Pooler, dict[str, Any], str], tmp_path: Path) -> None:
    before, output, schema = watched
    request = ExtractionConfig(relation=Relation("big", schema))
    with new_extractor(open_connection("x", output)) as extractor, small_files():
        with pytest.raises(errors.ResourceError, match="disk"):
            extractor.extract(request, tmp_path / "big.parquet")
    assert before.connections <= 2  # the second one ends the scan on the server
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("read_by", ["auto", "buffered"])
def test_a_broken_connection(engine: tuple[dict[str, Any], str], read_by: str) -> None:
    output, schema = engine
    breaking: AbstractContextManager[int] = cut_off(output["port"], 300_000, of_the_client=False)
    with breaking as port, pooler(port, speaks_postgres=False) as before:
        given = {**output, "port": before.port, "dvt": {**output["dvt"], "read_by": read_by}}
        with new_extractor(open_connection("x", given)) as extractor:
            with pytest.raises(errors.ConnectionLostError):
                scan(name="big")(extractor, schema)
        assert before.connections <= 2  # the second one would have ended the scan on the server
