"""What Spark, Databricks and Hive share, and their type tables: without a server."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.databricks import SPEC as DATABRICKS
from dvt.connections.hive import SPEC as HIVE
from dvt.connections.hive import translate as hive_error
from dvt.connections.spark import SPEC as SPARK
from dvt.connections.spark_errors import fault
from dvt.federation.extractors.arrow_columns import ArrowColumn, carried_batch
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.hive_sql import hive_sql
from dvt.federation.extractors.spark_sql import spark_sql
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation, quote
from dvt.types.hive import carried, column_array

# Texts of Spark 4.2, Databricks' documentation and Hive's ErrorMsg.
FAULTS: list[tuple[str, type[errors.DvtError], str | None]] = [
    ("[TABLE_OR_VIEW_NOT_FOUND] The table or view `nope` cannot be found. SQLSTATE: 42P01; line 1;\n'Project [*]",
     errors.RelationNotFoundError, None),
    ("[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `a``b` cannot be"
     " resolved. Did you mean one of the following? [`id`]. SQLSTATE: 42703; line 1 pos 7;",
     errors.RelationNotFoundError, "a`b"),
    ("[UNRESOLVED_COLUMN.WITHOUT_SUGGESTION] A column, variable, or function parameter with name `t`.`x` cannot be"
     " resolved. SQLSTATE: 42703", errors.RelationNotFoundError, "x"),
    ("[SCHEMA_NOT_FOUND] The schema `nowhere` cannot be found. SQLSTATE: 42704", errors.RelationNotFoundError, None),
    ("[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have SELECT on table. SQLSTATE: 42501",
     errors.PrivilegeError, None),
    ("[CAST_INVALID_INPUT] The value 'a' of the type cannot be cast. SQLSTATE: 22018", errors.DataError, None),
    ("[DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012\n== SQL ==", errors.DataError, None),
    ("[PARSE_SYNTAX_ERROR] Syntax error at or near 'selec'. SQLSTATE: 42601 (line 1, pos 0)", errors.QueryError, None),
    ("[QUERY_EXECUTION_TIMEOUT_EXCEEDED] The query exceeded it. SQLSTATE: 57KD0", errors.TimeoutExceededError, None),
    ("[OPERATION_CANCELED] Operation has been canceled. SQLSTATE: HY008", errors.InterruptedRunError, None),
    ("[INVALID_HANDLE.SESSION_NOT_FOUND] The handle is invalid. Session not found. SQLSTATE: HY000",
     errors.ConnectionLostError, None),
    ("Total size of serialized results is bigger than spark.driver.maxResultSize", errors.ResourceError, None),
    ("something else\n\tat org.apache.Spark.run(Spark.scala:1)", errors.QueryError, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "family", "column"), FAULTS)
def test_errors_of_spark_by_their_class(text: str, family: type[errors.DvtError], column: str | None) -> None:
    found = fault(text)
    assert (found.family, found.column) == (family, column)
    assert "\n" not in found.words
    assert found.words.startswith(text[:12])


@pytest.mark.parametrize(
    ("text", "family", "column"),
    [
        ("Error while compiling statement: FAILED: SemanticException [Error 10001]: Line 1:14 Table not found 'nope'",
         errors.RelationNotFoundError, None),
        ("Error while compiling statement: FAILED: SemanticException [Error 10004]: Line 1:7 Invalid table alias or"
         " column reference 'wrod': (possible column names are: id, word)", errors.RelationNotFoundError, "wrod"),
        ("Error while compiling statement: FAILED: SemanticException [Error 10072]: Database does not exist: nowhere",
         errors.RelationNotFoundError, None),
        ("Error while compiling statement: FAILED: HiveAccessControlException Permission denied: user [me] does not"
         " have [SELECT] privilege on [default/t/*]", errors.PrivilegeError, None),
        ("Error while compiling statement: FAILED: ParseException line 1:0 cannot recognize input near 'selec'",
         errors.QueryError, None),
    ],
)  # fmt: skip
def test_errors_of_hive(text: str, family: type[errors.DvtError], column: str | None) -> None:
    connection = Connection.from_output("old", {"type": "hive", "host": "h"}, HIVE)
    found = hive_error(RuntimeError(text), connection, phase="extract", relation="t")
    assert type(found) is family
    assert (found.column, found.relation, found.connection) == (column, "t", "old")


def test_a_refused_login_of_hive_is_told_from_a_broken_connection() -> None:
    from thrift.transport.TTransport import TTransportException

    connection = Connection.from_output("old", {"type": "hive", "host": "h"}, HIVE)
    refused = TTransportException(message="Bad status: 3 (b'PLAIN auth failed: Error validating the login')")
    assert type(hive_error(refused, connection, phase="connect")) is errors.AuthenticationError
    broken = TTransportException(message="TSocket read 0 bytes")
    assert type(hive_error(broken, connection, phase="connect")) is errors.ConnectionFailedError
    assert type(hive_error(broken, connection, phase="extract")) is errors.ConnectionLostError


@pytest.mark.parametrize("text", ["${", "a${x}b", "${x}${y}", "$${{", "x$"])
def test_no_text_holds_a_variable_and_all_stay_whole(text: str) -> None:
    """DuckDB puts the same parts together."""
    import duckdb

    condition = exp.column("w", quoted=True).eq(text)
    sql = spark_sql(ExtractionConfig(relation=Relation("t"), predicates=(condition,)), "spark")
    assert "${" not in sql
    asked = sql.partition(" = ")[2]
    assert duckdb.sql("select " + asked).fetchall() == [(text,)]


@pytest.mark.parametrize("dialect", ["spark", "databricks", "hive"])
def test_names_are_quoted_letter_for_letter(dialect: str) -> None:
    relation = Relation('we`ird"t', "a.b", "c\\")
    sql = spark_sql(ExtractionConfig(relation=relation, columns=("x`y",)), dialect)
    assert sql == 'SELECT `x``y` FROM `c\\`.`a.b`.`we``ird"t`'
    assert relation.sql(dialect) == sql.partition(" FROM ")[2]
    assert quote("x`y", dialect) == "`x``y`"


def test_a_with_of_a_user_stands_first_for_hive() -> None:
    query = "with x as (select 1 as a), y as (select a from x) select a from y -- all"
    assert hive_sql(ExtractionConfig(query=query, columns=("a",), limit=3)) == (
        "WITH x AS (SELECT 1 AS a), y AS (SELECT a FROM x), `dvt_query` AS (SELECT a FROM y /* all */)"
        " SELECT `a` FROM `dvt_query` LIMIT 3"
    )
    with pytest.raises(errors.PlanError):
        hive_sql(ExtractionConfig(query="with x as (select 1) insert into t select * from x"))


def test_batches_are_carried_or_refused_by_name() -> None:
    column = ArrowColumn("t", pa.timestamp("us", "Europe/Berlin"), "timestamp").schema()
    assert column.type == pa.timestamp("us", "UTC")
    batch = pa.record_batch([pa.array([0], pa.timestamp("us", "Europe/Berlin"))], ["t"])
    assert carried_batch(batch, [column], {}).schema.types == [column.type]
    with pytest.raises(errors.InternalError) as caught:
        carried_batch(pa.record_batch([pa.array(["x"])], ["t"]), [column], {"connection": "c"})
    assert (caught.value.column, caught.value.connection) == ("t", "c")
    with pytest.raises(errors.UnsupportedError) as refused:
        ArrowColumn("d", pa.duration("us"), "interval day to second").schema(connection="c", relation="r")
    assert (refused.value.column, refused.value.relation) == ("d", "r")
    time_of_day = ColumnSchema("c", pa.time64("us"), native_type="time")
    with pytest.raises(errors.DataError):
        carried_batch(pa.record_batch([pa.array([1], pa.time64("ns"))], ["c"]), [time_of_day], {})


HIVE_COLUMNS: list[tuple[str, list[Any], list[Any]]] = [
    ("BOOLEAN", [True, False], [True, False]),
    ("INT", [2**31 - 1, -(2**31)], [2**31 - 1, -(2**31)]),
    ("FLOAT", [1.1, float("inf")], [1.100000023841858, float("inf")]),
    ("STRING", [b"", "ä".encode()], ["", "ä"]),
    ("BINARY", [b"\xff", b""], [b"\xff", b""]),
    ("DATE", [b"2024-02-29", b"0001-01-01"], [date(2024, 2, 29), date(1, 1, 1)]),
    ("TIMESTAMP", [b"2024-01-01 00:00:00", b"2024-01-01 00:00:00.123456000"],
     [datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 0, 123456)]),
    ("ARRAY", [b"[1,null]", b"[]"], ["[1,null]", "[]"]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "sent", "values"), HIVE_COLUMNS)
def test_columns_of_hive(kind: str, sent: list[Any], values: list[Any]) -> None:
    type_ = carried(kind, None, None)
    assert type_ is not None
    assert column_array(sent, b"\0", kind, type_).to_pylist() == values
    assert column_array(sent, b"\x02", kind, type_).to_pylist() == [values[0], None]
    assert column_array(sent, b"", kind, type_).to_pylist() == values
    assert column_array([], b"", kind, type_).to_pylist() == []


def test_decimals_of_hive_keep_their_digits() -> None:
    type_ = carried("DECIMAL", 38, 10)
    assert type_ == pa.decimal128(38, 10)
    sent = [b"1.5", b"-0.0000000001", b"1E-7"]
    assert column_array(sent, b"\0", "DECIMAL", type_).to_pylist() == [
        Decimal("1.5000000000"), Decimal("-1E-10"), Decimal("1E-7")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("STRING", b"\xff\x80"),
        ("TIMESTAMP", b"2024-01-01 00:00:00.123456789"),
        ("DATE", b"2024-02-30"),
        ("INT", 2**31),
        ("DECIMAL", b"1.23456789012"),
    ],
)
def test_what_hive_sends_and_nothing_carries_is_refused(kind: str, sent: Any) -> None:
    type_ = carried(kind, 20, 10)
    assert type_ is not None
    with pytest.raises(ValueError):
        column_array([sent], b"\0", kind, type_)


def test_a_type_of_hive_that_nothing_carries_is_known_as_such() -> None:
    assert carried("TIMESTAMP WITH LOCAL TIME ZONE", None, None) is None


def test_places() -> None:
    def place(spec: Any, **output: Any) -> tuple[Any, ...]:
        return Connection.from_output("c", {"type": spec.type, **output}, spec).place

    assert place(SPARK, connect="sc://LOCALHOST/;use_ssl=true") == place(SPARK, host="127.0.0.1", port=15002)
    assert place(SPARK, connect="sc://a:1") != place(SPARK, connect="sc://a:2")
    assert place(HIVE, host="Old.", schema="a") == place(HIVE, host="old", port=10000, schema="b")
    one = {"host": "https://dbc.cloud/", "http_path": "/a"}
    assert place(DATABRICKS, **one) == place(DATABRICKS, host="DBC.cloud", http_path="/b", catalog="hive_metastore")
    assert place(DATABRICKS, **one, catalog="x") != place(DATABRICKS, **one, database="y")


def test_secrets_are_wrapped() -> None:
    for spec, output in (
        (DATABRICKS, {"host": "h", "http_path": "/p", "token": "5ecret", "client_secret": "5ecret"}),
        (SPARK, {"host": "h", "token": "5ecret", "password": "5ecret"}),
        (HIVE, {"host": "h", "password": "5ecret"}),
    ):
        assert "5ecret" not in repr(Connection.from_output("c", {"type": spec.type, **output}, spec))


@pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="pyspark-client is not installed")
def test_the_client_ends_no_process_without_a_script() -> None:
    """Importing it does, in `python -c` and in the workers of a test run."""
    code = (
        "from dvt.connections.connection import Connection; from dvt.connections import spark; "
        "output = {'type': 'spark', 'method': 'connect', 'host': 'h', 'schema': 'd'}; "
        "found = Connection.from_output('s', output, spark.SPEC); "
        "print(spark._client_classes(found)[0].__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "SparkConnectClient"), done.stderr
