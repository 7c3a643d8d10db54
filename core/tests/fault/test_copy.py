"""`dvt copy` that ends early: the old table is whole, nothing private is left, and nothing runs on either server."""

from __future__ import annotations

import signal

import pytest
from fault.interrupted import check_interrupted
from fault.shop import EITHER_MART, EITHER_SOURCE, Shop

pytestmark = pytest.mark.postgres


@EITHER_SOURCE
@pytest.mark.parametrize("group", [True, False])
def test_interrupted_while_it_reads(shop: Shop, group: bool) -> None:
    shop.build_old()
    running = shop.project.start("copy", "crm:slow", "warehouse:m")
    running.until(lambda: shop.crm.active(shop.crm.reading), "extracting")
    check_interrupted(running.interrupt(group=group))
    shop.check_whole()


@EITHER_MART
def test_interrupted_while_it_lands(shop: Shop) -> None:
    shop.land_on_mart()
    shop.build_old()
    running = shop.project.start("copy", "crm:huge", "mart:m")
    running.until(lambda: shop.mart.active(shop.mart.loading), "loading")
    check_interrupted(running.interrupt())
    shop.check_whole()


def test_terminated(shop: Shop) -> None:
    shop.build_old()
    running = shop.project.start("copy", "crm:slow", "warehouse:m", "--json")
    running.until(lambda: shop.crm.active(shop.crm.reading), "extracting")
    running.signal(signal.SIGTERM)
    ended = running.wait()
    assert ended.code == 143
    assert "terminated; running queries were cancelled" in ended.output
    shop.check_whole()


def test_a_source_that_goes_away(shop: Shop) -> None:
    shop.build_old()
    running = shop.project.start("copy", "crm:slow", "warehouse:m")
    running.until(lambda: shop.crm.active(shop.crm.reading), "extracting")
    shop.source(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    ended = running.wait()
    assert ended.code == 1
    assert "connection crm" in ended.message()
    shop.check_whole()
