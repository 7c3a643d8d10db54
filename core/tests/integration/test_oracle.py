"""Reading Oracle over a double of its driver (tag: driver), and, where `DVT_LIVE_ORACLE_URL` is set, a real server."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from servers import live
from servers.oracle_driver import PASSWORD, VERSION, Info, OracleDouble, Table, oracle_double, output
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.oracle import SPEC
from dvt.federation.extractors.base import ExtractionConfig, Ordering, Split, TableStatistics
from dvt.federation.extractors.oracle import OracleExtractor
from dvt.identifiers import Relation

oracledb = pytest.importorskip("oracledb")
UTC = dt.timezone.utc
NUMBER, TEXT = oracledb.DB_TYPE_NUMBER, pa.large_string()
MOMENT = "SYYYY-MM-DD HH24:MI:SS"


@pytest.fixture
def double() -> Iterator[OracleDouble]:
    with oracle_double() as made:
        made.tables["SCOTT", "ORDERS"] = Table(
            [Info("ID", NUMBER, 9, 0, 10, False), Info("WORD", oracledb.DB_TYPE_VARCHAR, display_size=20)],
            [TEXT, TEXT],
            [(str(number), f"w{number}") for number in range(1, 1001)],
        )
        made.tables["SCOTT", "NONE"] = Table([Info("N", NUMBER, 10, 2)], [TEXT])
        yield made


def connect(**options: Any) -> Connection:
    return Connection.from_output("erp", output(dvt=options), SPEC)


def read(name: str, connection: Connection | None = None, **request: Any) -> pa.Table:
    with OracleExtractor(connection or connect()) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation(name), **request)) as rows:
            return rows.to_table()


# The driver's type with precision and scale, what it is asked, how it gives it, what it gives, what is carried.
CASES: list[tuple[Any, Any, str, pa.DataType, Any, pa.DataType, Any]] = [
    (NUMBER, (9, 0), "TO_CHAR(\"C\", 'TM9')", TEXT, "-999999999", pa.int64(), -999999999),
    (NUMBER, (18, 0), "TO_CHAR(\"C\", 'TM9')", TEXT, "9" * 18, pa.int64(), 10**18 - 1),
    (NUMBER, (38, 0), "TO_CHAR(\"C\", 'TM9')", TEXT, "9" * 38, pa.decimal128(38, 0), Decimal("9" * 38)),
    (NUMBER, (10, 2), "TO_CHAR(\"C\", 'TM9')", TEXT, "-.05", pa.decimal128(10, 2), Decimal("-0.05")),
    (NUMBER, (5, -2), "TO_CHAR(\"C\", 'TM9')", TEXT, "1234500", pa.decimal128(7, 0), Decimal(1234500)),
    (NUMBER, (2, 5), "TO_CHAR(\"C\", 'TM9')", TEXT, ".00012", pa.decimal128(5, 5), Decimal("0.00012")),
    (NUMBER, (None, None), "TO_CHAR(\"C\", 'TM9')", TEXT, "1.5", pa.decimal128(38, 9), Decimal("1.5")),
    (NUMBER, (126, -127), "TO_CHAR(\"C\", 'TM9')", TEXT, ".1", pa.decimal128(38, 9), Decimal("0.1")),
    (oracledb.DB_TYPE_BINARY_DOUBLE, (None, None), '"C"', pa.float64(), float("-inf"), pa.float64(), float("-inf")),
    (oracledb.DB_TYPE_BINARY_FLOAT, (None, None), '"C"', pa.float32(), 0.5, pa.float32(), 0.5),
    (oracledb.DB_TYPE_DATE, (None, None), f"TO_CHAR(\"C\", '{MOMENT}')", TEXT, " 2024-02-29 23:59:59",
     pa.timestamp("us"), dt.datetime(2024, 2, 29, 23, 59, 59)),
    (oracledb.DB_TYPE_TIMESTAMP, (None, None), f"TO_CHAR(\"C\", '{MOMENT}.FF9')", TEXT,
     " 9999-12-31 23:59:59.999999000", pa.timestamp("us"), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
    (oracledb.DB_TYPE_TIMESTAMP_TZ, (None, None), f"TO_CHAR(SYS_EXTRACT_UTC(\"C\"), '{MOMENT}.FF9')", TEXT,
     " 2024-01-01 00:00:00.000001000", pa.timestamp("us", tz="UTC"), dt.datetime(2024, 1, 1, 0, 0, 0, 1, UTC)),
    (oracledb.DB_TYPE_TIMESTAMP_LTZ, (None, None), f"TO_CHAR(\"C\", '{MOMENT}.FF9')", TEXT,
     " 0001-01-01 00:00:00.000000000", pa.timestamp("us", tz="UTC"), dt.datetime(1, 1, 1, tzinfo=UTC)),
    (oracledb.DB_TYPE_INTERVAL_DS, (None, None), 'TO_CHAR("C")', TEXT, "+02 10:20:30.123456", pa.string(),
     "+02 10:20:30.123456"),
    (oracledb.DB_TYPE_INTERVAL_YM, (None, None), 'TO_CHAR("C")', TEXT, "-01-02", pa.string(), "-01-02"),
    (oracledb.DB_TYPE_CHAR, (None, None), '"C"', pa.string(), "ab   ", pa.string(), "ab   "),
    (oracledb.DB_TYPE_VARCHAR, (None, None), '"C"', TEXT, "naïve 🙂", pa.string(), "naïve 🙂"),
    (oracledb.DB_TYPE_NVARCHAR, (None, None), 'TO_CHAR("C")', TEXT, "日本", pa.string(), "日本"),
    (oracledb.DB_TYPE_CLOB, (None, None), '"C"', TEXT, "", pa.string(), ""),
    (oracledb.DB_TYPE_NCLOB, (None, None), 'TO_CLOB("C")', TEXT, "x" * 100_000, pa.string(), "x" * 100_000),
    (oracledb.DB_TYPE_RAW, (None, None), '"C"', pa.large_binary(), b"\0\xff", pa.binary(), b"\0\xff"),
    (oracledb.DB_TYPE_BLOB, (None, None), '"C"', pa.large_binary(), b"", pa.binary(), b""),
    (oracledb.DB_TYPE_ROWID, (None, None), 'ROWIDTOCHAR("C")', TEXT, "AAAR3s", pa.string(), "AAAR3s"),
    (oracledb.DB_TYPE_XMLTYPE, (None, None), 'XMLSERIALIZE(CONTENT "C" AS CLOB)', TEXT, "<a/>", pa.string(), "<a/>"),
    (oracledb.DB_TYPE_JSON, (None, None), 'JSON_SERIALIZE("C" RETURNING CLOB)', TEXT, "[1]", pa.json_(), "[1]"),
    (oracledb.DB_TYPE_BOOLEAN, (None, None), "CASE WHEN \"C\" THEN 'true' WHEN NOT \"C\" THEN 'false' END", TEXT,
     "false", pa.bool_(), False),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0].name[8:]}{case[1] if case[1][0] else ''}" for case in CASES])
def test_each_type_by_what_it_is_asked_for(double: OracleDouble, case: Any) -> None:
    kind, (precision, scale), asked, given_type, given, type_, value = case
    double.tables["SCOTT", "T"] = Table([Info("C", kind, precision, scale)], [given_type], [(None,), (given,)])
    table = read("t")
    assert table.schema.types == [type_]
    assert table["C"].to_pylist() == [None, value]
    inner = 'SELECT "C" FROM "SCOTT"."T"'
    assert double.statements()[-1] == (inner if asked == '"C"' else f'SELECT {asked} AS "C" FROM ( {inner} \n)')
    double.tables["SCOTT", "T"].rows = []
    assert (read("t").schema.types, read("t").num_rows) == ([type_], 0)


@pytest.mark.parametrize(
    ("kind", "given", "remedy"),
    [
        (NUMBER, "1.0123456789", "number_as: text"),
        (NUMBER, "1E+100", "number_as: text"),
        (oracledb.DB_TYPE_TIMESTAMP, " 2024-01-01 00:00:00.000000001", "moments_as: text"),
        (oracledb.DB_TYPE_DATE, "-0044-03-15 00:00:00", "moments_as: text"),
        (oracledb.DB_TYPE_DATE, "-4712-01-01 00:00:00", "moments_as: text"),
    ],
)
def test_values_that_cannot_be_carried_stop_the_run(double: OracleDouble, kind: Any, given: str, remedy: str) -> None:
    double.tables["SCOTT", "T"] = Table([Info("C", kind)], [TEXT], [(given,)])
    with pytest.raises(errors.DataError) as caught:
        read("t")
    assert (caught.value.column, caught.value.relation, caught.value.connection) == ("C", "SCOTT.T", "erp")
    assert remedy in str(caught.value)


def test_numbers_and_moments_can_be_read_as_text(double: OracleDouble) -> None:
    double.tables["SCOTT", "T"] = Table(
        [Info("N", NUMBER), Info("M", oracledb.DB_TYPE_TIMESTAMP_TZ)],
        [TEXT, TEXT],
        [("1E+100", " 2024-01-01 00:00:00.123456789 Europe/Berlin")],
    )
    table = read("t", connect(number_as="text", moments_as="text"))
    assert table.to_pylist() == [{"N": "1E+100", "M": " 2024-01-01 00:00:00.123456789 Europe/Berlin"}]
    assert f"TO_CHAR(\"M\", '{MOMENT}.FF9 TZR')" in double.statements()[-1]


@pytest.mark.parametrize("kind", ["LONG", "LONG_RAW", "BFILE", "VECTOR", "OBJECT"])
def test_types_that_nothing_carries_are_refused_by_name(double: OracleDouble, kind: str) -> None:
    double.tables["SCOTT", "T"] = Table([Info("C", getattr(oracledb, f"DB_TYPE_{kind}"))], [TEXT])
    with pytest.raises(errors.UnsupportedError, match=kind.replace("_", " ")) as caught:
        read("t")
    assert caught.value.column == "C"


def test_national_texts_need_a_unicode_database(double: OracleDouble) -> None:
    double.charset = "WE8MSWIN1252"
    double.tables["SCOTT", "T"] = Table([Info("C", oracledb.DB_TYPE_NVARCHAR)], [TEXT], [("x",)])
    with pytest.raises(errors.UnsupportedError, match="WE8MSWIN1252"):
        read("t")


def test_bytes_that_are_no_utf8_are_no_text(double: OracleDouble) -> None:
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff")]
    )
    double.tables["SCOTT", "T"] = Table([Info("C", oracledb.DB_TYPE_VARCHAR)], [pa.string()], [("x",)])
    double.frame = pa.table([broken], names=["C"])
    with pytest.raises(errors.DataError, match="UTF8"):
        read("t")


def test_the_session_reads_one_state_in_known_forms(double: OracleDouble) -> None:
    with OracleExtractor(connect(statement_timeout_s=5)) as extractor:
        assert extractor.ping() == f"Oracle {VERSION}"
        alter, read_only = double.statements()
        assert "NLS_NUMERIC_CHARACTERS = '. '" in alter
        assert "TIME_ZONE = '+00:00'" in alter
        assert read_only == "SET TRANSACTION READ ONLY"
        assert extractor._session.call_timeout == 5000
    assert double.sessions == 0


def test_columns_predicates_order_and_limit_are_what_the_server_is_asked(double: OracleDouble) -> None:
    read(
        "orders",
        columns=("WORD",),
        predicates=(exp.column("ID", quoted=True) > 990,),
        order=(Ordering("ID", is_descending=True, nulls_first=False), Ordering("WORD")),
        limit=3,
    )
    assert double.statements()[-1] == (
        'SELECT "WORD" FROM "SCOTT"."ORDERS" WHERE "ID" > 990'
        ' ORDER BY "ID" DESC NULLS LAST, "WORD" ASC FETCH FIRST 3 ROWS ONLY'
    )


@pytest.mark.parametrize(
    ("type_", "text", "said"),
    [
        ("DATE", "2024-01-01", "TO_DATE('2024-01-01', 'YYYY-MM-DD')"),
        ("TIMESTAMP", "2024-01-01 00:00:00.5",
         "TO_TIMESTAMP('2024-01-01 00:00:00.500000', 'YYYY-MM-DD HH24:MI:SS.FF6')"),
        ("TIMESTAMPTZ", "2024-01-01 00:00:00+00",
         "TO_TIMESTAMP_TZ('2024-01-01 00:00:00.000000 +00:00', 'YYYY-MM-DD HH24:MI:SS.FF6 TZH:TZM')"),
    ],
)  # fmt: skip
def test_constants_do_not_hang_on_formats_of_the_session(
    double: OracleDouble, type_: str, text: str, said: str
) -> None:
    constant = exp.Cast(this=exp.Literal.string(text), to=exp.DataType.build(type_, dialect="oracle"))
    predicate = exp.GT(this=exp.column("WORD", quoted=True), expression=constant)
    read("orders", columns=("WORD",), predicates=(predicate,))
    assert double.statements()[-1] == f'SELECT "WORD" FROM "SCOTT"."ORDERS" WHERE "WORD" > {said}'


@pytest.mark.parametrize(
    ("name", "options", "meant"),
    [
        ("orders", {}, '"SCOTT"."ORDERS"'),
        ("Orders", {}, '"SCOTT"."Orders"'),
        ("o rders", {}, '"SCOTT"."o rders"'),
        ('o"r', {}, '"SCOTT"."o""r"'),
        ("orders", {"names_as": "exact"}, '"SCOTT"."orders"'),
    ],
)
def test_names_are_meant_as_oracle_takes_them(
    double: OracleDouble, name: str, options: dict[str, str], meant: str
) -> None:
    with OracleExtractor(connect(**options)) as extractor:
        assert extractor.source_sql(ExtractionConfig(relation=Relation(name))) == f"SELECT * FROM {meant}"
        other = extractor.source_sql(ExtractionConfig(relation=Relation("T", "hr")))
        assert other == 'SELECT * FROM "HR"."T"' if not options else 'SELECT * FROM "hr"."T"'


def test_a_query_stays_letter_for_letter(double: OracleDouble) -> None:
    query = 'with x as (select * from "SCOTT"."ORDERS") select * from x order by 1 -- done'
    with OracleExtractor(connect()) as extractor, extractor.scan(ExtractionConfig(query=query + ";")) as rows:
        assert rows.to_table().num_rows == 1000
    described, sent = double.statements()[-2:]
    assert described == f"SELECT * FROM (\n{query}\n) WHERE 1 = 0"
    assert sent == f'SELECT TO_CHAR("ID", \'TM9\') AS "ID", "WORD" FROM ( {query} \n)'


def test_batches_counts_and_statistics(double: OracleDouble) -> None:
    with OracleExtractor(connect(batch_rows=300)) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("orders"))) as rows:
            assert [batch.num_rows for batch in rows.batches()] == [300, 300, 300, 100]
        assert extractor.get_row_count(Relation("orders")) == 1000
        assert extractor.statistics(ExtractionConfig(relation=Relation("orders"))) == TableStatistics(1000, 10000)
        assert extractor.statistics(ExtractionConfig(relation=Relation("missing"))) is None
        described = extractor.describe(ExtractionConfig(relation=Relation("orders")))
    assert [(c.name, c.native_type, c.nullable) for c in described] == [
        ("ID", "NUMBER(9,0)", False),
        ("WORD", "VARCHAR2(20)", True),
    ]
    assert read("none").schema.types == [pa.decimal128(10, 2)]


def test_an_early_end_leaves_nothing_open(double: OracleDouble) -> None:
    with OracleExtractor(connect(batch_rows=10)) as extractor:
        rows = extractor.scan(ExtractionConfig(relation=Relation("orders")))
        assert rows.read_batch(5).num_rows == 5  # type: ignore[union-attr]
        rows.close()
        with extractor.scan(ExtractionConfig(relation=Relation("orders"))) as more:
            assert more.to_table().num_rows == 1000
    assert double.sessions == 0


def test_cancel_breaks_what_runs(double: OracleDouble) -> None:
    double.blocks = True
    with OracleExtractor(connect()) as extractor:
        rows = extractor.scan(ExtractionConfig(relation=Relation("orders")))
        threading.Timer(0.1, extractor.cancel).start()
        with pytest.raises(errors.InterruptedRunError):
            rows.read_batch(1)
        with pytest.raises(errors.InterruptedRunError):
            extractor.scan(ExtractionConfig(relation=Relation("orders")))


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("DPY-4011: the database or network closed the connection", errors.ConnectionLostError),
        ("DPY-4024: call timeout of 1000 ms exceeded", errors.TimeoutExceededError),
        ("ORA-01555: snapshot too old", errors.ResourceError),
        ("ORA-01722: invalid number", errors.DataError),
        ("ORA-00936: missing expression", errors.QueryError),
    ],
)
def test_an_error_on_the_way_is_no_end(double: OracleDouble, text: str, family: type[errors.DvtError]) -> None:
    double.tables["SCOTT", "ORDERS"].fails = text
    with pytest.raises(family) as caught:
        read("orders")
    assert type(caught.value) is family
    assert caught.value.message == text


@pytest.mark.parametrize(
    ("request_", "family"),
    [
        (ExtractionConfig(relation=Relation("missing")), errors.RelationNotFoundError),
        (ExtractionConfig(relation=Relation("orders"), columns=("WROD",)), errors.RelationNotFoundError),
        (ExtractionConfig(relation=Relation("T", "secret")), errors.PrivilegeError),
    ],
)
def test_what_does_not_exist_or_is_not_allowed(
    double: OracleDouble, request_: ExtractionConfig, family: type[errors.DvtError]
) -> None:
    with OracleExtractor(connect()) as extractor:
        for act in (extractor.scan, extractor.describe):
            with pytest.raises(family):
                act(request_)


@pytest.mark.parametrize(
    ("change", "family"),
    [
        ({"password": "wrong-geheim"}, errors.AuthenticationError),
        ({"host": "nowhere"}, errors.ConnectionFailedError),
        ({"service": ""}, errors.ConfigurationError),
        ({"purity": "clean"}, errors.ConfigurationError),
    ],
)
def test_connections_that_cannot_be(
    double: OracleDouble, change: dict[str, str], family: type[errors.DvtError]
) -> None:
    with pytest.raises(family) as caught:
        OracleExtractor(Connection.from_output("erp", {**output(), **change}, SPEC)).ping()
    assert type(caught.value) is family
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert "wrong-geheim" not in shown
    assert PASSWORD not in shown


@pytest.mark.parametrize(
    ("keys", "given"),
    [
        ({}, {"host": "db", "port": 1521, "service_name": "shop", "protocol": "tcp", "retry_count": 1}),
        ({"service": "", "sid": "XE", "port": 1600}, {"sid": "XE", "port": 1600}),
        ({"host": "", "tns_name": "shop_high", "config_dir": "/w"}, {"dsn": "shop_high", "config_dir": "/w"}),
        ({"connection_string": "db:1521/shop"}, {"dsn": "db:1521/shop"}),
        (
            {"protocol": "tcps", "wallet_location": "/w", "wallet_password": "geheim-w"},
            {"protocol": "tcps", "wallet_location": "/w", "wallet_password": "geheim-w"},
        ),
        ({"cclass": "dvt", "purity": "new"}, {"cclass": "dvt", "purity": oracledb.Purity.NEW}),
    ],
)
def test_what_the_driver_is_given(double: OracleDouble, keys: dict[str, Any], given: dict[str, Any]) -> None:
    OracleExtractor(Connection.from_output("erp", {**output(), **keys}, SPEC)).ping()
    assert {key: double.given.get(key) for key in given} == given
    assert ("dsn" in double.given) != ("host" in double.given)


def test_the_driver_has_what_the_double_stands_for() -> None:
    """Where python-oracledb renames what is used of it, this fails, and not a user's run."""
    import inspect

    for name in ("cursor", "fetch_df_batches", "cancel", "close", "call_timeout", "version"):
        assert hasattr(oracledb.Connection, name)
    assert {"statement", "size", "fetch_decimals"} <= set(
        inspect.signature(oracledb.Connection.fetch_df_batches).parameters
    )
    for name in ("name", "type_code", "precision", "scale", "display_size", "null_ok"):
        assert hasattr(oracledb.FetchInfo, name)
    connect_takes = set(inspect.signature(oracledb.connect).parameters)
    assert {
        *("user", "password", "dsn", "host", "port", "protocol", "service_name", "sid", "retry_count", "retry_delay"),
        *("tcp_connect_timeout", "wallet_location", "wallet_password", "config_dir", "cclass", "purity", "shardingkey"),
        "supershardingkey",
    } <= connect_takes
    assert hasattr(oracledb.DataFrame, "__arrow_c_stream__")


@live.ORACLE.needed
def test_a_real_server() -> None:
    """Values that the server writes itself are what is carried."""
    query = (
        "select cast(-12.50 as number(10,2)) n, cast(5 as number(9)) i, 1/3 third, date '2024-02-29' d,"
        " timestamp '2024-01-01 00:00:00.123456' t, timestamp '2024-01-01 00:00:00 +02:00' z,"
        " cast('ab' as char(4)) c, n'ñ' nc, hextoraw('00ff') r, to_clob('x') l, cast(null as varchar2(3)) v,"
        " 1.5d bd, interval '1 02:03:04.5' day to second ids from dual"
    )
    connection = Connection.from_output("live", live.ORACLE.output(), SPEC)
    with OracleExtractor(connection) as extractor:
        assert extractor.ping().startswith("Oracle ")
        with extractor.scan(ExtractionConfig(query=query.replace("1/3 third, ", ""))) as rows:
            (row,) = rows.to_table().to_pylist()
    assert row["N"] == Decimal("-12.50")
    assert (row["I"], row["C"], row["NC"], row["R"], row["L"], row["V"]) == (5, "ab  ", "ñ", b"\0\xff", "x", None)
    assert row["D"] == dt.datetime(2024, 2, 29)
    assert row["T"] == dt.datetime(2024, 1, 1, 0, 0, 0, 123456)
    assert row["Z"] == dt.datetime(2023, 12, 31, 22, tzinfo=UTC)
    assert (row["BD"], row["IDS"]) == (1.5, "+01 02:03:04.500000000")


def _parts(double: OracleDouble, **request: Any) -> tuple[list[int | None], int, str, list[str]]:
    double.statements()
    with OracleExtractor(connect()) as extractor:
        request = {"relation": Relation("orders"), "split": Split("ID", 3), **request}
        with extractor.scan(ExtractionConfig(**request)) as rows:
            ids = rows.to_table().column(0).to_pylist()
        assert double.sessions == 1  # those of the parts have ended
    read = [sql for sql in double.statements() if " AS OF SCN " in sql and "1 = 0" not in sql]
    return ids, rows.how.parts, rows.how.whole_because, read


def test_parts_are_read_as_of_the_leaders_scn(double: OracleDouble) -> None:
    double.scns = iter([7, 8, 9, 9])  # once something was committed in between
    double.tables["SCOTT", "ORDERS"].rows += [(None, "no key")] * 5
    ids, parts, why, read = _parts(double)
    assert sorted(ids, key=lambda key: key or 0) == [None] * 5 + list(range(1, 1001))
    assert (parts, why) == (3, "")
    assert len(read) == 3
    assert all('"SCOTT"."ORDERS" AS OF SCN 9 WHERE' in sql for sql in read)
    double.scns, double.keys = iter([9, 9]), {("SCOTT", "ORDERS"): ("ID", "WORD")}
    assert _parts(double, split=Split("", 2))[1] == 2
    with OracleExtractor(connect()) as extractor:
        assert extractor.detect_primary_key(Relation("orders")) == ("ID", "WORD")


def test_what_oracle_reads_whole_and_why(double: OracleDouble) -> None:
    every = list(range(1, 1001))
    assert _parts(double)[:2] == (every, 1)
    assert "not told" in _parts(double)[2]
    double.scns = iter(range(10_000))
    assert (_parts(double)[1], "too much is committed" in _parts(double)[2]) == (1, True)
    assert "no primary key" in _parts(double, split=Split("", 2))[2]
    assert "no ranges are made of WORD" in _parts(double, split=Split("WORD", 2))[2]
    double.scns, double.is_flashback_denied = iter([9] * 100), True
    ids, parts, why, _ = _parts(double)
    assert (ids, parts, why) == (every, 1, "the login may not read it AS OF an SCN")


def _moved(double: OracleDouble) -> None:
    """Every key of ORDERS goes to another range, half of the rows go away, and NONE gets one."""
    place = ("SCOTT", "ORDERS")
    now = double.tables[place].seen("", double.now)
    double.commit({place: [(str(int(key) + 400), word) for key, word in now[::2]], ("SCOTT", "NONE"): [("1.00",)]})


def test_later_scans_of_a_session_are_read_in_parts_of_the_first_one_s_state(double: OracleDouble) -> None:
    every = list(range(1, 1001))
    rows = [(str(key), f"w{key}") for key in every]
    double.commit({("SCOTT", "ORDERS"): rows, ("SCOTT", "NONE"): []})
    whole, split = (ExtractionConfig(relation=Relation("orders"), **more) for more in ({}, {"split": Split("ID", 3)}))
    with OracleExtractor(connect(parallel=3)) as extractor:
        extractor.ping()
        _moved(double)  # its first scan begins anew, and this is seen by all of its scans
        with extractor.scan(ExtractionConfig(relation=Relation("orders"), limit=3)) as first:
            assert first.how.whole_because == "a limit is of the whole"
            expected = sorted(first.to_table()["ID"].to_pylist())
        assert (len(expected), expected[0]) == (500, 401)
        for _ in range(3):
            _moved(double)
            with extractor.scan(split) as parts:
                assert sorted(parts.to_table()["ID"].to_pylist()) == expected
            assert (parts.how.parts, parts.how.whole_because) == (3, "")
            with extractor.scan(whole) as leader:
                assert sorted(leader.to_table()["ID"].to_pylist()) == expected
            assert extractor.get_row_count(Relation("orders")) == 500
            assert extractor.get_row_count(Relation("none")) == 1
    with OracleExtractor(connect(parallel=3)) as another:  # a session of its own sees what is there now
        with another.scan(split) as parts:
            assert parts.how.parts == 3
            assert sorted(parts.to_table()["ID"].to_pylist()) != expected


def test_a_split_after_a_first_scan_that_asked_for_none_is_read_whole(double: OracleDouble) -> None:
    double.scns = iter([9] * 100)
    split = ExtractionConfig(relation=Relation("orders"), split=Split("ID", 3))
    with OracleExtractor(connect()) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("none"))) as rows:
            assert (rows.to_table().num_rows, rows.how.whole_because) == (0, "")
        assert not [sql for sql in double.statements() if "get_system_change_number" in sql]
        for _ in range(2):
            with extractor.scan(split) as rows:
                assert rows.to_table().num_rows == 1000
            assert (rows.how.parts, "asked for no parts" in rows.how.whole_because) == (1, True)


def test_a_failing_part_of_oracle_leaves_no_session(double: OracleDouble) -> None:
    double.scns = iter([9, 9])
    double.tables["SCOTT", "ORDERS"].fails = "ORA-08181: specified number is not a valid system change number"
    with pytest.raises(errors.DvtError, match="08181"):
        _parts(double)
    assert double.sessions == 0
