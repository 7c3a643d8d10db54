"""Random queries over random tables of two engines: pushdown off, safe and full have to give the same answer.

`hatch run fuzz --count 1000 --pair postgres-mysql`; the parts are

- `kinds`, `schema`: tables and rows, made from a seed, as data that a case file can hold;
- `conditions`, `queries`, `shapes`: queries over them, made from a seed;
- `places`: the tables in PostgreSQL, MariaDB, SQLite, DuckDB, ClickHouse and Parquet files;
- `compare`: one query with pushdown off, safe and full; `bench` holds the sessions in which it runs;
- `shrink`, `cases`: a difference made small, and kept as a file that a test replays.
"""
