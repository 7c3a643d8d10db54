"""One set of rows, put into five engines and into an oracle database that computes the expected answers."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

CUSTOMERS = [
    (1, "Ann", "DE"),
    (2, "Bob O'Neil", ""),
    (3, "Cy", "FR"),
    (4, "Dí", "AT"),
    (5, "Eve", None),
    (6, "No one", "DE"),
]
_START = dt.datetime(2024, 1, 1)
ORDERS = [
    (
        n,
        1 + n % 5,
        f"sku{n % 7}",
        f"{(n * 37 % 1000) / 10:.2f}" if n % 11 else "0.00",
        ("open", "OPEN", "shipped", "paid ")[n % 4],
        (_START + dt.timedelta(hours=5 * n)).isoformat(sep=" "),
        (_START + dt.timedelta(hours=5 * n, microseconds=n)).isoformat(sep=" "),
    )
    for n in range(1, 41)
]
NEW_ORDERS = [
    (41, 1, "sku1", "12.34", "open", "2024-01-09 13:00:00", "2024-01-20 00:00:00.000001"),
    (42, 3, "sku2", "0.01", "paid", "2024-01-09 14:00:00", "2024-01-20 00:00:00.000002"),
]
CHANGED = "update orders set amount = 99.99, status = 'paid', updated_at = '2024-01-21 00:00:00' where order_id = 7"
PRODUCTS = [(f"sku{n}", ("books", "tools", None)[n % 3], f"{n * 3 + 0.5:.2f}") for n in range(6)]
SHIPMENTS = [(100 + n, n, ("dhl", "ups")[n % 2]) for n in range(1, 31)]
EVENTS = [(1000 + n, 1 + n % 4, (_START + dt.timedelta(minutes=n)).isoformat(sep=" ")) for n in range(50)]


def literal(value: object) -> str:
    """An SQL literal that all five engines read."""
    if value is None:
        return "null"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def insert(table: str, rows: list[tuple]) -> str:
    """One INSERT of all rows."""
    return f"insert into {table} values " + ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows) + ";"


CUSTOMERS_DDL = "create table customers (customer_id int, name varchar(40), country text);"
ORDERS_DDL = (
    "create table orders (order_id int, customer_id int, sku varchar(20), amount decimal(10,2), status varchar(20),"
    " placed_at {stamp}, updated_at {stamp});"
)
PRODUCTS_DDL = "create table products (sku varchar(20), category varchar(20), price decimal(10,2));"
SHIPMENTS_DDL = "create table shipments (shipment_id int, order_id int, carrier varchar(10));"
EVENTS_DDL = "create table events (event_id int, customer_id int, happened_at timestamp);"


def fill_oracle(psql, database: str) -> None:
    """Everything in one PostgreSQL database, for the expected answers."""
    psql(
        database,
        CUSTOMERS_DDL
        + ORDERS_DDL.format(stamp="timestamp")
        + PRODUCTS_DDL
        + SHIPMENTS_DDL
        + EVENTS_DDL
        + insert("customers", CUSTOMERS)
        + insert("orders", ORDERS)
        + insert("products", PRODUCTS)
        + insert("shipments", SHIPMENTS)
        + insert("events", EVENTS),
    )


def fill_files(folder: Path) -> None:
    """The SQLite, DuckDB and Parquet inputs."""
    (folder / "web").mkdir(parents=True)
    (folder / "exports").mkdir()
    with sqlite3.connect(folder / "erp.db") as erp:
        erp.executescript(PRODUCTS_DDL + insert("products", PRODUCTS))
    erp.close()
    with duckdb.connect(str(folder / "lake.duckdb")) as lake:
        lake.execute(SHIPMENTS_DDL + insert("shipments", SHIPMENTS))
    columns = {
        "event_id": pa.array([row[0] for row in EVENTS], pa.int64()),
        "customer_id": pa.array([row[1] for row in EVENTS], pa.int32()),
        "happened_at": pa.array([dt.datetime.fromisoformat(row[2]) for row in EVENTS], pa.timestamp("us")),
    }
    pq.write_table(pa.table(columns), folder / "web" / "events.parquet")
