"""Every landing, every strategy, over five engines in one project; each result against an oracle in PostgreSQL."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from e2e import shop_data
from e2e.harness import Project, sorted_lines

pytestmark = [pytest.mark.postgres, pytest.mark.mysql]

_TEMPLATE = Path(__file__).parent / "project"


class World:
    """The project, its servers, and the oracle."""

    def __init__(self, project: Project, postgres, mariadb, names: dict[str, str]) -> None:
        self.project = project
        self._postgres = postgres
        self._mariadb = mariadb
        self._names = names

    def oracle(self, sql: str) -> list[str]:
        return sorted_lines(self._postgres.psql(self._names["oracle"], sql))

    def warehouse(self, sql: str) -> list[str]:
        return sorted_lines(self._postgres.psql(self._names["dw"], sql))

    def crm(self, sql: str) -> list[str]:
        return sorted_lines(self._postgres.psql(self._names["crm"], sql))

    def shop(self, sql: str) -> list[str]:
        text = self._mariadb.query(sql, self._names["shop"])
        return sorted(line.replace("\t", "|").replace("NULL", "") for line in text.splitlines() if line)

    def change_orders(self, *statements: str) -> None:
        """The same change in the shop and in the oracle."""
        for statement in statements:
            self._mariadb.query(statement, self._names["shop"])
            self._postgres.psql(self._names["oracle"], statement)


@pytest.fixture(scope="module")
def world(postgres_server, mariadb_server, tmp_path_factory) -> World:
    mark = uuid.uuid4().hex[:6]
    names = {"dw": f"dw_{mark}", "crm": f"crm_{mark}", "oracle": f"oracle_{mark}", "shop": f"shop_{mark}"}
    for name in ("dw", "crm", "oracle"):
        postgres_server.create_database(names[name])
    shop_data.fill_oracle(postgres_server.psql, names["oracle"])
    postgres_server.psql(names["crm"], shop_data.CUSTOMERS_DDL + shop_data.insert("customers", shop_data.CUSTOMERS))
    mariadb_server.create_database(names["shop"])
    ddl = shop_data.ORDERS_DDL.format(stamp="datetime(6)")
    mariadb_server.query(ddl + shop_data.insert("orders", shop_data.ORDERS), names["shop"])
    env = {
        "E2E_PG_HOST": postgres_server.host,
        "E2E_PG_PORT": str(postgres_server.port),
        "E2E_PG_USER": postgres_server.user,
        "E2E_PG_PASSWORD": postgres_server.password,
        "E2E_PG_DW": names["dw"],
        "E2E_PG_CRM": names["crm"],
        "E2E_MY_HOST": mariadb_server.host,
        "E2E_MY_PORT": str(mariadb_server.port),
        "E2E_MY_USER": mariadb_server.user,
        "E2E_MY_PASSWORD": mariadb_server.password,
        "E2E_MY_DB": names["shop"],
    }
    project = Project.copied(_TEMPLATE, tmp_path_factory.mktemp("everything") / "project", env)
    shop_data.fill_files(project.folder / "data")
    return World(project, postgres_server, mariadb_server, names)


# Microbatch models have a day's batch up to today, unless the command says otherwise.
WINDOW = ("--event-time-start", "2024-01-01", "--event-time-end", "2024-01-12")
ENRICHED = """
    select o.order_id, c.country, c.name, o.amount, p.category, p.price, o.amount * p.price as value, o.placed_at
    from orders o join customers c using (customer_id) left join products p on p.sku = o.sku"""
BY_COUNTRY = f"select country, category, count(*), sum(value)::numeric(18,4) from ({ENRICHED}) x group by 1, 2"


def test_a_first_build_of_everything_is_green(world: World) -> None:
    output = world.project.dvt("build", *WINDOW)
    results = world.project.results()
    assert {r["status"] for r in results.values()} <= {"success", "pass", "warn", "no-op"}, output
    assert results["no_free_orders"]["status"] == "warn"
    assert "could not" not in output.lower()
    secret = world.project.env["E2E_PG_PASSWORD"]
    assert secret not in output
    logs = (world.project.folder / "logs" / "dbt.log").read_text()
    assert secret not in logs
    assert secret not in (world.project.folder / "target" / "run_results.json").read_text()


def test_federated_tables_equal_the_oracle_on_every_landing(world: World) -> None:
    project = world.project
    columns = "order_id, country, name, amount, category, price, value, placed_at"
    assert world.warehouse(f"select {columns} from analytics.fed_warehouse") == world.oracle(ENRICHED)
    expected = world.oracle(BY_COUNTRY)
    plain = "country, category, n, value"
    assert world.shop(f"select {plain} from fed_shop") == expected
    assert project.sqlite("data/erp.db", "select country, category, n, printf('%.4f', value) from fed_erp") == [
        line if not line.endswith("|") else f"{line}0.0000" for line in expected
    ]
    assert project.duckdb(f"select {plain} from fed_lake", "data/lake.duckdb") == expected
    assert project.duckdb(f"select {plain} from 'data/web/*/fed_web.parquet'") == expected
    csv = "select country, category, n, value from read_csv('data/exports/*/fed_exports.csv', all_varchar=true)"
    assert project.duckdb(csv) == expected


def test_five_engines_in_one_query(world: World) -> None:
    expected = world.oracle(
        """select c.name, count(distinct o.order_id), count(distinct s.shipment_id), count(distinct e.event_id),
                  count(distinct p.category)
           from customers c left join orders o using (customer_id) left join shipments s using (order_id)
           left join events e on e.customer_id = c.customer_id left join products p on p.sku = o.sku group by 1"""
    )
    assert world.warehouse("select * from analytics.fed_five") == expected
    with_orders = world.oracle("select count(distinct customer_id) from orders join customers using (customer_id)")
    assert world.warehouse("select count(*) from analytics.fed_view") == with_orders


def test_macros_see_the_sources_through_handles(world: World) -> None:
    """Introspection, run_query, dispatch and `target`, as packages' macros use them in a federated model."""
    expected = [f"{row[0]}|{row[2] or ''}|2|2|duckdb|warehouse/postgres|60" for row in shop_data.CUSTOMERS]
    assert world.warehouse("select * from analytics.fed_macros") == sorted(expected)


def test_native_models_on_every_landing(world: World) -> None:
    project = world.project
    assert world.warehouse("select country, n from analytics.on_warehouse") == world.oracle(
        f"select country, count(*) from ({ENRICHED}) x group by 1"
    )
    assert world.crm("select country, region, n from on_crm") == world.oracle(
        """select country, case country when 'DE' then 'DACH' when 'AT' then 'DACH' when 'FR' then 'West' end, count(*)
           from customers group by 1, 2"""
    )
    # The server's own collation decides here: native means native.
    grouped = world.shop("select status, count(*), sum(amount) from orders group by status")
    assert world.shop("select status, n, amount from on_shop") == grouped
    assert world.shop("select status, n from on_shop_view") == world.shop("select status, n from on_shop")
    assert project.sqlite("data/erp.db", "select category, n from on_erp") == world.oracle(
        "select category, count(*) from products group by 1"
    )
    assert project.sqlite("data/erp.db", "select category, n from on_erp_view") == project.sqlite(
        "data/erp.db", "select category, n from on_erp"
    )
    assert project.duckdb("select carrier, n from on_lake", "data/lake.duckdb") == world.oracle(
        "select carrier, count(*) from shipments group by 1"
    )


def test_seeds_land_on_foreign_connections(world: World) -> None:
    assert world.crm("select country, region from regions") == ["AT|DACH", "DE|DACH", "FR|West"]
    assert world.shop("select currency, cast(rate as char), since from rates") == [
        "CHF|0.9500000000|2024-02-01",
        "EUR|1.0000000000|2024-01-01",
    ]
    assert world.project.sqlite("data/erp.db", "select category, pct from tariffs") == ["books|7.5", "tools|19"]
    assert world.warehouse("select id, label, label is null from analytics.labels") == ["1|one|f", "2||t"]


def test_hooks_contract_indexes_and_docs_are_dbts_own(world: World) -> None:
    assert world.warehouse("select what, count(*) from analytics.hook_log group by 1") == ["post|1", "pre|1"]
    types = (
        "select column_name, data_type, is_nullable from information_schema.columns where table_name = 'fed_contract'"
    )
    assert world.warehouse(types) == ["country|text|YES", "customer_id|integer|NO", "name|character varying|YES"]
    indexes = "select count(*) from pg_indexes where tablename = 'fed_warehouse'"
    assert world.warehouse(indexes) == ["1"]
    comment = "select obj_description('analytics.fed_warehouse'::regclass)"
    assert world.warehouse(comment) == ["Orders with customer and product"]


def test_grants_custom_materializations_and_places(world: World) -> None:
    granted = "select has_table_privilege('pg_read_all_data', 'analytics.fed_warehouse', 'select'), relacl is not null"
    assert world.warehouse(granted + " from pg_class where relname = 'fed_warehouse'") == ["t|t"]
    per_customer = [f"stamped|{row[0]}|{len(shop_data.PRODUCTS)}" for row in shop_data.CUSTOMERS]
    assert world.warehouse("select stamp, customer_id, n from analytics.fed_stamped") == sorted(per_customer)
    assert world.warehouse("select is_there from analytics.on_same_place") == ["t"]


def test_nothing_private_is_left_behind(world: World) -> None:
    names = "select table_name from information_schema.tables where table_name like '%dvt%'"
    assert world.warehouse(names) == []
    assert world.crm(names) == []
    assert world.shop(names) == []
    project = world.project
    assert project.sqlite("data/erp.db", "select name from sqlite_master where name like '%dvt%'") == []
    found = [str(path) for path in (project.folder / "data").rglob("*dvt*")]
    assert found == []
    staged = project.folder / "target" / "dvt"
    assert not staged.exists() or not any(staged.rglob("*.parquet"))


INCREMENTAL = {
    "analytics": ("inc_append", "inc_merge", "inc_delete_insert"),
    "shop": ("inc_shop_append", "inc_shop_merge", "inc_shop_delete_insert"),
}


def _current(world: World) -> dict[str, list[str]]:
    columns = "order_id, customer_id, country, amount, updated_at"
    found = {name: world.warehouse(f"select {columns} from analytics.{name}") for name in INCREMENTAL["analytics"]}
    shop = "order_id, customer_id, country, amount, cast(updated_at as char)"
    for name in INCREMENTAL["shop"]:
        found[name] = [_without_zeros(line) for line in world.shop(f"select {shop} from {name}")]
    lake = world.project.duckdb(f"select {columns} from inc_lake", "data/lake.duckdb")
    found["inc_lake"] = [_without_zeros(line) for line in lake]
    erp = "select order_id, customer_id, country, printf('%.2f', amount), updated_at from inc_erp_merge"
    found["inc_erp_merge"] = [_without_zeros(line) for line in world.project.sqlite("data/erp.db", erp)]
    return found


def _without_zeros(line: str) -> str:
    """PostgreSQL writes no trailing zeros in a timestamp; the others do."""
    head, _, stamp = line.rpartition("|")
    return f"{head}|{stamp.rstrip('0').rstrip('.') if '.' in stamp else stamp}"


ALL_ORDERS = "select order_id, customer_id, country, amount, updated_at from orders join customers using (customer_id)"


def test_incremental_models_run_three_times(world: World) -> None:
    first = world.oracle(ALL_ORDERS)
    assert _current(world) == dict.fromkeys(_current(world), first)
    old_row = world.oracle(f"select * from ({ALL_ORDERS}) x where order_id = 7")

    world.change_orders(shop_data.insert("orders", shop_data.NEW_ORDERS), shop_data.CHANGED)
    world.project.dvt("run", "--select", "path:models/incremental", *WINDOW)
    second = world.oracle(ALL_ORDERS)
    found = _current(world)
    for name, lines in found.items():
        # Append keeps the old version of the changed row beside the new one; the others replace it.
        assert lines == (sorted(second + old_row) if name.endswith("append") else second), name

    world.project.dvt("run", "--select", "path:models/incremental", *WINDOW)
    assert _current(world) == found
    results = world.project.results()
    assert results["inc_merge"]["adapter_response"]["dvt"]["rows"] == 0


def test_microbatches_hold_what_their_windows_cover(world: World) -> None:
    world.project.dvt("run", "--select", "orders_by_time", "inc_microbatch", "inc_shop_microbatch", *WINDOW)
    expected = world.oracle(
        "select order_id, placed_at, amount, country from orders join customers using (customer_id)"
    )
    assert world.warehouse("select order_id, placed_at, amount, country from analytics.inc_microbatch") == expected
    found = world.shop("select order_id, cast(placed_at as char), amount, country from inc_shop_microbatch")
    parts = [line.split("|") for line in found]
    assert sorted("|".join([p[0], p[1].split(".")[0], *p[2:]]) for p in parts) == expected


def test_the_snapshot_keeps_the_history(world: World) -> None:
    world.project.dvt("snapshot")
    history = "select order_id, status, amount, dbt_valid_to is null from analytics.orders_history where order_id = 7"
    now = world.oracle("select order_id, status, amount, true from orders where order_id = 7")
    before = next(row for row in shop_data.ORDERS if row[0] == 7)
    assert world.warehouse(history) == sorted([*now, f"7|{before[4]}|{before[3]}|f"])
    open_rows = "select order_id, status, amount from analytics.orders_history where dbt_valid_to is null"
    assert world.warehouse(open_rows) == world.oracle("select order_id, status, amount from orders")


def test_tests_run_where_their_inputs_live_and_find_what_is_wrong(world: World) -> None:
    world.change_orders(
        "insert into orders values (90, 77, 'sku1', 1.00, 'open', '2024-01-01 00:00:00', '2024-01-01 00:00:00')"
    )
    try:
        output = world.project.dvt("test", "--select", "source:shop.orders", "orders_have_customers", code=1)
        results = world.project.results()
        failed = {name for name, result in results.items() if result["status"] == "fail"}
        assert failed == {"orders_have_customers", *(n for n in results if n.startswith("source_relationships_shop"))}
        assert all(results[name]["failures"] == 1 for name in failed), output
    finally:
        world.change_orders("delete from orders where order_id = 90")
    stored = world.warehouse("select order_id from analytics_dbt_test__audit.no_free_orders")
    assert stored == world.oracle("select order_id from orders join customers using (customer_id) where amount = 0")


def test_show_and_compile_and_freshness_and_docs(world: World) -> None:
    project = world.project
    sql = "select count(*) as n from {{ source('crm', 'customers') }} c, {{ source('erp', 'products') }} p"
    assert f"| {len(shop_data.CUSTOMERS) * len(shop_data.PRODUCTS)} |" in project.dvt("show", "--inline", sql)
    assert "| Ann" in project.dvt("show", "--select", "fed_five", "--limit", "10")
    project.dvt("compile", "--select", "fed_five")
    compiled = (project.folder / "target/compiled/everything/models/federated/fed_five.sql").read_text()
    assert '"c_crm"."public"."customers"' in compiled
    project.dvt("source", "freshness")
    sources = json.loads((project.folder / "target/sources.json").read_text())["results"]
    newest = {result["unique_id"].split(".")[-1]: result["max_loaded_at"] for result in sources}
    assert newest["orders"].startswith("2024-01-21T00:00:00")
    assert newest["events"].startswith("2024-01-01T00:49:00")
    project.dvt("docs", "generate")
    catalog = json.loads((project.folder / "target/catalog.json").read_text())
    nodes = {key.split(".")[-1] for key in (*catalog["nodes"], *catalog["sources"])}
    assert {"fed_warehouse", "on_crm", "on_shop", "on_erp", "on_lake", "customers", "orders", "products"} <= nodes


def test_plan_reads_no_data(world: World) -> None:
    output = world.project.dvt("plan", "--select", "fed_five", "on_crm", "on_same_place", "--json")
    plan = {n["unique_id"].split(".")[-1]: n for n in json.loads(output[output.index("{") :])["nodes"]}
    assert plan["on_crm"]["lane"] == "native"
    assert plan["on_crm"]["landing"] == "crm"
    assert plan["on_same_place"]["lane"] == "native"
    five = plan["fed_five"]
    assert five["lane"] == "federated"
    assert sorted(five["inputs"]) == ["crm", "erp", "lake", "shop", "web"]
    customers = next(scan for scan in five["scans"] if scan["connection"] == "crm")
    assert customers["columns"] == ["customer_id", "name"]
    assert customers["sql"] == 'SELECT "customer_id", "name" FROM "public"."customers"'


def test_retry_state_and_selectors_are_stock(world: World, tmp_path: Path) -> None:
    project = world.project
    project.dvt("parse")
    state = tmp_path / "state"
    state.mkdir()
    (state / "manifest.json").write_bytes((project.folder / "target/manifest.json").read_bytes())
    assert "No nodes selected" in project.dvt("ls", "--select", "state:modified", "--state", str(state))
    listed = project.dvt("ls", "--quiet", "--select", "config.meta.connection:shop", "--resource-type", "model")
    assert {line.split(".")[-1] for line in listed.split()} == {
        "on_shop",
        "on_shop_view",
        "fed_shop",
        "inc_shop_append",
        "inc_shop_merge",
        "inc_shop_delete_insert",
        "inc_shop_microbatch",
        "orders_by_time",
    }
