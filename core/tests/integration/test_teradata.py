"""Teradata through a double of its driver: what is asked, what is made of values and errors. No Teradata runs here."""

from __future__ import annotations

import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from servers import live
from servers.place import Place
from servers.teradata_driver import PASSWORD, SCHEMA, VERSION, TeradataDouble, teradata_double, teradata_place
from sqlglot import exp

from dvt import errors
from dvt.connections.secrets import redact
from dvt.connections.teradata import SPEC, parameters
from dvt.connections.teradata_errors import translate
from dvt.federation.extractors.base import ExtractionConfig, Ordering, TableStatistics
from dvt.federation.extractors.teradata import TeradataExtractor
from dvt.federation.registry import open_connection
from dvt.identifiers import Relation

ORDERS = Relation("orders", SCHEMA)
ALL = ExtractionConfig(relation=ORDERS)


@pytest.fixture
def double() -> Iterator[TeradataDouble]:
    with teradata_double() as found:
        found.execute(
            f'create multiset table "{SCHEMA}"."orders" (id INTEGER, code CHAR(4), amount DECIMAL(12,2), placed DATE,'
            " at_ TIMESTAMP(6))"
        )
        found.execute(
            f"""insert into "{SCHEMA}"."orders" values (1, 'A', 1.50, '2026-01-31', '2026-01-31 23:59:59.000001'),"""
            " (2, null, null, null, null), (3, ' b c', -2.25, '1900-01-01', '1900-01-01 00:00:00')"
        )
        yield found


@pytest.fixture
def place(double: TeradataDouble) -> Place:
    return teradata_place(double)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def large(double: TeradataDouble, rows: int = 100_000) -> None:
    double.sql.run(f"insert into DBC.StatsV values ('{SCHEMA}', 'orders', {rows})")


def connection(place: Place, **more: Any) -> Any:
    return open_connection("edw", {**place.output, **more}, place.root)


def selects(place: Place) -> list[str]:
    """What was asked for rows, without the dictionary, preparing and the driver's own functions."""
    found = place.statements()
    return [sql for sql in found if "DBC." not in sql and "_rpo(" not in sql and "_nativesql" not in sql]


def test_the_statement_of_a_scan(place: Place) -> None:
    """Days and moments are literals of their type: casts of texts would follow the session's formats."""
    day = exp.column("placed", quoted=True) >= exp.cast(exp.Literal.string("2026-01-31"), "DATE")
    moment = exp.column("at_", quoted=True) < exp.cast(exp.Literal.string("2026-02-01 00:00:00.5"), "TIMESTAMP")
    request = ExtractionConfig(
        relation=ORDERS,
        columns=("amount", "id"),
        predicates=(day, moment),
        order=(Ordering("id", nulls_first=True),),
        limit=3,
    )
    with place.extractor() as extractor:
        with extractor.scan(request) as stream:
            assert stream.method == "cursor_streaming"
            assert [list(map(str, row.values())) for row in stream] == [["1.50", "1"]]
        assert extractor.source_sql(request) == selects(place)[-1]
    assert extractor.source_sql(request) == (
        'SELECT TOP 3 "amount", "id" FROM "kit"."orders" WHERE "placed" >= DATE \'2026-01-31\' AND '
        '"at_" < TIMESTAMP \'2026-02-01 00:00:00.5\' ORDER BY "id" ASC'
    )


def test_no_rows_are_asked_for_by_a_condition(place: Place) -> None:
    """TOP takes no zero."""
    with place.extractor() as extractor:
        with extractor.scan(ExtractionConfig(relation=ORDERS, columns=("id",), limit=0)) as stream:
            assert len(stream.to_table()) == 0
    assert selects(place) == ['SELECT "id" FROM "kit"."orders" WHERE 1 = 0']


def test_describing_prepares_and_runs_nothing(place: Place) -> None:
    with place.extractor() as extractor:
        found = [(c.name, c.native_type) for c in extractor.describe(ALL)]
    assert found == [
        *(("id", "INTEGER"), ("code", "CHAR"), ("amount", "DECIMAL(12,2)"), ("placed", "DATE"), ("at_", "TIMESTAMP")),
    ]
    assert place.statements() == ['{fn teradata_rpo(S)}SELECT * FROM "kit"."orders"']


def test_blanks_at_the_end_of_char_are_padding(place: Place) -> None:
    """UTF8 sessions add three for each character of the column's width."""
    for how in ("never", "always"):
        with place.extractor(fastexport=how) as extractor:
            with extractor.scan(ExtractionConfig(relation=ORDERS, columns=("code",))) as stream:
                assert stream.to_table().column(0).to_pylist() == ["A", None, " b c"]


def test_keys_of_hashes_have_no_blanks_around_them(place: Place) -> None:
    with place.extractor() as extractor:
        request = ExtractionConfig(relation=ORDERS, columns=("id",), key_columns=("code",))
        assert list(extractor.extract_hashes(request)) == ["A", None, "b c"]
        with extractor.hash_stream(request) as stream:
            assert stream.method == "cursor_streaming, hashed by dvt"


def test_small_tables_come_by_the_cursor(place: Place, double: TeradataDouble) -> None:
    large(double, 99_999)
    with place.extractor() as extractor:
        assert extractor.statistics(ALL) == TableStatistics(99_999, None)
        with extractor.scan(ALL) as stream:
            assert stream.method == "cursor_streaming"
            assert len(stream.to_table()) == 3
    assert not any("teradata_write_parquet" in sql for sql in place.statements())


def test_large_tables_come_by_fastexport(place: Place, double: TeradataDouble, temporary: Path) -> None:
    large(double)
    with place.extractor(batch_rows=2) as extractor:
        with extractor.scan(ALL) as stream:
            assert stream.method == "fastexport_parquet"
            (folder,) = temporary.iterdir()
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            sizes = [batch.num_rows for batch in stream.batches()]
        assert sizes == [2, 1]
        assert list(temporary.iterdir()) == []
        with extractor.scan(ExtractionConfig(relation=ORDERS, limit=1)) as stream:
            assert stream.method == "cursor_streaming"
    listed = '"id", "code", "amount", "placed", "at_" FROM "kit"."orders"'
    assert selects(place)[:2] == [
        f"{{fn teradata_write_parquet({folder}/probe.parquet)}}SELECT {listed} WHERE 1 = 0",
        f"{{fn teradata_try_fastexport}}{{fn teradata_write_parquet({folder}/rows.parquet)}}SELECT {listed}",
    ]


def test_both_ways_give_the_same(place: Place) -> None:
    tables = []
    for how in ("never", "always"):
        with place.extractor(fastexport=how) as extractor:
            tables.append(extractor.scan(ALL).to_table())
    assert tables[0] == tables[1]
    assert tables[0].schema.types[2:] == [pa.decimal128(12, 2), pa.date32(), pa.timestamp("us")]


def test_an_early_stop_leaves_no_file(place: Place, temporary: Path) -> None:
    with place.extractor(fastexport="always", batch_rows=1) as extractor:
        with extractor.scan(ALL) as stream:
            assert stream.read_batch(1) is not None
            assert list(temporary.iterdir()) != []
        assert list(temporary.iterdir()) == []


def test_the_end_of_a_session_leaves_no_file(place: Place, temporary: Path) -> None:
    with place.extractor(fastexport="always", batch_rows=1) as extractor:
        assert extractor.scan(ALL).read_batch(1) is not None
        assert list(temporary.iterdir()) != []
    assert list(temporary.iterdir()) == []


def test_texts_of_a_file_are_read_as_their_types(place: Place, double: TeradataDouble) -> None:
    double.parquet_types = lambda native, type_: pa.string() if type_ != pa.int32() else type_
    with place.extractor(fastexport="always") as extractor:
        with extractor.scan(ALL) as stream:
            assert stream.method == "fastexport_parquet"
            exported = stream.to_table()
    with place.extractor(fastexport="never") as extractor:
        assert extractor.scan(ALL).to_table() == exported


@pytest.mark.parametrize(
    ("native", "written"),
    [
        ("DECIMAL(12,2)", pa.float64()),
        ("TIMESTAMP(6)", pa.timestamp("us", tz="UTC")),
        ("DATE", pa.int32()),
        ("CHAR(4)", pa.binary()),
    ],
)
def test_a_file_that_is_not_exact_is_no_way(
    place: Place, double: TeradataDouble, temporary: Path, native: str, written: pa.DataType
) -> None:
    """Which types the driver writes is not documented: a file of no rows shows them first."""
    large(double)
    double.parquet_types = lambda own, type_: written if own == native else type_
    with place.extractor() as extractor:
        with extractor.scan(ALL) as stream:
            assert stream.method == "cursor_streaming"
            assert len(stream.to_table()) == 3
    with place.extractor(fastexport="always") as extractor:
        with pytest.raises(errors.UnsupportedError, match="FastExport"):
            extractor.scan(ALL)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(("native", "written"), [("FLOAT", pa.float32()), ("VARBYTE(3)", pa.string())])
def test_floats_and_bytes_are_exact_only_as_themselves(
    place: Place, double: TeradataDouble, native: str, written: pa.DataType
) -> None:
    double.execute(f'create multiset table "{SCHEMA}"."plain" (v {native})')
    request = ExtractionConfig(relation=Relation("plain", SCHEMA))
    with place.extractor(fastexport="always") as extractor:
        assert extractor.scan(request).method == "fastexport_parquet"
        double.parquet_types = lambda own, type_: written
        with pytest.raises(errors.UnsupportedError, match="FastExport"):
            extractor.scan(request)


def test_a_driver_without_the_export(place: Place, double: TeradataDouble, temporary: Path) -> None:
    large(double)
    double.knows_parquet = False
    with place.extractor() as extractor:
        assert extractor.scan(ALL).method == "cursor_streaming"
    with place.extractor(fastexport="always") as extractor:
        with pytest.raises(errors.UnsupportedError):
            extractor.scan(ALL)
    assert list(temporary.iterdir()) == []


def test_a_statement_that_fastexport_does_not_take(place: Place, double: TeradataDouble, temporary: Path) -> None:
    large(double)
    double.can_fastexport = False
    with place.extractor() as extractor:
        with extractor.scan(ALL) as stream:
            assert stream.method == "parquet_export"
            assert len(stream.to_table()) == 3
    with place.extractor(fastexport="always") as extractor:
        with pytest.raises(errors.QueryError, match="3695"):
            extractor.scan(ALL)
    assert list(temporary.iterdir()) == []


def test_errors_that_the_driver_tells_afterwards(place: Place, double: TeradataDouble, temporary: Path) -> None:
    double.told_errors = "row 17 could not be exported"
    with place.extractor(fastexport="always") as extractor:
        with pytest.raises(errors.QueryError, match="row 17") as raised:
            extractor.scan(ALL)
    assert (raised.value.connection, raised.value.relation) == ("kit", "kit.orders")
    assert list(temporary.iterdir()) == []


def test_large_objects_come_by_the_cursor(place: Place, double: TeradataDouble) -> None:
    double.execute(f'create multiset table "{SCHEMA}"."notes" (id INTEGER, body CLOB)')
    notes = ExtractionConfig(relation=Relation("notes", SCHEMA))
    with place.extractor(fastexport="always") as extractor:
        with pytest.raises(errors.UnsupportedError, match="FastExport"):
            extractor.scan(notes)
    double.sql.run(f"insert into DBC.TableSizeV values ('{SCHEMA}', 'notes', {1 << 40})")
    with place.extractor() as extractor:
        assert extractor.statistics(notes) == TableStatistics(None, 1 << 40)
        assert extractor.scan(notes).method == "cursor_streaming"


def test_what_the_driver_is_given(place: Place) -> None:
    given = parameters(
        connection(place, sslmode="VERIFY-FULL", sslca="/etc/ca.pem", cop=False, teradata_values="false")
    )
    assert given == {
        "host": "td.test",
        "dbs_port": "1025",
        "user": "reader",
        "password": PASSWORD,
        "database": SCHEMA,
        "sslmode": "VERIFY-FULL",
        "sslca": "/etc/ca.pem",
        "cop": "false",
        "tmode": "ANSI",
        "connect_timeout": "10000",
        "teradata_values": "true",
    }
    token = connection(place, password=None, user=None, logmech="JWT", logdata="token=ey.JhbG")
    assert parameters(token)["logdata"] == "token=ey.JhbG"
    assert "ey.JhbG" not in repr(token)
    assert parameters(connection(place, dvt={"statement_timeout_s": 9}))["request_timeout"] == "9"


@pytest.mark.parametrize("mechanism", ["BROWSER", "code"])
def test_a_login_that_needs_a_person_is_refused(place: Place, double: TeradataDouble, mechanism: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="BEARER"):
        TeradataExtractor(connection(place, logmech=mechanism)).ping()
    assert double.given == []


def test_where_nothing_answers(place: Place) -> None:
    for more, family, words in (
        ({"host": "elsewhere.test"}, errors.ConnectionFailedError, "lookup failed"),
        ({"port": 1}, errors.ConnectionFailedError, "refused"),
        ({"schema": "none"}, errors.ConfigurationError, "Correct the schema"),
        ({"user": "nobody"}, errors.AuthenticationError, "error 8017"),
    ):
        with pytest.raises(family, match=words) as raised:
            TeradataExtractor(connection(place, **more)).ping()
        assert raised.value.phase == "connect"
        assert PASSWORD not in redact(str(raised.value))
        assert "gosqldriver" not in str(raised.value)


@pytest.mark.parametrize(("aborts", "asked"), [([], 1), ([2631], 2), ([2631, 2631], 2), ([3111], 1)])
def test_a_deadlock_before_the_first_row_is_tried_again(
    place: Place, double: TeradataDouble, aborts: list[int], asked: int
) -> None:
    query = "SELECT 41 + 1 AS answer"
    with TeradataExtractor(connection(place, retries=1, retry_timeout=0)) as extractor:
        extractor.ping()
        double.statements, double.aborts = [], list(aborts)
        if aborts in ([], [2631]):
            with extractor.extract_stream(query) as rows:
                assert rows.to_table().to_pylist() == [{"answer": 42}]
        else:  # a second deadlock, and a statement that took too long
            with pytest.raises(errors.TimeoutExceededError):
                extractor.extract_stream(query)
    assert len([sql for sql in double.statements if "teradata_rpo" not in sql]) == asked


def test_only_what_may_pass_is_tried_again(place: Place, double: TeradataDouble) -> None:
    double.refuses = 1
    with pytest.raises(errors.ConnectionFailedError):
        TeradataExtractor(connection(place)).ping()
    double.refuses, double.given = 1, []
    assert TeradataExtractor(connection(place, retries=1, retry_timeout=0)).ping() == f"Teradata {VERSION}"
    assert len(double.given) == 2
    double.given = []
    with pytest.raises(errors.AuthenticationError):
        TeradataExtractor(connection(place, retries=3, retry_timeout=0, password="wr0ng")).ping()
    assert len(double.given) == 1


def test_a_break_amid_the_rows(place: Place, double: TeradataDouble) -> None:
    with place.extractor() as extractor:
        stream = extractor.scan(ALL)
        double.breaks_after = 0
        with pytest.raises(errors.ConnectionLostError, match="reset by peer"):
            stream.to_table()
    double.breaks_after = None
    with place.extractor() as again:
        assert again.get_row_count(ORDERS) == 3


@pytest.mark.parametrize("ends_quietly", [False, True])
def test_cancelling_a_fetch(place: Place, double: TeradataDouble, ends_quietly: bool) -> None:
    double.ends_quietly = ends_quietly
    extractor = place.extractor()
    outcome: list[BaseException] = []
    stream = extractor.scan(ALL)
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
    reader.join(10)
    assert double.cancelled.is_set()
    assert [type(error) for error in outcome] == [errors.InterruptedRunError]
    stream.close()
    extractor.close()
    assert double.open_cursors == 0


@pytest.mark.parametrize(
    ("words", "family", "column"),
    [
        ("[Teradata Database] [Error 3807] Object 'x' does not exist.", errors.RelationNotFoundError, None),
        ("[Teradata Database] [Error 5628] Column price not found in x.", errors.RelationNotFoundError, "price"),
        ("[Teradata Database] [Error 3523] The user does not have SELECT access.", errors.PrivilegeError, None),
        ("[Teradata Database] [Error 2646] No more spool space in reader.", errors.ResourceError, None),
        ("[Teradata Database] [Error 2631] Transaction ABORTed due to deadlock.", errors.TimeoutExceededError, None),
        ("[Teradata Database] [Error 2620] The format contains a bad character.", errors.DataError, None),
        ("[Teradata Database] [Error 3706] Syntax error.", errors.QueryError, None),
        ("[Teradata SQL Driver] [Error 8017] something local", errors.ConnectionLostError, None),
        ("[Teradata SQL Driver] Request timeout 9 exceeded", errors.TimeoutExceededError, None),
    ],
)
def test_errors_have_their_family(place: Place, words: str, family: type[errors.DvtError], column: str | None) -> None:
    text = f"[Version 20.0.0.24] [Session 1001] {words}\n at gosqldriver/teradatasql"
    error = translate(Exception(text), connection(place), phase="extract")
    assert (type(error), error.column) == (family, column)
    assert not error.message.startswith("[")
    assert "gosqldriver" not in error.message


def test_dbt_reads_through_the_shim(place: Place, double: TeradataDouble) -> None:
    from dvt.dbt_bridge.shim.dialects import DIALECTS

    double.sql.run(f"insert into DBC.TablesV values ('{SCHEMA}', 'orders', 'T'), ('{SCHEMA}', 'm', 'M')")
    dialect = DIALECTS["teradata"]
    session = dialect.open(place.connection())
    assert dialect.list_schemas(session.cursor()) == [SCHEMA]
    assert dialect.list_relations(session.cursor(), Relation("-", SCHEMA), place.connection()) == [("orders", "table")]
    cursor = session.cursor()
    cursor.execute(f"select count(*) as failures from {SCHEMA}.orders")
    assert cursor.fetchall() == [(3,)]
    session.close()
    assert double.open_cursors == 0


def test_texts_are_not_told_apart_there(place: Place) -> None:
    """NOT CASESPECIFIC, and blanks at the end do not count: what comes is filtered again."""
    facts = SPEC.comparing
    for native in ("CHAR", "VARCHAR"):
        kind = facts.of("text", native)
        assert kind is not None
        assert (kind.equal.value, kind.unequal.value, kind.order.value) == ("inexact", "no", "no")
        assert not kind.tells_apart
    assert facts.of("text", "CLOB") is None


@live.TERADATA.needed
def test_a_live_system() -> None:
    """With a login that may read the dictionary."""
    given = live.TERADATA.output()
    calendar = ExtractionConfig(
        relation=Relation("calendar", "sys_calendar"), columns=("calendar_date", "day_of_calendar")
    )
    tables = []
    for how in ("never", "always"):
        with TeradataExtractor(open_connection("live", {**given, "dvt": {"fastexport": how}})) as extractor:
            assert extractor.ping().startswith("Teradata ")
            with extractor.scan(calendar) as stream:
                tables.append(stream.to_table().sort_by("day_of_calendar"))
    assert tables[0].num_rows == 73_414
    assert tables[0] == tables[1]
