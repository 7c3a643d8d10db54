"""A source that cannot be read: one message with node, connection and remedy, and the old table is whole."""

from __future__ import annotations

import pytest
from fault.shop import EITHER_SOURCE, HUGE, MODEL, SLOW, SOURCE_ON_MARIADB, SOURCES, Shop
from fault.sides import dying_side
from servers.cut_off import cut_off
from servers.process import free_port

pytestmark = pytest.mark.postgres


def refused(shop: Shop, *words: str, command: str = "run") -> str:
    """Run, expect one message about model m and connection crm with these words, and the old table."""
    message = shop.project.run(command, code=1).message()
    for word in ("node m", "connection crm", *words):
        assert word in message, message
    shop.check_whole()
    return message


@EITHER_SOURCE
def test_wrong_password(shop: Shop) -> None:
    shop.build_old()
    shop.project.outputs["crm"]["password"] = "{{ env_var('WRONG_PASSWORD') }}"
    shop.project.env["WRONG_PASSWORD"] = "wr0ng s3cret/%"
    shop.project.secrets.append("wr0ng s3cret/%")
    shop.project.write_profile()
    said = {"postgres": ["password authentication failed", "Check user and password"]}
    said["mariadb"] = ["Access denied for user", "Check user, password and host"]
    refused(shop, "DVT210", *said[shop.crm.kind])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"host": "nowhere.invalid"}, ["DVT200", "nowhere.invalid", "Check host"]),
        ({"dbname": "nowhere"}, ["DVT200", '"nowhere" does not exist', "Check dbname"]),
        ({"port": 1}, ["DVT200", "refused", "Check host and port"]),
        ({"sslmode": "require"}, ["DVT200", "TLS"]),
    ],
)
def test_not_reached(shop: Shop, changes: dict, words: list[str]) -> None:
    shop.build_old()
    shop.project.outputs["crm"].update(changes)
    shop.project.write_profile()
    refused(shop, *words)


@SOURCE_ON_MARIADB
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"server": "nowhere.invalid"}, ["DVT200", "nowhere.invalid", "Check host"]),
        ({"schema": "nowhere"}, ["DVT100", "'nowhere'", "Correct the database"]),
        ({"port": 1}, ["DVT200", "refused", "Check host, port"]),
    ],
)
def test_mariadb_is_not_reached(shop: Shop, changes: dict, words: list[str]) -> None:
    shop.build_old()
    shop.project.outputs["crm"].update(changes)
    shop.project.write_profile()
    refused(shop, *words)


@EITHER_SOURCE
def test_a_missing_table(shop: Shop) -> None:
    shop.build_old()
    shop.source("drop table customers;")
    says = {
        "postgres": "public.customers does not exist",
        "mariadb": f"Table '{shop.crm.schema}.customers' doesn't exist",
    }
    refused(shop, "DVT320", says[shop.crm.kind], "Check schema and name")


@EITHER_SOURCE
def test_a_missing_column(shop: Shop) -> None:
    shop.build_old()
    shop.source("alter table customers rename column name to title;")
    ended = shop.project.run("run", code=1)
    assert "node m" in ended.message()
    assert '"name" not found' in ended.message()
    assert f"{shop.crm.schema}.customers of connection crm: known: id, title" in ended.message()
    shop.check_whole()


def test_no_privilege(shop: Shop) -> None:
    shop.build_old()
    role = f"reader_{shop.crm.database}"
    shop.source(f"create role {role} login password 'r3ader pass';")
    shop.project.outputs["crm"].update(user=role, password="{{ env_var('READER') }}")
    shop.project.env["READER"] = "r3ader pass"
    shop.project.secrets.append("r3ader pass")
    shop.project.write_profile()
    try:
        refused(shop, "DVT310", "permission denied", "customers", "Grant the privilege")
    finally:
        shop.source(f"drop role {role};")


def test_a_query_that_fails_on_the_server(shop: Shop) -> None:
    shop.build_old()
    shop.source(
        "drop table customers; create view customers as select g as id, (10 / (3 -"
        " g))::text as name from generate_series(1, 5) g;"
    )
    refused(shop, "division by zero", "nullif")


@EITHER_SOURCE
def test_too_slow(shop: Shop) -> None:
    shop.build_old()
    shop.project.outputs["crm"]["dvt"] = {"statement_timeout_s": 2}
    shop.project.write_profile()
    shop.project.write(models__m__sql=SLOW)
    refused(shop, "DVT330", "statement_timeout_s")


@EITHER_SOURCE
@pytest.mark.parametrize("after_bytes", [40_000, 3_000_000])
def test_a_network_that_fails(shop: Shop, after_bytes: int) -> None:
    shop.build_old()
    shop.project.write(models__m__sql=HUGE)
    with cut_off(shop.crm.port, after_bytes, of_the_client=False) as port:
        shop.project.outputs["crm"]["port"] = port
        shop.project.write_profile()
        refused(shop, "DVT220", "un it again" if shop.crm.kind == "mariadb" else "run again")


@EITHER_SOURCE
def test_a_server_that_dies(shop: Shop) -> None:
    shop.build_old()
    with dying_side(shop.crm.kind) as dying:
        dying.fill()
        shop.project.outputs["crm"] = dying.output()
        shop.project.write_profile()
        shop.project.write(
            models__m__sql=SLOW, models__sources__yml=SOURCES.replace("schema: public", f"schema: {dying.schema}")
        )
        running = shop.project.start("run")
        running.until(lambda: dying.active(dying.reading), "extracting")
        dying.kill()
        ended = running.wait()
        assert ended.code == 1, ended.output
        message = ended.message()
        for word in ("DVT220", "node m", "connection crm", "again"):
            assert word in message
    shop.check_whole()


def test_a_macro_that_asks_a_source_that_is_down(shop: Shop) -> None:
    shop.build_old()
    shop.project.outputs["crm"]["port"] = free_port()
    shop.project.write_profile()
    shop.project.write(
        models__m__sql="{% set found = run_query('select count(*) from ' ~ source('crm', 'customers')) %}" + MODEL
    )
    refused(shop, "DVT200", "Check host and port")


# dbt's own: `show` ends as a command that could not run, and `compile` reads nothing.
_CODES = {"compile": 0, "show": 2}


@pytest.mark.parametrize("words", [("compile",), ("show", "--select", "m"), ("plan",), ("test",), ("docs", "generate")])
def test_other_commands(shop: Shop, words: tuple[str, ...]) -> None:
    shop.build_old()
    shop.project.outputs["crm"]["port"] = free_port()
    shop.project.write_profile()
    test = "{relationships: {arguments: {to: \"source('crm', 'customers')\", field: id}}}"
    columns = "models: [{name: m, columns: [{name: id, data_tests: [" + test + "]}]}]\n"
    shop.project.write(models__m__yml=columns)
    compiled = words[0] in ("compile", "docs")  # which do not read the source
    ended = shop.project.run(*words, code=_CODES.get(words[0], 1))
    if not compiled:
        message = ended.message()
        assert "connection crm" in message
        assert "Check host and port" in message
    assert "Traceback" not in ended.output
    shop.check_whole()
