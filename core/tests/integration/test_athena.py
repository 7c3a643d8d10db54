"""Reading Athena through boto3, from a service of ours: see servers/athena.py."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from integration.cancelling import cancels_when
from servers import athena, s3
from servers.athena import AthenaServer, Canned
from servers.process import free_port
from sqlglot import exp

from dvt import errors
from dvt.connections.athena import SPEC
from dvt.connections.connection import Connection
from dvt.dbt_bridge.shim.dialects import DIALECTS
from dvt.federation.extractors.athena import AthenaExtractor
from dvt.federation.extractors.base import ExtractionConfig, Ordering
from dvt.identifiers import Relation, quote

pytest.importorskip("moto")
NASTY = (
    *('a"b', "it's", "dot.ted", " leading", "select", "per%s{x}", "semi;colon", "new\nline", "Ünïcode", "back\\slash"),
    "?",
)
SLOW = "select sum(a.i * b.i) as x from range(200000) as a(i), range(200000) as b(i)"
WAYS = ("unload", "pages")


@pytest.fixture(scope="module")
def server() -> Iterator[AthenaServer]:
    with s3.running(), athena.running(s3.BUCKET) as server:
        server.sql.run(
            "create table numbers as select cast(i as integer) as id, 'w' || cast(i as varchar) as word,"
            " cast(nullif(i, 7) as decimal(12,4)) as part, case when i > 2500 then cast(i as double) end as late,"
            " cast(null as varchar(5)) as never from unnest(sequence(1, 3000)) as t(i)"
        )
        server.sql.run("create table none (id bigint, word varchar)")
        yield server


def connect(server: AthenaServer, way: str = "unload", **more: Any) -> Connection:
    options = {"fetch": way, **more.pop("dvt", {})}
    return Connection.from_output("ath", server.output(dvt=options, **more), SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with AthenaExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()


def test_ping_describe_and_count(server: AthenaServer) -> None:
    with AthenaExtractor(connect(server)) as extractor:
        assert extractor.ping() == "Athena engine version 3 (fake)"
        found = extractor.describe(ExtractionConfig(relation=Relation("numbers")))
        assert [(c.name, c.native_type) for c in found] == [
            ("id", "integer"),
            ("word", "varchar"),
            ("part", "decimal(12,4)"),
            ("late", "double"),
            ("never", "varchar"),
        ]
        assert extractor.get_row_count(Relation("numbers")) == 3000
    assert s3.keys() == []


@pytest.mark.parametrize("way", WAYS)
def test_a_table_arrives_whole_in_batches_and_leaves_nothing(server: AthenaServer, way: str) -> None:
    with AthenaExtractor(connect(server, way, dvt={"batch_rows": 700})) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
            batches = list(rows.batches())
            assert rows.method == {"unload": "unload_parquet", "pages": "result_pages"}[way]
    assert len(batches) >= 3
    assert max(batch.num_rows for batch in batches) <= 1000
    table = pa.Table.from_batches(batches).sort_by("id")
    assert table["id"].to_pylist() == list(range(1, 3001))
    assert table["word"].to_pylist()[:2] == ["w1", "w2"]
    assert table["part"].to_pylist()[5:8] == [Decimal(6), None, Decimal(8)]
    assert table["late"].to_pylist() == [None] * 2500 + [float(n) for n in range(2501, 3001)]
    assert table["never"].null_count == 3000
    assert s3.keys() == []


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_that_nobody_closes_leaves_nothing_after_the_session(server: AthenaServer, way: str) -> None:
    with AthenaExtractor(connect(server, way, dvt={"batch_rows": 100})) as extractor:
        rows = extractor.scan(ExtractionConfig(relation=Relation("numbers")))
        assert rows.read_batch(10) is not None
        extractor.cancel()
        assert s3.keys() or way == "pages"
    assert s3.keys() == []


def test_the_statements_of_a_scan(server: AthenaServer) -> None:
    server.requests.clear()
    request = {"columns": ("id",), "predicates": (exp.column("word", quoted=True).eq("it's"),)}
    read(connect(server, work_group="primary"), "numbers", order=(Ordering("id"),), limit=3, **request)
    describe, unload = server.requests
    where = 'SELECT "id" FROM "main"."numbers" WHERE "word" = \'it\'\'s\''
    assert describe["QueryString"] == f"{where} LIMIT 0"
    before, _, after = unload["QueryString"].partition("TO 's3://")
    select = f'SELECT "c0" AS "c0" FROM (\n{where} ORDER BY "id" ASC LIMIT 3\n) AS dvt_result ("c0")'
    assert before == f"UNLOAD ( {select} ) "
    assert after.startswith(f"{s3.BUCKET}/staging/dvt-")
    assert after.endswith("/rows/' WITH (format = 'PARQUET', compression = 'SNAPPY')")
    assert unload["QueryExecutionContext"] == {"Database": "main", "Catalog": "awsdatacatalog"}
    assert unload["WorkGroup"] == "primary"


@pytest.mark.parametrize("way", WAYS)
def test_predicates_order_and_limit_are_the_servers(server: AthenaServer, way: str) -> None:
    predicate = (exp.column("id", quoted=True) > 10,)
    table = read(
        connect(server, way), "numbers", columns=("id",), predicates=predicate, order=(Ordering("id"),), limit=3
    )
    assert sorted(table["id"].to_pylist()) == [11, 12, 13]


UTC = dt.timezone.utc
SOME_UUID = UUID("00010203-0405-0607-0809-0a0b0c0d0e0f")
# The type of the metadata, what UNLOAD writes, the text of a page, what carries it, and what dvt is to say.
KINDS: list[tuple[tuple[str, int, int], pa.Array, str, pa.DataType, Any]] = [
    (("boolean", 0, 0), pa.array([True]), "true", pa.bool_(), True),
    (("tinyint", 3, 0), pa.array([-128], pa.int32()), "-128", pa.int8(), -128),
    (("smallint", 5, 0), pa.array([-32768], pa.int32()), "-32768", pa.int16(), -32768),
    (("integer", 10, 0), pa.array([2**31 - 1], pa.int32()), "2147483647", pa.int32(), 2**31 - 1),
    (("bigint", 19, 0), pa.array([2**63 - 1]), "9223372036854775807", pa.int64(), 2**63 - 1),
    (("float", 17, 0), pa.array([1.1], pa.float32()), "1.1", pa.float32(), pa.scalar(1.1, pa.float32()).as_py()),
    (("double", 17, 0), pa.array([0.1 + 0.2]), "0.30000000000000004", pa.float64(), 0.1 + 0.2),
    (
        ("decimal", 38, 9),
        pa.array([Decimal("12345678901234567890123456789.123456789")], pa.decimal128(38, 9)),
        "12345678901234567890123456789.123456789",
        pa.decimal128(38, 9),
        Decimal("12345678901234567890123456789.123456789"),
    ),
    (("varchar", 2147483647, 0), pa.array(["é😀\r\n "]), "é😀\r\n ", pa.string(), "é😀\r\n "),
    (("varchar", 2147483647, 0), pa.array([""]), "", pa.string(), ""),
    (("char", 5, 0), pa.array(["ab"]), "ab", pa.string(), "ab"),
    (("date", 0, 0), pa.array([dt.date(1, 1, 1)]), "0001-01-01", pa.date32(), dt.date(1, 1, 1)),
    (
        ("timestamp", 3, 0),
        pa.array(["1066-10-14 01:02:03.000007"]),
        "1066-10-14 01:02:03.000007",
        pa.timestamp("us"),
        dt.datetime(1066, 10, 14, 1, 2, 3, 7),
    ),
    (
        ("timestamp with time zone", 3, 0),
        pa.array(["2020-03-29 00:30:00.999 UTC"]),
        "2020-03-29 00:30:00.999 UTC",
        pa.timestamp("us", "UTC"),
        dt.datetime(2020, 3, 29, 0, 30, 0, 999000, UTC),
    ),
    (("time", 3, 0), pa.array(["23:59:59.123"]), "23:59:59.123", pa.time64("us"), dt.time(23, 59, 59, 123000)),
    (("varbinary", 1073741824, 0), pa.array([b"\x00\xff"]), "00FF", pa.binary(), b"\x00\xff"),
    (("uuid", 0, 0), pa.array([str(SOME_UUID)]), str(SOME_UUID), pa.uuid(), SOME_UUID),
    (("json", 0, 0), pa.array(['{"a":1.10}']), '{"a":1.10}', pa.json_(), '{"a":1.10}'),
    (("array", 0, 0), pa.array(["[1,null]"]), "[1,null]", pa.json_(), "[1,null]"),
    (("row", 0, 0), pa.array(['{"a":1}']), '{"a":1}', pa.json_(), '{"a":1}'),
    (("interval day to second", 0, 0), pa.array(["2 00:00:00.000"]), "2 00:00:00.000", pa.string(), "2 00:00:00.000"),
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_types_by_value(server: AthenaServer, way: str) -> None:
    columns = [(f"k{at}", *kind) for at, (kind, *_) in enumerate(KINDS)]
    arrays = [pa.concat_arrays([array, pa.nulls(1, array.type)]) for _, array, *_ in KINDS]
    written = pa.Table.from_arrays(arrays, names=[f"c{at}" for at in range(len(KINDS))])
    none: list[str | None] = [None] * len(KINDS)
    server.canned["from kinds"] = Canned(columns, written, [[text for _, _, text, *_ in KINDS], none])
    server.requests.clear()
    table = read(connect(server, way), query="select * from kinds")
    assert table.schema == pa.schema([(f"k{at}", type_) for at, (*_, type_, _) in enumerate(KINDS)])
    first, second = table.to_pylist()
    assert first == {f"k{at}": value for at, (*_, value) in enumerate(KINDS)}
    assert set(second.values()) == {None}
    sent = server.taken()[-1]
    assert 'cast("c13" at time zone \'UTC\' as varchar) AS "c13"' in sent
    assert 'json_format(cast("c18" as json)) AS "c18"' in sent
    assert ('to_hex("c15")' in sent) is (way == "pages")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (("timestamp", 3, 0), "2020-01-01 00:00:00.123456789"),
        (("timestamp", 3, 0), "-0044-03-15 00:00:00.000"),
        (("timestamp with time zone", 3, 0), "2020-01-01 00:00:00.000 Europe/Berlin"),
        (("time", 3, 0), "24:00:00.000"),
        (("json", 0, 0), "{"),
    ],
)
def test_values_that_are_not_carried_are_refused_by_name(
    server: AthenaServer, way: str, kind: tuple[str, int, int], text: str
) -> None:
    server.canned["from odd"] = Canned([("x", *kind)], pa.table({"c0": [None, text]}), [[None], [text]])
    with pytest.raises(errors.DataError) as caught:
        read(connect(server, way), query="select x from odd")
    assert caught.value.column == "x"
    assert s3.keys() == []


@pytest.mark.parametrize("way", WAYS)
def test_no_rows_have_a_schema(server: AthenaServer, way: str) -> None:
    table = read(connect(server, way), "none")
    assert table.schema == pa.schema([("id", pa.int64()), ("word", pa.string())])
    assert table.num_rows == 0


@pytest.mark.parametrize("way", WAYS)
def test_identifiers_and_equal_names(server: AthenaServer, way: str) -> None:
    columns = ", ".join(f"{quote(name, 'athena')} integer" for name in NASTY)
    table = quote('od"d. %s', "athena")
    server.sql.run(f"drop table if exists {table}")
    server.sql.run(f"create table {table} ({columns})")
    server.sql.run(f"insert into {table} values ({', '.join(str(n) for n in range(len(NASTY)))})")
    found = read(connect(server, way), 'od"d. %s')
    assert found.to_pylist() == [{name: n for n, name in enumerate(NASTY)}]
    twice = read(connect(server, way), query="select 1 as a, 2 as a -- twice;")
    assert twice.column_names == ["a", "a"]
    assert [c.to_pylist() for c in twice.columns] == [[1], [2]]


def test_what_unload_does_not_take_comes_in_pages(server: AthenaServer) -> None:
    server.canned["describe numbers"] = Canned([("col_name", "string", 0, 0)], rows=[["id\tint"], [""]])
    with AthenaExtractor(connect(server)) as extractor:
        with extractor.scan(ExtractionConfig(query="describe numbers")) as rows:
            assert rows.to_table().to_pylist() == [{"col_name": "id\tint"}, {"col_name": ""}]
            assert rows.method == "result_pages"


def test_an_early_end_leaves_nothing(server: AthenaServer) -> None:
    for way in WAYS:
        with AthenaExtractor(connect(server, way, dvt={"batch_rows": 10})) as extractor:
            with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
                assert rows.read_batch(10) is not None
            assert s3.keys() == []
            with extractor.scan(ExtractionConfig(query="select 5 as five")) as rows:
                assert rows.to_table().to_pylist() == [{"five": 5}]


def test_an_unload_that_lost_a_file_is_no_result(server: AthenaServer) -> None:
    server.loses_a_file = True
    try:
        with pytest.raises(errors.DataError, match="1 files that were unloaded are not there"):
            read(connect(server), "numbers")
    finally:
        server.loses_a_file = False
    assert s3.keys() == []


@pytest.mark.parametrize(
    ("change", "family"),
    [
        ({"aws_access_key_id": "stranger", "aws_secret_access_key": "wr0ng-secret"}, errors.AuthenticationError),
        ({"aws_profile_name": "no-such-profile", "aws_access_key_id": None}, errors.AuthenticationError),
        ({"endpoint_url": "http://no-such-host.invalid"}, errors.ConnectionFailedError),
        ({"endpoint_url": f"http://127.0.0.1:{free_port()}"}, errors.ConnectionFailedError),
        ({"s3_staging_dir": "here"}, errors.ConfigurationError),
    ],
)
def test_who_cannot_connect_is_told_why(server: AthenaServer, change: dict[str, Any], family: type[Exception]) -> None:
    connection = connect(server, num_retries=0, **change)
    with pytest.raises(family) as caught:
        AthenaExtractor(connection).ping()
    assert type(caught.value) is family
    for text in (str(caught.value), repr(caught.value), repr(connection), str(caught.value.__cause__)):
        assert "s3cret-of-moto" not in text
        assert "wr0ng-secret" not in text


@pytest.mark.parametrize(
    ("request_", "family"),
    [
        ({"query": "select * from nowhere"}, errors.RelationNotFoundError),
        ({"relation": Relation("numbers", "no_schema")}, errors.RelationNotFoundError),
        ({"query": "select nothing from numbers"}, errors.RelationNotFoundError),
        ({"query": "selec 1"}, errors.QueryError),
        ({"query": "delete from numbers"}, errors.QueryError),
        ({"query": "select json_parse('{') as x from numbers"}, errors.DataError),
    ],
)
def test_errors_of_queries(server: AthenaServer, request_: dict[str, Any], family: type[Exception]) -> None:
    with AthenaExtractor(connect(server)) as extractor:
        with pytest.raises(family):
            extractor.scan(ExtractionConfig(**request_)).to_table()
        assert extractor.get_row_count(Relation("numbers")) == 3000
    assert s3.keys() == []


@pytest.mark.parametrize("way", WAYS)
def test_credentials_that_end_before_the_files_are_read(
    server: AthenaServer, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    with s3.expired() as address, monkeypatch.context() as changed:
        changed.setenv("AWS_ENDPOINT_URL_S3", address)
        with pytest.raises(errors.AuthenticationError, match="ExpiredToken"):
            # What pages hold comes; what was written besides cannot be removed.
            AthenaExtractor(connect(server, way)).scan(ExtractionConfig(relation=Relation("numbers"))).close()
    s3.clear()


def _is_slow(execution: athena.Execution) -> bool:
    return SLOW in execution.sql and "LIMIT 0" not in execution.sql


def test_cancelling_from_another_thread(server: AthenaServer) -> None:
    extractor = AthenaExtractor(connect(server))
    known = len(server.executions)
    cancels_when(extractor, lambda: any(_is_slow(execution) for execution in list(server.executions.values())[known:]))
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(query=SLOW)).to_table()
    extractor.close()
    assert list(server.executions.values())[-1].state == "CANCELLED"
    assert s3.keys() == []


def test_a_query_may_run_for_so_long(server: AthenaServer) -> None:
    with pytest.raises(errors.TimeoutExceededError):
        read(connect(server, dvt={"statement_timeout_s": 1}), query=SLOW)
    assert list(server.executions.values())[-1].state == "CANCELLED"


def test_what_dbt_asks_through_the_shim(server: AthenaServer) -> None:
    dialect, connection = DIALECTS["athena"], connect(server)
    server.sql.run("create view looked as select 1 as one")
    with closing(dialect.open(connection)) as session:
        cursor = session.cursor()
        assert "main" in dialect.list_schemas(cursor)
        found = dict(dialect.list_relations(cursor, Relation("", None), connection))
        assert (found["numbers"], found["looked"]) == ("table", "view")
        server.taken()
        cursor.execute("select count(*) as n from numbers")
        assert cursor.fetchall() == [(3000,)]
        assert not any(sql.startswith("UNLOAD") for sql in server.taken())
    with pytest.raises(errors.UnsupportedError, match="takes no rows out"):
        dialect.truncate_sql("numbers")
