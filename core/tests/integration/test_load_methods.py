"""The chain of loading methods on real servers: what is passed over and why, and the same rows by each of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from servers.generic import missing
from servers.mariadb import MariaDBServer
from servers.pooler import pooler
from servers.postgres import COPIED, PostgresServer

from dvt import errors
from dvt.federation.loaders.base import BaseLoader
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.loaders.filling import Filling, LoadMethod
from dvt.federation.registry import loader_class, open_connection
from dvt.identifiers import Relation
from dvt.testing.streams import stream, stream_of, typed
from dvt.testing.words import arrow_type

NO_COPY = ("0A000", "COPY is not supported by this pooler")
COLUMNS: dict[str, list[str]] = {
    "int32": ["-2147483648", "7"],
    "uint64": ["18446744073709551615", "0"],
    "double": ["0.1", "-1.7976931348623157e+308"],
    "decimal(38, 10)": ["1234567890123456789012345678.0123456789", "-0.0000000001"],
    "string": ["", " ä\t\n\\N'\"%s,? 😀 "],
    "binary": ["", "00ff5c27"],
    "bool": ["true", "false"],
    "date": ["0001-01-01", "9999-12-31"],
    "time": ["23:59:59.999999", "00:00:00"],
    "timestamp": ["1969-12-31 23:59:59.999999", "2000-02-29 00:00:00"],
    "instant": ["1970-01-02 23:59:59.999999+00:00", "2000-02-29 00:00:00+00:00"],
    "uuid": ["00000000-0000-0000-0000-0000000000ff", "ffffffff-ffff-4fff-8fff-ffffffffffff"],
    "json": ['{"a": [1, null, "ä"]}', "[]"],
    "list(int32)": ["[1, null]", "[]"],
}
ROWS = pa.table({f"c{n}": typed([*values, None], arrow_type(kind)) for n, (kind, values) in enumerate(COLUMNS.items())})


def loader(output: dict[str, Any], **dvt: Any) -> BaseLoader:
    given = {**output.get("dvt", {}), **dvt}
    return loader_class(output["type"])(open_connection("crm", {**output, "dvt": given}))


def load(output: dict[str, Any], name: str, **dvt: Any) -> LoadResult:
    with loader(output, **dvt) as opened:
        return opened.load(stream_of(ROWS), LoadConfig(Relation(name, output.get("schema") or None)))


@pytest.fixture(scope="module")
def postgres(postgres_server: PostgresServer) -> dict[str, Any]:
    return postgres_server.output(postgres_server.create_database("load_methods"))


@pytest.fixture(scope="module")
def mariadb(mariadb_server: MariaDBServer) -> dict[str, Any]:
    return mariadb_server.output(mariadb_server.create_database("load_methods"))


def of_jdbc(by: str, database: str) -> None:
    if by == "jdbc" and (why := missing(f"jdbc-{database}")):
        pytest.skip(why)


@pytest.mark.postgres
@pytest.mark.parametrize(("by", "method"), [("auto", COPIED), ("buffered", "insert"), ("jdbc", "jdbc_batch")])
def test_postgres_has_the_same_rows_by_each(
    postgres_server: PostgresServer, postgres: dict[str, Any], by: str, method: str
) -> None:
    of_jdbc(by, "postgres")
    assert load(postgres, "by_copy").method == COPIED
    result = load(postgres, f"by_{by}", load_by=by)
    assert (result.method, result.rows) == (method, 3)
    assert all(passed.why == f"dvt.load_by is {by}" for passed in result.passed_over)
    texts = postgres_server.psql("load_methods", f"select t::text from by_{by} t order by c0")
    assert texts == postgres_server.psql("load_methods", "select t::text from by_copy t order by c0")
    assert len(texts.split("2147483648")) > 1
    left = "select count(*) from pg_class where relname like '%dvt_%'"
    assert postgres_server.psql("load_methods", left) == "0"


@pytest.mark.parametrize(("by", "method"), [("auto", "load_data"), ("buffered", "insert"), ("jdbc", "jdbc_batch")])
def test_mariadb_has_the_same_rows_by_each(
    mariadb_server: MariaDBServer, mariadb: dict[str, Any], by: str, method: str
) -> None:
    of_jdbc(by, "mariadb")
    assert load(mariadb, "by_load_data").method == "load_data"
    result = load(mariadb, f"by_{by}", load_by=by)
    assert (result.method, result.rows) == (method, 3)
    found = mariadb_server.query(f"select * from by_{by} order by c0", "load_methods")
    assert found == mariadb_server.query("select * from by_load_data order by c0", "load_methods")
    assert (
        mariadb_server.query("select count(*) from information_schema.tables where table_name like '%dvt\\_%'") == "0"
    )


@pytest.mark.postgres
def test_what_a_pooler_refuses_is_passed_over(postgres_server: PostgresServer, postgres: dict[str, Any]) -> None:
    with pooler(postgres_server.port, copy=NO_COPY) as between:
        output = {**postgres, "port": between.port}
        result = load(output, "through", jdbc={"by": "jpype"})
        assert result.method == "insert"
        assert {passed.method for passed in result.passed_over} == {COPIED, "copy_csv"}
        assert all(NO_COPY[1] in passed.why for passed in result.passed_over)
        with loader(output) as opened:
            assert opened.planned().method == "insert"
        with pytest.raises(errors.UnsupportedError, match="not supported by this pooler"):
            load(output, "through", load_by="streaming")
    assert postgres_server.psql("load_methods", "select count(*) from through") == "3"


@pytest.mark.parametrize("by", ["buffered", "jdbc"])
@pytest.mark.postgres
def test_after_a_row_was_sent_there_is_no_other_method(
    postgres_server: PostgresServer, postgres: dict[str, Any], by: str
) -> None:
    of_jdbc(by, "postgres")
    postgres_server.psql("load_methods", "drop table if exists kept; create table kept as select 1 as v")
    sent: list[int] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(5):
            sent.append(number)
            value = "x\0" if number == 3 else "x"
            yield pa.RecordBatch.from_arrays([pa.array([value])], ["v"])

    rows = stream(pa.schema([("v", pa.string())]), batches())
    with loader(postgres, load_by=by) as opened, pytest.raises(errors.DataError) as raised:
        opened.load(rows, LoadConfig(Relation("kept", "public"), streaming_batch_size=1))
    assert raised.value.column == "v"
    assert sent == [0, 1, 2, 3]
    assert postgres_server.psql("load_methods", "select v from kept") == "1"
    assert postgres_server.psql("load_methods", "select count(*) from pg_class where relname like '%dvt_%'") == "0"


class Watched(Filling):
    """Notes how many rows go at a time."""

    def batches(self, most_bytes: int | None = None) -> Iterator[pa.RecordBatch]:
        for batch in super().batches(most_bytes):
            SIZES.append(batch.num_rows)
            yield batch


SIZES: list[int] = []


@pytest.mark.postgres
@pytest.mark.parametrize("by", ["streaming", "buffered", "jdbc"])
@pytest.mark.parametrize("database", ["postgres", "mariadb"])
def test_so_many_rows_go_at_a_time(request: pytest.FixtureRequest, database: str, by: str) -> None:
    of_jdbc(by, database)
    output = request.getfixturevalue(database)

    class Noting(loader_class(output["type"])):  # type: ignore[misc]
        def chain(self, filling: Filling) -> list[LoadMethod]:
            watched = Watched(**{each.name: getattr(filling, each.name) for each in dataclasses.fields(filling)})
            return [
                dataclasses.replace(each, fill=lambda _, each=each: each.fill(watched))
                for each in super().chain(filling)
            ]

    SIZES.clear()
    given = open_connection("crm", {**output, "dvt": {**output.get("dvt", {}), "load_by": by}})
    with Noting(given) as opened:
        rows = pa.table({"n": pa.array(range(25))})
        result = opened.load(
            stream_of(rows), LoadConfig(Relation("sized", output.get("schema")), streaming_batch_size=10)
        )
    assert (result.rows, SIZES) == (25, [10, 10, 5])


@pytest.mark.postgres
def test_what_there_is_no_jar_for_is_said(postgres: dict[str, Any]) -> None:
    with pytest.raises(errors.UnsupportedError, match="there is no jar") as raised:
        load(postgres, "never", load_by="jdbc", jdbc={"jars": ["/nowhere.jar"]})
    assert raised.value.phase == "load"
    with loader(postgres) as opened:
        assert opened.planned().passed_over == ()
    with loader(postgres, load_by="buffered") as opened:
        passed = {(each.method, each.why) for each in opened.planned().passed_over}
        assert passed == {(method, "dvt.load_by is buffered") for method in (COPIED, "copy_csv")}
