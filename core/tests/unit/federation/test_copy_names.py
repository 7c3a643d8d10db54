"""The names of a copy's ends, and the conditions that are one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvt.connections.connection import Connection
from dvt.errors import ConfigurationError
from dvt.federation.conditions import parsed_condition, verbatim
from dvt.federation.copy_names import end_of, name_parts, split_name
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.registry import open_connection
from dvt.identifiers import Relation


def connection(tmp_path: Path, type_: str) -> Connection:
    outputs = {
        "postgres": {"host": "h", "user": "u", "password": "p", "dbname": "crm", "schema": "public"},
        "mysql": {"server": "h", "username": "u", "password": "p", "schema": "shop"},
        "sqlite": {"path": "a.db"},
        "duckdb": {"path": "lake.duckdb"},
        "files": {"path": "lake"},
    }
    return open_connection("c", {"type": type_, **outputs[type_]}, tmp_path)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("orders", ["orders"]),
        ("a.b.c", ["a", "b", "c"]),
        ('"a.b"."c""d"', ["a.b", 'c"d']),
        ("`a b`.c", ["a b", "c"]),
        ("My Table", ["My Table"]),
        ("a.", []),
        (".a", []),
        ("a..b", []),
        ('"a', []),
        ('"a"b', []),
        ('a"b"', []),
        ('" "', []),
    ],
)
def test_parts(text: str, parts: list[str]) -> None:
    assert name_parts(text) == parts


@pytest.mark.parametrize(
    ("type_", "text", "relation"),
    [
        ("postgres", "orders", Relation("orders", "public")),
        ("postgres", "raw.orders", Relation("orders", "raw")),
        ("postgres", "CRM.raw.orders", Relation("orders", "raw")),
        ("mysql", "orders", Relation("orders", "shop")),
        ("sqlite", "orders", Relation("orders", "main")),
        ("duckdb", "lake.raw.orders", Relation("orders", "raw")),
        ("duckdb", "other.raw.orders", Relation("orders", "raw", "other")),
        ("files", "raw/a.b.parquet", Relation("raw/a.b.parquet")),
        ("files", '"odd[1].csv"', Relation("odd[1].csv")),
    ],
)
def test_relations(tmp_path: Path, type_: str, text: str, relation: Relation) -> None:
    end = end_of(connection(tmp_path, type_), text)
    assert (end.relation, end.is_pattern) == (relation, False)


def test_a_pattern_of_files(tmp_path: Path) -> None:
    end = end_of(connection(tmp_path, "files"), "raw/*.parquet")
    assert end.file_options == {"path": "raw/*.parquet"}


@pytest.mark.parametrize("text", ["orders", "crm:", ""])
def test_no_name(text: str) -> None:
    with pytest.raises(ConfigurationError, match="DVT112"):
        split_name(text)


def test_another_database(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="one database, crm"):
        end_of(connection(tmp_path, "postgres"), "other.raw.orders")


@pytest.mark.parametrize(
    "text",
    [
        "id = 1) or (id = 2",
        "id = 1; select 2",
        "select 1",
        "(select 1)",
        "a union select 2",
        "id = 1 order by a",
        "id = 1 b",
        "",
        "-- nothing",
        "id =",
        "'x'",
        "a := 1",
        "drop table t",
        "where id = 1",
        "id = 1 limit 5",
        "a, b",
    ],
)
def test_no_condition(text: str) -> None:
    with pytest.raises(ConfigurationError, match="DVT113"):
        parsed_condition(text, "mysql")


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "oracle", "tsql", "snowflake", "bigquery"])
def test_a_condition_is_sent_as_it_stands(dialect: str) -> None:
    text = "NOW() > made  AND kind In ('a  b') Or nvl(x,1)=2"
    request = ExtractionConfig(relation=Relation("t"), columns=("a",), predicates=(verbatim(text + "; ", dialect),))
    assert f"({text})" in scan_sql(request, dialect)


def test_a_comment_at_its_end() -> None:
    request = ExtractionConfig(relation=Relation("t"), predicates=(verbatim("a = 1 -- one", "postgres"),))
    assert scan_sql(request, "postgres").endswith("WHERE (a = 1 -- one\n)")
