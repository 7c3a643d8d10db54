"""TPC-H's eight tables spread over PostgreSQL, MariaDB and a DuckDB file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import tpch
from benchmarks.tpch_queries import QUERIES

# Types that give what the generator's Parquet files hold. The specification's fixed texts are varchar, because CHAR
# pads them, and MariaDB's text ignores case and trailing spaces: its default, and a trap for pushed comparisons.
TABLES: dict[str, str] = {
    "region": "r_regionkey bigint, r_name varchar(25), r_comment varchar(152)",
    "nation": "n_nationkey bigint, n_name varchar(25), n_regionkey bigint, n_comment varchar(152)",
    "supplier": "s_suppkey bigint, s_name varchar(25), s_address varchar(40), s_nationkey bigint, s_phone varchar(15), "
    "s_acctbal decimal(15,2), s_comment varchar(101)",
    "customer": "c_custkey bigint, c_name varchar(25), c_address varchar(40), c_nationkey bigint, c_phone varchar(15), "
    "c_acctbal decimal(15,2), c_mktsegment varchar(10), c_comment varchar(117)",
    "part": "p_partkey bigint, p_name varchar(55), p_mfgr varchar(25), p_brand varchar(10), p_type varchar(25), "
    "p_size int, p_container varchar(10), p_retailprice decimal(15,2), p_comment varchar(23)",
    "partsupp": "ps_partkey bigint, ps_suppkey bigint, ps_availqty int, ps_supplycost decimal(15,2), "
    "ps_comment varchar(199)",
    "orders": "o_orderkey bigint, o_custkey bigint, o_orderstatus varchar(1), o_totalprice decimal(15,2), "
    "o_orderdate date, o_orderpriority varchar(15), o_clerk varchar(15), o_shippriority int, o_comment varchar(79)",
    "lineitem": "l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber int, l_quantity decimal(15,2), "
    "l_extendedprice decimal(15,2), l_discount decimal(15,2), l_tax decimal(15,2), l_returnflag varchar(1), "
    "l_linestatus varchar(1), l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct varchar(25), "
    "l_shipmode varchar(10), l_comment varchar(44)",
}
DATABASE = "tpch8"

# By table, the connection that holds it: the large ones apart, the large ones together, the joined ones crosswise.
SPLITS: dict[str, Mapping[str, str]] = {
    "apart": {
        **dict.fromkeys(("customer", "orders", "nation", "region"), "pg"),
        **dict.fromkeys(("lineitem", "supplier"), "my"),
        **dict.fromkeys(("part", "partsupp"), "dk"),
    },
    "together": {
        **dict.fromkeys(("lineitem", "orders", "partsupp"), "pg"),
        **dict.fromkeys(("nation", "region", "supplier"), "my"),
        **dict.fromkeys(("customer", "part"), "dk"),
    },
    "crosswise": {
        **dict.fromkeys(("lineitem", "part", "region"), "pg"),
        **dict.fromkeys(("orders", "customer", "partsupp"), "my"),
        **dict.fromkeys(("supplier", "nation"), "dk"),
    },
}
_SCHEMAS = {"pg": "public", "my": DATABASE, "dk": "main"}


def query(number: int, split: Mapping[str, str] | None) -> str:
    """A query over the handles of a split; over plain table names without one."""
    names = {table: f"{place}.{_SCHEMAS[place]}.{table}" for table, place in (split or {}).items()}
    return QUERIES[number].format(**(names or {table: table for table in TABLES})).strip()


def load(postgres: Any, mariadb: Any, folder: Path, scale: str) -> dict[str, Any]:
    """Make all tables on all three, so that every split reads the same; gives the connections by name.

    Args:
        postgres: A `servers.postgres.PostgresServer`.
        mariadb: A `servers.mariadb.MariaDBServer`.
        folder: Where the generated files and the DuckDB file lie.
        scale: TPC-H scale factor.
    """
    from dvt.federation.registry import open_connection

    names = list(TABLES)
    csv = dict(zip(names, tpch.generate(scale, folder, "csv", names), strict=True))
    tpch.generate(scale, folder, "parquet", names)
    postgres.create_database(DATABASE)
    mariadb.create_database(DATABASE)
    for table, columns in TABLES.items():
        postgres.psql(DATABASE, f"create table {table} ({columns});")
        postgres.psql(DATABASE, f"\\copy {table} from '{csv[table]}' with (format csv, header)")
        options = "fields terminated by ',' optionally enclosed by '\"' lines terminated by '\\n' ignore 1 lines"
        load_data = f"load data local infile '{csv[table]}' into table {table} character set utf8mb4 {options}"
        collation = "default character set utf8mb4 collate utf8mb4_general_ci"
        mariadb.execute(f"create table {table} ({columns}) {collation}; {load_data}; analyze table {table}", DATABASE)
    postgres.psql(DATABASE, "vacuum analyze;")
    with oracle(folder, folder / "tpch.duckdb") as database:
        for table, columns in TABLES.items():
            database.execute(f"create table made.{table} ({columns})")
            database.execute(f"insert into made.{table} from {table}")
    return {
        "pg": open_connection("pg", postgres.output(DATABASE)),
        "my": open_connection("my", mariadb.output(DATABASE)),
        "dk": open_connection("dk", {"type": "duckdb", "path": str(folder / "tpch.duckdb")}, folder),
    }


def inputs(split: Mapping[str, str], connections: Mapping[str, Any]) -> list[Any]:
    """The tables of a split as inputs of a query."""
    from dvt.federation.engines.base import Handle
    from dvt.federation.plan.model import Input
    from dvt.identifiers import Relation

    return [
        Input(Handle(place, _SCHEMAS[place], table), connections[place], Relation(table, _SCHEMAS[place]))
        for table, place in split.items()
    ]


def oracle(folder: Path, attached: Path | None = None) -> Any:
    """A DuckDB over the Parquet files, which knows nothing of dvt; perhaps with a database file as `made`."""
    import duckdb

    database = duckdb.connect(config={"threads": 2})
    for table in TABLES:
        database.execute(f"create view {table} as from read_parquet('{folder}/{table}.parquet')")
    if attached is not None:
        database.execute(f"attach '{attached}' as made")
    return database
