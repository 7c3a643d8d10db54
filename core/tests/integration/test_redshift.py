"""Reading Redshift through the vendor's driver. The server is PostgreSQL behind a proxy: see servers/redshift.py."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from integration.redshift_kit import connect, read, wait_for, with_numbers
from servers import s3
from servers.postgres import PostgresServer
from servers.redshift import RedshiftServer
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.redshift import SPEC
from dvt.connections.redshift_login import login_parameters
from dvt.federation.extractors.base import ExtractionConfig, Ordering
from dvt.federation.extractors.redshift import RedshiftExtractor
from dvt.identifiers import Relation, quote

pytest.importorskip("redshift_connector")
pytestmark = pytest.mark.postgres
NASTY = (
    'a"b',
    "it's",
    "dot.ted",
    " leading",
    "select",
    "per%s{x}",
    "semi;colon",
    "new\nline",
    "Ünïcode",
    "back\\slash",
    "?",
)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    pytest.importorskip("moto")
    with s3.running() as address:
        yield address


@pytest.fixture(scope="module")
def server(postgres_server: PostgresServer, bucket: str) -> Iterator[RedshiftServer]:
    with with_numbers(postgres_server, "redshift", bucket) as server:
        yield server


def column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def test_ping_describe_count_and_statistics(server: RedshiftServer) -> None:
    server.postgres.psql("redshift", "analyze numbers")
    with RedshiftExtractor(connect(server)) as extractor:
        assert extractor.ping() == server.postgres.psql("redshift", "select version()")
        found = extractor.describe(ExtractionConfig(relation=Relation("numbers")))
        assert [(c.name, c.native_type) for c in found] == [
            ("id", "integer"),
            ("word", "text"),
            ("part", "numeric(12,4)"),
            ("late", "double precision"),
            ("never", "character varying(5)"),
        ]
        assert extractor.get_row_count(Relation("numbers")) == 3000
        known = extractor.statistics(ExtractionConfig(relation=Relation("numbers")))
        assert known is not None
        assert known.rows == 3000
        assert extractor.statistics(ExtractionConfig(relation=Relation("missing"))) is None
    wait_for(server, 0)


@pytest.mark.parametrize("unloads", [False, True])
def test_a_table_arrives_whole_in_batches_and_leaves_nothing(server: RedshiftServer, unloads: bool) -> None:
    server.statements()
    with RedshiftExtractor(connect(server, unloads, dvt={"batch_rows": 700})) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
            batches = list(rows.batches())
            assert rows.method == ("unload_parquet" if unloads else "cursor_streaming")
    assert max(batch.num_rows for batch in batches) <= 700
    assert len(batches) >= 5
    table = pa.Table.from_batches(batches).sort_by("id")
    assert table["id"].to_pylist() == list(range(1, 3001))
    assert table["word"].to_pylist()[:2] == ["w1", "w2"]
    assert table["part"].to_pylist()[:7] == [Decimal(n) / 8 for n in range(1, 7)] + [None]
    assert table["late"].to_pylist() == [None] * 2500 + [float(n) for n in range(2501, 3001)]
    assert table["never"].null_count == 3000
    assert s3.keys() == []
    sent = server.statements()
    assert any(statement.startswith("fetch forward 700 from dvt_1") for statement in sent) is not unloads
    assert ("close dvt_1" in sent) is not unloads
    wait_for(server, 0)


def test_the_statement_of_an_unload(server: RedshiftServer) -> None:
    server.statements()
    predicate = exp.Or(this=column("word").eq("it's \\ w1"), expression=column("id") <= 2)
    read(connect(server, True), "numbers", columns=("id", "word"), predicates=(predicate,))
    (unload,) = [statement for statement in server.statements() if statement.startswith("unload")]
    before, _, after = unload.partition("to 's3://")
    assert before == (
        'unload (\'select c0, c1 from (\nSELECT "id", "word" FROM "public"."numbers" WHERE "word" = \'\'it\\\\\'\'s'
        " \\\\\\\\ w1'' OR \"id\" <= 2\n) as dvt_unload(c0, c1)') "
    )
    assert after.startswith(f"{s3.BUCKET}/tmp/dvt-")
    assert after.endswith("/' iam_role 'arn:aws:iam::1:role/r''x' format as parquet")


def test_predicates_order_and_limit_are_the_servers(server: RedshiftServer) -> None:
    server.statements()
    request = {"columns": ("id",), "predicates": (column("id") > 10,), "order": (Ordering("id"),), "limit": 3}
    for unloads in (False, True):
        table, _ = read(connect(server, unloads), "numbers", **request)
        assert sorted(table["id"].to_pylist()) == [11, 12, 13]
    wanted = 'SELECT "id" FROM "public"."numbers" WHERE "id" > 10 ORDER BY "id" ASC LIMIT 3'
    sent = [statement for statement in server.statements() if statement.startswith("declare")]
    assert sent == [f"declare dvt_1 cursor for {wanted}"]


def test_texts_with_quotes_and_backslashes_in_a_predicate(server: RedshiftServer) -> None:
    server.postgres.psql(
        "redshift", "create table texts (t varchar(20)); insert into texts values (E'a\\\\b''c'), ('x')"
    )
    for unloads in (False, True):
        table, _ = read(connect(server, unloads), "texts", predicates=(column("t").eq("a\\b'c"),))
        assert table["t"].to_pylist() == ["a\\b'c"]


def test_types_by_value(server: RedshiftServer) -> None:
    server.postgres.psql(
        "redshift",
        """create table kinds (b boolean, i smallint, l bigint, f real, d double precision, n numeric(38,10),
             c character(5), v varchar(100), day date, t time, tz timetz, ts timestamp, tstz timestamptz, s json);
           insert into kinds values
             (true, -32768, 9223372036854775807, 1.1, 0.1, 9999999999999999999999999999.0123456789,
              'ab', E'é😀\\r\\n ', '0001-01-01', '23:59:59.123457', '12:00:00.000001+05:30',
              '1066-10-14 01:02:03.000007', '2020-03-29 02:30:00.999999+02', '{"a": [1.10, null]}'),
             (false, 0, 0, 'NaN', '-Infinity', -0.0000000001, '', '', '9999-12-31', '00:00', '00:00+00',
              '9999-12-31 23:59:59.999999', '0001-01-01 00:00:00+00', 'null'),
             (null, null, null, null, null, null, null, null, null, null, null, null, null, null)""",
    )
    table, _ = read(connect(server), "kinds")
    first, second, third = table.to_pylist()
    utc = dt.timezone.utc
    assert first == {
        "b": True,
        "i": -32768,
        "l": 2**63 - 1,
        "f": pa.scalar(1.1, pa.float32()).as_py(),
        "d": 0.1,
        "n": Decimal("9999999999999999999999999999.0123456789"),
        "c": "ab",
        "v": "é😀\r\n ",
        "day": dt.date(1, 1, 1),
        "t": dt.time(23, 59, 59, 123457),
        "tz": "12:00:00.000001+05:30",
        "ts": dt.datetime(1066, 10, 14, 1, 2, 3, 7),
        "s": '{"a": [1.10, null]}',
        "tstz": dt.datetime(2020, 3, 29, 0, 30, 0, 999999, utc),
    }
    assert str(second.pop("f")) == "nan"
    assert second == {
        "b": False,
        "i": 0,
        "l": 0,
        "d": float("-inf"),
        "n": Decimal("-1E-10"),
        "c": "",
        "v": "",
        "day": dt.date(9999, 12, 31),
        "t": dt.time(0),
        "tz": "00:00:00+00",
        "s": "null",
        "ts": dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
        "tstz": dt.datetime(1, 1, 1, tzinfo=utc),
    }
    assert set(third.values()) == {None}
    plain = ("b", "i", "l", "f", "d", "n", "c", "v", "day", "ts", "tstz")
    unloaded, method = read(connect(server, True), "kinds", columns=plain)
    assert method == "unload_parquet"
    assert unloaded.schema == table.select(plain).schema
    assert [str(row) for row in unloaded.to_pylist()] == [str(row) for row in table.select(plain).to_pylist()]


def test_what_unload_would_change_is_read_by_a_cursor(server: RedshiftServer, caplog: pytest.LogCaptureFixture) -> None:
    server.postgres.psql("redshift", "create table timed (id int, t time); insert into timed values (1, '12:00')")
    with caplog.at_level("INFO"):
        table, method = read(connect(server, True), "timed")
    assert (table.to_pylist(), method) == ([{"id": 1, "t": dt.time(12)}], "cursor_streaming")
    assert "UNLOAD does not write t exactly" in caplog.text


@pytest.mark.parametrize(
    ("literal", "name"),
    [
        ("date '0044-03-15 BC'", "d"),
        ("timestamp 'infinity'", "d"),
        ("'24:00:00'::time", "d"),
        ("'NaN'::numeric(5,2)", "d"),
    ],
)
def test_what_is_not_carried_is_refused_by_name(server: RedshiftServer, literal: str, name: str) -> None:
    with pytest.raises(errors.DataError) as caught:
        read(connect(server), query=f"select {literal} as {name}")
    assert caught.value.column == name


@pytest.mark.parametrize("unloads", [False, True])
def test_no_rows_have_a_schema(server: RedshiftServer, unloads: bool) -> None:
    table, _ = read(connect(server, unloads), "none")
    assert table.schema == pa.schema([("id", pa.int64()), ("word", pa.string())])
    assert table.num_rows == 0


@pytest.mark.parametrize("unloads", [False, True])
def test_identifiers_and_equal_names(server: RedshiftServer, unloads: bool) -> None:
    columns = ", ".join(f"{quote(name, 'redshift')} int" for name in NASTY)
    table = quote('od"d. %s', "redshift")
    server.postgres.psql("redshift", f"drop table if exists {table}; create table {table} ({columns})")
    server.postgres.psql("redshift", f"insert into {table} values ({', '.join(str(n) for n in range(len(NASTY)))})")
    found, _ = read(connect(server, unloads), 'od"d. %s')
    assert found.to_pylist() == [{name: n for n, name in enumerate(NASTY)}]
    twice, _ = read(connect(server, unloads), query="select 1 as a, 2 as a -- twice;")
    assert twice.column_names == ["a", "a"]
    assert [c.to_pylist() for c in twice.columns] == [[1], [2]]


def test_an_early_end_leaves_nothing_open(server: RedshiftServer) -> None:
    for unloads in (False, True):
        with RedshiftExtractor(connect(server, unloads, dvt={"batch_rows": 10})) as extractor:
            with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
                assert rows.read_batch(10) is not None
            assert s3.keys() == []
            session = extractor._session
            from dvt.connections.redshift import run

            assert run(session, "select count(*) from pg_cursors where name like 'dvt%%'") == [[0]]
            # The same session reads on.
            with extractor.scan(ExtractionConfig(query="select 5 as five")) as rows:
                assert rows.to_table().to_pylist() == [{"five": 5}]
    wait_for(server, 0)


def test_all_scans_see_one_state(server: RedshiftServer) -> None:
    server.postgres.psql("redshift", "create table moving as select 1 as a")
    with RedshiftExtractor(connect(server)) as extractor:
        assert extractor.get_row_count(Relation("moving")) == 1
        server.postgres.psql("redshift", "insert into moving values (2)")
        assert extractor.get_row_count(Relation("moving")) == 1


def test_what_dbt_asks_through_the_shim(server: RedshiftServer) -> None:
    from contextlib import closing

    from dvt.dbt_bridge.shim.dialects import DIALECTS

    dialect, connection = DIALECTS["redshift"], connect(server, True)
    server.postgres.psql("redshift", "create view looked as select 1 as one")
    with closing(dialect.open(connection)) as session:
        cursor = session.cursor()
        assert "public" in dialect.list_schemas(cursor)
        found = dict(dialect.list_relations(cursor, Relation("", None), connection))
        assert (found["numbers"], found["looked"]) == ("table", "view")
        cursor.execute("begin")
        cursor.execute("select count(*) as n from numbers")
        assert cursor.description[0][:2] == ("n", "bigint")
        assert cursor.fetchall() == [(3000,)]
        waiting = "select count(*) from pg_stat_activity where application_name = 'dvt' and state like 'idle in%'"
        assert server.postgres.psql("redshift", waiting) == "1", "the loader's own, and not the reader's"
        cursor.execute("delete from numbers where id > 10")
        session.rollback()
        cursor.execute("select count(*) as n from numbers")
        assert cursor.fetchall() == [(3000,)]


def test_ways_to_log_in() -> None:
    def parameters(**more: Any) -> dict[str, Any]:
        output = {"host": "c.redshift.amazonaws.com", "dbname": "d", "user": "u", **more}
        return login_parameters(Connection.from_output("rs", output, SPEC))

    plain = parameters(password="p4ssw0rd", sslmode="verify-full", region="eu-west-1")
    assert plain == {
        "host": "c.redshift.amazonaws.com",
        "port": 5439,
        "database": "d",
        "timeout": 10,
        "is_serverless": False,
        "application_name": "dvt",
        "ssl": True,
        "sslmode": "verify-full",
        "region": "eu-west-1",
        "user": "u",
        "password": "p4ssw0rd",
    }
    iam = parameters(method="iam", cluster_id="c", iam_profile="dev")
    assert (iam["iam"], iam["db_user"], iam["cluster_identifier"], iam["profile"]) == (True, "u", "c", "dev")
    assert iam["sslmode"] == "verify-ca"
    keys = parameters(method="iam", cluster_id="c", access_key_id="AK", secret_access_key="s3cr3t-key")
    assert (keys["access_key_id"], keys["secret_access_key"]) == ("AK", "s3cr3t-key")
    role = parameters(method="iam_role", is_serverless=True, serverless_work_group="wg")
    assert (role["group_federation"], role["cluster_identifier"], role["serverless_work_group"]) == (False, None, "wg")
    with pytest.raises(errors.ConfigurationError, match="secret_access_key"):
        parameters(method="iam", cluster_id="c", access_key_id="AK")
