"""The generic connection without a driver: keys, dialects, secrets and the tables of types."""

from __future__ import annotations

import types
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.generic import SPEC, dialect_of, driver_name, given_jars, method_of
from dvt.connections.generic_errors import sql_state, translate
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.generic import GenericExtractor
from dvt.federation.extractors.generic_casts import with_casts
from dvt.federation.extractors.generic_odbc import OdbcMethod
from dvt.identifiers import Relation
from dvt.types.generic import recast, text_reader
from dvt.types.generic_adbc import adbc_reading
from dvt.types.generic_dbapi import described_type
from dvt.types.generic_jdbc import JdbcColumn, jdbc_reading
from dvt.types.generic_odbc import odbc_reading


def connection(**output: Any) -> Connection:
    return Connection.from_output("shop", {"type": "generic", **output}, SPEC)


@pytest.mark.parametrize(
    ("output", "method", "dialect"),
    [
        ({"driver": "postgresql", "db_kwargs": {"uri": "postgresql://h/d"}}, "adbc", "postgres"),
        ({"uri": "postgresql://h/d"}, "adbc", "postgres"),
        ({"connection_string": "Driver={MariaDB Unicode};Server=oracle"}, "odbc", "mysql"),
        ({"connection_string": "Server=oracle;DRIVER=FreeTDS"}, "odbc", "tsql"),
        ({"driver": "SQLite3", "connection_string": "Database=postgres.db"}, "odbc", "sqlite"),
        ({"driver": "psycopg", "connect_args": {"host": "mysql"}}, "dbapi", "postgres"),
        ({"driver": "hdbcli.dbapi", "method": "dbapi"}, "dbapi", ""),
        ({"url": "jdbc:hsqldb:mem:mysql"}, "jdbc", ""),
        ({"url": "jdbc:sqlserver://h"}, "jdbc", "tsql"),
        ({"url": "jdbc:mariadb://h/d", "dialect": "ansi"}, "jdbc", ""),
        ({"url": "jdbc:acme://h/d", "dialect": "Oracle"}, "jdbc", "oracle"),
    ],
)
def test_method_and_dialect(output: dict[str, Any], method: str, dialect: str) -> None:
    made = connection(**output)
    assert (method_of(made), dialect_of(made), made.dialect) == (method, dialect, dialect)


@pytest.mark.parametrize(
    "output",
    [
        {"driver": "x"},
        {"driver": "x", "method": "telnet"},
        {"url": "jdbc:x:y", "connect_args": {"a": 1}},
        {"url": "jdbc:x:y", "method": "odbc"},
    ],
)
def test_outputs_that_say_too_little_or_too_much(output: dict[str, Any]) -> None:
    with pytest.raises(errors.ConfigurationError):
        method_of(connection(**output))


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(errors.ConfigurationError, match="oracl"):
        dialect_of(connection(url="jdbc:x:y", dialect="oracl"))


def test_secrets_are_not_shown() -> None:
    made = connection(
        driver="psycopg",
        connect_args={"user": "joe", "password": "geheim-1", "options": {"ssl_password": "geheim-2"}},
    )
    assert "geheim" not in f"{made!r} {made.place}"
    assert "joe" in repr(made)
    made = connection(url="jdbc:x://joe:geheim-3@h/", properties={"accessToken": "geheim-4"})
    assert "geheim" not in f"{made!r} {made.place}"
    assert driver_name(made) == "jdbc:x:"


def test_places_differ_by_what_secrets_hold() -> None:
    places = {connection(url=f"jdbc:x://h{n}/", password="geheim").place for n in (1, 2, 2)}
    assert len(places) == 2


def test_a_limit_is_sent_where_the_dialect_is_known() -> None:
    request = ExtractionConfig(relation=Relation('t"x'), columns=("a",), limit=3)
    sent = {
        dialect: GenericExtractor(connection(url="jdbc:x:y", dialect=dialect)).source_sql(request)
        for dialect in ("ansi", "postgres", "oracle", "tsql", "mysql")
    }
    assert sent["ansi"] == 'SELECT "a" FROM "t""x"'
    assert sent["postgres"] == 'SELECT "a" FROM "t""x" LIMIT 3'
    assert sent["oracle"] == 'SELECT "a" FROM "t""x" FETCH FIRST 3 ROWS ONLY'
    assert sent["tsql"] == 'SELECT TOP 3 [a] FROM [t"x]'
    assert sent["mysql"] == 'SELECT `a` FROM `t"x` LIMIT 3'


def test_a_query_stays_as_it_is() -> None:
    reader = GenericExtractor(connection(url="jdbc:x:y"))
    text = "SeLeCt  1 AS x, 2 FROM t"
    assert reader.source_sql(ExtractionConfig(query=text + " ; ", columns=("x",), limit=1)).strip() == text


def test_casts_stand_around_the_query() -> None:
    assert with_casts("select 1", [("a", "")], "postgres") == "select 1"
    sql = with_casts("select 1 -- x", [("a", ""), ('b"', "TEXT")], "postgres")
    assert sql == 'WITH "dvt_query" AS (\n select 1 -- x \n) SELECT "a", CAST("b""" AS TEXT) AS "b""" FROM "dvt_query"'


class _Error(Exception):
    sqlstate: str | None = None


def failure(text: str, state: str | None = None) -> Exception:
    made = _Error(text)
    made.sqlstate = state
    return made


@pytest.mark.parametrize(
    ("error", "phase", "family"),
    [
        (failure("relation x does not exist", "42P01"), "extract", errors.RelationNotFoundError),
        (failure("user lacks privilege or object not found: X", "42501"), "extract", errors.RelationNotFoundError),
        (failure("permission denied for table x", "42501"), "extract", errors.PrivilegeError),
        (failure("no", "28000"), "connect", errors.AuthenticationError),
        (
            failure("State: 08001, Native error: 1, Message: Connection refused"),
            "connect",
            errors.ConnectionFailedError,
        ),
        (failure("server closed the connection unexpectedly"), "extract", errors.ConnectionLostError),
        (failure("[Driver Manager]Can't open lib 'Nope' : file not found"), "connect", errors.MissingDriverError),
        (failure("canceling statement", "57014"), "extract", errors.TimeoutExceededError),
        (failure("division", "22012"), "extract", errors.DataError),
        (failure("syntax", "42601"), "extract", errors.QueryError),
        (failure("who knows"), "connect", errors.ConnectionFailedError),
    ],
)
def test_errors_fall_into_families(error: Exception, phase: str, family: type[errors.DvtError]) -> None:
    found = translate(error, connection(url="jdbc:x:y"), phase=phase, relation="t")
    assert type(found) is family
    assert (found.connection, found.relation, found.phase) == ("shop", "t", phase)


def test_states_of_odbc_stand_in_the_text() -> None:
    assert sql_state(Exception("x\nState: 42S02, Native error: 5, Message: gone")) == "42S02"
    assert sql_state(Exception("nothing")) == ""


def jdbc(type_: int, name: str, precision: int = 0, scale: int = 0, is_signed: bool = True) -> tuple[str, pa.DataType]:
    found = jdbc_reading(JdbcColumn("c", type_, name, precision, scale, is_signed), {})
    return (found.fetch if not found.reading.refused else "refused", found.reading.type)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((4, "INTEGER"), ("long", pa.int32())),
        ((4, "INTEGER UNSIGNED", 10, 0, False), ("long", pa.uint32())),
        ((-5, "BIGINT UNSIGNED", 20, 0, False), ("text", pa.uint64())),
        ((-6, "TINYINT"), ("long", pa.int16())),
        ((-7, "TINYINT"), ("long", pa.int16())),  # MySQL's tinyint(1), which may be 2
        ((-7, "bool"), ("boolean", pa.bool_())),
        ((-7, "BIT"), ("text", pa.string())),
        ((8, "float8"), ("double", pa.float64())),
        ((8, "money"), ("text", pa.string())),
        ((7, "REAL"), ("float", pa.float32())),
        ((2, "numeric", 10, 2), ("text", pa.decimal128(10, 2))),
        ((2, "numeric"), ("text", pa.string())),
        ((2, "NUMBER", 0, -127), ("text", pa.string())),
        ((3, "DECIMAL", 60, 40), ("text", pa.decimal128(38, 38))),
        ((93, "timestamptz"), ("text", pa.timestamp("us", tz="UTC"))),
        ((93, "TIMESTAMP WITH TIME ZONE"), ("text", pa.timestamp("us", tz="UTC"))),
        ((93, "TIMESTAMP"), ("text", pa.timestamp("us"))),
        ((2014, "TIMESTAMP WITH TIME ZONE"), ("text", pa.timestamp("us", tz="UTC"))),
        ((-2, "UUID"), ("text", pa.uuid())),
        ((-2, "BYTEA"), ("bytes", pa.binary())),
        ((2003, "_int4"), ("refused", pa.string())),
        ((2000, "JAVA_OBJECT"), ("refused", pa.string())),
    ],
)
def test_jdbc_types(arguments: Sequence[Any], expected: tuple[str, pa.DataType]) -> None:
    assert jdbc(*arguments) == expected


def test_days_that_javas_calendar_leaves_out_are_refused() -> None:
    column = JdbcColumn("c", 91, "DATE", 0, 0)
    known, unknown = (jdbc_reading(column, {}, has_calendar).reading for has_calendar in (True, False))
    texts = pa.array(["1582-10-20"])
    assert known.read(texts).cast(pa.int32()).to_pylist() == [-141422]
    with pytest.raises(errors.DataError):
        unknown.read(texts)
    assert unknown.read(pa.array(["1582-10-04"])).cast(pa.int32()).to_pylist() == [-141438]


def test_odbc_columns_are_read_from_text() -> None:
    column = odbc_reading(pa.field("c", pa.float32()), "x", {})
    assert column.read(pa.array(["0.30000000000000004", None])).to_pylist() == [0.30000000000000004, None]
    for text in ("$5.00", "", " 1", "0x10", "1e"):
        with pytest.raises(errors.DataError):
            column.read(pa.array([text]))
    assert odbc_reading(pa.field("c", pa.float64()), "SQLite3", {}).refused
    whole = odbc_reading(pa.field("c", pa.int32()), "x", {})
    for text in ("4294967295", "abc", "1.0", ""):
        with pytest.raises(errors.DataError):
            whole.read(pa.array([text]))


def test_python_types_of_dbapi() -> None:
    module = types.ModuleType("acme_driver")

    def entry(code: Any, precision: Any = None, scale: Any = None) -> pa.DataType | None:
        return described_type(module, ("c", code, None, None, precision, scale, None))

    assert entry(int) == pa.int64()
    assert entry(str) == pa.string()
    assert entry(Decimal, 10, 2) == pa.decimal128(10, 2)
    assert entry(Decimal) is None
    assert entry(None) is None
    assert entry(1700) is None  # a number is PostgreSQL's for its drivers only
    module.STRING, module.NUMBER, module.DATETIME = "S", "N", "D"  # type: ignore[attr-defined]
    assert entry("S") == pa.string()
    assert entry("N") is None
    assert entry("N", 12, 3) == pa.decimal128(12, 3)
    assert entry("D") is None


def test_postgres_infinities_of_adbc_are_put_right() -> None:
    """The driver adds thirty years to all moments, to infinity too."""
    field = pa.field("c", pa.timestamp("us"), metadata={"POSTGRESQL:type": "timestamp"})
    raw = pa.array([-9222425352054775809, -9222425352054775808, 0, None], pa.int64()).view(pa.timestamp("us"))
    read = adbc_reading(field, "PostgreSQL", {}).read(raw)
    assert read.view(pa.int64()).to_pylist() == [2**63 - 1, -(2**63 - 1), 0, None]


def test_types_that_adbc_guesses_are_not_taken() -> None:
    field = pa.field("c", pa.int64())
    assert adbc_reading(field, "SQLite", {}).refused
    declared = adbc_reading(field, "SQLite", {"C": "decimal(5, 2)"})
    assert not declared.refused
    assert declared.read(pa.array([7])).to_pylist() == [Decimal("7.00")]
    with pytest.raises(errors.DataError):
        declared.read(pa.array([7000]))
    empty = adbc_reading(field, "SQLite", {"c": "text"})
    assert empty.read(pa.array([None], pa.int64())).type == pa.string()
    with pytest.raises(errors.DataError):
        empty.read(pa.array([7]))


def test_texts_are_read_exactly_or_not() -> None:
    micros = text_reader(pa.timestamp("us"))
    assert micros(pa.array(["2024-01-01 00:00:00.1234560"])).view(pa.int64()).to_pylist() == [1704067200123456]
    with pytest.raises(ValueError):
        micros(pa.array(["2024-01-01 00:00:00.1234567"]))
    with pytest.raises(ValueError):
        micros(pa.array(["2024-01-01 00:00:00+02"]))
    instants = text_reader(pa.timestamp("us", tz="UTC"))
    assert instants(pa.array(["2024-01-01 02:00:00+02"])).view(pa.int64()).to_pylist() == [1704067200000000]
    # SQL Server's and HSQLDB's way to write a zone.
    odd = ["2024-01-01 02:00:00.0000000 +02:00", "2024-01-01 02:00:00.000000+2:00", "2023-12-31 19:00:00-5:00"]
    assert instants(pa.array(odd)).view(pa.int64()).to_pylist() == [1704067200000000] * 3
    with pytest.raises(ValueError):
        instants(pa.array(["2024-01-01 02:00:00"]))
    flags = recast(pa.int64(), pa.bool_())
    assert flags is not None
    assert flags(pa.array([0, 1, None])).to_pylist() == [False, True, None]
    with pytest.raises(ValueError):
        flags(pa.array([2]))
    assert recast(pa.int64(), pa.string()) is None


def test_jars_stand_in_the_output_or_below_dvt() -> None:
    url = {"url": "jdbc:h2:mem:x"}
    assert given_jars(connection(**url)) == ()
    for output in ({"jars": "a.jar"}, {"jars": ["a.jar"]}, {"dvt": {"jdbc": {"jars": "a.jar"}}}):
        assert given_jars(connection(**url, **output)) == ("a.jar",)
    with pytest.raises(errors.ConfigurationError, match="named twice"):
        given_jars(connection(**url, jars="a.jar", dvt={"jdbc": {"jars": "b.jar"}}))
    with pytest.raises(errors.ConfigurationError, match=r"dvt\.jdbc\.url"):
        given_jars(connection(**url, dvt={"jdbc": {"url": "jdbc:h2:mem:y"}}))
    with pytest.raises(errors.ConfigurationError, match=r"'dvt\.jdbc' is of method jdbc"):
        method_of(connection(method="odbc", connection_string="DSN=x", dvt={"jdbc": {"jars": "a.jar"}}))


def test_what_freetds_cannot_be_told_is_refused() -> None:
    def address(password: str, driver: str = "FreeTDS") -> str:
        output = {"driver": driver, "connection_string": "Server=h", "user": "u", "password": password}
        return OdbcMethod(connection(**output), "tsql")._address()

    assert "PWD={a;b'{};" in address("a;b'{")
    assert "PWD=a}b;" in address("a}b")
    for password in ("a};", "ä", "{}", "a} "):
        with pytest.raises(errors.ConfigurationError, match="cannot be given this PWD"):
            address(password)
        assert address(password, "PostgreSQL Unicode")
