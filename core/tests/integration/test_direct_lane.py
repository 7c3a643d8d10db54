"""The direct lane lands what the engine would have landed: the same types, the same values, the same refusals.

The oracle is the federated lane over the same table, and the words of the servers' own clients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from integration.types_cases import PG, SOURCES, TARGETS, Case, held_by
from integration.types_sides import Postgres, Side
from integration.types_world import sides, sources, wide_table
from servers.postgres import COPIED, PostgresServer

from dvt.errors import DataError
from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.loaders.base import LoadConfig, LoadResult
from dvt.federation.plan.model import Input
from dvt.federation.plan.router import Lane
from dvt.federation.registry import extractor_class, loader_class, open_connection
from dvt.federation.session import RunSession

pytestmark = [pytest.mark.postgres, pytest.mark.mysql]

# What of PostgreSQL's types passes undecoded; everything else is decoded on the way.
PIPED = {
    *("c_bool", "c_int2", "c_int4", "c_int8", "c_oid", "c_float4", "c_float8", "c_num10", "c_num38", "c_num3838"),
    *("c_text", "c_varchar", "c_char", "c_bytea", "c_date", "c_time", "c_ts", "c_tstz", "c_interval", "c_uuid"),
    *("c_json", "c_jsonb", "c_timetz", "c_price"),
}


@dataclass
class World:
    """All sides and the run."""

    sources: dict[str, Side]
    targets: dict[str, Side]
    run: RunSession

    def land(
        self,
        there: Side,
        here: Side,
        table: str,
        to: str,
        sql: str,
        *,
        direct: bool,
        declared: dict[str, str] | None = None,
    ) -> LoadResult:
        """Move a table by one lane, which must be the one that is asked for."""
        inp = Input(Handle("src", "s", "t"), there.connection, there.relation(table), declared=there.declared)
        with self.run.query(sql, [inp], direct=direct) as query:
            assert query.lane is (Lane.DIRECT if direct else Lane.FEDERATED), query.plan.federated_because
            with loader_class(here.connection.type)(here.connection) as loader:
                config = LoadConfig(here.relation(to), run_id="deadbeef", declared=declared or {})
                found = loader.load(query.stream, config)
        assert found.rows == query.scans[0].rows
        return found

    def columns(self, side: Side, table: str) -> list[tuple[str, str, str]]:
        """Names and types of a table, as its catalogue says."""
        with extractor_class(side.connection.type)(side.connection) as extractor:
            request = ExtractionConfig(relation=side.relation(table), declared=side.declared)
            return [(c.name, str(c.type), c.native_type) for c in extractor.describe(request)]


@pytest.fixture(scope="module")
def world(postgres_server: object, mariadb_server: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("direct")
    there = sources(postgres_server, mariadb_server, folder, "direct_source")
    here = sides(postgres_server, mariadb_server, folder, "direct_target")
    with RunSession(folder / "run", memory_bytes=512 << 20, threads=2, parallel_queries=1, run_id="1") as run:
        yield World(there, here, run)


def _plain(world: World, there: Side, table: str) -> list[str]:
    """The columns that the engine gives back as they came: all but structs, maps and lists of lists."""
    with extractor_class(there.connection.type)(there.connection) as extractor:
        request = ExtractionConfig(relation=there.relation(table), declared=there.declared)
        described = {column.name: column.type for column in extractor.describe(request)}
    inner = {name: type_.value_type if pa.types.is_list(type_) else type_ for name, type_ in described.items()}
    return [name for name, type_ in inner.items() if not pa.types.is_nested(type_)]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", SOURCES)
def test_every_type_lands_as_by_the_engine(world: World, source: str, target: str) -> None:
    there, here = world.sources[source], world.targets[target]
    table = f"for_{target}"
    wide_table(there, held_by(target, SOURCES[source]), table, target)
    names = _plain(world, there, table)
    assert len(names) > 4
    sql = f"with src as (select * from src.s.t), kept as (select {', '.join(names)} from src) select * from kept"
    engine, direct = f"engine_{source}", f"direct_{source}"
    wanted = world.land(there, here, table, engine, sql, direct=False)
    found = world.land(there, here, table, direct, sql, direct=True)
    assert found.rows == wanted.rows > 1
    assert world.columns(here, direct) == world.columns(here, engine)
    # MariaDB's client cannot show a NULL of some expressions apart; each column's own text is enough here.
    shown = [c[0] if target != PG else f"{c[0]}::text" for c in world.columns(here, engine)]
    assert here.ask(direct, shown) == here.ask(engine, shown)


POSTGRES: dict[str, Case] = {case.name: case for case in SOURCES[PG]}


@pytest.mark.parametrize("name", POSTGRES)
def test_what_passes_between_postgres_undecoded(world: World, name: str) -> None:
    """Column by column: the method, the table's type, and the server's own text, the same as decoded."""
    there, here = world.sources[PG], world.targets[PG]
    case = POSTGRES[name]
    wide_table(there, (case,), f"one_{name}", PG)
    sql = f"select id, {name} from src.s.t"
    decoded = world.land(there, here, f"one_{name}", f"engine_{name}", sql, direct=False)
    direct = world.land(there, here, f"one_{name}", f"direct_{name}", sql, direct=True)
    assert decoded.method == COPIED
    assert direct.method == ("copy_binary_pipe" if name in PIPED else COPIED)
    assert direct.rows == decoded.rows > 1
    assert world.columns(here, f"direct_{name}") == world.columns(here, f"engine_{name}")
    wanted = here.ask(f"engine_{name}", ["id", name])
    assert here.ask(f"direct_{name}", ["id", name]) == wanted
    assert any(row[1] is None for row in wanted)


REFUSED = [
    *((case.name, value.literal) for case in SOURCES[PG] for value in case.values if PG in value.refused_by),
    *(("c_num10", "'NaN'"), ("c_ts", "'294276-12-31 23:59:59'"), ("c_tstz", "'294276-12-31 23:59:59+00'")),
    *(("c_interval", "'2562047:47:16.854776'"), ("c_interval", "'-2562048:00:00'")),
]


@pytest.mark.parametrize(("name", "literal"), REFUSED)
def test_what_decoding_refuses_is_refused_undecoded(world: World, name: str, literal: str) -> None:
    there, here = world.sources[PG], world.targets[PG]
    table = f"refused_{name}"
    there.execute(
        [
            f"drop table if exists {table}",
            f"create table {table} (id integer, {name} {POSTGRES[name].declared})",
            f"insert into {table} values (1, null), (2, {literal})",
        ]
    )
    before = here.tables()
    for direct in (False, True):
        with pytest.raises(DataError) as caught:
            world.land(there, here, table, "never", f"select id, {name} from src.s.t", direct=direct)
        assert (caught.value.column, caught.value.phase) == (name, "extract")
    assert here.tables() == before


@pytest.mark.parametrize("literal", ["'2562047:47:16.854775'", "'-2562047:47:16.854775'"])
def test_the_longest_interval_passes(world: World, literal: str) -> None:
    there, here = world.sources[PG], world.targets[PG]
    there.execute(
        [
            "drop table if exists long",
            "create table long (id int, c interval)",
            f"insert into long values (1, {literal})",
        ]
    )
    for direct in (False, True):
        world.land(there, here, "long", f"long_{direct:d}", "select id, c from src.s.t", direct=direct)
    assert here.ask("long_1", ["c"]) == here.ask("long_0", ["c"]) == there.ask("long", ["c"])


@pytest.mark.parametrize(
    ("declared", "method"),
    [
        ("varchar(20)", "copy_binary_pipe"),
        ("varchar", "copy_binary_pipe"),
        ("text", "copy_binary_pipe"),
        ("varchar(19)", COPIED),
        ("varchar(21)", COPIED),
        ("char(20)", COPIED),
    ],
)
def test_a_contract_decides_with_its_type(world: World, declared: str, method: str) -> None:
    there, here = world.sources[PG], world.targets[PG]
    there.execute(
        [
            "drop table if exists short",
            "create table short (id int, c varchar(20))",
            "insert into short values (1, 'ab ')",
        ]
    )
    sql, types = "select id, c from src.s.t", {"c": declared}
    here.execute(["drop table if exists short_0", "drop table if exists short_1"])
    found = {}
    for direct in (False, True):
        done = world.land(there, here, "short", f"short_{direct:d}", sql, direct=direct, declared=types)
        found[direct] = (
            here.ask(f"short_{direct:d}", ["c", "octet_length(c)"]),
            world.columns(here, f"short_{direct:d}"),
        )
    assert done.method == method
    assert found[True] == found[False]


def test_renamed_columns_filters_and_limits_reach_the_source(world: World) -> None:
    there, here = world.sources[PG], world.targets[PG]
    there.execute(
        [
            "drop table if exists people",
            "create table people (id int, name varchar(9), born date, tag char(4))",
            "insert into people select g, 'n' || g, date '2000-01-01' + g, 'x' from generate_series(1, 10000) g",
        ]
    )
    sql = (
        "with src as (select * from src.s.t), kept as (select tag as t, born as day, id as k, name from src "
        "where id between 10 and 5000) select * exclude (name) from kept where day >= date '2000-02-01' and 1 = 1 "
        "order by k desc limit 3"
    )
    inp = Input(Handle("src", "s", "t"), there.connection, there.relation("people"))
    plan = world.run.plan(sql, [inp], direct=True)
    assert plan.direct is not None
    assert plan.direct.scan.sql == (
        'SELECT "tag", "born", "id" FROM "public"."people" WHERE ("id" >= 10 AND "id" <= 5000)'
        ' AND "born" >= CAST(\'2000-02-01\' AS DATE) ORDER BY "id" DESC NULLS LAST LIMIT 3'
    )
    done = world.land(there, here, "people", "kept", sql, direct=True)
    assert (done.rows, done.method) == (3, "copy_binary_pipe")
    assert [(n, native) for n, _, native in world.columns(here, "kept")] == [
        ("t", "text"),
        ("day", "date"),
        ("k", "integer"),
    ]
    assert _table(here, "kept", "k, day, octet_length(t)") == [
        "4998|2013-09-07|1",
        "4999|2013-09-08|1",
        "5000|2013-09-09|1",
    ]


def test_nothing_is_a_table_too(world: World) -> None:
    there, here = world.sources[PG], world.targets[PG]
    there.execute(["drop table if exists nothing", "create table nothing (id int, name text)"])
    done = world.land(there, here, "nothing", "nothing", "select * from src.s.t", direct=True)
    assert (done.rows, done.method) == (0, "copy_binary_pipe")
    assert [(n, native) for n, _, native in world.columns(here, "nothing")] == [("id", "integer"), ("name", "text")]


def test_databases_of_other_encodings_are_decoded(world: World, postgres_server: PostgresServer) -> None:
    here = world.targets[PG]
    postgres_server.psql(
        "postgres",
        "drop database if exists direct_latin; create database direct_latin encoding 'LATIN1' lc_collate 'C'"
        " lc_ctype 'C' template template0;",
    )
    there = Postgres.__new__(Postgres)  # a database that is there already
    there._server, there._name = postgres_server, "direct_latin"
    there.connection = open_connection("latin", postgres_server.output("direct_latin"))
    there.execute(["create table words (id int, word text)", "insert into words values (1, 'gr' || chr(252) || 'n')"])
    done = world.land(there, here, "words", "words", "select * from src.s.t", direct=True)
    assert done.method == COPIED
    assert here.ask("words", ["word"]) == [["grün"]]


def _table(side: Side, table: str, columns: str) -> list[str]:
    assert isinstance(side, Postgres)
    return side._server.psql(side._name, f"select {columns} from {table} order by 1").splitlines()
