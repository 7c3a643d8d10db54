"""DuckDB's own way: both databases attached by its PostgreSQL extension."""

from __future__ import annotations

from types import ModuleType

import duckdb
import duckdb_extension_postgres_scanner
import pyarrow as pa
import pyarrow.compute as pc  # noqa: F401
import pyarrow.parquet as pq
from stopwatch import count, main


def extract_parquet(database: str, table: str, path: str):
    """A table into a Parquet file, by COPY."""
    _attached(database).execute(f"copy {database}.public.{table} to '{path}' (format parquet, compression zstd)")
    return {}, ""


def extract_arrow(database: str, table: str):
    """A table as Arrow batches."""
    reader = _attached(database).sql(f"select * from {database}.public.{table}").to_arrow_reader(50_000)
    return count(reader), f"l_extendedprice as {reader.schema.field('l_extendedprice').type}"


def load(parquet: str, database: str, table: str):
    """Arrow batches of a Parquet file into a table."""
    file = pq.ParquetFile(parquet, pre_buffer=False)
    reader = pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches(50_000))
    connection = _attached(database)
    connection.register("incoming", reader)
    connection.execute(f"create table {database}.public.{table} as select * from incoming")
    return {}, ""


def query(sql: str, inputs: list[list[str]], database: str, table: str):
    """A query over attached databases, which lands in a table."""
    connection = _attached(*dict(inputs), database)
    connection.execute(f"create table {database}.public.{table} as {sql}")
    return {}, ""


def moved(sql: str, files: dict[str, str], mysql: str):
    """A query over a PostgreSQL and a MariaDB database and files; where they are stands in the environment."""
    import duckdb_extension_mysql_scanner

    connection = _attached()
    _load(connection, "mysql_scanner", duckdb_extension_mysql_scanner)
    connection.execute("attach '' as pg (type postgres, read_only)")
    connection.execute(f"attach 'database={mysql}' as my (type mysql, read_only)")
    connection.execute("attach ':memory:' as dk")
    for table, path in files.items():
        connection.execute(f"create view dk.main.{table} as from read_parquet('{path}')")
    return {"rows": len(connection.execute(sql).fetchall())}, ""


def mysql(table: str, key: str):
    """A table of MariaDB as Arrow batches; where it is stands in the environment."""
    import duckdb_extension_mysql_scanner

    connection = _with_extension("mysql_scanner", duckdb_extension_mysql_scanner)
    connection.execute("attach '' as my (type mysql, read_only)")
    return count(connection.sql(f"select * from my.{table}").to_arrow_reader(50_000), key), ""


def mysql_to_postgres(table: str, database: str, landed: str):
    """A table of MariaDB into one of PostgreSQL, both attached; where they are stands in the environment."""
    import duckdb_extension_mysql_scanner

    connection = _attached(database)
    _load(connection, "mysql_scanner", duckdb_extension_mysql_scanner)
    connection.execute("attach '' as my (type mysql, read_only)")
    connection.execute(f"create table {database}.public.{landed} as select * from my.{table}")
    return {}, ""


def sqlite(path: str, table: str, key: str):
    """A table of SQLite as Arrow batches."""
    import duckdb_extension_sqlite_scanner

    connection = _with_extension("sqlite_scanner", duckdb_extension_sqlite_scanner)
    connection.execute(f"attach '{path}' as lite (type sqlite, read_only)")
    return count(connection.sql(f"select * from lite.{table}").to_arrow_reader(50_000), key), ""


def _with_extension(name: str, package: ModuleType) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    _load(connection, name, package)
    return connection


def _load(connection: duckdb.DuckDBPyConnection, name: str, package: ModuleType) -> None:
    found = next(iter(package.__path__))
    connection.execute(f"load '{found}/extensions/v{duckdb.__version__}/{name}.duckdb_extension'")


def _attached(*databases: str) -> duckdb.DuckDBPyConnection:
    connection = _with_extension("postgres_scanner", duckdb_extension_postgres_scanner)
    for database in databases:
        connection.execute(f"attach 'dbname={database}' as {database} (type postgres)")
    return connection


if __name__ == "__main__":
    main(
        {
            "extract_parquet": extract_parquet,
            "extract_arrow": extract_arrow,
            "load": load,
            "query": query,
            "moved": moved,
            "mysql": mysql,
            "mysql_to_postgres": mysql_to_postgres,
            "sqlite": sqlite,
        }
    )
