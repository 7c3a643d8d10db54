"""Ctrl-C at every stage: exit 130, one line, the old table whole, nothing left on any server."""

from __future__ import annotations

import signal

import pytest
from fault.kit import Ended
from fault.shop import SLOW, Shop

pytestmark = pytest.mark.postgres

CROSS = "select sum(a.id * r.range % 7)::int as id, 'x' as name from {0} a, range(100000000000) r"


def check_interrupted(ended: Ended) -> None:
    assert ended.code == 130, ended.output
    assert "Traceback" not in ended.output, ended.output
    assert "Encountered an error" not in ended.output, ended.output
    lines = [line for line in ended.output.splitlines() if line.startswith("dvt: ")]
    assert len(lines) == 1, ended.output
    assert "cancelled" in lines[0]
    assert ended.coded == set(), ended.output


@pytest.mark.parametrize("group", [True, False])
def test_while_a_source_is_read(shop: Shop, group: bool) -> None:
    shop.build_old()
    shop.project.write(models__m__sql=SLOW)
    running = shop.project.start("run")
    running.until(lambda: shop.active("copy"), "extracting")
    check_interrupted(running.interrupt(group=group))
    shop.check_whole()


def test_while_the_engine_computes(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(models__m__sql=CROSS.format("{{ source('crm', 'customers') }}"))
    running = shop.project.start("run")
    spill = shop.project.folder / "target" / "dvt"
    running.until(lambda: list(spill.rglob("duckdb_*")), "computing")
    running.until(lambda: running.process.poll() is None and "START" in running.output, "computing")
    check_interrupted(running.interrupt())
    shop.check_whole()


def test_while_the_result_is_loaded(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(
        models__m__sql=(
            "select a.id, r.range::varchar as name from {{ source('crm', 'customers') }} a, range(200000000) r"
        )
    )
    running = shop.project.start("run")
    running.until(lambda: shop.active("copy%from stdin"), "loading")
    check_interrupted(running.interrupt())
    shop.check_whole()


@pytest.mark.parametrize("hook", ["pre_hook", "post_hook"])
def test_while_dbt_puts_it_in_place(shop: Shop, hook: str) -> None:
    shop.build_old()
    shop.project.write(
        models__m__sql="{{ config("
        + hook
        + "='select pg_sleep(60)') }}"
        + "select id, name from {{ source('crm', 'customers') }}"
    )
    running = shop.project.start("run")
    running.until(lambda: shop.active("pg_sleep(60)"), "in the hook")
    check_interrupted(running.interrupt())
    shop.check_whole()


def test_a_native_model(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(models__m__sql="select 1 as id, pg_sleep(60)::text as name")
    running = shop.project.start("run")
    running.until(lambda: shop.active("pg_sleep(60)"), "running")
    check_interrupted(running.interrupt())
    shop.check_whole()


def test_an_impatient_user(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(models__m__sql=SLOW)
    running = shop.project.start("run")
    running.until(lambda: shop.active("copy"), "extracting")
    running.signal(signal.SIGINT)
    running.signal(signal.SIGINT)
    ended = running.wait()
    assert ended.code == 130, ended.output
    assert "Traceback" not in ended.output, ended.output
    shop.check_whole()


def test_a_polite_kill(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(models__m__sql=SLOW)
    running = shop.project.start("run")
    running.until(lambda: shop.active("copy"), "extracting")
    running.signal(signal.SIGTERM, group=False)
    ended = running.wait()
    assert ended.code == 143, ended.output
    assert "Traceback" not in ended.output, ended.output
    shop.check_whole()


def test_while_the_project_is_parsed(shop: Shop) -> None:
    shop.project.write(
        models__m__sql="{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}select 1 as id"
    )
    running = shop.project.start("run")
    running.until(lambda: "Registered" in running.output or "Running with" in running.output, "parsing")
    check_interrupted(running.interrupt())


def test_fail_fast_ends_the_others(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(
        models__m__sql=SLOW,
        models__bad__sql=(
            "{{ config(pre_hook='select pg_sleep(2)') }} select id, 1/0::int as x,"
            " error('broken on purpose') as e from {{ source('crm', 'customers') }}"
        ),
    )
    ended = shop.project.run("run", "--fail-fast", "--threads", "2", code=1)
    assert "broken on purpose" in ended.output
    assert "Traceback" not in ended.output, ended.output
    shop.check_whole()
