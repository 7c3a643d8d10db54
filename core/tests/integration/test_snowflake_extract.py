"""Reading an emulated Snowflake through the vendor's connector: shapes, chunks, names, errors, logging in, ending."""

from __future__ import annotations

import threading
import time

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives import serialization
from integration.snowflake_kit import connect, described, read, wire
from servers.snowflake import CHUNK_ROWS, PASSWORD, TOKEN, SnowflakeServer
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.snowflake import SPEC
from dvt.federation.extractors.base import ExtractionConfig, Ordering, TableStatistics
from dvt.federation.extractors.snowflake import SnowflakeExtractor
from dvt.identifiers import Relation, quote

pytestmark = pytest.mark.snowflake

ROWS = 2200
# The emulator fails at an apostrophe in a name.
NASTY = (
    'a"b',
    "a`b",
    "dot.ted",
    " leading",
    "select",
    "per%s{x}",
    "semi;colon",
    "new\nline",
    "Ünïcode",
    "lower",
)
ID = described("ID", "fixed", 38, 0)
SOME = wire((ID, pa.array([1, 2, 3], pa.int8())))
MORE = wire((ID, pa.array([400, 5], pa.int16())))


@pytest.fixture(scope="module")
def shop(snowflake_server: SnowflakeServer) -> SnowflakeServer:
    snowflake_server.execute(
        "create or replace table orders (id int, word varchar, amount number(10, 2), moment timestamp_ntz)",
        "insert into orders select seq4(), 'w' || seq4(), seq4() / 4, '2024-01-01 10:00:00.123456'"
        f" from table(generator(rowcount => {ROWS}))",
        "create or replace table none (id int, word varchar)",
        "create or replace view few as select id, word from orders where id < 2",
    )
    return snowflake_server


def column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def test_ping_count_and_statistics(shop: SnowflakeServer) -> None:
    with SnowflakeExtractor(connect(shop)) as extractor:
        assert extractor.ping() == "Snowflake " + next(iter(shop.query("select current_version()")[0].values()))
        assert extractor.get_row_count(Relation("orders")) == ROWS
        found = extractor.statistics(ExtractionConfig(relation=Relation("orders")))
        assert found is not None
        assert found.rows == ROWS
        assert extractor.statistics(ExtractionConfig(relation=Relation("missing"))) is None
        assert extractor.statistics(ExtractionConfig(query="select 1")) is None
    assert isinstance(found, TableStatistics)


def test_a_session_is_set_so_that_values_have_one_form(shop: SnowflakeServer) -> None:
    own = {"timezone": "America/New_York", "week_start": 1, "ROWS_PER_RESULTSET": 5}
    connection = Connection.from_output(
        "shop", shop.output(session_parameters=own, query_tag="mine", dvt={"statement_timeout_s": 7}), SPEC
    )
    shop.logins()
    with SnowflakeExtractor(connection) as extractor:
        extractor.ping()
    sent = shop.logins()[0]["SESSION_PARAMETERS"]
    assert {key: str(sent[key]) for key in ("TIMEZONE", "WEEK_START", "QUERY_TAG", "ROWS_PER_RESULTSET")} == {
        "TIMEZONE": "UTC",
        "WEEK_START": "1",
        "QUERY_TAG": "mine",
        "ROWS_PER_RESULTSET": "0",
    }
    assert str(sent["STATEMENT_TIMEOUT_IN_SECONDS"]) == "7"
    assert str(sent["CLIENT_TELEMETRY_ENABLED"]).lower() == "false"


def test_columns_predicates_and_limit_go_to_the_server(shop: SnowflakeServer) -> None:
    shop.statements()
    table = read(
        connect(shop),
        "orders",
        columns=("WORD", "ID"),
        predicates=(column("ID") > 2000, column("WORD").neq("it's \\")),
        order=(Ordering("ID"),),
        limit=2,
    )
    assert table.to_pylist() == [{"WORD": "w2001", "ID": 2001}, {"WORD": "w2002", "ID": 2002}]
    assert shop.statements()[-1] == (
        'SELECT "WORD", "ID" FROM "SHOP"."PUBLIC"."ORDERS" WHERE "ID" > 2000 AND "WORD" <> \'it\\\'s \\\\\''
        ' ORDER BY "ID" ASC LIMIT 2'
    )


def test_casts_stand_outside_of_filters_and_orders(shop: SnowflakeServer) -> None:
    shop.statements()
    read(
        connect(shop),
        "orders",
        columns=("MOMENT",),
        predicates=(column("ID") < 2,),
        order=(Ordering("MOMENT"),),
        limit=1,
    )
    assert shop.statements()[-1] == (
        'SELECT CAST("MOMENT" AS TIMESTAMPNTZ(6)) AS "MOMENT", MOD(DATE_PART(NANOSECOND, "MOMENT"), 1000) FROM'
        ' ( SELECT "MOMENT" FROM "SHOP"."PUBLIC"."ORDERS" WHERE "ID" < 2 ORDER BY "MOMENT" ASC LIMIT 1 \n)'
    )


def test_a_long_result_comes_in_chunks_and_batches(shop: SnowflakeServer) -> None:
    with SnowflakeExtractor(connect(shop, batch_rows=300)) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("orders"), columns=("ID",))) as rows:
            assert rows.estimated_row_count == ROWS
            batches = list(rows.batches())
    assert ROWS > 4 * CHUNK_ROWS
    assert max(batch.num_rows for batch in batches) <= 300
    assert len(batches) > 8
    assert sorted(int(v) for batch in batches for v in batch.column(0).to_pylist()) == list(range(ROWS))


def test_describe_says_what_scan_gives(shop: SnowflakeServer) -> None:
    with SnowflakeExtractor(connect(shop)) as extractor:
        for request in (
            ExtractionConfig(relation=Relation("orders")),
            ExtractionConfig(relation=Relation("FEW", "public", "shop")),
            ExtractionConfig(query="select word, count(*) as n from orders group by word -- of each"),
            ExtractionConfig(query="with x as (select 1 as a) select a, 'b' as b from x;", columns=("B",)),
            ExtractionConfig(query="select id from orders union all select 1", limit=3),
        ):
            shown = extractor.describe(request)
            with extractor.scan(request) as rows:
                assert rows.columns == shown
                assert list(rows.to_table().to_pylist()[0]) == [c.name for c in shown]


def test_no_rows_keep_the_schema(shop: SnowflakeServer) -> None:
    table = read(connect(shop), "none")
    assert table.schema.types == [pa.decimal128(38, 0), pa.string()]
    assert table.num_rows == 0


@pytest.mark.parametrize(
    ("names", "sent"),
    [
        ("folded", '"SHOP"."PUBLIC"."ORDERS"'),  # as dbt-snowflake, which quotes nothing
        ("exact", '"shop"."Public"."orders"'),
    ],
)
def test_names_are_folded_unless_they_are_exact(shop: SnowflakeServer, names: str, sent: str) -> None:
    """The emulator's engine knows no case in names: what it is sent is what counts."""
    shop.statements()
    with SnowflakeExtractor(connect(shop, names=names)) as extractor:
        extractor.describe(ExtractionConfig(relation=Relation("orders", "Public", "shop")))
    assert shop.statements()[-1] == "-- describe only\nSELECT * FROM " + sent


@pytest.mark.parametrize("name", NASTY)
def test_nasty_identifiers(shop: SnowflakeServer, name: str) -> None:
    table, odd = quote(name, "snowflake"), quote(name + "_c", "snowflake")
    shop.execute(f"create or replace table {table} ({odd} int)", f"insert into {table} values (5), (6)")
    found = read(connect(shop, names="exact"), name, predicates=(column(name + "_c") > 5,))
    assert found.to_pylist() == [{name + "_c": 6}]


@pytest.mark.parametrize("text", ["\\", "\\'", "a\nb", "' or 1 = 1 --", "%", "ä🙂", "$$x$$"])
def test_values_of_predicates_are_no_sql(shop: SnowflakeServer, text: str) -> None:
    shop.execute("create or replace table texts (t varchar)", "insert into texts values ('other')")
    assert read(connect(shop), "texts", predicates=(column("T").eq(text),)).num_rows == 0


def test_nothing_can_be_written(shop: SnowflakeServer) -> None:
    for query in ("drop table orders", "delete from orders", "select 1; drop table orders"):
        with pytest.raises(errors.QueryError):
            read(connect(shop), query=query)
    assert next(iter(shop.query("select count(*) as n from orders")[0].values())) == ROWS


def test_an_early_end_leaves_the_session_usable(shop: SnowflakeServer) -> None:
    with SnowflakeExtractor(connect(shop)) as extractor:
        rows = extractor.scan(ExtractionConfig(relation=Relation("orders")))
        assert rows.read_batch(10).num_rows == 10  # type: ignore[union-attr]
        rows.close()
        with extractor.scan(ExtractionConfig(relation=Relation("few"))) as more:
            assert sorted(more.to_table()["WORD"].to_pylist()) == ["w0", "w1"]


def test_cancel_ends_a_statement_on_the_server(shop: SnowflakeServer) -> None:
    extractor = SnowflakeExtractor(connect(shop))
    extractor.ping()
    shop.statements()
    timer = threading.Timer(0.5, extractor.cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(query="select system$wait(60) as w"))
    timer.join()
    assert time.monotonic() - started < 50
    assert [sql for sql in shop.statements() if "CANCEL_ALL" in sql] != []
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(relation=Relation("few")))
    extractor.close()


def test_a_statement_may_not_run_longer_than_allowed(shop: SnowflakeServer) -> None:
    with pytest.raises(errors.TimeoutExceededError):
        read(connect(shop, statement_timeout_s=1), query="select system$wait(60) as w")


@pytest.mark.parametrize(
    ("request_", "family", "named"),
    [
        (ExtractionConfig(relation=Relation("missing")), errors.RelationNotFoundError, None),
        (ExtractionConfig(relation=Relation("orders", "nowhere")), errors.RelationNotFoundError, None),
        (ExtractionConfig(relation=Relation("orders"), columns=("WROD",)), errors.RelationNotFoundError, "WROD"),
        (ExtractionConfig(query="select nope from orders"), errors.RelationNotFoundError, "NOPE"),
        (ExtractionConfig(query="selec 1"), errors.QueryError, None),
    ],
)
def test_what_does_not_exist(
    shop: SnowflakeServer, request_: ExtractionConfig, family: type[errors.DvtError], named: str | None
) -> None:
    with SnowflakeExtractor(connect(shop)) as extractor:
        for act in (extractor.scan, extractor.describe):
            with pytest.raises(family) as caught:
                act(request_)
            assert (caught.value.connection, caught.value.column) == ("shop", named)


@pytest.mark.parametrize(
    ("number", "family"),
    [
        ("000606", errors.ConfigurationError),  # no active warehouse
        ("003001", errors.PrivilegeError),
        ("100038", errors.DataError),
        ("000625", errors.ResourceError),
        ("000999", errors.QueryError),
    ],
)
def test_the_server_s_numbers_have_families(shop: SnowflakeServer, number: str, family: type[errors.DvtError]) -> None:
    shop.can("CANNED_ERROR", [ID], error=[number, "42000", "what the server says"])
    with pytest.raises(family, match=rf"what the server says \(Snowflake error {number}\)"):
        read(connect(shop), "canned_error")


def test_a_chunk_that_is_short_is_no_end(shop: SnowflakeServer) -> None:
    shop.can("CANNED_SHORT", [ID], [SOME, SOME, MORE], fault="short")
    with pytest.raises(errors.ConnectionLostError, match="7 rows came of 8"):
        read(connect(shop), "canned_short")


def test_a_chunk_that_is_not_there_at_first_comes_again(shop: SnowflakeServer) -> None:
    shop.can("CANNED_LATE", [ID], [SOME, SOME, MORE], fault="late")
    assert [int(v) for v in read(connect(shop), "canned_late")["ID"].to_pylist()] == [1, 2, 3, 1, 2, 3, 400, 5]


def test_fewer_rows_than_announced_are_no_end(shop: SnowflakeServer) -> None:
    shop.can("CANNED_FEWER", [ID], [SOME, MORE], total=6)
    with pytest.raises(errors.ConnectionLostError, match="5 rows came of 6"):
        read(connect(shop), "canned_fewer")


def _outputs(server: SnowflakeServer) -> dict[str, dict[str, object]]:
    none = {"password": None}
    encrypted = serialization.load_pem_private_key(server.key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"phrase-geheim"),
    )
    oauth = {**none, "authenticator": "oauth", "token": TOKEN}
    client = {"oauth_client_id": "client", "oauth_client_secret": "client-secret"}
    return {
        "password": {},
        "key": {**none, "private_key": server.key.decode()},
        "encrypted key": {**none, "private_key": encrypted.decode(), "private_key_passphrase": "phrase-geheim"},
        "oauth": oauth,
        "refreshed": {**oauth, "token": "refresh-token", **client},
        "jwt": {**oauth, "authenticator": "jwt"},
        "token": {**none, "authenticator": "programmatic_access_token", "token": TOKEN},
    }


@pytest.mark.parametrize("how", ["password", "key", "encrypted key", "oauth", "refreshed", "jwt", "token"])
def test_every_way_to_log_in(shop: SnowflakeServer, how: str) -> None:
    output = shop.output(**_outputs(shop)[how])
    with SnowflakeExtractor(Connection.from_output("shop", output, SPEC)) as extractor:
        assert extractor.ping().startswith("Snowflake ")


@pytest.mark.parametrize(
    "change",
    [
        {"password": "wrong-geheim"},
        {"authenticator": "oauth", "token": "wrong-geheim", "password": None},
        {
            "authenticator": "oauth",
            "token": "wrong-geheim",
            "password": None,
            "oauth_client_id": "client",
            "oauth_client_secret": "client-geheim",
        },
    ],
)
def test_bad_credentials_tell_no_secret(shop: SnowflakeServer, change: dict[str, str]) -> None:
    connection = Connection.from_output("shop", shop.output(**change), SPEC)
    with pytest.raises(errors.AuthenticationError) as caught:
        SnowflakeExtractor(connection).ping()
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {connection!r}"
    assert "geheim" not in shown
    assert PASSWORD not in shown


@pytest.mark.parametrize("authenticator", ["externalbrowser", "username_password_mfa", "OAUTH_AUTHORIZATION_CODE"])
def test_what_needs_a_person_is_refused_with_what_does_not(shop: SnowflakeServer, authenticator: str) -> None:
    connection = Connection.from_output("shop", shop.output(authenticator=authenticator), SPEC)
    with pytest.raises(errors.ConfigurationError, match="private_key_path"):
        SnowflakeExtractor(connection).ping()
    assert shop.logins() == [] or all(login["AUTHENTICATOR"] != authenticator for login in shop.logins())


def test_a_closed_port_is_the_network(shop: SnowflakeServer) -> None:
    output = shop.output(port=1, dvt={"connect_timeout_s": 1})
    with pytest.raises(errors.ConnectionFailedError):
        SnowflakeExtractor(Connection.from_output("shop", output, SPEC)).ping()
