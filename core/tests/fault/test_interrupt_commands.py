"""Ctrl-C during the commands besides `run`, and during a microbatch model."""

from __future__ import annotations

import pytest
from fault.interrupted import check_interrupted
from fault.shop import EITHER_MART, EITHER_SOURCE, SOURCES, Shop

pytestmark = pytest.mark.postgres

SNAPSHOT = "strategy='check', unique_key='id', check_cols=['name']"
RELATIONSHIP = "{relationships: {arguments: {to: \"source('crm', 'slow')\", field: id}, config: {store_failures: %s}}}"
BY_DAY = (
    "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='day', batch_size='day',"
    " begin='2024-01-01', unique_key='id', meta={'connection': 'mart'}) }}"
    " select id, name, day from {{ source('crm', 'dated') }}"
)
DATED = "1|Ann|2024-01-01\n2|Bob|2024-01-02"
WINDOW = ("--event-time-start", "2024-01-01", "--event-time-end", "2024-01-03")


def snapshot(config: str, table: str) -> str:
    text = "{% snapshot s %}{{ config(" + config + ") }} select id, name from {{ source('crm', 'TABLE') }}"
    return text.replace("TABLE", table) + "{% endsnapshot %}"


@EITHER_SOURCE
def test_a_snapshot_that_reads(shop: Shop) -> None:
    shop.project.write(snapshots__s__sql=snapshot(SNAPSHOT, "customers"))
    shop.project.run("snapshot", code=0)
    old = shop.warehouse("select * from analytics.s order by id")
    assert old.startswith("1|Ann|")
    shop.project.write(snapshots__s__sql=snapshot(SNAPSHOT, "slow"))
    running = shop.project.start("snapshot")
    running.until(lambda: shop.crm.active(shop.crm.reading), "extracting")
    check_interrupted(running.interrupt())
    shop.check_whole("s", old)


def test_a_snapshot_that_merges(shop: Shop) -> None:
    shop.project.write(snapshots__s__sql=snapshot(SNAPSHOT, "customers"))
    shop.project.run("snapshot", code=0)
    old = shop.warehouse("select * from analytics.s order by id")
    shop.source("update customers set name = 'Anna' where id = 1")
    config = SNAPSHOT + ", post_hook='select pg_sleep(60)'"
    shop.project.write(snapshots__s__sql=snapshot(config, "customers"))
    running = shop.project.start("snapshot")
    running.until(lambda: shop.active("pg_sleep(60)"), "in the hook")
    check_interrupted(running.interrupt())
    shop.check_whole("s", old)


@EITHER_MART
@pytest.mark.parametrize("hook", ["pre_hook", "post_hook"])
def test_a_seed(shop: Shop, hook: str) -> None:
    """The post-hook runs when the old rows are gone and the new ones are there, and nothing is committed."""
    shop.land_on_mart()
    shop.build_old("rates")
    config = f"config: {{meta: {{connection: mart}}, {hook}: '{shop.mart.sleep}'}}"
    shop.project.write(
        seeds__rates__csv="id,name\n1,new\n2,new\n", seeds__rates__yml=f"seeds: [{{name: rates, {config}}}]\n"
    )
    running = shop.project.start("seed")
    running.until(lambda: shop.mart.active("sleep(60)"), "in the hook")
    check_interrupted(running.interrupt())
    shop.check_whole("rates")


@EITHER_MART
def test_a_seed_that_fails(shop: Shop) -> None:
    shop.land_on_mart()
    shop.build_old("rates")
    config = "config: {meta: {connection: mart}}"
    shop.project.write(
        seeds__rates__csv="id,name\n1,new\n2,\nx,new\n", seeds__rates__yml=f"seeds: [{{name: rates, {config}}}]\n"
    )
    message = shop.project.run("seed", code=1).output
    assert "rates" in message
    shop.check_whole("rates")


@EITHER_SOURCE
@pytest.mark.parametrize("stored", ["false", "true"])
def test_a_test_that_reads(shop: Shop, stored: str) -> None:
    shop.build_old()
    test = RELATIONSHIP % stored
    shop.project.write(models__m__yml="models: [{name: m, columns: [{name: id, data_tests: [" + test + "]}]}]\n")
    running = shop.project.start("test")
    running.until(lambda: shop.crm.active(shop.crm.reading), "extracting")
    check_interrupted(running.interrupt())
    shop.check_whole()


@pytest.fixture
def dated(shop: Shop) -> Shop:
    """A microbatch model of two days, which has run; its source has become slow."""
    shop.project.write(
        models__sources__yml=SOURCES.replace("{name: slow}", "{name: slow}, {name: dated, config: {event_time: day}}")
    )
    shop.source(
        "create table dated as select id, name, date '2024-01-01' + (id - 1) as day from customers;"
        " create view late as select id, name, date '2024-01-01' + (id % 2) as day from slow;"
    )
    shop.land_on_mart(BY_DAY)
    shop.project.run("run", *WINDOW, code=0)
    shop.check_whole(content=DATED)
    return shop


@EITHER_MART
def test_a_batch_that_reads(dated: Shop) -> None:
    dated.source("drop table dated; alter view late rename to dated;")
    running = dated.project.start("run", *WINDOW)
    running.until(lambda: dated.crm.active(dated.crm.reading), "extracting")
    check_interrupted(running.interrupt(), is_batch=True)
    dated.check_whole(content=DATED)


@EITHER_MART
def test_a_batch_that_lands(dated: Shop) -> None:
    """The window of the last batch has been emptied and filled again, and nothing is committed."""
    dated.source("update dated set name = 'new';")
    dated.land_on_mart(BY_DAY.replace("config(", f"config(post_hook='{dated.mart.sleep}', "))
    running = dated.project.start("run", *WINDOW)
    running.until(lambda: dated.mart.active("sleep(60)"), "in the hook")
    check_interrupted(running.interrupt(), is_batch=True)
    dated.check_whole(content=DATED.replace("Ann", "new"))  # the first batch was done
