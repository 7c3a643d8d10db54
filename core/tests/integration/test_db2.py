"""Db2 through a double of its driver: what is asked, what is made of values and errors. No Db2 runs here."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from servers import live
from servers.db2_driver import HANDLE, PASSWORD, SCHEMA, Db2Double, db2_double, db2_place
from servers.place import Place
from sqlglot import exp

from dvt import errors
from dvt.connections.db2 import SPEC, connection_string
from dvt.connections.db2_errors import translate
from dvt.connections.secrets import redact
from dvt.federation.extractors.base import ExtractionConfig, Ordering, TableStatistics
from dvt.federation.extractors.db2 import Db2Extractor
from dvt.federation.registry import open_connection
from dvt.identifiers import Relation

ORDERS = Relation("ORDERS", SCHEMA)


@pytest.fixture
def double() -> Iterator[Db2Double]:
    with db2_double() as found:
        found.execute(
            f'create table "{SCHEMA}"."ORDERS" (ID INTEGER, STATUS CHARACTER(4), AMOUNT DECIMAL(12,2), "Day" DATE,'
            " AT TIMESTAMP(6), PRECISE TIMESTAMP(12), OPENS TIME, RATIO DECFLOAT(34), BITS CHAR(2) FOR BIT DATA)"
        )
        found.execute(
            f"""insert into "{SCHEMA}"."ORDERS" values (1, 'A', 1.50, '2026-01-31', '2026-01-31 23:59:59.000001',"""
            " '2026-01-31 23:59:59.000001000001', '09:30:00', '1.50', BX'0020')"
        )
        yield found


@pytest.fixture
def place(double: Db2Double) -> Place:
    return db2_place(double)


def own_statements(place: Place) -> list[str]:
    """What was asked, without the catalogue and the session's own."""
    return [sql for sql in place.statements() if "SYSCAT" not in sql and "SYSPROC" not in sql]


def output(place: Place, **more: Any) -> dict[str, Any]:
    return {**place.output, **more}


def connection(place: Place, **more: Any) -> Any:
    return open_connection("erp", output(place, **more), place.root)


def test_the_statement_of_a_scan(place: Place) -> None:
    amount = exp.column("AMOUNT", quoted=True) >= exp.Literal.number("1.5")
    day = exp.column("Day", quoted=True).eq(exp.cast(exp.Literal.string("2026-01-31"), "DATE"))
    request = ExtractionConfig(
        relation=ORDERS,
        columns=("AMOUNT", "AT", "PRECISE", "OPENS", "RATIO", "Day"),
        predicates=(amount, day),
        order=(Ordering("AMOUNT", is_descending=True, nulls_first=True),),
        limit=3,
    )
    with place.extractor() as extractor:
        with extractor.scan(request) as stream:
            assert stream.method == "cursor_streaming"
            rows = stream.to_table().to_pylist()
    assert own_statements(place) == [
        'SELECT "AMOUNT", VARCHAR_FORMAT("AT", \'YYYY-MM-DD HH24:MI:SS.FF6\') AS "AT", '
        'VARCHAR_FORMAT("PRECISE", \'YYYY-MM-DD HH24:MI:SS.FF12\') AS "PRECISE", CHAR("OPENS", JIS) AS "OPENS", '
        'CAST("RATIO" AS VARCHAR(42)) AS "RATIO", "Day" FROM "KIT"."ORDERS" WHERE "AMOUNT" >= 1.5 AND '
        '"Day" = CAST(\'2026-01-31\' AS DATE) ORDER BY "AMOUNT" DESC FETCH FIRST 3 ROWS ONLY'
    ]
    assert [str(value) for value in rows[0].values()] == [
        *("1.50", "2026-01-31 23:59:59.000001", "2026-01-31 23:59:59.000001000001", "09:30:00", "1.50", "2026-01-31"),
    ]


def test_no_rows_are_asked_for_by_a_condition(place: Place) -> None:
    with place.extractor() as extractor:
        request = ExtractionConfig(relation=ORDERS, columns=("ID",), order=(Ordering("ID"),), limit=0)
        with extractor.scan(request) as stream:
            assert len(stream.to_table()) == 0
    assert own_statements(place) == ['SELECT "ID" FROM "KIT"."ORDERS" WHERE 1 = 0']


def test_types_are_the_catalogues(place: Place) -> None:
    with place.extractor() as extractor:
        found = {c.name: (c.native_type, c.type) for c in extractor.describe(ExtractionConfig(relation=ORDERS))}
    assert found["STATUS"] == ("CHARACTER(4)", pa.string())
    assert found["BITS"] == ("CHARACTER(2) FOR BIT DATA", pa.binary())
    assert found["AT"] == ("TIMESTAMP(6)", pa.timestamp("us"))
    assert found["RATIO"] == ("DECFLOAT", pa.string())


def test_aliases_distinct_types_and_hidden_columns(place: Place, double: Db2Double) -> None:
    double.execute(f'create table "{SCHEMA}"."BASE" (ID INTEGER, PRICE DECIMAL(9,2), SEEN INTEGER, SHAPE INTEGER)')
    double.execute(f'insert into "{SCHEMA}"."BASE" values (1, 2.50, 3, null)')
    double.execute(f"insert into SYSCAT.TABLES values ('{SCHEMA}', 'OTHER', '{SCHEMA}', 'BASE', -1, 'A')")
    double.execute("insert into SYSCAT.DATATYPES values ('SHOP', 'MONEY', 'DECIMAL', 'T')")
    double.execute("update SYSCAT.COLUMNS set TYPESCHEMA = 'SHOP', TYPENAME = 'MONEY' where COLNAME = 'PRICE'")
    double.execute("update SYSCAT.COLUMNS set HIDDEN = 'I' where COLNAME = 'SEEN'")
    double.execute("update SYSCAT.COLUMNS set TYPENAME = 'ST_POINT' where COLNAME = 'SHAPE'")
    other = Relation("OTHER", SCHEMA)
    with place.extractor() as extractor:
        described = {c.name: c.native_type for c in extractor.describe(ExtractionConfig(relation=other))}
        assert described == {"ID": "INTEGER", "PRICE": "DECIMAL(9,2)", "SHAPE": "ST_POINT"}
        seen = extractor.describe(ExtractionConfig(relation=other, columns=("SEEN",)))
        assert [c.name for c in seen] == ["SEEN"]
        with pytest.raises(errors.UnsupportedError, match="ST_POINT") as raised:
            extractor.scan(ExtractionConfig(relation=other))
        assert raised.value.column == "SHAPE"


def test_midnight_at_the_days_end_is_no_midnight_at_its_beginning(place: Place, double: Db2Double) -> None:
    """The driver would make 00:00:00 of it, of a timestamp that of the day before."""
    double.execute(f'create table "{SCHEMA}"."SHIFTS" (ID INTEGER, ENDS TIME)')
    double.execute(f"insert into \"{SCHEMA}\".\"SHIFTS\" values (1, '17:00:00'), (2, '24:00:00')")
    request = ExtractionConfig(relation=Relation("SHIFTS", SCHEMA))
    with place.extractor() as extractor:
        with pytest.raises(errors.DataError, match="24:00:00") as raised:
            extractor.scan(request).to_table()
    assert (raised.value.column, raised.value.rows) == ("ENDS", "row 2 of the scan")
    assert "dvt.time_as: text" in str(raised.value)
    with place.extractor(time_as="text") as extractor:
        assert extractor.scan(request).to_table().column("ENDS").to_pylist() == ["17:00:00", "24:00:00"]


def test_a_query_is_sent_as_it_is_where_the_driver_is_exact(place: Place) -> None:
    query = f'select ID, AMOUNT, "Day" from {SCHEMA}.ORDERS -- all'
    with place.extractor() as extractor:
        assert extractor.extract_stream(query).to_table().num_rows == 1
    assert own_statements(place) == [query]


def test_a_query_with_moments_is_wrapped(place: Place) -> None:
    query = f"select ID, AT from {SCHEMA}.ORDERS"
    with place.extractor() as extractor:
        table = extractor.extract_stream(query).to_table()
    assert table.schema.types == [pa.int32(), pa.timestamp("us")]
    assert own_statements(place) == [
        f'WITH "dvt_query" AS (\n{query}\n) SELECT "ID", VARCHAR_FORMAT("AT", \'YYYY-MM-DD HH24:MI:SS.FF6\') AS "AT"'
        ' FROM "dvt_query"'
    ]


@pytest.mark.parametrize("column", ["RATIO", "BITS"])
def test_what_a_cursor_does_not_tell_is_refused_by_name(place: Place, column: str) -> None:
    """A cursor calls DECFLOAT `real` and bytes `string`: their values are not of these types."""
    with place.extractor() as extractor:
        with pytest.raises(errors.DataError) as raised:
            extractor.extract_stream(f"select {column} from {SCHEMA}.ORDERS").to_table()
    assert raised.value.column == column


def test_version_count_and_statistics(place: Place, double: Db2Double) -> None:
    with place.extractor() as extractor:
        assert extractor.ping() == "Db2 11.05.0900 (DB2/LINUXX8664)"
        assert extractor.get_row_count(ORDERS) == 1
        assert extractor.statistics(ExtractionConfig(relation=ORDERS)) is None  # no RUNSTATS was made
        double.execute("update SYSCAT.TABLES set CARD = 12 where TABNAME = 'ORDERS'")
        assert extractor.statistics(ExtractionConfig(relation=ORDERS)) == TableStatistics(12)
        assert extractor.statistics(ExtractionConfig(query="select 1")) is None
        with extractor.hash_stream(ExtractionConfig(relation=ORDERS, key_columns=("ID",))) as stream:
            assert stream.method == "cursor_streaming, hashed by dvt"


def test_the_connection_string(place: Place) -> None:
    more = {"security": "SSL", "ssl_server_certificate": "/etc/db2.arm", "extra_connect_opts": "KeepAlive=1;"}
    made = connection(place, **more)
    assert connection_string(made) == (
        f"DATABASE=SHOP;HOSTNAME=db2.test;PORT=50000;PROTOCOL=TCPIP;UID=reader;PWD={PASSWORD};SECURITY=SSL;"
        "SSLSERVERCERTIFICATE=/etc/db2.arm;CURRENTSCHEMA=KIT;CONNECTTIMEOUT=10;KeepAlive=1;"
    )
    token = connection(place, password=None, authentication="TOKEN", access_token="ey.J", access_token_type="JWT")
    assert "PWD" not in connection_string(token)
    assert "AUTHENTICATION=TOKEN;ACCESSTOKEN=ey.J;ACCESSTOKENTYPE=JWT" in connection_string(token)
    assert "ey.J" not in repr(token)


@pytest.mark.parametrize("key", ["host", "password", "schema"])
@pytest.mark.parametrize("value", ["x;UID=root", "{x}", '"x"', "x\0"])
def test_no_value_ends_its_place_in_the_connection_string(place: Place, key: str, value: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=key) as raised:
        Db2Extractor(connection(place, **{key: value})).ping()
    assert not (key == "password" and value in str(raised.value))


def test_where_nothing_answers(place: Place) -> None:
    for more, family, words in (
        ({"host": "elsewhere.test"}, errors.ConnectionFailedError, "was not found"),
        ({"port": 1}, errors.ConnectionFailedError, "communication error"),
        ({"database": "NONE"}, errors.ConfigurationError, "Correct the database"),
        ({"user": "nobody"}, errors.AuthenticationError, "PASSWORD INVALID"),
    ):
        with pytest.raises(family, match=words) as raised:
            Db2Extractor(connection(place, **more)).ping()
        assert raised.value.phase == "connect"
        assert PASSWORD not in redact(str(raised.value))


@pytest.mark.parametrize(("reasons", "asked"), [([], 1), (["2"], 2), (["2", "2"], 2), (["68"], 1)])
def test_a_deadlock_before_the_first_row_is_tried_again(
    place: Place, double: Db2Double, reasons: list[str], asked: int
) -> None:
    query = "SELECT 41 + 1 AS ANSWER FROM SYSIBM.SYSDUMMY1"
    with Db2Extractor(connection(place, retries=1)) as extractor:
        extractor.ping()
        double.statements, double.rolls_back = [], list(reasons)
        if reasons in ([], ["2"]):
            with extractor.extract_stream(query) as rows:
                assert rows.to_table().to_pylist() == [{"ANSWER": 42}]
        else:  # a second deadlock, and a lock that was not had in time
            with pytest.raises(errors.TimeoutExceededError, match="deadlock or timeout"):
                extractor.extract_stream(query)
    assert double.statements == [query] * asked
    assert double.open_cursors == 0


def test_only_what_may_pass_is_tried_again(place: Place, double: Db2Double) -> None:
    double.refuses = 1
    with pytest.raises(errors.ConnectionFailedError):
        Db2Extractor(connection(place)).ping()
    double.refuses, double.strings = 1, []
    assert Db2Extractor(connection(place, retries=1)).ping()
    assert len(double.strings) == 2
    double.strings = []
    with pytest.raises(errors.AuthenticationError):
        Db2Extractor(connection(place, retries=3, password="wr0ng")).ping()
    assert len(double.strings) == 1


def test_a_break_amid_the_rows(place: Place, double: Db2Double) -> None:
    """A fetch raises a plain exception: no class of the driver's."""
    double.breaks_after = 0
    with place.extractor() as extractor:
        double.breaks_after = None
        stream = extractor.scan(ExtractionConfig(relation=ORDERS, columns=("ID",)))
        double.breaks_after = 0
        with pytest.raises(errors.ConnectionLostError, match="SQLCODE -1224") as raised:
            stream.to_table()
        assert type(raised.value.__cause__) is Exception
    double.breaks_after = None
    with place.extractor() as again:
        assert again.get_row_count(ORDERS) == 1


@pytest.mark.parametrize("may_force", [True, False])
def test_cancelling_a_fetch(place: Place, double: Db2Double, may_force: bool) -> None:
    double.may_force = may_force
    extractor = place.extractor()
    outcome: list[BaseException] = []
    stream = extractor.scan(ExtractionConfig(relation=ORDERS, columns=("ID",)))
    double.hangs.set()

    def read() -> None:
        try:
            stream.to_table()
        except errors.DvtError as error:
            outcome.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    assert double.is_hanging.wait(10)
    extractor.cancel()
    assert double.forced == ([HANDLE] if may_force else [])
    double.hangs.clear()
    reader.join(10)
    assert [type(error) for error in outcome] == [errors.InterruptedRunError]
    stream.close()
    extractor.close()
    assert double.open_cursors == 0


def test_a_limit_of_time_is_the_statements(place: Place, double: Db2Double) -> None:
    with place.extractor(statement_timeout_s=7) as extractor:
        assert extractor.get_row_count(ORDERS) == 1
    assert double.options
    assert all(options == {0: 7} for options in double.options)


@pytest.mark.parametrize(
    ("words", "family"),
    [
        ('SQL0551N  "READER" does not have the privilege.  SQLSTATE=42501 SQLCODE=-551', errors.PrivilegeError),
        ('SQL0204N  "X.Y" is an undefined name.  SQLSTATE=42704 SQLCODE=-204', errors.RelationNotFoundError),
        ("SQL0952N  Processing was cancelled.  SQLSTATE=57014 SQLCODE=-952", errors.TimeoutExceededError),
        ("SQL0911N  Deadlock or timeout.  SQLSTATE=40001 SQLCODE=-911", errors.TimeoutExceededError),
        ("SQL0968C  The file system is full.  SQLSTATE=57011 SQLCODE=-968", errors.ResourceError),
        ("SQL0420N  Invalid character in CAST.  SQLSTATE=22018 SQLCODE=-420", errors.DataError),
        ("SQL30081N  A communication error.  SQLSTATE=08001 SQLCODE=-30081", errors.ConnectionLostError),
        ("SQL0104N  An unexpected token.  SQLSTATE=42601 SQLCODE=-104", errors.QueryError),
    ],
)
def test_errors_have_their_family(place: Place, words: str, family: type[errors.DvtError]) -> None:
    error = translate(
        Exception(f"Statement Execute Failed: [IBM][CLI Driver][DB2/X] {words}"), connection(place), phase="extract"
    )
    assert type(error) is family
    assert "[IBM]" not in error.message
    assert "SQLSTATE" not in error.message


def test_dbt_reads_through_the_shim(place: Place, double: Db2Double) -> None:
    from dvt.dbt_bridge.shim.dialects import DIALECTS

    dialect = DIALECTS["db2"]
    session = dialect.open(place.connection())
    assert dialect.list_schemas(session.cursor()) == [SCHEMA]
    assert dialect.list_relations(session.cursor(), Relation("-", SCHEMA), place.connection()) == [("ORDERS", "table")]
    cursor = session.cursor()
    cursor.execute(f"select count(*) as failures from {SCHEMA}.ORDERS")
    assert cursor.fetchall() == [(1,)]
    session.close()
    assert double.open_cursors == 0


def test_what_may_be_asked(place: Place) -> None:
    facts = SPEC.comparing
    assert facts.of("text", "VARCHAR(20)").equal.value == "inexact"  # type: ignore[union-attr]
    assert facts.of("text", "CLOB") is None
    padded = facts.of("text", "CHARACTER(4)")
    assert padded is not None
    assert padded.takes(["a"])
    assert not padded.takes([""])
    assert facts.of("timestamp", "TIMESTAMP(6)").order.value == "exact"  # type: ignore[union-attr]


@live.DB2.needed
def test_a_live_database() -> None:
    """With a login that may read the catalogue."""
    with Db2Extractor(open_connection("live", {**live.DB2.output(), "schema": "SYSCAT"})) as extractor:
        assert extractor.ping().startswith("Db2 ")
        tables = Relation("TABLES", "SYSCAT")
        assert extractor.get_row_count(tables) > 0
        with extractor.scan(ExtractionConfig(relation=tables, columns=("TABNAME", "CREATE_TIME"), limit=5)) as stream:
            assert stream.to_table().num_rows == 5
        values = (
            "select timestamp '2026-01-31 23:59:59.000001' as AT, cast('24:00:00' as time) as T from SYSIBM.SYSDUMMY1"
        )
        with pytest.raises(errors.DataError):
            extractor.extract_stream(values).to_table()
