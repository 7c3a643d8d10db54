"""A process that is killed outright: the old table is whole, and what is left can be found as the README says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fault.shop import EITHER_MART, MODEL, Shop

pytestmark = pytest.mark.postgres

README = Path(__file__).parents[3] / "README.md"
ADDED = "{{ config(materialized='incremental', unique_key='id', incremental_strategy='append', pre_hook='HOOK') }}"


def leftovers(shop: Shop) -> list[str]:
    """Private tables, by the README's own query."""
    found = re.search(r"```sql\n(select table_schema.*)\n```", README.read_text())
    assert found is not None
    rows = (line.split("|") for line in shop.mart.sql(found.group(1)).splitlines())
    return [name for schema, name in rows if schema == (shop.mart.schema)]


@EITHER_MART
def test_killed_while_it_lands(shop: Shop) -> None:
    shop.land_on_mart(ADDED.replace("HOOK", shop.mart.sleep.replace("60", "5")) + MODEL)
    shop.build_old()
    running = shop.project.start("run")
    running.until(lambda: shop.mart.active("sleep(5)"), "in the hook")
    running.kill()
    assert shop.mart.sql(f"select * from {shop.mart.named('m')}") == "7|old"
    left = leftovers(shop)
    assert len(left) == 1
    assert re.fullmatch("m__dvt_[0-9a-f]{8}", left[0])

    shop.land_on_mart(ADDED.replace("pre_hook='HOOK'", "") + MODEL)  # the next run minds neither, and drops nothing
    shop.project.run("run", code=0)
    assert shop.mart.sql(f"select * from {shop.mart.named('m')} order by 1") == "1|Ann\n2|Bob\n7|old"
    assert leftovers(shop) == left
    shop.mart.sql(f"drop table {shop.mart.named(left[0])}")
    shop.check_clean()


@EITHER_MART
def test_killed_while_it_loads(shop: Shop) -> None:
    shop.land_on_mart(
        "select a.id, r.range::varchar as name from {{ source('crm', 'customers') }} a, range(200000000) r"
    )
    shop.build_old()
    running = shop.project.start("run")
    running.until(lambda: shop.mart.active(shop.mart.loading), "loading")
    running.kill()
    left = leftovers(shop)
    assert all(re.fullmatch("m__dvt_[0-9a-f]{8}", name) for name in left), left
    for name in left:
        shop.mart.sql(f"drop table if exists {shop.mart.named(name)}")
    shop.check_whole()
