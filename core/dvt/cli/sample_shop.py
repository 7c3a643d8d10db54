"""The sample shop: a small outdoor shop's customers, products, orders and page views, the same on every machine."""

from __future__ import annotations

import datetime as dt
import random
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

_FIRST = (
    *("Ada", "Ben", "Clara", "David", "Elif", "Finn", "Greta", "Hugo", "Ines", "Jonas"),
    *("Karla", "Leo", "Mia", "Nils", "Olga", "Paul", "Rosa", "Sven", "Tilda", "Uwe"),
)
_LAST = (
    *("Adler", "Bauer", "Costa", "Dubois", "Eriksen", "Ferrari", "Garcia", "Huber"),
    *("Ivanov", "Jansen", "Keller", "Lopez", "Moreau", "Nowak", "Rossi"),
)
_COUNTRIES = ("DE", "FR", "IT", "ES", "NL", "AT", "PL", "SE")
_COUNTRY_WEIGHTS = (30, 20, 14, 12, 9, 6, 5, 4)
_LINES = {"tents": 240, "packs": 110, "boots": 150, "jackets": 180, "stoves": 60}
_MODELS = ("Alpin", "Bivak", "Fjord", "Gipfel", "Karst", "Lagune", "Nordic", "Passo", "Sierra", "Tundra")
_PAGES = ("home", "search", "product", "cart")
_START = dt.datetime(2026, 1, 1)
_DAYS = 181

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class SampleShop:
    """The rows of the shop's tables.

    Args:
        customers: customer_id, name, country, segment, signed_up.
        products: product_id, name, category, price.
        orders: order_id, customer_id, product_id, quantity, amount, ordered_at.
        page_views: view_id, customer_id, page, viewed_at.
    """

    customers: Rows
    products: Rows
    orders: Rows
    page_views: Rows


def make_shop(*, customers: int, orders: int, page_views: int, seed: int = 2026) -> SampleShop:
    """Make the shop's rows.

    Args:
        customers: Number of customers.
        orders: Number of orders.
        page_views: Number of page views.
        seed: Equal seeds give equal rows, in every version of Python.
    """
    chance = random.Random(seed)
    people = [_customer(chance, number) for number in range(1, customers + 1)]
    products = _products(chance)
    return SampleShop(
        customers=people,
        products=products,
        orders=[_order(chance, number, people, products, orders) for number in range(1, orders + 1)],
        page_views=[_page_view(chance, number, people, page_views) for number in range(1, page_views + 1)],
    )


def _customer(chance: random.Random, number: int) -> tuple[Any, ...]:
    name = f"{chance.choice(_FIRST)} {chance.choice(_LAST)}"
    country = chance.choices(_COUNTRIES, _COUNTRY_WEIGHTS)[0]
    segment = "business" if chance.random() < 0.2 else "consumer"
    return number, name, country, segment, (_START - dt.timedelta(days=chance.randrange(700))).date()


def _products(chance: random.Random) -> Rows:
    pairs = [(model, line) for line in _LINES for model in _MODELS]
    return [
        (number, f"{model} {line[:-1]}", line, Decimal(round(_LINES[line] * (60 + chance.randrange(90)))) / 100)
        for number, (model, line) in enumerate(pairs, start=1)
    ]


def _order(chance: random.Random, number: int, people: Rows, products: Rows, count: int) -> tuple[Any, ...]:
    # The earlier a person signed up and a product came, the more often it is seen; some people never order.
    person = people[int(len(people) * 0.9 * chance.random() ** 1.3)]
    product = products[int(len(products) * chance.random() ** 1.2)]
    quantity = 1 + int(chance.random() ** 3 * 4)
    return number, person[0], product[0], quantity, quantity * product[3], _moment(chance, number, count)


def _page_view(chance: random.Random, number: int, people: Rows, count: int) -> tuple[Any, ...]:
    person = people[int(len(people) * chance.random())]
    return number, person[0], chance.choices(_PAGES, (3, 4, 10, 2))[0], _moment(chance, number, count)


def _moment(chance: random.Random, number: int, count: int) -> dt.datetime:
    """Rows are in order of time, spread evenly over the days and more in the afternoon."""
    day = (number - 1) * _DAYS // count
    return _START + dt.timedelta(days=day, seconds=int(86_399 * (chance.random() + chance.random()) / 2))


_SQLITE_TABLES = {
    "customers": "customer_id integer primary key, name text, country text, segment text, signed_up date",
    "products": "product_id integer primary key, name text, category text, price decimal(10,2)",
    "orders": "order_id integer primary key, customer_id integer, product_id integer, quantity integer,"
    " amount decimal(10,2), ordered_at timestamp",
}


def write_sqlite(path: Path, shop: SampleShop, tables: Iterable[str]) -> None:
    """Make a SQLite file with some of the shop's tables; an old file of that name is replaced."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    try:
        for table in tables:
            rows: Rows = getattr(shop, table)
            connection.execute(" ".join(("create table", table, "(", _SQLITE_TABLES[table], ")")))
            marks = ", ".join("?" * len(rows[0]))
            cells = ([_sqlite_value(value) for value in row] for row in rows)
            connection.executemany(" ".join(("insert into", table, "values (", marks, ")")), cells)
        connection.commit()
    finally:
        connection.close()


def _sqlite_value(value: Any) -> Any:
    """SQLite has no dates and no decimals: they are text there, decimals by affinity a number."""
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return str(value) if isinstance(value, (dt.date, Decimal)) else value


def write_page_views(folder: Path, shop: SampleShop) -> None:
    """Write the page views as Parquet, one file a month below `folder/page_views`; old files are replaced."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = folder / "page_views"
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob("*.parquet"):
        old.unlink()
    columns = {"view_id": pa.int64(), "customer_id": pa.int64(), "page": pa.string(), "viewed_at": pa.timestamp("us")}
    schema = pa.schema(list(columns.items()))
    for month in sorted({row[3].strftime("%Y-%m") for row in shop.page_views}):
        rows = [dict(zip(columns, row, strict=True)) for row in shop.page_views if row[3].strftime("%Y-%m") == month]
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), target / f"{month}.parquet")
