"""Ctrl-C at every stage: exit 130, one line, the old table whole, nothing left on any server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fault.interrupted import check_interrupted
from fault.shop import EITHER_MART, EITHER_SOURCE, MART_ON_MARIADB, MODEL, SLOW, Shop

from dvt import signals

pytestmark = pytest.mark.postgres

CROSS = "select sum(a.id * r.range % 7)::int as id, 'x' as name from {0} a, range(100000000000) r"


@EITHER_SOURCE
@pytest.mark.parametrize("group", [True, False])
def test_while_a_source_is_read(shop: Shop, group: bool) -> None:
    shop.build_old()
    shop.project.write(models__m__sql=SLOW)
    running = shop.project.start("run")
    running.until(lambda: shop.crm.active(shop.crm.reading), "extracting")
    check_interrupted(running.interrupt(group=group))
    shop.check_whole()


def test_while_the_engine_computes(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(models__m__sql=CROSS.format("{{ source('crm', 'customers') }}"))
    running = shop.project.start("run")
    spill = shop.project.folder / "target" / "dvt"
    # The first one is where queries are bound.
    running.until(lambda: len(list(spill.rglob("duckdb_*"))) > 1, "computing")
    running.until(lambda: running.process.poll() is None and "START" in running.output, "computing")
    check_interrupted(running.interrupt())
    shop.check_whole()


@EITHER_MART
def test_while_the_result_is_loaded(shop: Shop) -> None:
    shop.land_on_mart(
        "select a.id, r.range::varchar as name from {{ source('crm', 'customers') }} a, range(200000000) r"
    )
    shop.build_old()
    running = shop.project.start("run")
    running.until(lambda: shop.mart.active(shop.mart.loading), "loading")
    check_interrupted(running.interrupt())
    shop.check_whole()


@MART_ON_MARIADB
def test_while_dbt_writes_its_results(shop: Shop) -> None:
    """Which it does before it cancels. The signal has been taken up: it is not repeated into the writing."""
    shop.land_on_mart(
        "select a.id, r.range::varchar as name from {{ source('crm', 'customers') }} a, range(200000000) r"
    )
    shop.build_old()
    results = shop.project.folder / "target" / "run_results.json"
    results.parent.mkdir()
    os.mkfifo(results)
    running = shop.project.start("run")
    running.until(lambda: shop.mart.active(shop.mart.loading), "loading")
    running.signal(signal.SIGINT)
    time.sleep(signals._REPEAT_AFTER_S * 2.5)
    reader = threading.Thread(target=results.read_bytes, daemon=True)
    reader.start()
    check_interrupted(running.wait())
    shop.check_whole()


@EITHER_MART
@pytest.mark.parametrize("hook", ["pre_hook", "post_hook"])
def test_while_dbt_puts_it_in_place(shop: Shop, hook: str) -> None:
    shop.land_on_mart("{{ config(" + hook + "='" + shop.mart.sleep + "') }}" + MODEL)
    shop.build_old()
    running = shop.project.start("run")
    running.until(lambda: shop.mart.active("sleep(60)"), "in the hook")
    check_interrupted(running.interrupt())
    # On MariaDB the swap is a statement that commits: after it, the new table is there, and is whole.
    is_new = hook == "post_hook" and shop.mart.kind == "mariadb"
    shop.check_whole(content="1|Ann\n2|Bob" if is_new else "7|old")


@EITHER_MART
@pytest.mark.parametrize("strategy", ["append", "delete+insert", "merge"])
def test_while_rows_are_changed(shop: Shop, strategy: str) -> None:
    """The delete, the update or the insert has been done, and the transaction is open."""
    config = f"materialized='incremental', unique_key='id', incremental_strategy='{strategy}'"
    hook = f"post_hook='{shop.mart.sleep}'"
    shop.land_on_mart(
        "{{ config(" + config + ", " + hook + ") }} select id + 6 as id, name from {{ source('crm', 'customers') }}"
    )
    shop.build_old()
    running = shop.project.start("run")
    running.until(lambda: shop.mart.active("sleep(60)"), "in the hook")
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


def test_an_interrupt_does_not_decide_the_exit_code(tmp_path: Path) -> None:
    """`python -m` would end by the signal when the interrupt came while, say, a dataclass was being made."""
    (tmp_path / "left.py").write_text(
        "import sys\nfrom dvt import signals\n"
        "try:\n    exec('raise KeyboardInterrupt')\nexcept KeyboardInterrupt:\n    pass\n"
        "signals.forget_interrupt()\nsys.exit(130)\n"
    )
    done = subprocess.run([sys.executable, "-m", "left"], cwd=tmp_path, check=False)
    assert done.returncode == 130
