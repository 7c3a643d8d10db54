"""ADBC's PostgreSQL driver: binary COPY in C++."""

from __future__ import annotations

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pyarrow.compute as pc  # noqa: F401 imports are not timed, for anyone
import pyarrow.parquet as pq
from stopwatch import count, main


def extract_parquet(database: str, table: str, path: str):
    """A table into a Parquet file."""
    with adbc.connect(f"postgresql:///{database}") as connection, connection.cursor() as cursor:
        cursor.execute(f"select * from public.{table}")
        reader = cursor.fetch_record_batch()
        with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
    return {}, ""


def extract_arrow(database: str, table: str):
    """A table as Arrow batches."""
    with adbc.connect(f"postgresql:///{database}") as connection, connection.cursor() as cursor:
        cursor.execute(f"select * from public.{table}")
        reader = cursor.fetch_record_batch()
        return count(reader), f"l_extendedprice as {reader.schema.field('l_extendedprice').type}"


def load(parquet: str, database: str, table: str):
    """Arrow batches of a Parquet file into a table."""
    file = pq.ParquetFile(parquet, pre_buffer=False)
    reader = pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches(50_000))
    with adbc.connect(f"postgresql:///{database}") as connection, connection.cursor() as cursor:
        cursor.adbc_ingest(table, reader, mode="create", db_schema_name="public")
        connection.commit()
    return {}, ""


def sqlite(path: str, table: str, key: str):
    """A table of SQLite as Arrow batches."""
    import adbc_driver_sqlite.dbapi as adbc_sqlite

    with adbc_sqlite.connect(path) as connection, connection.cursor() as cursor:
        cursor.execute(f"select * from {table}")
        reader = cursor.fetch_record_batch()
        types = [str(field.type) for field in reader.schema]
        return count(reader, key), f"types {', '.join(dict.fromkeys(types))}"


if __name__ == "__main__":
    main({"extract_parquet": extract_parquet, "extract_arrow": extract_arrow, "load": load, "sqlite": sqlite})
