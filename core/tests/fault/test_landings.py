"""A landing that fails: one message with node, connection and remedy, and the old table is whole."""

from __future__ import annotations

import contextlib
import sqlite3

import duckdb
import pytest
from fault.shop import EITHER_MART, HUGE, MART_ON_MARIADB, MODEL, Shop
from fault.sides import dying_side
from servers.cut_off import cut_off

pytestmark = pytest.mark.postgres


def refused(shop: Shop, *words: str) -> str:
    message = shop.project.run("run", code=1).message()
    for word in ("node m", *words):
        assert word in message, message
    return message


def test_may_not_create(shop: Shop) -> None:
    shop.build_old()
    role = f"writer_{shop.dw.database}"
    shop.warehouse(
        f"create role {role} login password 'wr1ter pass'; grant usage on schema"
        f" analytics to {role}; grant select on analytics.m to {role};"
    )
    shop.project.env["WRITER"] = "wr1ter pass"
    shop.project.secrets.append("wr1ter pass")
    try:
        shop.land_on_mart(user=role, password="{{ env_var('WRITER') }}")
        refused(shop, "connection mart", "DVT310", "permission denied for schema analytics", "Grant the privilege")
        shop.check_whole()
    finally:
        shop.warehouse(f"drop owned by {role}; drop role {role};")


@EITHER_MART
def test_a_wrong_password(shop: Shop) -> None:
    shop.project.env["WRONG_PASSWORD"] = "wr0ng s3cret/%"
    shop.project.secrets.append("wr0ng s3cret/%")
    shop.land_on_mart(password="{{ env_var('WRONG_PASSWORD') }}")
    shop.build_old()
    message = shop.project.run("run", code=2).message()
    for word in ("DVT2", "connection mart", "dvt debug"):
        assert word in message, message
    shop.check_whole()


@EITHER_MART
def test_a_network_that_fails_while_loading(shop: Shop) -> None:
    with cut_off(shop.mart.port, 3_000_000, of_the_client=True) as port:
        shop.land_on_mart(HUGE, port=port)
        shop.build_old()
        refused(shop, "connection mart", "DVT220", "again")
    shop.check_whole()


@EITHER_MART
@pytest.mark.parametrize("when", ["before", "during"])
def test_a_server_that_dies(shop: Shop, when: str) -> None:
    model = (
        "select id, name from {{ source('crm', 'brief') }}"
        if when == "before"
        else "select c.id, r.range::varchar as name from {{ source('crm', 'customers') }} c, range(200000000) r"
    )
    with dying_side(shop.mart.kind) as dying:
        shop.mart = shop.landing = dying
        shop.land_on_mart(model)
        shop.build_old()
        running = shop.project.start("run")
        if when == "before":
            running.until(lambda: shop.crm.active(shop.crm.reading), "extracting")
        else:
            running.until(lambda: dying.active(dying.loading), "loading")
        dying.kill()
        ended = running.wait()
        assert ended.code == 1, ended.output
        message = ended.message()
        for word in ("DVT2", "node m", "connection mart"):
            assert word in message
    shop.mart = shop.dw
    shop.check_clean()


@EITHER_MART
def test_a_landing_that_is_down_from_the_start(shop: Shop) -> None:
    shop.land_on_mart(port=1)
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


@pytest.mark.parametrize("materialized", ["table", "incremental"])
def test_a_hook_that_cannot_be_rendered(shop: Shop, materialized: str) -> None:
    """dbt's transaction has read the private table by then: it must not keep it from being dropped."""
    shop.build_old()
    hook = "{% if execute %}{{ exceptions.raise_compiler_error('no such luck') }}{% endif %}"
    shop.project.write(models__m__sql=f'{{{{ config(materialized="{materialized}", post_hook="{hook}") }}}}' + MODEL)
    assert "no such luck" in shop.project.run("run", code=1).output
    shop.check_whole()


@EITHER_MART
def test_a_hook_before_that_fails(shop: Shop) -> None:
    shop.land_on_mart("{{ config(pre_hook='select no_such_function()') }}" + MODEL)
    shop.build_old()
    refused(shop, "connection mart", "no_such_function", "Correct the model, its hooks")
    shop.check_whole()


@MART_ON_MARIADB
@pytest.mark.parametrize("materialized", ["table", "incremental"])
def test_a_hook_behind_that_fails_on_mariadb(shop: Shop, materialized: str) -> None:
    """A replaced table stays replaced, which the message says; changed rows are taken back."""
    config = f"materialized='{materialized}', post_hook='select no_such_function()'"
    shop.land_on_mart("{{ config(" + config + ") }}" + MODEL)
    shop.build_old()
    if materialized == "table":
        message = refused(shop, "connection mart", "no_such_function", "a table that was replaced before it stays so")
        assert "as it was before" not in message
        shop.check_whole(content="1|Ann\n2|Bob")
    else:
        refused(shop, "connection mart", "no_such_function", "as it was before")
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


@MART_ON_MARIADB
@pytest.mark.parametrize("strategy", ["merge", "delete+insert"])
def test_a_key_twice_on_mariadb(shop: Shop, strategy: str) -> None:
    config = "{{ config(materialized='incremental', unique_key='id', incremental_strategy='" + strategy + "') }}"
    shop.land_on_mart(config + " select c.id + 6 as id, c.name from {{ source('crm', 'customers') }} c, range(2) r")
    shop.build_old()
    refused(shop, "DVT410", "connection mart", "column id", "2 rows with the key id = '7'", "unique in the model")
    shop.check_whole()


@MART_ON_MARIADB
@pytest.mark.parametrize("local_infile", [True, False])
def test_a_value_that_does_not_fit_on_mariadb(shop: Shop, local_infile: bool) -> None:
    """A row that is longer than the server takes, and a contract's type that is too short."""
    long = "select id, repeat(name, 30000000) as name from {{ source('crm', 'customers') }}"
    shop.land_on_mart(long, dvt={"local_infile": local_infile})
    shop.build_old()
    refused(shop, "DVT400", "connection mart", "column name", "max_allowed_packet")
    shop.check_whole()


@MART_ON_MARIADB
def test_a_constraint_on_the_old_table_on_mariadb(shop: Shop) -> None:
    """Rows that were deleted for those that do not fit are there again."""
    shop.land_on_mart(
        "{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert') }}"
        " select c.id + 6 as id, 'much too long' as name from {{ source('crm', 'customers') }} c"
    )
    shop.build_old()
    shop.mart.sql("alter table m add constraint short check (length(name) < 4)")
    refused(shop, "connection mart", "short")
    shop.check_whole()


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


def test_a_strategy_that_does_not_exist(shop: Shop) -> None:
    """It is refused by the first run, which would not have needed it, and before anything is read."""
    config = "{{ config(materialized='incremental', incremental_strategy='upsert', unique_key='id') }} "
    shop.project.write(models__m__sql=config + MODEL)
    ended = shop.project.run("run", code=1)
    assert 'could not find an incremental strategy macro with the name "get_incremental_upsert_sql"' in ended.output


# Stock dbt-duckdb drops the table of a full refresh outside of the transaction.
@pytest.mark.parametrize(("connection", "flags"), [("erp", ()), ("erp", ("--full-refresh",)), ("lake", ())])
def test_a_seed_that_fails_in_a_file(shop: Shop, connection: str, flags: tuple[str, ...]) -> None:
    seeds = "seeds: [{name: rates, config: {meta: {connection: " + connection + "}%s}}]\n"
    shop.project.write(seeds__rates__csv="id,name\n7,old\n", seeds__rates__yml=seeds % "")
    shop.project.run("seed", code=0)
    shop.project.write(
        seeds__rates__csv="id,name\n1,new\n2,new\n",
        seeds__rates__yml=seeds % ", post_hook: 'select no_such_function()'",
    )
    ended = shop.project.run("seed", *flags, code=1)
    assert "no_such_function" in ended.output.lower()
    path = shop.project.folder / shop.project.outputs[connection]["path"]
    with contextlib.closing((sqlite3 if connection == "erp" else duckdb).connect(path)) as file:
        assert file.execute("select * from rates").fetchall() == [(7, "old")]
