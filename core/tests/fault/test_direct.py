"""The direct lane in a project: what `plan` and the results say, and that dbt's materializations do not notice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fault.interrupted import check_interrupted
from fault.shop import EITHER_SOURCE, HUGE, MODEL, SLOW, Shop
from servers.postgres import COPIED

# Reads other columns than `m`: in one run with it both would be read from the union of the two.
OTHER = "select name from {{ source('crm', 'customers') }}"
# Rows that come slowly and are wide, so that the landing is written to all the time.
WIDE = (
    "create or replace view huge as select g as id, (select repeat('x', 100000) from pg_sleep(0.02 + g * 0)) as name"
    " from generate_series(1, 100000) g"
)

pytestmark = pytest.mark.postgres


def _dvt_results(shop: Shop) -> dict[str, dict[str, Any]]:
    found = json.loads((shop.project.folder / "target" / "run_results.json").read_text())
    return {
        result["unique_id"].split(".")[2]: result["adapter_response"].get("dvt", {})
        for result in found["results"]
        if result["unique_id"].split(".")[0] in ("model", "snapshot")
    }


def _planned(shop: Shop, *words: str) -> dict[str, dict[str, Any]]:
    ended = shop.project.run("--quiet", "plan", "--json", *words, code=0)
    nodes = json.loads(ended.output[ended.output.index("{") :])["nodes"]
    return {node["unique_id"].split(".")[2]: node for node in nodes}


@EITHER_SOURCE
def test_a_plain_read_is_direct(shop: Shop) -> None:
    shop.build_old()
    planned = _planned(shop)["m"]
    assert planned["lane"] == "direct"
    quoted = '"id", "name"' if shop.crm.kind == "postgres" else "`id`, `name`"
    assert [scan["sql"].split(" FROM ")[0] for scan in planned["scans"]] == [f"SELECT {quoted}"]
    shop.project.run("run", code=0)
    shop.check_whole(content="1|Ann\n2|Bob")
    (found,) = _dvt_results(shop).values()
    is_piped = shop.crm.kind == "postgres"
    assert (found["lane"], found["rows"]) == ("direct", 2)
    assert found["load_method"] == ("copy_binary_pipe" if is_piped else COPIED)
    (read,) = found["inputs"]
    assert (read["connection"], read["rows"], read["shared"]) == ("crm", 2, False)
    assert (read["method"] == "copy_binary_pipe") is is_piped


def test_the_lane_can_be_turned_off(shop: Shop) -> None:
    shop.project.write(
        models__m__sql="{{ config(meta={'dvt_direct': false}) }} " + MODEL,
        models__n__sql=OTHER,
    )
    lanes = {"m": "federated", "n": "direct"}
    for name, lane in lanes.items():
        shop.project.run("run", "--select", name, code=0)
        assert {name: found["lane"] for name, found in _dvt_results(shop).items()} == {name: lane}
    shop.project.write(dvt__yml="direct: false\n", models__n__sql="{{ config(meta={'dvt_direct': true}) }} " + OTHER)
    planned = {name: _planned(shop, "--select", name)[name] for name in lanes}
    assert {name: node["lane"] for name, node in planned.items()} == lanes
    assert planned["m"]["notes"] == ["not direct  [P60: the direct lane is off]"]
    shop.project.write(models__m__sql="{{ config(meta={'dvt_direct': 'no'}) }} " + MODEL)
    assert "DVT103" in shop.project.run("run", code=2).output
    shop.project.write(models__m__sql=MODEL, dvt__yml="direct: 1\n")
    assert "It takes true or false" in shop.project.run("run", code=2).output


def test_a_shared_scan_is_read_once_and_so_planned(shop: Shop) -> None:
    shop.project.write(models__n__sql=MODEL)
    planned = _planned(shop)
    assert [node["lane"] for node in planned.values()] == ["federated", "federated"]
    assert "[P66:" in planned["m"]["notes"][0]
    shop.project.run("run", code=0)
    assert [found["inputs"][0]["shared"] for found in _dvt_results(shop).values()] == [True, True]


def test_the_union_is_read_once_and_so_planned(shop: Shop) -> None:
    shop.project.write(models__n__sql=OTHER + " where id = 2")
    planned = _planned(shop)
    assert [node["lane"] for node in planned.values()] == ["federated", "federated"]
    assert "[P66:" in planned["n"]["notes"][0]
    shop.project.run("run", code=0)
    found = _dvt_results(shop)
    assert [each["inputs"][0]["shared"] for each in found.values()] == [True, True]
    assert {name: each["rows"] for name, each in found.items()} == {"m": 2, "n": 1}
    assert shop.warehouse("select name from analytics.n") == "Bob"


def test_materializations_contracts_hooks_and_tests(shop: Shop) -> None:
    """First a table by each of them, then new rows through the watermark, into what is there."""
    source = "{{ source('crm', 'customers') }}"
    newer = "{% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}"
    hook = "post_hook='insert into {{ this }} values (9, null)'"
    shop.project.write(
        models__m__sql=MODEL,
        models__inc__sql="{{ config(materialized='incremental', "
        + hook
        + ") }} select id, name from "
        + source
        + newer,
        models__merged__sql="{{ config(materialized='incremental', unique_key='id') }} select name as who, id from "
        + source,
        models__strict__sql="select id, name from " + source + " where id >= 1",
        snapshots__s__sql="{% snapshot s %}{{ config(unique_key='id', strategy='check', check_cols='all',"
        " target_schema='analytics') }} select id, name as named from " + source + "{% endsnapshot %}",
        models__schema__yml=(
            "models:\n  - name: strict\n    config: {contract: {enforced: true}}\n    columns:\n"
            "      - {name: id, data_type: bigint, tests: [unique], constraints: [{type: not_null}]}\n"
            "      - {name: name, data_type: varchar(12)}\n"
        ),
    )
    shop.project.run("build", code=0)
    found = _dvt_results(shop)
    # All read the table, one of them other rows: together they read it once.
    assert {(each["lane"], each["inputs"][0]["shared"]) for each in found.values()} == {("federated", True)}
    shop.source("insert into customers values (12, 'Cid'); update customers set name = 'Bea' where id = 2;")
    for name in ("inc", "merged", "strict", "s"):
        shop.project.run("build", "--select", name, code=0)
        assert _dvt_results(shop)[name]["lane"] == "direct", name
    table = "select * from analytics.{} order by 1, 2"
    assert shop.warehouse(table.format("inc")) == "1|Ann\n2|Bob\n9|\n9|\n12|Cid"
    assert shop.warehouse(table.format("merged")) == "Ann|1\nBea|2\nCid|12"
    assert shop.warehouse(table.format("strict")) == "1|Ann\n2|Bea\n12|Cid"
    assert shop.warehouse("select id, named, dbt_valid_to is null from analytics.s order by 1, 2") == (
        "1|Ann|t\n2|Bea|t\n2|Bob|f\n12|Cid|t"
    )
    types = "select attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute where attrelid ="
    assert shop.warehouse(types + " 'analytics.strict'::regclass and attnum > 0 order by attnum") == (
        "id|bigint|t\nname|character varying(12)|f"
    )


@pytest.mark.parametrize("ended", ["source", "landing"])
def test_a_session_that_is_ended_in_the_middle_of_a_pipe(shop: Shop, ended: str) -> None:
    shop.build_old()
    shop.source(WIDE)
    shop.project.write(models__m__sql=HUGE)
    running = shop.project.start("run")
    running.until(lambda: shop.dw.active("copy%from stdin (format binary)"), "piping")
    side, words = (shop.crm, "copy (%") if ended == "source" else (shop.dw, "copy%from stdin%")
    side.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
        f" and datname = '{side.database}' and query ilike '{words}'"
    )
    message = running.wait().message()
    assert f"connection {'crm' if ended == 'source' else 'warehouse'}" in message, message
    shop.check_whole()


def test_ctrl_c_in_the_middle_of_a_pipe(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(models__m__sql=SLOW)
    running = shop.project.start("run")
    running.until(lambda: shop.dw.active("copy%from stdin (format binary)"), "piping")
    check_interrupted(running.interrupt())
    shop.check_whole()
