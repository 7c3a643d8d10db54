"""The example shop from end to end: start PostgreSQL, make the data, plan, build, and show the result.

Run it by `make demo`. It needs no network once installed, and leaves nothing behind but the files in this folder.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow
from postgres import Server, running_postgres

from dvt.cli.sample_shop import SampleShop, make_shop, write_page_views, write_sqlite

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"


def main() -> int:
    """Run the demo; gives the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped
    started = time.monotonic()
    heading("A shop whose data lies in four places")
    with running_postgres() as server:
        shop = make_shop(customers=3_000, orders=12_000, page_views=60_000)
        version = fill_crm(server, shop)
        fill_files(shop)
        print_places(server, version, shop)
        dvt = Dvt(server)
        dvt.run(
            "The plan: where each model runs, and what is read from where", "plan", "--exclude", "resource_type:test"
        )
        dvt.run("The run", "build")
    heading("The top of the result, in the warehouse")
    print_top("select * from country_report order by revenue desc")
    heading(f"Done in {time.monotonic() - started:.0f} s")
    print(f"The project is {os.path.relpath(HERE)}; the result is in warehouse.duckdb there.")
    print("To begin one of your own: dvt init shop && cd shop && dvt build")
    return 0


def fill_crm(server: Server, shop: SampleShop) -> str:
    """Fill the CRM by COPY; gives the server's version."""
    with server.connect("postgres") as session:
        session.execute("create database crm")
    with server.connect("crm") as session:
        session.execute(
            "create table customers (customer_id bigint primary key, name text not null, country char(2) not null,"
            " segment text not null, signed_up date not null)"
        )
        with session.cursor() as cursor, cursor.copy("copy customers from stdin") as copy:
            for row in shop.customers:
                copy.write_row(row)
        return str(session.execute("show server_version").fetchone()[0])


def fill_files(shop: SampleShop) -> None:
    """Write the ERP, the page views, and begin with an empty warehouse."""
    DATA.mkdir(exist_ok=True)
    write_sqlite(DATA / "erp.db", shop, ("products", "orders"))
    write_page_views(DATA / "web", shop)
    for old in HERE.glob("warehouse.duckdb*"):
        old.unlink()


def print_places(server: Server, version: str, shop: SampleShop) -> None:
    """One line for each connection."""
    places = (
        ("crm", f"PostgreSQL {version}", f"{server.host}:{server.port}", f"{len(shop.customers):,} customers"),
        ("erp", f"SQLite {sqlite3.sqlite_version}", "data/erp.db", f"{len(shop.orders):,} orders"),
        ("web", f"Parquet (Arrow {pyarrow.__version__})", "data/web", f"{len(shop.page_views):,} page views"),
        ("warehouse", f"DuckDB {duckdb.__version__}", "warehouse.duckdb", "empty: the models land here"),
    )
    for name, engine, where, what in places:
        print(f"  {name:<10} {engine:<22} {where:<18} {what}")


def print_top(query: str, rows: int = 5) -> None:
    """The first rows of a query on the warehouse: text to the left, numbers to the right."""
    with duckdb.connect(str(HERE / "warehouse.duckdb"), read_only=True) as warehouse:
        result = warehouse.execute(query)
        names = [column[0] for column in result.description]
        values = result.fetchmany(rows)
    lines = [names, *([f"{value:,}" if not isinstance(value, str) else value for value in row] for row in values)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(names))]
    for line in lines:
        cells = (
            f"{cell:<{widths[i]}}" if isinstance(values[0][i], str) else f"{cell:>{widths[i]}}"
            for i, cell in enumerate(line)
        )
        print("  " + "   ".join(cells))


class Dvt:
    """Runs dvt as a person would, in the project's folder."""

    def __init__(self, server: Server) -> None:
        settings = {"SHOP_CRM_PORT": str(server.port), "SHOP_CRM_PASSWORD": server.password}
        colors = {} if sys.stdout.isatty() else {"DBT_USE_COLORS": "false"}
        self._env = {**os.environ, **settings, **colors, "DBT_PROFILES_DIR": str(HERE)}

    def run(self, title: str, *words: str) -> None:
        """Run one command and show what it prints; the demo ends when it fails."""
        heading(title)
        print(f"$ dvt {' '.join(words)}\n", flush=True)
        ended = subprocess.run([sys.executable, "-m", "dvt", *words], cwd=HERE, env=self._env, check=False)
        if ended.returncode:
            sys.exit(ended.returncode)


def heading(text: str) -> None:
    """A line above a section, bold on a terminal."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() and "NO_COLOR" not in os.environ else ("", "")
    print(f"\n{bold}{text}{plain}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
