"""What the plan says of columns that are carried as another type, from the servers' own descriptions."""

from __future__ import annotations

import pytest
from integration import mysql_kit, postgres_kit
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

from dvt.federation.extractors.mysql import MySQLExtractor
from dvt.federation.extractors.postgres import PostgresExtractor
from dvt.federation.plan.coercions import coercions
from dvt.identifiers import Relation


@pytest.mark.postgres
def test_postgres(postgres_server: PostgresServer) -> None:
    postgres_server.create_database("coerced")
    postgres_server.psql(
        "coerced",
        "create type mood as enum ('sad', 'glad');"
        "create table t (id bigint, word varchar(9), pad char(3), n name, free numeric, exact numeric(12,2), "
        "at timetz, host inet, how mood, price money, wide numeric(60,10), doc jsonb, tags text[], flag boolean)",
    )
    with PostgresExtractor(postgres_kit.connection(postgres_server, "coerced")) as extractor:
        found = coercions(extractor.get_columns(Relation("t", "public")), None)
    assert [(each.column, each.native_type, each.carried_as, each.checked) for each in found] == [
        ("free", "numeric", "decimal(38,9)", True),
        ("at", "time with time zone", "text", False),
        ("host", "inet", "text", False),
        ("how", "mood", "text", False),
        ("price", "money", "text", False),
        ("wide", "numeric(60,10)", "decimal(38,10)", True),
    ]


@pytest.mark.mysql
def test_mariadb(mariadb_server: MariaDBServer) -> None:
    mariadb_server.create_database("coerced")
    mariadb_server.execute(
        "create table t (id bigint unsigned, word varchar(9), long_word mediumtext, d decimal(10,2),"
        " wide decimal(60,4), kind enum('a','b'), kinds set('a','b'), bits bit(3), doc json, at time, born year)",
        "coerced",
    )
    with MySQLExtractor(mysql_kit.connect(mariadb_server, "coerced")) as extractor:
        found = coercions(extractor.get_columns(Relation("t")), None)
    assert [(each.column, each.carried_as, each.checked) for each in found] == [
        ("wide", "decimal(38,4)", True),
        ("kind", "text", False),
        ("kinds", "text", False),
        ("bits", "text", False),
    ]
