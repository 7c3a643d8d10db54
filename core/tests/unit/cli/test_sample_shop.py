"""The sample data is the same on every machine and in every version of Python."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dvt.cli.sample_shop import make_shop, write_page_views, write_sqlite

SMALL = make_shop(customers=20, orders=50, page_views=90)


def test_equal_on_every_machine() -> None:
    text = repr((SMALL.customers, SMALL.products, SMALL.orders, SMALL.page_views))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "846e6ade8a85ac0b"


def test_orders_fit_the_other_tables() -> None:
    prices = {product[0]: product[3] for product in SMALL.products}
    customers = {customer[0] for customer in SMALL.customers}
    for _, customer, product, quantity, amount, ordered_at in SMALL.orders:
        assert customer in customers
        assert amount == quantity * prices[product]
        assert dt.datetime(2026, 1, 1) <= ordered_at < dt.datetime(2026, 7, 1)


def test_sqlite_holds_every_cent(tmp_path: Path) -> None:
    path = tmp_path / "erp.db"
    for _ in range(2):  # an old file is replaced
        write_sqlite(path, SMALL, ("products", "orders"))
    connection = sqlite3.connect(path)
    cents, count = connection.execute(
        "select sum(cast(round(amount * 100) as integer)), count(*) from orders"
    ).fetchone()
    connection.close()
    assert (Decimal(cents) / 100, count) == (sum(row[4] for row in SMALL.orders), 50)


def test_page_views_come_a_file_a_month(tmp_path: Path) -> None:
    write_page_views(tmp_path, SMALL)
    files = sorted((tmp_path / "page_views").iterdir())
    assert [file.name for file in files] == [f"2026-0{month}.parquet" for month in range(1, 7)]
    table = pa.concat_tables(pq.read_table(file) for file in files)
    assert [tuple(row.values()) for row in table.to_pylist()] == SMALL.page_views
