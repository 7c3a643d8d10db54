"""What servers know of a relation's size, against their own counts and catalogues."""

from __future__ import annotations

import pytest
from integration import mysql_kit, postgres_kit
from servers.mariadb import MariaDBServer, numbers
from servers.postgres import PostgresServer

from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.mysql import MySQLExtractor
from dvt.federation.extractors.postgres import PostgresExtractor
from dvt.identifiers import Relation

SIZES = """
create table plain as select n as id, 'w' || n as word from generate_series(1, 4000) n;
create table parts (id int) partition by range (id);
create table parts_1 partition of parts for values from (0) to (1000);
create table parts_2 partition of parts for values from (1000) to (9000) partition by range (id);
create table parts_2a partition of parts_2 for values from (1000) to (9000);
insert into parts select generate_series(1, 5000);
create table parent (id int); create table child () inherits (parent);
insert into parent select 1; insert into child select generate_series(1, 70);
create table empty (id int);
create table never (id int) with (autovacuum_enabled = off); insert into never select generate_series(1, 9);
create table half (id int) partition by range (id);
create table half_1 partition of half for values from (0) to (10);
create table half_2 partition of half for values from (10) to (20) with (autovacuum_enabled = off);
insert into half select generate_series(1, 19);
create view seen as select * from plain;
create materialized view kept as select * from plain where id <= 25;
create table "Odd ""name" as select 1 as id;
"""


@pytest.mark.postgres
def test_postgres(postgres_server: PostgresServer) -> None:
    postgres_server.create_database("sizes")
    postgres_server.psql("sizes", SIZES)
    for name in ("plain", "parts", "parent", "child", "empty", "half_1", "kept", '"Odd ""name"'):
        postgres_server.psql("sizes", f"analyze {name}")
    with PostgresExtractor(postgres_kit.connection(postgres_server, "sizes")) as extractor:

        def known(name: str) -> TableStatistics | None:
            return extractor.statistics(ExtractionConfig(relation=Relation(name, "public")))

        def size(*tables: str) -> int:
            sizes = " + ".join(f"pg_table_size('{table}')" for table in tables)
            return int(postgres_server.psql("sizes", f"select {sizes}"))

        assert known("plain") == TableStatistics(4000, size("plain"))
        assert known("parts") == TableStatistics(5000, size("parts_1", "parts_2a"))
        assert known("parent") == TableStatistics(71, size("parent", "child"))
        assert known("empty") == TableStatistics(0, 0)
        assert known("never") == TableStatistics(None, size("never"))
        assert known("half") == TableStatistics(None, size("half_1", "half_2"))
        assert known("kept") == TableStatistics(25, size("kept"))
        assert known('Odd "name') == TableStatistics(1, size('"Odd ""name"'))
        assert known("seen") is None
        assert known("nothing") is None
        # Within the snapshot of a scan, too.
        with extractor.scan(ExtractionConfig(relation=Relation("plain", "public"))) as stream:
            stream.to_table()
        assert known("plain") == TableStatistics(4000, size("plain"))


@pytest.mark.postgres
def test_postgres_grows_with_the_table(postgres_server: PostgresServer) -> None:
    postgres_server.create_database("growing")
    sql = "create table g (id bigint, filler text) with (autovacuum_enabled = off);"
    fill = "insert into g select n, repeat('x', 500) from generate_series(1, 3000) n;"
    postgres_server.psql("growing", sql + fill)
    postgres_server.psql("growing", "analyze g")
    postgres_server.psql("growing", fill * 3)
    with PostgresExtractor(postgres_kit.connection(postgres_server, "growing")) as extractor:
        found = extractor.statistics(ExtractionConfig(relation=Relation("g", "public")))
    assert found is not None
    assert found.rows is not None
    assert 11_000 < found.rows < 13_000  # 12,000, of which ANALYZE saw a quarter


@pytest.mark.mysql
def test_mariadb(mariadb_server: MariaDBServer) -> None:
    mariadb_server.create_database("sizes")
    mariadb_server.execute(
        "create table numbers (id int primary key, word varchar(20));"
        f"insert into numbers select seq, concat('w', seq) from {numbers(1000)};"
        "create table none (id int); create view seen as select * from numbers;"
        "create table parts (id int primary key) partition by hash (id) partitions 4;"
        f"insert into parts select seq from {numbers(800)};"
        "analyze table numbers; analyze table none; analyze table parts",
        "sizes",
    )
    with MySQLExtractor(mysql_kit.connect(mariadb_server, "sizes")) as extractor:

        def known(name: str, schema: str | None = None) -> TableStatistics | None:
            return extractor.statistics(ExtractionConfig(relation=Relation(name, schema)))

        own = (
            "select table_rows, data_length from information_schema.tables"
            " where table_schema = 'sizes' and table_name = '{}'"
        )
        for name, rows in (("numbers", 1000), ("parts", 800)):
            told = [int(part) for part in mariadb_server.query(own.format(name)).split("\t")]
            assert known(name) == known(name, "sizes") == TableStatistics(*told)
            assert abs(told[0] - rows) <= rows // 10
        empty = known("none")
        assert empty is not None
        assert empty.rows is None
        assert known("seen") is None
        assert known("nothing") is None
