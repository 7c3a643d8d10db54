"""SQL Server without a server: types, the ways to log in, T-SQL's own words, and errors."""

from __future__ import annotations

import datetime as dt
import re
import struct
from typing import Any

import pyarrow as pa
import pytest
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.sqlserver import SPEC, _keywords, connect, translate
from dvt.connections.sqlserver_errors import may_pass
from dvt.connections.sqlserver_login import login_of
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.sqlserver_columns import ColumnReader, fetch_rows
from dvt.federation.extractors.sqlserver_sql import primary_key_sql, said_in_tsql, size_sql
from dvt.federation.hashing.statement import hash_sql
from dvt.federation.hashing.words import HASH_WORDS
from dvt.federation.plan.answers import Source
from dvt.federation.plan.predicates import Comparison, Constant, Family, OneOf, Operator, Predicate, Prefix
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation
from dvt.types.sqlserver import reading

OUTPUT = {"type": "sqlserver", "server": "db", "database": "shop", "schema": "dbo"}
LOGIN = {"user": "me", "password": "geheim-1"}


def output(**more: Any) -> Connection:
    return Connection.from_output("shop", {**OUTPUT, **more}, SPEC)


@pytest.mark.parametrize(
    ("native", "type_", "sent"),
    [
        ("decimal(18, 2)", pa.decimal128(18, 2), "decimal(18, 2)"),
        ("numeric", pa.decimal128(18, 0), "numeric"),
        ("varchar(8000)", pa.string(), "nvarchar(max)"),
        ("varchar", pa.string(), "nvarchar(1)"),
        ("[sys].[geography]", pa.string(), "[sys].[geography]"),
        ("sysname", pa.string(), "nvarchar(128)"),
        ("datetime2", pa.timestamp("us"), "varchar(27)"),
        ("datetime2(6)", pa.timestamp("us"), "datetime2(6)"),
        ("datetimeoffset(7)", pa.timestamp("us", tz="UTC"), "varchar(34)"),
    ],
)
def test_what_carries_a_type_and_as_what_it_is_asked_for(native: str, type_: pa.DataType, sent: str) -> None:
    assert (reading(native).type, reading(native).sent) == (type_, sent)


@pytest.mark.parametrize("native", ["sql_variant", "geometry", "[sys].[geography]", "vector(3)", "mine", ""])
def test_what_nothing_carries(native: str) -> None:
    assert reading(native).refused


def _reader(native: str) -> ColumnReader:
    how = reading(native)
    return ColumnReader(ColumnSchema("c", how.type, True, native), how, native)


def test_the_longest_rows_are_fetched_few_at_once() -> None:
    assert fetch_rows([_reader("int")], 50_000) == 50_000
    assert fetch_rows([_reader("nvarchar(4000)")] * 10, 50_000) * 80_000 < 64 << 20
    assert fetch_rows([_reader("nvarchar(4000)")] * 1000, 50_000) >= 1
    assert fetch_rows([_reader("xml")], 50_000) == 2000


def test_moments_with_seven_digits_keep_their_values() -> None:
    texts = pa.array(["0001-01-01 00:00:00.0000000", None, "9999-12-31 23:59:59.9999990"])
    assert _reader("datetime2(7)").read(texts).to_pylist() == [
        dt.datetime(1, 1, 1),
        None,
        dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
    ]
    edge = pa.array(["0001-01-01 00:00:00.0000010 +14:00"])
    found = _reader("datetimeoffset(7)").read(edge).cast(pa.int64()).to_pylist()
    assert found == [-62135596800 * 10**6 - 14 * 3600 * 10**6 + 1]


WAYS = [
    (LOGIN, {"UID": "me", "PWD": "geheim-1"}, None),
    ({"UID": "me", "PWD": "geheim-1", "authentication": "sql"}, {"UID": "me", "PWD": "geheim-1"}, None),
    ({"windows_login": True}, {"Trusted_Connection": "yes"}, None),
    ({"trusted_connection": "yes", **LOGIN}, {"Trusted_Connection": "yes"}, None),
    ({"authentication": "ActiveDirectoryIntegrated"}, {"Authentication": "ActiveDirectoryIntegrated"}, None),
    (
        {"authentication": "ActiveDirectoryPassword", **LOGIN},
        {"UID": "me", "PWD": "geheim-1", "Authentication": "ActiveDirectoryPassword"},
        None,
    ),
    (
        {"authentication": "ActiveDirectoryServicePrincipal", "client_id": "app", "client_secret": "geheim-2"},
        {"Authentication": "ActiveDirectoryServicePrincipal", "UID": "app", "PWD": "geheim-2"},
        None,
    ),
    (
        {"auth": "ServicePrincipal", "tenant_id": "t", "app_id": "app", "app_secret": "geheim-2"},
        {},
        ("ClientSecretCredential", {"tenant_id": "t", "client_id": "app", "client_secret": "geheim-2"}),
    ),
    ({"authentication": "ActiveDirectoryMsi"}, {}, ("ManagedIdentityCredential", {})),
    ({"authentication": "msi", "client_id": "own"}, {}, ("ManagedIdentityCredential", {"client_id": "own"})),
    ({"authentication": "auto"}, {}, ("DefaultAzureCredential", {})),
    ({"authentication": "environment"}, {}, ("EnvironmentCredential", {})),
    ({"authentication": "CLI"}, {}, ("AzureCliCredential", {})),
]


@pytest.mark.parametrize(("keys", "keywords", "credential"), WAYS)
def test_the_ways_to_log_in(keys: dict[str, Any], keywords: dict[str, str], credential: Any) -> None:
    login = login_of(output(**keys))
    assert (login.keywords, login.credential, login.attributes) == (keywords, credential, {})
    assert "geheim" not in repr(login)


def test_an_access_token_is_given_as_the_driver_wants_it() -> None:
    login = login_of(output(authentication="ActiveDirectoryAccessToken", access_token="geheim-3"))
    data = "geheim-3".encode("utf-16le")
    assert login.attributes == {1256: struct.pack("<I", len(data)) + data}


def test_credentials_come_from_azure_identity() -> None:
    identity = pytest.importorskip("azure.identity")
    login = login_of(output(auth="ServicePrincipal", tenant_id="t", app_id="app", app_secret="geheim-2"))
    assert isinstance(login.provider(output()), identity.ClientSecretCredential)
    assert login_of(output(**LOGIN)).provider(output()) is None


@pytest.mark.parametrize("way", ["ActiveDirectoryInteractive", "activedirectorydevicecode"])
def test_whoever_would_be_asked_is_refused_early(way: str) -> None:
    with pytest.raises(errors.UnsupportedError, match="ActiveDirectoryServicePrincipal"):
        connect(output(authentication=way, **LOGIN))


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        ({}, "user"),
        ({"authentication": "ActiveDirectoryServicePrincipal"}, "client_id"),
        ({"authentication": "ActiveDirectoryServicePrincipal", "client_id": "x"}, "client_secret"),
        ({"authentication": "ActiveDirectoryAccessToken"}, "access_token"),
    ],
)
def test_what_a_way_needs_is_named(keys: dict[str, Any], missing: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=f"'{missing}' is missing"):
        login_of(output(**keys))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, {"Server": "db,1433", "Encrypt": "yes", "TrustServerCertificate": "no"}),
        ({"port": 1500, "trust_cert": True}, {"Server": "db,1500", "TrustServerCertificate": "yes"}),
        ({"server": "db\\one"}, {"Server": "db\\one"}),
        ({"encrypt": False}, {"Encrypt": "no"}),
        ({"encrypt": "strict"}, {"Encrypt": "strict"}),
    ],
)
def test_the_server_and_its_tls(keys: dict[str, Any], said: dict[str, str]) -> None:
    found = _keywords(output(**keys))
    assert {key: found[key] for key in said} == said


def test_places_are_servers_with_a_database() -> None:
    assert output(server="DB.").place == output().place
    assert output(server="127.0.0.1").place == output(server="localhost").place
    assert output(port=1500).place != output().place
    assert output(database="other").place != output().place


NATIVE = {
    "i": ("int", pa.int32()),
    "n": ("decimal(10,2)", pa.decimal128(10, 2)),
    "wide": ("decimal(38,10)", pa.decimal128(38, 10)),
    "f": ("float", pa.float64()),
    "t": ("varchar(10)", pa.string()),
    "old": ("text", pa.string()),
    "d": ("date", pa.date32()),
    "m": ("datetime2(7)", pa.timestamp("us")),
    "dt": ("datetime", pa.timestamp("us")),
    "o": ("datetimeoffset(7)", pa.timestamp("us", tz="UTC")),
    "b": ("bit", pa.bool_()),
    "u": ("uniqueidentifier", pa.uuid()),
}
SAID: list[tuple[Predicate, str | None]] = [
    (Comparison("i", Operator.LESS, Constant(Family.INTEGER, "-5")), "[i] < -5"),
    (Comparison("i", Operator.EQUAL, Constant(Family.DECIMAL, "1.50")), "[i] = 1.50"),
    (Comparison("n", Operator.GREATER, Constant(Family.DECIMAL, "99.5")), "[n] > 99.5"),
    (Comparison("wide", Operator.GREATER, Constant(Family.DECIMAL, "99.5")), None),
    (Comparison("f", Operator.EQUAL, Constant(Family.DOUBLE, "1.5")), None),
    (Comparison("t", Operator.EQUAL, Constant(Family.TEXT, "it's")), "[t] = 'it''s'"),
    (Comparison("t", Operator.EQUAL, Constant(Family.TEXT, "ñ'")), "[t] = N'ñ'''"),
    (Comparison("t", Operator.UNEQUAL, Constant(Family.TEXT, "x")), None),
    (Comparison("t", Operator.LESS, Constant(Family.TEXT, "x")), None),
    (Comparison("old", Operator.EQUAL, Constant(Family.TEXT, "x")), None),
    (Prefix("t", "x"), None),
    (OneOf("t", (Constant(Family.TEXT, "a"), Constant(Family.TEXT, "ß"))), "[t] IN ('a', N'ß')"),
    (Comparison("d", Operator.LESS_EQUAL, Constant(Family.DATE, "2024-02-29")), "[d] <= CAST('2024-02-29' AS DATE)"),
    (Comparison("d", Operator.EQUAL, Constant(Family.DATE, "0001-01-01")), None),
    (
        Comparison("m", Operator.GREATER, Constant(Family.TIMESTAMP, "2024-01-01 00:00:00.123456")),
        "[m] > CAST('2024-01-01 00:00:00.123456' AS DATETIME2(7))",
    ),
    (Comparison("dt", Operator.GREATER, Constant(Family.TIMESTAMP, "2024-01-01 00:00:00")), None),
    (
        Comparison("o", Operator.GREATER, Constant(Family.INSTANT, "2024-01-01 00:00:00+00")),
        "[o] > CAST('2024-01-01 00:00:00+00:00' AS DATETIMEOFFSET(7))",
    ),
    (Comparison("b", Operator.EQUAL, Constant(Family.BOOLEAN, "true")), "[b] = 1"),
    (Comparison("b", Operator.UNEQUAL, Constant(Family.BOOLEAN, "false")), "[b] <> 0"),
    (OneOf("b", (Constant(Family.BOOLEAN, "true"), Constant(Family.BOOLEAN, "false"))), "[b] IN (1, 0)"),
    (
        Comparison("u", Operator.EQUAL, Constant(Family.UUID, "6f9619ff-8b86-d011-b42d-00c04fc964ff")),
        "[u] = CAST('6f9619ff-8b86-d011-b42d-00c04fc964ff' AS UNIQUEIDENTIFIER)",
    ),
]


@pytest.mark.parametrize(("predicate", "said"), SAID)
def test_what_the_server_is_asked_for(predicate: Predicate, said: str | None) -> None:
    columns = [ColumnSchema(name, type_, True, native) for name, (native, type_) in NATIVE.items()]
    answer = Source(columns, SPEC.comparing, SPEC.dialect, {}).answer(predicate)
    if said is None:
        assert answer.sql is None
        return
    assert answer.sql is not None
    request = said_in_tsql(ExtractionConfig(relation=Relation("x"), predicates=(answer.sql,)))
    assert scan_sql(request, "tsql") == f"SELECT * FROM [x] WHERE {said}"


@pytest.mark.parametrize("number", ["1.12345678901234567890", "9" * 39])
def test_numbers_beyond_what_is_written_down_are_refused(number: str) -> None:
    predicate = exp.column("i").eq(exp.Literal.number(number))
    with pytest.raises(errors.UnsupportedError, match=re.escape(number)):
        said_in_tsql(ExtractionConfig(relation=Relation("x"), predicates=(predicate,)))


def test_sizes_are_those_of_the_relations_own_database() -> None:
    said = size_sql(Relation("a]b", "dbo", "other"))
    assert "[other].sys.partitions AS p" in said
    assert "OBJECT_ID(N'[other].[dbo].[a]]b]')" in said


def test_a_key_is_asked_of_the_relations_own_database_without_what_partitions_add() -> None:
    said = primary_key_sql(Relation("a]b", "dbo", "other"))
    for view in ("indexes AS i", "index_columns AS k", "columns AS c"):
        assert f"[other].sys.{view}" in said
    assert "OBJECT_ID(N'[other].[dbo].[a]]b]')" in said
    assert "k.key_ordinal > 0" in said


class _DriverError(Exception):
    def __init__(self, driver_error: str, ddbc_error: str) -> None:
        super().__init__(f"{driver_error}; {ddbc_error}")
        self.driver_error, self.ddbc_error = driver_error, ddbc_error


@pytest.mark.parametrize(
    ("state", "words", "phase", "family"),
    [
        ("Invalid authorization specification", "Login failed for user 'x'.", "connect", errors.AuthenticationError),
        ("Syntax error or access violation", 'Cannot open database "x"', "connect", errors.ConfigurationError),
        ("Client unable to establish connection", "SSL Provider: certificate", "connect", errors.ConnectionFailedError),
        ("Timeout expired", "Login timeout expired", "connect", errors.ConnectionFailedError),
        ("Timeout expired", "Query timeout expired", "extract", errors.TimeoutExceededError),
        ("Communication link failure", "TCP Provider", "extract", errors.ConnectionLostError),
        ("Base table or view not found", "Invalid object name 'x'.", "extract", errors.RelationNotFoundError),
        ("Syntax error or access violation", "The SELECT permission was denied", "extract", errors.PrivilegeError),
        ("Syntax error or access violation", "Incorrect syntax near", "extract", errors.QueryError),
        ("General error", "Could not allocate space for object", "extract", errors.ResourceError),
        ("Numeric value out of range", "Arithmetic overflow error", "extract", errors.DataError),
        ("Operation canceled", "Operation canceled", "extract", errors.InterruptedRunError),
        ("", "anything", "extract", errors.QueryError),
    ],
)
def test_errors_of_the_driver(state: str, words: str, phase: str, family: type[errors.DvtError]) -> None:
    error = _DriverError(state, f"[Microsoft][SQL Server]{words}")
    found = translate(error, output(**LOGIN), phase=phase)
    assert type(found) is family
    assert found.message == words


def test_what_is_tried_again() -> None:
    assert may_pass(Exception("Database 'x' on server 'y' is not currently available. Please retry it."))
    assert may_pass(Exception("The service is currently busy. Retry the request after 10 seconds."))
    assert may_pass(Exception("was deadlocked on lock resources and has been chosen as the deadlock victim."))
    assert not may_pass(Exception("Login failed for user 'x'."))
    assert not may_pass(Exception("Invalid object name 'busy'."))


def test_the_text_of_a_row_that_is_hashed_is_never_cut() -> None:
    """Texts of limited types end at 8000 bytes when they are put together, without an error."""
    columns = [ColumnSchema(f"n{number}", pa.int64()) for number in range(3)]
    sql = hash_sql(HASH_WORDS["sqlserver"], columns, columns[:1], "t", "tsql")
    assert "cast(cast(N'' as nvarchar(max)) + coalesce(cast(\"n0\" as varchar(40)), '~N') + '|' +" in sql


def test_a_driver_that_lacks_a_library_of_the_system_names_it() -> None:
    said = RuntimeError("Failed to load the driver. Please read the documentation (...)")
    found = translate(said, output(**LOGIN), phase="connect")
    assert (type(found), "libltdl7" in (found.remedy or "")) == (errors.MissingDriverError, True)
