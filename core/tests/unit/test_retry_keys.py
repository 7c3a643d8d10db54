"""Keys of the stock adapters about trying again and about time: each is read, or a run says that it does nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import dvt
from dvt import errors
from dvt.connections import duckdb_retries, reach, teradata
from dvt.connections.connection import Connection
from dvt.connections.retrying import Retries, says, widened
from dvt.dbt_bridge.profiles import Connections
from dvt.federation.registry import connection_spec, open_connection

_ABOUT = re.compile(r"retr|timeout|attempt|deadline|interval|idle|keepalive|delay|max_idle|ttl")
_TYPES = (
    *("athena", "bigquery", "clickhouse", "databricks", "db2", "duckdb", "exasol", "firebolt", "hive", "mysql"),
    *("oracle", "postgres", "redshift", "snowflake", "spark", "sqlserver", "teradata", "trino", "vertica"),
)
_ROOT = Path(dvt.__file__).parent
# Read for several engines in one place.
_SHARED = {"databricks": ("reach", "retrying"), "hive": ("reach", "retrying"), "spark": ("reach", "retrying")}
_SHARED |= {"redshift": ("retrying",), "snowflake": ("retrying",), "duckdb": ()}


def _read_in(type_: str) -> str:
    """The code in which an engine's keys are read, without the lists of its settings."""
    files = [*_ROOT.glob(f"connections/{type_}*.py"), *_ROOT.glob(f"federation/*/{type_}*.py")]
    files += [_ROOT / "connections" / f"{name}.py" for name in _SHARED.get(type_, ())]
    texts = [re.sub(r"(?s)^SPEC = .*?^\)$", "", file.read_text(), flags=re.MULTILINE) for file in files]
    return "\n".join(texts)


@pytest.mark.parametrize("type_", _TYPES)
def test_each_key_is_read_or_told_to_have_no_effect(type_: str) -> None:
    code, spec = _read_in(type_), connection_spec(type_)
    passed = teradata._PASSED if type_ == "teradata" else ()  # what the driver is given as it is
    about = [key for key in spec.settings if _ABOUT.search(key) and key not in passed]
    assert [key for key in about if f'"{key}"' not in code] == []
    assert not {key for key, _ in spec.unread} & set(spec.settings)


def test_a_key_without_effect_is_taken_and_told() -> None:
    output = {"type": "spark", "host": "h", "query_retries": 2, "poll_interval": 5, "retry_all": True}
    told = open_connection("lake", output).unread()
    assert [line.rpartition(": ")[0] for line in told] == [
        "connection lake: 'poll_interval' has no effect: nothing is polled",
        "connection lake: 'query_retries' has no effect",
    ]
    assert open_connection("lake", {"type": "spark", "host": "h"}).unread() == []


def test_a_run_tells_it_once_for_each_connection(caplog: pytest.LogCaptureFixture) -> None:
    output = {"type": "databricks", "host": "h", "http_path": "/p", "token": "geheim", "connect_max_idle": 30}
    connections = Connections({"lake": {}}, lambda name: output, "lake", Path(), Path("profiles.yml"))
    assert connections.get("lake") is connections.get("lake")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            "connection lake: 'connect_max_idle' has no effect: a session is closed when its query has been read",
        )
    ]


_FAILURE = errors.QueryError("INTERNAL_ERROR of a server that has just begun")


@pytest.mark.parametrize("type_", ["spark", "databricks", "hive"])
def test_retry_all_of_the_spark_family(type_: str) -> None:
    more = {"http_path": "/p", "token": "geheim"} if type_ == "databricks" else {}
    output = {"type": type_, "host": "h", "connect_retries": 2, "connect_timeout": 7, **more}
    plain = reach.tried_again(open_connection("lake", output))
    widest = reach.tried_again(open_connection("lake", {**output, "retry_all": True}))
    assert (plain.most, plain.wait_s(1), plain.wait_s(2)) == (2, 7, 7)
    assert [plain.after(1, _FAILURE), widest.after(1, _FAILURE), widest.after(3, _FAILURE)] == [False, True, False]
    assert plain.after(1, errors.ConnectionFailedError("The cluster is PENDING"))
    assert not widest.after(1, errors.AuthenticationError("wrong password"))


@pytest.mark.parametrize("key", ["retry_all", "retry_on_database_errors"])
def test_which_keys_widen_a_list(key: str) -> None:
    output = {"type": "snowflake", "account": "a", "user": "u", "password": "geheim"}
    for given, expected in (({}, False), ({key: False}, False), ({key: True}, True)):
        connection = open_connection("cloud", {**output, **given})
        retries = Retries(1, widened(says("refused"), connection, "retry_on_database_errors"))
        assert retries.after(1, _FAILURE) is expected


def _duckdb(retries: Any) -> Connection:
    return open_connection("shop", {"type": "duckdb", "path": "x.duckdb", "retries": retries})


def _caused(name: str) -> errors.DvtError:
    failure = errors.ConnectionFailedError("it did not work")
    failure.__cause__ = type(name, (Exception,), {})("it did not work")
    return failure


@pytest.mark.parametrize(
    ("retries", "connects", "queries"),
    [
        (None, [0, True, False], [0, True, False]),
        ({}, [0, True, False], [0, True, False]),
        ({"connect_attempts": 3}, [2, True, False], [0, True, False]),
        ({"query_attempts": 4}, [0, True, False], [3, True, False]),
        (
            {"connect_attempts": 2, "query_attempts": 3, "retryable_exceptions": ["HTTPException"]},
            [1, False, True],
            [2, False, True],
        ),
    ],
)
def test_duckdb_s_attempts_are_counted_and_named_as_its_adapter_does(
    retries: Any, connects: list[Any], queries: list[Any]
) -> None:
    connection = _duckdb(retries)
    found = (duckdb_retries.connecting_again(connection), duckdb_retries.querying_again(connection))
    for policy, expected in zip(found, (connects, queries), strict=True):
        passing = [policy.may_pass(_caused(name).__cause__ or Exception()) for name in ("IOException", "HTTPException")]
        assert [policy.most, *passing] == expected
        assert [policy.wait_s(number) for number in (1, 2, 3)] == [1, 2, 4]


@pytest.mark.parametrize(
    ("retries", "said"),
    [
        (3, "retries is 3"),
        ({"conect_attempts": 3}, "did you mean 'connect_attempts'"),
        ({"query_attempts": "many"}, "'many' as query_attempts"),
        ({"query_attempts": True}, "True as query_attempts"),
        ({"retryable_exceptions": "IOException"}, "as retryable_exceptions"),
    ],
)
def test_what_duckdb_s_retries_cannot_be(retries: Any, said: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=said):
        duckdb_retries.connecting_again(_duckdb(retries))
