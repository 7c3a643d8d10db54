"""pgpq: Arrow batches encoded as binary COPY in Rust, sent by psycopg."""

from __future__ import annotations

import os

import psycopg
import pyarrow.parquet as pq
from pgpq import ArrowToPostgresBinaryEncoder
from stopwatch import main


def load(parquet: str, database: str, table: str):
    """Arrow batches of a Parquet file into a table, which pgpq's own types make."""
    file = pq.ParquetFile(parquet, pre_buffer=False)
    encoder = ArrowToPostgresBinaryEncoder(file.schema_arrow)
    named = zip(file.schema_arrow.names, encoder.schema().columns, strict=True)
    columns = ", ".join(f'"{name}" {column.data_type.ddl()}' for name, column in named)
    with psycopg.connect(f"dbname={database} host={os.environ['PGHOST']}") as session, session.cursor() as cursor:
        cursor.execute(f"create table public.{table} ({columns})")
        with cursor.copy(f"copy public.{table} from stdin with (format binary)") as copy:
            copy.write(encoder.write_header())
            for batch in file.iter_batches(50_000):
                copy.write(encoder.write_batch(batch))
            copy.write(encoder.finish())
    return {}, ""


if __name__ == "__main__":
    main({"load": load})
