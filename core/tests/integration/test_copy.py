"""`dvt copy` between real servers, checked by the text that their own clients print."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from servers.mariadb import MariaDBServer
from servers.postgres import COPIED, PostgresServer

from dvt.cli.main import main

pytestmark = [pytest.mark.postgres, pytest.mark.mysql]

ORDERS = """
create table orders (id int primary key, city text, amount numeric(12,2), at timestamptz, "Odd ""Näme" int);
insert into orders select g, case when g % 3 = 0 then '' when g % 5 = 0 then null else 'c' || g end, g / 7.0,
  '2024-01-01 00:00:00.123456Z'::timestamptz + g * interval '1 hour', -g from generate_series(1, 2000) g;
create table nothing (id int, city text);
create table "My.Table" ("a,b" int, c text);
insert into "My.Table" values (1, 'x'), (2, E'tab\\tnew\\nline');
"""
SHOWN = "select id, city is null, city, amount, extract(epoch from at)"


@dataclass
class World:
    """Two PostgreSQL databases, one of MariaDB, files of SQLite and DuckDB, a folder; no project anywhere."""

    server: PostgresServer
    maria: MariaDBServer
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def dvt(self, *words: str, code: int = 0) -> str:
        """What `dvt copy ...` prints, stdout before stderr."""
        with pytest.raises(SystemExit) as ended:
            main(["copy", *words, "--profiles-dir", str(self.folder)])
        found = self.capsys.readouterr()
        assert ended.value.code == code, found.out + found.err
        return found.out + found.err

    def json(self, *words: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.dvt(*words, "--json"))
        return document

    def crm(self, sql: str) -> str:
        return self.server.psql("copy_crm", sql)

    def dw(self, sql: str) -> str:
        return self.server.psql("copy_dw", sql)

    def lite(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.folder / "lite.db")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def private(self) -> str:
        """What is left of private tables."""
        return self.dw("select relname from pg_class where relname like '%\\_\\_dvt\\_%'")


@pytest.fixture(scope="module")
def databases(postgres_server: PostgresServer, mariadb_server: MariaDBServer) -> None:
    postgres_server.psql(postgres_server.create_database("copy_crm"), ORDERS)


@pytest.fixture
def world(
    databases: None,
    postgres_server: PostgresServer,
    mariadb_server: MariaDBServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[World]:
    postgres_server.psql(postgres_server.create_database("copy_dw"), "create schema analytics")
    mariadb_server.create_database("copy_shop")
    outputs = {
        "warehouse": postgres_server.output("copy_dw", "analytics"),
        "crm": postgres_server.output("copy_crm"),
        "by_python": postgres_server.output("copy_crm", dvt={"native": False}),
        "frozen": postgres_server.output("copy_dw", "analytics", dvt={"freeze": True, "unlogged": True}),
        "shop": mariadb_server.output("copy_shop"),
        "lite": {"type": "sqlite", "path": "lite.db"},
        "duck": {"type": "duckdb", "path": "duck.duckdb"},
        "lake": {"type": "files", "path": "lake"},
    }
    (tmp_path / "lake").mkdir()
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump({"any": {"target": "warehouse", "outputs": outputs}}))
    monkeypatch.chdir(tmp_path)
    made = World(postgres_server, mariadb_server, tmp_path, capsys)
    yield made
    assert made.private() == ""


def test_postgres_to_postgres_is_not_decoded(world: World) -> None:
    last = world.dvt("crm:public.orders", "warehouse:raw.orders")
    assert "crm:public.orders -> warehouse:raw.orders: 2,000 rows" in last
    assert "read by copy_binary_pipe, loaded by copy_binary_pipe, swapped in one transaction" in last
    assert last.count("\n") == 1
    of_all = "select o::text from {} o order by id"
    assert world.dw(of_all.format("raw.orders")) == world.crm(of_all.format("orders"))
    types = (
        "select attname, atttypid::regtype, atttypmod from pg_attribute where attrelid = '{}'::regclass and attnum > 0"
    )
    assert world.dw(types.format("raw.orders")) == world.crm(types.format("orders"))


@pytest.mark.parametrize("source", ["crm", "by_python"])
def test_undecoded_rows_are_looked_at(world: World, source: str) -> None:
    """On the way by the native codec, which knows the row too, else in the table before it is put in place."""
    world.crm(
        "drop table if exists odd; create table odd (id int, t text, n numeric(9,2), i interval);"
        " insert into odd select g, repeat('x', 3000000), g, '1 s' from generate_series(1, 3) g;"
        " insert into odd values (4, null, 'NaN', null), (5, '', 1, '-2562048:00:00')"
    )
    refused = world.dvt(f"{source}:odd", "warehouse:raw.odd", code=1)
    assert "column n" in refused
    assert "NaN in a decimal" in refused
    assert ("row 4" in refused) == (source == "crm" and COPIED == "copy_binary")
    refused = world.dvt(f"{source}:odd", "warehouse:raw.odd", "--where", "id <> 4", code=1)
    assert "column i" in refused
    last = world.dvt(f"{source}:odd", "warehouse:raw.odd", "--where", "id < 4")
    assert "3 rows" in last
    assert "copy_binary_pipe" in last
    of_all = "select md5(o::text) from {} o where id < 4 order by id"
    assert world.dw(of_all.format("raw.odd")) == world.crm(of_all.format("odd"))


def test_what_is_asked_for(world: World) -> None:
    found = world.json(
        "crm:orders", ":part", "--where", "city ~ '^c1.*[27]$' -- ends", "--columns", 'id,"Odd ""Näme"', "--limit", "3"
    )
    assert found["rows"] == 3
    assert found["source"]["relation"] == "public.orders"
    assert found["target"] == {
        "connection": "warehouse",
        "type": "postgres",
        "relation": "analytics.part",
        "mode": "replace",
        "unique_key": [],
    }
    assert world.dw('select count(*) from analytics.part where id::text ~ \'[27]$\' and "Odd ""Näme" = -id') == "3"
    world.dvt("crm:orders", ":part", "--where", "id <= 4", "--columns", "city", "--columns", "id", "-q")
    assert world.dw("select city, id from analytics.part order by 2") == world.crm(
        "select city, id from orders where id <= 4 order by 2"
    )


def test_undecoded_rows_are_frozen_where_that_is_asked(world: World) -> None:
    assert world.json("crm:orders", "frozen:cold")["loaded_by"] == "copy_binary_pipe"
    world.dw("analyze analytics.cold")
    about = "select relpersistence, relallvisible = relpages and relpages > 1 from pg_class where relname = 'cold'"
    assert world.dw(about) == "u|t"


def test_an_empty_source_empties_its_copy(world: World) -> None:
    world.dw("create table analytics.nothing (id int, city text); insert into analytics.nothing values (1, 'old')")
    assert world.json("crm:nothing", "warehouse:nothing")["rows"] == 0
    assert world.dw("select count(*) from analytics.nothing") == "0"


@pytest.mark.parametrize(
    ("mode", "rows"),
    [
        ("append", "1||old\n2|f|old\n2|f|c2\n3|f|"),
        ("merge", "1||old\n2|f|c2\n3|f|"),
        ("delete+insert", "1||old\n2||c2\n3||"),
        ("replace", "2||c2\n3||"),
    ],
)
def test_modes(world: World, mode: str, rows: str) -> None:
    world.dw(
        "create schema raw; create table raw.kept (id int, flag bool default false, city text);"
        "insert into raw.kept values (1, null, 'old'), (2, false, 'old')"
    )
    keyed = ("--unique-key", "id") if mode in ("merge", "delete+insert") else ()
    words = ("crm:orders", "warehouse:raw.kept", "--columns", "id,city", "--where", "id in (2, 3)", "--mode", mode)
    found = world.json(*words, *keyed)
    assert found["rows"] == 2
    flag = "null::bool" if mode in ("replace", "delete+insert") else "flag"
    assert world.dw(f"select id, {flag}, city from raw.kept order by id, city desc") == rows


@pytest.mark.parametrize("level", ["count", "sums", "hash"])
@pytest.mark.parametrize("target", ["warehouse:raw.verified", "shop:verified"])
def test_what_landed_is_compared(world: World, level: str, target: str) -> None:
    world.dw("create schema if not exists raw")
    found = world.json("crm:orders", target, "--verify", level)
    assert (found["rows"], found["verified_by"]) == (2000, level)


def test_what_landed_otherwise_is_not_put_in_place(world: World) -> None:
    world.dw(
        "create schema raw; create table raw.t (id int, city text); insert into raw.t values (9, 'old');"
        "create function meddle() returns trigger language plpgsql as $$"
        " begin new.city := replace(new.city, 'c', 'k'); return new; end $$;"
        "create function watch() returns event_trigger language plpgsql as $$ declare made record; begin"
        " for made in select * from pg_event_trigger_ddl_commands() where command_tag = 'CREATE TABLE' loop"
        " execute format('create trigger t before insert on %s for each row execute function public.meddle()',"
        " made.object_identity); end loop; end $$;"
        "create event trigger watching on ddl_command_end when tag in ('CREATE TABLE') execute function watch()"
    )
    try:
        words = ("crm:orders", "warehouse:raw.t", "--columns", "id,city")
        said = world.dvt(*words, "--verify", "hash", code=1)
        assert "DVT420 connection warehouse, relation raw.t" in said
        assert "hashes do not add up" in said
        assert world.dw("select * from raw.t") == "9|old"
        assert world.private() == ""
        world.dvt(*words, "--verify", "sums")  # a text of the same length adds nothing up
    finally:
        world.dw("drop event trigger watching; drop function watch(), meddle() cascade")


def test_a_comparison_that_cannot_be_made_is_refused_before(world: World) -> None:
    said = world.dvt("crm:orders", "lake:orders.parquet", "--verify", "hash", "--dry-run", code=2)
    assert "tables of type files cannot be compared by hash" in said
    assert "Ask for `count`" in said


def test_a_full_refresh_replaces_and_drops_views(world: World) -> None:
    world.dw(
        "create schema raw; create table raw.t (id int, extra int); insert into raw.t values (9, 9);"
        "create view raw.v as select extra from raw.t"
    )
    words = ("crm:orders", "warehouse:raw.t", "--columns", "id", "--limit", "2")
    assert "raw.v" in world.dvt(*words, code=1)
    assert world.dw("select * from raw.t") == "9|9"
    world.dvt(*words, "--mode", "append", "--full-refresh")
    assert world.dw("select count(*), max(id) < 9 from raw.t") == "2|t"
    assert world.dw("select to_regclass('raw.v') is null") == "t"


def test_a_doubled_key_leaves_the_table(world: World) -> None:
    world.crm("drop table if exists doubled; create table doubled as select 1 as id, n from generate_series(1, 2) n")
    world.dw("create schema raw; create table raw.t (id int, n int); insert into raw.t values (1, 7)")
    message = world.dvt("crm:doubled", "warehouse:raw.t", "--mode", "merge", "--unique-key", "id", code=1)
    assert "DVT410" in message
    assert "id = '1'" in message
    assert world.dw("select * from raw.t") == "1|7"


def test_to_mariadb_and_back(world: World) -> None:
    there = world.json("crm:orders", "shop:bestellungen", "--parallel", "2")
    assert (there["rows"], there["read_by"], there["loaded_by"]) == (2000, "copy_native", "load_data")
    # Two parts of so small a table are not worth two sessions; that is said.
    assert (there["parts"], there["whole_because"]) == (1, "it is small")
    assert there["swap"] == "swapped by one statement"
    listed = "select id, coalesce(city, '<null>'), amount from {} order by id"
    of_maria = world.maria.query(listed.format("bestellungen"), "copy_shop").replace("\t", "|")
    assert of_maria == world.crm(listed.format("orders"))
    back = world.json("shop:bestellungen", "warehouse:raw.orders", "--where", "city = 'c2' or id > 1990 # these")
    assert back["rows"] == 11
    where = " where city = 'c2' or id > 1990 order by id"
    assert world.dw(SHOWN + " from raw.orders" + where) == world.crm(SHOWN + " from orders" + where)


def test_within_one_sqlite_file(world: World) -> None:
    world.dvt("crm:orders", "lite:orders", "--columns", "id,city,amount")
    found = world.json("lite:orders", "lite:again", "--where", "id > 1500 and city is not null")
    assert found["rows"] == len(world.lite("select id, city, amount from orders where id > 1500 and city is not null"))
    assert world.lite("select * from again order by id") == world.lite(
        "select * from orders where id > 1500 and city is not null order by id"
    )


def test_duckdb_and_files(world: World) -> None:
    world.dvt("crm:orders", "duck:sub.orders")
    world.dvt("duck:sub.orders", "lake:sub/orders.parquet")
    world.dvt(
        "lake:sub/orders", "lake:sub/some.csv", "--where", "id % 2 = 0 and city like 'c1%'", "--columns", "id,city"
    )
    expected = world.crm("select id || ',' || city from orders where id % 2 = 0 and city like 'c1%' order by id")
    lines = (world.folder / "lake" / "sub" / "some.csv").read_text().splitlines()
    assert [line.replace('"', "") for line in lines[1:]] == expected.splitlines()
    # A text file filters nothing itself: the engine does, and DuckDB's words are those of files.
    world.dvt("lake:sub/some.csv", "warehouse:raw.some", "--where", "id::int < 20 and regexp_matches(city, '6$')")
    assert world.dw("select * from raw.some") == "16|c16"
    world.dvt("lake:sub/*.parquet", "warehouse:raw.whole")
    assert world.dw(SHOWN + " from raw.whole order by id") == world.crm(SHOWN + " from orders order by id")
    path = str(world.folder / "lake" / "sub" / "orders.parquet")
    found = duckdb.execute('select count(*), min("Odd ""Näme") from read_parquet(?)', [path]).fetchall()
    assert found == [(2000, -2000)]


def test_names_with_odd_letters(world: World) -> None:
    world.dvt('crm:public."My.Table"', 'warehouse:"Raw Data"."to:day"', "--columns", '"a,b",c')
    assert world.dw('select "a,b", c from "Raw Data"."to:day" order by 1') == world.crm(
        'select "a,b", c from "My.Table" order by 1'
    )


def test_a_dry_run_writes_nothing(world: World) -> None:
    plan = world.json("crm:orders", "warehouse:raw.orders", "--dry-run", "--where", "amount > 10")
    assert plan["statement"].endswith("WHERE (amount > 10)")
    assert (plan["read_by"], plan["target_exists"], plan["is_atomic"]) == ("copy_native", False, True)
    assert plan["columns"][2] == {"name": "amount", "source_type": "numeric(12,2)", "target_type": "numeric(12,2)"}
    assert world.dw("select count(*) from pg_namespace where nspname = 'raw'") == "0"
    text = world.dvt("crm:orders", "lake:orders", "--dry-run")
    assert "swapped by a rename of the file" in text
    assert list((world.folder / "lake").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("cmr:orders", ":t"), 2, ("DVT107", "unknown connection 'cmr'", "nearest first: crm,")),
        (("crm:ordrs", ":t"), 1, ("DVT320", "public.ordrs", "nearest first: orders,")),
        (("crm:publik.orders", ":t"), 1, ("DVT320", "There is nothing in schema publik of connection crm")),
        (("lake:ordrs", ":t"), 1, ("DVT320", "there is no file", "connection lake")),
        (("crm:orders", "crm:public.orders"), 2, ("DVT100", "source and target are the same")),
        (("orders", ":t"), 2, ("DVT112", "connection:schema.table")),
        (("crm:a..b", ":t"), 2, ("DVT112", "'a..b'")),
        (("crm:other.public.orders", ":t"), 2, ("DVT112", "one database, copy_crm")),
        (("crm:orders", "lake:t", "--mode", "merge", "--unique-key", "id"), 2, ("DVT120", "files take no merge")),
        (("crm:orders", ":t", "--where", "id ="), 2, ("DVT113", "'id =' is not one condition")),
        (("crm:orders", ":t", "--where", "id = 1) or (id = 2"), 2, ("DVT113",)),
        (("crm:orders", ":t", "--where", "1 = 1; drop table orders"), 2, ("DVT113",)),
        (("crm:orders", ":t", "--where", "select 1"), 2, ("DVT113", "a query")),
        (("crm:orders", ":t", "--where", "idd = 1"), 1, ("DVT320", "idd", "Correct --where 'idd = 1'")),
        (("crm:orders", ":t", "--where", "1 / (id - 5) > 0"), 1, ("division by zero", "Correct --where")),
        (("crm:orders", ":t", "--columns", "id,citi"), 1, ("DVT320", "column citi", "did you mean 'city'?")),
        (("crm:orders", ":t", "--mode", "merge"), 2, ("primary key is id", "Add --unique-key id")),
        (("crm:orders", ":t", "--mode", "merge", "--unique-key", "key"), 1, ("DVT320", "column key")),
        (("crm:orders", ":t", "--unique-key", "id"), 2, ("--unique-key says nothing in this mode",)),
        (("crm:orders", ":kept", "--mode", "append"), 1, ("DVT400", "no column 'amount', 'at'", "--columns id,city")),
    ],
)
def test_what_is_refused(world: World, words: tuple[str, ...], code: int, said: tuple[str, ...]) -> None:
    world.dw("create table analytics.kept (id int, city text); create table analytics.t as select 'old' as a")
    message = world.dvt(*words, code=code)
    for each in said:
        assert each in message
    assert message.count("\n") == 1
    assert world.dw("select a from analytics.t") == "old"


def test_a_value_that_would_change_leaves_the_old_table(world: World) -> None:
    world.crm(
        "drop table if exists late; create table late as select case when g = 1999 then 'infinity' else date "
        "'2024-01-01' end as d from generate_series(1, 2000) g"
    )
    world.maria.execute("create table late (d date); insert into late values ('2001-01-01')", "copy_shop")
    message = world.dvt("crm:late", "shop:late", code=1)
    assert "relation copy_shop.late, column d (load)" in message
    assert world.maria.query("select * from late", "copy_shop") == "2001-01-01"
    assert world.maria.query("show tables", "copy_shop") == "late"
