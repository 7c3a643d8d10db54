"""Disk and memory that run out: one message that says which, and what to do; the old table is whole."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest
from fault.shop import Shop

pytestmark = pytest.mark.postgres

SORTED = "select id, name from (select * from {{ source('crm', 'huge') }}) order by name desc limit 290000"


def small_files() -> None:
    """No file of the command becomes larger than 20 MB: the same error path as a full disk, without one."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20, 20 << 20))


def test_no_room_to_spill(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(models__m__sql=SORTED, dvt__yml="memory_limit: 70MB\nthreads: 1\n")
    ended = shop.project.run("run", "--threads", "1", code=1, before=small_files)
    message = ended.message()
    for word in ("DVT500", "node m", "staging_folder"):
        assert word in message, ended.output
    shop.check_whole()


def test_no_room_to_stage(shop: Shop) -> None:
    """A scan that two models share is staged as files: it is one scan where their filters are the same, or stay."""
    shop.build_old()
    shop.project.write(
        models__m__sql=SORTED.split(" order")[0], models__n__sql=SORTED.split(" order")[0] + " where id % 7 > 0"
    )
    ended = shop.project.run("run", "--threads", "1", code=1, before=small_files)
    assert "Traceback" not in ended.output
    assert "DVT500" in ended.output, ended.output
    shop.check_whole()


def test_a_staging_folder_that_cannot_be_written(shop: Shop) -> None:
    shop.build_old()
    (shop.project.folder / "file").write_text("in the way")
    shop.project.write(dvt__yml="staging_folder: file/below\n")
    message = shop.project.run("run", code=1).message()
    for word in ("node m", "staging_folder"):
        assert word in message
    shop.check_whole()


@pytest.mark.parametrize("limit", ["64MiB", "70MB"])
def test_little_memory(shop: Shop, limit: str) -> None:
    """It spills, or says what to raise; it never crashes."""
    shop.build_old()
    shop.project.write(models__m__sql=SORTED, dvt__yml=f"memory_limit: {limit}\n")
    ended = shop.project.start("run").wait()
    if ended.code:
        assert ended.code == 1
        message = ended.message()
        for word in ("DVT500", "node m", "memory_limit"):
            assert word in message, ended.output
        shop.check_whole()
    else:
        assert shop.warehouse("select count(*), count(distinct id) from analytics.m") == "290000|290000"
        shop.check_clean()
    assert list((shop.project.folder / "target" / "dvt").rglob("*.tmp")) == []


def test_a_landing_on_a_full_disk(shop: Shop) -> None:
    """A file of SQLite or DuckDB that cannot grow."""
    for name in ("erp", "lake"):
        shop.project.write(
            models__m__sql="{{ config(meta={'connection': '" + name + "'}) }}" + SORTED.split(" order")[0]
        )
        ended = shop.project.run("run", code=1, before=small_files)
        message = ended.message()
        for word in ("DVT500", "node m", f"connection {name}"):
            assert word in message, ended.output
    shop.check_clean()


def test_nothing_is_left_on_disk(shop: Shop) -> None:
    shop.project.run("run", code=0)
    left = [path for path in (shop.project.folder / "target" / "dvt").rglob("*") if path.is_file()]
    assert left == []
    assert not Path(shop.project.folder / "file").exists()
