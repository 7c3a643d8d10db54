"""The project of the fault tests: a PostgreSQL warehouse, and a source `crm` and a landing `mart` on either engine."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty
from fault.sides import MariaDBSide, PostgresSide, Side
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

SOURCES = """\
sources:
  - name: crm
    config: {meta: {connection: crm}}
    schema: public
    tables: [{name: customers}, {name: slow}, {name: brief}, {name: huge}]
"""
MODEL = "select id, name from {{ source('crm', 'customers') }}"
SLOW = "select id, name from {{ source('crm', 'slow') }}"
HUGE = "select id, name from {{ source('crm', 'huge') }}"


def _shops(*places: str) -> pytest.MarkDecorator:
    """Run a test with shops that have a part on MariaDB; "" is a shop without one."""
    params = [pytest.param(place, marks=pytest.mark.mysql if place else (), id=place or "postgres") for place in places]
    return pytest.mark.parametrize("shop", params, indirect=True)


# The source on one of two engines, or the landing. (On one server they would not be apart, and nothing federated.)
EITHER_SOURCE = _shops("", "crm_on_mariadb")
EITHER_MART = _shops("", "mart_on_mariadb")
SOURCE_ON_MARIADB = _shops("crm_on_mariadb")
MART_ON_MARIADB = _shops("mart_on_mariadb")


@dataclass
class Shop:
    """A project with one federated model `m`, and its databases.

    Args:
        project: The project; its target is `warehouse`.
        dw: The warehouse.
        crm: The source.
        mart: Another landing, on the engine of the source; on PostgreSQL it is the warehouse under another name.
        landing: Where `m` lands: the warehouse, until a test says `land_on_mart`.
    """

    project: Faulty
    dw: Side
    crm: Side
    mart: Side
    landing: Side

    def warehouse(self, sql: str) -> str:
        return self.dw.sql(sql)

    def source(self, sql: str) -> str:
        return self.crm.sql(sql)

    def land_on_mart(self, model: str = MODEL, **changes: object) -> None:
        """Let `m` land on `mart`, with some settings of its output changed."""
        self.landing = self.mart
        self.project.outputs["mart"] = {**self.mart.output(), **changes}
        self.project.write_profile()
        self.project.write(models__m__sql="{{ config(meta={'connection': 'mart'}) }} " + model)

    def build_old(self, name: str = "m") -> None:
        """The table that was there before: what must still be there afterwards."""
        table = self.landing.named(name)
        self.landing.sql(f"create table {table} (id int, name text); insert into {table} values (7, 'old');")

    def active(self, words: str = "") -> int:
        """How many statements with these words run on any of the servers."""
        return sum(side.active(words) for side in self._sides)

    def check_whole(self, name: str = "m", content: str = "7|old") -> None:
        """The old table is whole, nothing private is left, and nothing runs on the servers."""
        assert self.landing.sql(f"select * from {self.landing.named(name)} order by 1") == content
        self.check_clean()

    def check_clean(self) -> None:
        """Nothing private is left, and nothing runs on the servers."""
        for side in self._sides:
            assert side.private() == ""
        deadline = time.monotonic() + 10  # a backend needs a moment to see that its client is gone
        while count := self.active():
            assert time.monotonic() < deadline, f"{count} queries still run"
            time.sleep(0.1)

    @property
    def _sides(self) -> list[Side]:
        return list({(side.kind, side.database): side for side in (self.dw, self.crm, self.mart)}.values())


def make_shop(server: PostgresServer, folder: Path, maria: MariaDBServer | None = None, part: str = "") -> Shop:
    """Fresh databases and a project.

    Args:
        server: Has everything else.
        folder: Where the project is written.
        maria: Has one part.
        part: The part that is on MariaDB, "crm" or "mart".
    """
    mark = uuid.uuid4().hex[:6]
    dw = PostgresSide(server, server.create_database(f"dw_{mark}"), "analytics")
    dw.sql("create schema analytics;")
    crm: Side
    mart: Side
    crm, mart = PostgresSide(server, server.create_database(f"crm_{mark}"), "public"), dw
    if maria is not None:
        elsewhere = MariaDBSide(maria, maria.create_database(f"{part}_{mark}"), f"{part}_{mark}")
        crm, mart = (elsewhere, mart) if part == "crm" else (crm, elsewhere)
    crm.fill()
    outputs = {
        "warehouse": {**dw.output(), "threads": 2},
        "crm": crm.output(),
        "erp": {"type": "sqlite", "path": "erp.db"},
        "lake": {"type": "duckdb", "path": "lake.duckdb"},
    }
    passwords = {"POSTGRES_PASSWORD": dw.password, "MARIADB_PASSWORD": maria.password if maria else ""}
    project = Faulty(folder, outputs, passwords, [word for word in passwords.values() if word])
    sources = SOURCES.replace("public", crm.schema)
    project.write(dbt_project__yml=PROJECT, models__sources__yml=sources, models__m__sql=MODEL)
    project.write_profile()
    return Shop(project, dw, crm, mart, dw)
