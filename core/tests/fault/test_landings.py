"""A landing that fails: one message with node, connection and remedy, and the old table is whole."""

from __future__ import annotations

import os
import signal

import pytest
from fault.kit import MODEL, Shop, dying_server
from servers.cut_off import cut_off

pytestmark = pytest.mark.postgres


def with_mart(shop: Shop, **changes: object) -> None:
    """A second PostgreSQL landing `mart`: the warehouse's database under another login or address."""
    shop.project.outputs["mart"] = {**shop.project.outputs["warehouse"], "schema": "analytics", **changes}
    shop.project.write_profile()
    shop.project.write(models__m__sql="{{ config(meta={'connection': 'mart'}) }} " + MODEL)


def refused(shop: Shop, *words: str) -> str:
    message = shop.project.run("run", code=1).message()
    for word in ("node m", *words):
        assert word in message, message
    return message


def test_may_not_create(shop: Shop) -> None:
    shop.build_old()
    role = f"writer_{shop.dw}"
    shop.warehouse(
        f"create role {role} login password 'wr1ter pass'; grant usage on schema"
        f" analytics to {role}; grant select on analytics.m to {role};"
    )
    shop.project.env["WRITER"] = "wr1ter pass"
    shop.project.secrets.append("wr1ter pass")
    try:
        with_mart(shop, user=role, password="{{ env_var('WRITER') }}")
        refused(shop, "connection mart", "DVT310", "permission denied for schema analytics", "Grant the privilege")
        shop.check_whole()
    finally:
        shop.warehouse(f"drop owned by {role}; drop role {role};")


def test_a_network_that_fails_while_loading(shop: Shop) -> None:
    shop.build_old()
    with cut_off(shop.server.port, 3_000_000, of_the_client=True) as port:
        with_mart(shop, port=port)
        shop.project.write(
            models__m__sql="{{ config(meta={'connection': 'mart'}) }} select id, name from {{ source('crm', 'huge') }}"
        )
        refused(shop, "connection mart", "DVT220", "run again")
    shop.check_whole()


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_server_that_dies(shop: Shop, when: str) -> None:
    with dying_server() as server:
        server.psql(
            "postgres",
            "create schema analytics; create table analytics.m (id int, name text); insert"
            " into analytics.m values (7, 'old');",
        )
        with_mart(shop, host=server.host, port=server.port, dbname="postgres")
        model = (
            "select id, name from {{ source('crm', 'brief') }}"
            if when == "before"
            else "select c.id, r.range::varchar as name from {{ source('crm', 'customers') }} c, range(200000000) r"
        )
        shop.project.write(models__m__sql="{{ config(meta={'connection': 'mart'}) }} " + model)
        running = shop.project.start("run")
        if when == "before":
            running.until(lambda: shop.active("copy"), "extracting")
        else:
            busy = "select 1 from pg_stat_activity where state = 'active' and query ilike 'copy%from stdin%'"
            running.until(lambda: server.psql("postgres", busy), "loading")
        os.kill(server.pid(), signal.SIGQUIT)
        ended = running.wait()
        assert ended.code == 1, ended.output
        message = ended.message()
        for word in ("DVT2", "node m", "connection mart"):
            assert word in message
    shop.check_clean()


def test_a_landing_that_is_down_from_the_start(shop: Shop) -> None:
    with_mart(shop, port=1)
    message = shop.project.run("run", code=2).message()
    for word in ("DVT200", "connection mart", "refused", "dvt debug"):
        assert word in message


def test_the_target_is_down(shop: Shop) -> None:
    shop.project.outputs["warehouse"]["port"] = 1
    shop.project.write_profile()
    message = shop.project.run("run", code=2).message()
    for word in ("DVT200", "connection warehouse", "refused", "dvt debug"):
        assert word in message


def test_a_hook_that_fails(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(models__m__sql="{{ config(post_hook='select no_such_function()') }}" + MODEL)
    refused(shop, "DVT300", "connection warehouse", "no_such_function() does not exist", "as it was before")
    shop.check_whole()


def test_a_value_that_does_not_fit(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(models__m__sql="select id, name || chr(0) as name from {{ source('crm', 'customers') }}")
    refused(shop, "DVT400", "connection warehouse", "column name")
    shop.check_whole()


def test_one_column_name_twice(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(models__m__sql="select id, name, name from {{ source('crm', 'customers') }}")
    refused(shop, "DVT340", "'name' twice", "another name")
    shop.check_whole()


def test_a_key_twice_in_a_merge_of_dbt(shop: Shop) -> None:
    shop.build_old()
    shop.project.write(
        models__m__sql="{{ config(materialized='incremental', unique_key='id', incremental_strategy='merge') }}"
        " select c.id + 6 as id, c.name from {{ source('crm', 'customers') }} c, range(2) r"
    )
    refused(shop, "DVT300", "connection warehouse", "cannot affect row a second time")
    shop.check_whole()


def test_a_key_twice_in_a_merge_of_ours(shop: Shop) -> None:
    model = (
        "{{ config(materialized='incremental', unique_key='id', meta={'connection': 'erp'}) }}"
        " select c.id, c.name from {{ source('crm', 'customers') }} c"
    )
    shop.project.write(models__m__sql=model)
    shop.project.run("run", code=0)
    shop.project.write(models__m__sql=model + ", range(2) r")
    refused(shop, "DVT410", "connection erp", "column id")


def test_a_constraint_on_the_old_table(shop: Shop) -> None:
    shop.build_old()
    shop.warehouse("alter table analytics.m add constraint short check (length(name) < 4), add primary key (id);")
    shop.project.write(
        models__m__sql=(
            "{{ config(materialized='incremental', unique_key='id') }} select id, 'much too"
            " long' as name from {{ source('crm', 'customers') }}"
        )
    )
    refused(shop, "DVT300", "connection warehouse", 'check constraint "short"')
    shop.check_whole()


@pytest.mark.parametrize("materialized", ["materialized_view", "python"])
def test_what_cannot_be_federated(shop: Shop, materialized: str) -> None:
    if materialized == "python":
        (shop.project.folder / "models" / "m.sql").unlink()
        shop.project.write(models__m__py="def model(dbt, session):\n    return dbt.source('crm', 'customers')\n")
    else:
        shop.project.write(models__m__sql="{{ config(materialized='" + materialized + "') }}" + MODEL)
    refused(shop, "DVT120")


def test_a_view_becomes_a_table_and_says_so(shop: Shop) -> None:
    shop.project.write(models__m__sql="{{ config(materialized='view') }}" + MODEL)
    ended = shop.project.run("run", code=0)
    assert "built as a table" in ended.output
    assert shop.warehouse("select * from analytics.m order by 1") == "1|Ann\n2|Bob"
