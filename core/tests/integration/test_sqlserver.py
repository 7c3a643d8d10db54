"""Reading SQL Server through Microsoft's own driver, from the wire fake of `servers/sqlserver.py`."""

from __future__ import annotations

import threading
import time
from typing import Any

import pyarrow as pa
import pytest
from integration.sqlserver_kit import connect, read
from servers.cut_off import cut_off
from servers.process import free_port
from servers.sqlserver import PASSWORD, VERSION, SqlServerFake
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.sqlserver import SPEC
from dvt.federation.extractors.base import ExtractionConfig, Ordering, TableStatistics
from dvt.federation.extractors.sqlserver import SqlServerExtractor
from dvt.identifiers import Relation

NASTY = [
    *("a?b", "{fn x}", "a]b", "[a]", "--x", "/*", "'q'", 'q"q', "{ts '2020'}", "ä 日🙂", "select", "a.b", "100%"),
    *(" lead", "1st", "a;b", "new\nline", "MiXed"),
]
BIG, SLOW = "select * from big", "select a from slow"


@pytest.fixture(scope="module")
def shop(sqlserver_fake: SqlServerFake) -> SqlServerFake:
    sqlserver_fake.execute(
        "create table numbers (id int not null, word nvarchar(20), f float, big bigint)",
        "insert into numbers select i, concat('w', i), i / 8.0, i * 10000000000 from generate_series(1, 1000) as s(i)",
        "create table slow (a int)",
        "create table none (id bigint, word nvarchar(20))",
        "create table big (id int, t nvarchar(200))",
        "insert into big select i, concat('x', i) from generate_series(1, 400000) as s(i)",
    )
    return sqlserver_fake


@pytest.fixture(autouse=True)
def _nothing_stays(sqlserver_fake: SqlServerFake) -> Any:
    yield
    _wait(lambda: sqlserver_fake.sessions == 0)


def _wait(done: Any) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def test_ping_count_and_statistics(shop: SqlServerFake) -> None:
    with SqlServerExtractor(connect(shop)) as extractor:
        assert extractor.ping() == f"SQL Server {VERSION}"
        assert extractor.get_row_count(Relation("numbers")) == 1000
        assert extractor.statistics(ExtractionConfig(relation=Relation("numbers"))) == TableStatistics(1000, 8192)
        assert extractor.statistics(ExtractionConfig(relation=Relation("missing"))) is None
        assert extractor.statistics(ExtractionConfig(query="select 1 as a")) is None


def test_columns_predicates_and_limit_are_what_the_server_is_asked(shop: SqlServerFake) -> None:
    shop.statements()
    request = {
        "columns": ("big", "id"),
        "predicates": (column("id") > 990,),
        "order": (Ordering("id", is_descending=True),),
        "limit": 3,
    }
    table = read(connect(shop), "numbers", **request)
    assert sorted(row["id"] for row in table.to_pylist()) == [998, 999, 1000]
    assert table["big"].to_pylist() == [n * 10_000_000_000 for n in table["id"].to_pylist()]
    assert shop.statements()[-2] == (
        "SELECT TOP 3 [big], [id] FROM [dbo].[numbers] WHERE [id] > 990 ORDER BY [id] DESC"
    )
    with SqlServerExtractor(connect(shop)) as extractor:
        said = extractor.source_sql(ExtractionConfig(relation=Relation("numbers"), **request))
    assert said == "SELECT TOP 3 [big], [id] FROM [dbo].[numbers] WHERE [id] > 990 ORDER BY [id] DESC"


def test_a_relation_of_another_database_has_three_parts(shop: SqlServerFake) -> None:
    with SqlServerExtractor(connect(shop)) as extractor:
        said = extractor.source_sql(ExtractionConfig(relation=Relation("numbers", "dbo", "other")))
        assert said == "SELECT * FROM [other].[dbo].[numbers]"


@pytest.mark.parametrize("nulls_first", [True, False])
@pytest.mark.parametrize("is_descending", [True, False])
def test_the_first_rows_of_an_order_with_nulls(shop: SqlServerFake, nulls_first: bool, is_descending: bool) -> None:
    shop.execute("create table some (v int)", "insert into some values (2), (null), (3), (1)")
    wanted = [3, 2, 1] if is_descending else [1, 2, 3]
    wanted = ([None, *wanted] if nulls_first else [*wanted, None])[:2]
    order = (Ordering("v", is_descending, nulls_first),)
    shop.statements()
    found = read(connect(shop), "some", order=order, limit=2)["v"].to_pylist()
    assert sorted(found, key=str) == sorted(wanted, key=str)
    nulls = "CASE WHEN [v] IS NULL THEN 1 ELSE 0 END"
    words = {
        (True, True): f"ORDER BY {nulls} DESC, [v] DESC",
        (True, False): "ORDER BY [v] ASC",
        (False, True): "ORDER BY [v] DESC",
        (False, False): f"ORDER BY {nulls}, [v] ASC",
    }
    assert shop.statements()[-2].endswith(words[nulls_first, is_descending])


def test_batches_are_of_the_asked_size(shop: SqlServerFake) -> None:
    with SqlServerExtractor(connect(shop, batch_rows=300)) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
            sizes = [batch.num_rows for batch in rows.batches()]
    assert sizes == [300, 300, 300, 100]


def test_memory_stays_within_a_few_batches(shop: SqlServerFake) -> None:
    with SqlServerExtractor(connect(shop, batch_rows=10_000)) as extractor:
        before, most, rows_read = pa.total_allocated_bytes(), 0, 0
        with extractor.scan(ExtractionConfig(relation=Relation("big"))) as rows:
            for batch in rows.batches():
                rows_read += batch.num_rows
                most = max(most, pa.total_allocated_bytes() - before)
    assert rows_read == 400_000
    assert most < 4 << 20


def test_no_rows_keep_the_schema(shop: SqlServerFake) -> None:
    table = read(connect(shop), "none")
    assert (table.schema.types, table.num_rows) == ([pa.int64(), pa.string()], 0)


def test_describe_says_what_scan_gives(shop: SqlServerFake) -> None:
    with SqlServerExtractor(connect(shop)) as extractor:
        for request in (
            ExtractionConfig(relation=Relation("numbers")),
            ExtractionConfig(relation=Relation("numbers", "dbo"), columns=("f", "id")),
            ExtractionConfig(query="select word, count(*) as n from numbers group by word order by 2"),
            ExtractionConfig(query="select id, word from numbers", columns=("word",), limit=3),
        ):
            described = extractor.describe(request)
            with extractor.scan(request) as rows:
                assert rows.columns == described
                assert list(rows.to_table().to_pylist()[0]) == [c.name for c in described]


def test_what_an_outer_join_leaves_out_is_null(shop: SqlServerFake) -> None:
    shop.execute("create table pairs (id int not null, c char(2))", "insert into pairs values (1, 'x'), (5000, 'y')")
    query = "select p.id as p, n.id as n from pairs p left join numbers n on n.id = p.id where p.c in ('X', 'y')"
    rows = read(connect(shop), query=query).to_pylist()
    assert sorted(rows, key=lambda row: row["p"]) == [{"p": 1, "n": 1}, {"p": 5000, "n": None}]


@pytest.mark.parametrize("name", NASTY)
def test_nasty_identifiers(shop: SqlServerFake, name: str) -> None:
    table, odd = ("[" + part.replace("]", "]]") + "]" for part in (name, name + "_c"))
    shop.execute(f"create table {table} ({odd} int, t varchar(3))", f"insert into {table} values (5, 'a'), (6, 'b')")
    found = read(connect(shop), name, predicates=(column(name + "_c") > 5,))
    assert found.to_pylist() == [{name + "_c": 6, "t": "b"}]
    with SqlServerExtractor(connect(shop)) as extractor:
        statistics = extractor.statistics(ExtractionConfig(relation=Relation(name)))
        assert statistics is not None
        assert statistics.rows == 2


@pytest.mark.parametrize("text", ["it's", "\\", "a\nb", "?", "{d '2020-01-01'}", "' or 1 = 1 --", "%", "ä🙂"])
def test_values_of_predicates_are_no_sql(shop: SqlServerFake, text: str) -> None:
    given = text.replace("'", "''")
    shop.execute("create table said (v nvarchar(40))", f"insert into said values (N'{given}'), (N'other')")
    assert read(connect(shop), "said", predicates=(column("v").eq(text),))["v"].to_pylist() == [text]
    literal = ("" if text.isascii() else "N") + f"'{given}'"
    assert any(f"[v] = {literal}" in sql for sql in shop.statements())


def test_an_early_end_stops_the_statement(shop: SqlServerFake) -> None:
    before = shop.attentions
    with SqlServerExtractor(connect(shop, batch_rows=1000)) as extractor:
        rows = extractor.scan(ExtractionConfig(query=BIG))
        assert rows.read_batch(10).num_rows == 10  # type: ignore[union-attr]
        rows.close()
        _wait(lambda: shop.running == 0)
        assert shop.attentions > before
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as more:
            assert more.to_table().num_rows == 1000


def test_closing_the_extractor_stops_the_statement(shop: SqlServerFake) -> None:
    extractor = SqlServerExtractor(connect(shop, batch_rows=1000))
    extractor.scan(ExtractionConfig(query=BIG)).read_batch(1)
    extractor.close()
    _wait(lambda: shop.running == 0)


@pytest.mark.parametrize("query", [BIG, SLOW])
def test_cancel_ends_a_running_scan(shop: SqlServerFake, query: str) -> None:
    before = shop.attentions
    with SqlServerExtractor(connect(shop, batch_rows=1000)) as extractor:
        threading.Timer(0.3, extractor.cancel).start()
        with pytest.raises(errors.InterruptedRunError):
            _read_slowly(extractor, query)
        _wait(lambda: shop.running == 0)
        with pytest.raises(errors.InterruptedRunError):
            extractor.scan(ExtractionConfig(relation=Relation("numbers")))
    assert shop.attentions > before


def _read_slowly(extractor: SqlServerExtractor, query: str) -> None:
    with extractor.scan(ExtractionConfig(query=query)) as rows:
        for _ in rows.batches():
            time.sleep(0.005)


def test_an_error_on_the_way_is_no_end(shop: SqlServerFake) -> None:
    with SqlServerExtractor(connect(shop, batch_rows=1000)) as extractor:
        with shop.changed(fail_after_rows=50_000):
            with pytest.raises(errors.DataError, match="Arithmetic overflow"):
                _read_slowly(extractor, BIG)
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as more:
            assert more.to_table().num_rows == 1000


def test_a_broken_connection_is_no_end_and_another_one_is_made(shop: SqlServerFake) -> None:
    with cut_off(shop.port, 1_000_000, of_the_client=False) as port:
        connection = Connection.from_output("shop", shop.output(port=port), SPEC)
        with SqlServerExtractor(connection) as extractor:
            with pytest.raises(errors.ConnectionLostError):
                _read_slowly(extractor, BIG)
            assert extractor.get_row_count(Relation("numbers")) == 1000


def test_a_statement_may_not_run_longer_than_allowed(shop: SqlServerFake) -> None:
    with pytest.raises(errors.TimeoutExceededError):
        read(connect(shop, statement_timeout_s=1), query=SLOW)
    _wait(lambda: shop.running == 0)


def test_the_server_is_not_asked_to_stop_what_has_ended(shop: SqlServerFake) -> None:
    before = shop.attentions
    read(connect(shop), "numbers")
    assert shop.attentions == before


def test_nothing_is_committed(shop: SqlServerFake) -> None:
    shop.statements()
    read(connect(shop), "numbers")
    said = shop.statements()
    assert "commit" not in said
    assert (said.count("begin"), said.count("rollback")) == (2, 2)


def test_scans_may_see_one_state(shop: SqlServerFake) -> None:
    shop.statements()
    with SqlServerExtractor(connect(shop, isolation="snapshot")) as extractor:
        for _ in range(2):
            with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
                rows.to_table()
        said = shop.statements()
    assert any("ISOLATION LEVEL SNAPSHOT" in sql for sql in said)
    assert (said.count("begin"), said.count("rollback")) == (1, 0)


@pytest.mark.parametrize(
    ("request_", "family", "named"),
    [
        (ExtractionConfig(relation=Relation("missing")), errors.RelationNotFoundError, None),
        (ExtractionConfig(relation=Relation("numbers", "nowhere")), errors.RelationNotFoundError, None),
        (ExtractionConfig(relation=Relation("numbers"), columns=("wrod",)), errors.RelationNotFoundError, "wrod"),
        (ExtractionConfig(query="select nope from numbers"), errors.RelationNotFoundError, "nope"),
        (ExtractionConfig(query="selec 1"), errors.QueryError, None),
        (ExtractionConfig(relation=Relation("x", "secret")), errors.PrivilegeError, None),
    ],
)
def test_what_does_not_exist_or_is_not_allowed(
    shop: SqlServerFake, request_: ExtractionConfig, family: type[errors.DvtError], named: str | None
) -> None:
    with SqlServerExtractor(connect(shop)) as extractor:
        for act in (extractor.scan, extractor.describe):
            with pytest.raises(family) as caught:
                act(request_)
            assert type(caught.value) is family
            assert (caught.value.connection, caught.value.column) == ("shop", named)
        assert extractor.get_row_count(Relation("numbers")) == 1000


@pytest.mark.parametrize("relation", [Relation("missing"), Relation("x", "secret")])
def test_the_same_errors_of_statements_that_run(shop: SqlServerFake, relation: Relation) -> None:
    family = errors.PrivilegeError if relation.schema else errors.RelationNotFoundError
    with SqlServerExtractor(connect(shop)) as extractor, pytest.raises(family):
        extractor.get_row_count(relation)


@pytest.mark.parametrize("change", [{"password": "wrong-geheim"}, {"user": "nobody"}])
def test_bad_credentials_tell_no_secret(shop: SqlServerFake, change: dict[str, str], caplog: Any) -> None:
    with pytest.raises(errors.AuthenticationError) as caught:
        SqlServerExtractor(Connection.from_output("shop", {**shop.output(), **change}, SPEC)).ping()
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    assert "wrong-geheim" not in shown
    assert PASSWORD not in shown


@pytest.mark.parametrize(
    ("change", "family"),
    [
        ({"database": "nowhere"}, errors.ConfigurationError),
        ({"port": free_port(), "login_timeout": 1}, errors.ConnectionFailedError),
        ({"server": "no-such-host.invalid", "login_timeout": 1}, errors.ConnectionFailedError),
        ({"encrypt": True}, errors.ConnectionFailedError),
        ({"encrypt": "perhaps"}, errors.ConfigurationError),
        ({"authentication": "ActiveDirectoryInteractive"}, errors.UnsupportedError),
        ({"authentication": "magic"}, errors.ConfigurationError),
    ],
)
def test_connections_that_cannot_be(shop: SqlServerFake, change: dict[str, Any], family: type[errors.DvtError]) -> None:
    with pytest.raises(family) as caught:
        SqlServerExtractor(Connection.from_output("shop", {**shop.output(), **change}, SPEC)).ping()
    assert caught.value.connection == "shop"
    assert not isinstance(caught.value, errors.AuthenticationError)


def test_a_login_that_may_go_well_in_a_moment_is_tried_again(shop: SqlServerFake) -> None:
    with shop.changed(fail_logins=[40501]), SqlServerExtractor(connect(shop)) as extractor:
        assert extractor.ping() == f"SQL Server {VERSION}"
    with shop.changed(fail_logins=[40501, 40501]), pytest.raises(errors.ConnectionFailedError, match="busy"):
        SqlServerExtractor(Connection.from_output("shop", shop.output(retries=1), SPEC)).ping()


def test_what_gives_no_rows_is_not_run(shop: SqlServerFake) -> None:
    with pytest.raises(errors.QueryError, match="gives no rows"):
        read(connect(shop), query="drop table numbers")
    assert read(connect(shop), "numbers").num_rows == 1000
