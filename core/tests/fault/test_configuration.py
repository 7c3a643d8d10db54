"""What the project or the profile says wrongly is refused before anything runs: the nearest name, and the file."""

from __future__ import annotations

import pytest
from fault.shop import MODEL, SOURCES, Shop

pytestmark = pytest.mark.postgres

BLOCKER = """\
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
import importlib.util as util
_found = util.find_spec
util.find_spec = lambda name, package=None: None if name in {names!r} else _found(name, package)
"""


def refused(shop: Shop, *words: str, command: tuple[str, ...] = ("run",)) -> str:
    """Run, expect exit code 2 and one message with these words, and that no session was opened."""
    message = shop.project.run(*command, code=2).message()
    for word in words:
        assert word in message, message
    assert shop.warehouse("select count(*) from pg_class where relnamespace = 'analytics'::regnamespace") == "0"
    return message


@pytest.mark.parametrize("command", [("run",), ("parse",), ("plan",), ("show", "--select", "m"), ("list",)])
def test_unknown_connection_of_a_source(shop: Shop, command: tuple[str, ...]) -> None:
    shop.project.write(models__sources__yml=SOURCES.replace("connection: crm", "connection: cmr"))
    refused(shop, "DVT107", "'cmr'", "did you mean 'crm'?", "models/sources.yml", "profiles.yml", command=command)


@pytest.mark.parametrize("key", ["connection", "target"])
def test_unknown_connection_of_a_model(shop: Shop, key: str) -> None:
    shop.project.write(models__m__sql="{{ config(meta={'" + key + "': 'wharehouse'}) }}" + MODEL)
    refused(shop, "DVT107", "'wharehouse'", "did you mean 'warehouse'?", "m (models/m.sql)", "profiles.yml")


def test_unknown_connection_of_a_seed(shop: Shop) -> None:
    shop.project.write(
        seeds__rates__csv="a,b\n1,2\n", seeds__rates__yml="seeds: [{name: rates, config: {meta: {connection: lak}}}]\n"
    )
    refused(shop, "'lak'", "did you mean 'lake'?", "seeds/rates.csv", command=("seed",))


def test_unknown_connection_of_a_snapshot(shop: Shop) -> None:
    shop.project.write(
        snapshots__s__sql=(
            "{% snapshot s %}{{ config(strategy='check', unique_key='id', check_cols='all',"
            " meta={'connection': 'erb'}) }}"
        )
        + MODEL
        + "{% endsnapshot %}"
    )
    refused(shop, "'erb'", "did you mean 'erp'?", "snapshots/s.sql", command=("snapshot",))


def test_unknown_option_of_a_model(shop: Shop) -> None:
    shop.project.write(models__m__sql="{{ config(meta={'dvt_pth': 'x'}) }}" + MODEL)
    refused(shop, "DVT102", "meta.dvt_pth", "did you mean 'dvt_path'?", "m (models/m.sql)")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_row": 5}, ["DVT102", "dvt.batch_row", "did you mean 'batch_rows'?"]),
        ({"batch_rows": "many"}, ["DVT103", "dvt.batch_rows is 'many'", "takes a whole number"]),
        ({"batch_rows": 0}, ["DVT103", "smallest value is 1"]),
        ({"batch_rows": True}, ["DVT103", "batch_rows is True"]),
        ("fast", ["DVT103", "`dvt:` is 'fast'", "mapping"]),
    ],
)
def test_options_of_an_output(shop: Shop, options: object, words: list[str]) -> None:
    shop.project.outputs["crm"]["dvt"] = options
    shop.project.write_profile()
    refused(shop, "connection crm", "profiles.yml", *words)


def test_options_of_the_target(shop: Shop) -> None:
    shop.project.outputs["warehouse"]["dvt"] = {"batch_row": 5}
    shop.project.write_profile()
    refused(shop, "connection warehouse", "DVT102", "did you mean 'batch_rows'?")


@pytest.mark.parametrize("command", [("run",), ("plan",)])
def test_unknown_key_of_an_output(shop: Shop, command: tuple[str, ...]) -> None:
    shop.project.outputs["crm"]["hots"] = "x"
    shop.project.outputs["erp"]["pth"] = "x"
    shop.project.write(models__n__sql="{{ config(meta={'connection': 'erp'}) }} select 1 as id")
    shop.project.write_profile()
    refused(shop, "DVT104", "connection erp", "'pth'", "did you mean 'path'?", "profiles.yml", command=command)


def test_a_missing_key_of_an_output(shop: Shop) -> None:
    del shop.project.outputs["crm"]["host"]
    shop.project.write_profile()
    refused(shop, "DVT105", "connection crm", "'host'", "profiles.yml")


def test_unknown_type_of_an_output(shop: Shop) -> None:
    shop.project.outputs["crm"] = {"type": "postgress", "host": "x"}
    shop.project.write_profile()
    refused(shop, "connection crm", "'postgress'", "did you mean 'postgres'?", "profiles.yml")


def test_unknown_type_of_the_target(shop: Shop) -> None:
    shop.project.outputs["warehouse"]["type"] = "postgress"
    shop.project.write_profile()
    refused(shop, "DVT106", "connection warehouse", "'postgress'", "did you mean 'postgres'?", "profiles.yml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("memory_limt: 1GB\n", ["unknown key 'memory_limt'", "did you mean 'memory_limit'?"]),
        ("memory_limit: 1GiX\n", ["memory_limit is '1GiX'", "4GB"]),
        ("memory_limit: 5MB\n", ["memory_limit is '5MB'", "smallest"]),
        ("engine: [duckdb\n", ["line 2"]),
        ("engine: sparrk\n", ["engine is 'sparrk'", "duckdb"]),
        ("- engine\n", ["not a mapping"]),
        ("threads: 0\n", ["threads is 0"]),
    ],
)
def test_settings(shop: Shop, text: str, words: list[str]) -> None:
    shop.project.write(dvt__yml=text)
    refused(shop, "DVT111", "dvt.yml", *words)


def test_a_variable_that_is_not_set(shop: Shop) -> None:
    shop.project.outputs["crm"]["user"] = "{{ env_var('NOT_SET_ANYWHERE') }}"
    shop.project.write_profile()
    refused(shop, "connection crm", "NOT_SET_ANYWHERE", "profiles.yml")


def test_a_variable_of_an_output_that_is_not_used(shop: Shop) -> None:
    shop.project.outputs["spare"] = {"type": "postgres", "host": "{{ env_var('NOT_SET_ANYWHERE') }}"}
    shop.project.write_profile()
    shop.project.run("run", code=0)


@pytest.mark.parametrize("command", [("run",), ("plan",), ("parse",)])
def test_a_missing_driver(shop: Shop, command: tuple[str, ...]) -> None:
    block(shop, "pymysql", "mysql", "mysql.connector")
    shop.project.outputs["crm"] = {"type": "mysql", "host": "127.0.0.1", "user": "x", "database": "public"}
    shop.project.write_profile()
    message = refused(shop, "DVT110", "connection crm", "pip install 'dvt[mysql]'", "sources.yml", command=command)
    assert "\n" not in message


def test_a_missing_driver_of_the_target(shop: Shop) -> None:
    """dbt's own adapter is here, and dvt's driver is not."""
    block(shop, "psycopg")
    shop.project.write(models__sources__yml=SOURCES.replace("connection: crm", "connection: erp"))
    refused(shop, "DVT110", "connection warehouse", "pip install 'dvt[postgres]'")


def test_a_missing_adapter_of_the_target(shop: Shop) -> None:
    block(shop, "psycopg", "psycopg2", "dbt.adapters.postgres")
    refused(shop, "DVT110", "connection warehouse", "pip install 'dvt[postgres]'")


@pytest.mark.parametrize("command", [("debug",), ("debug", "--json")])
def test_debug_says_that_a_driver_is_missing(shop: Shop, command: tuple[str, ...]) -> None:
    block(shop, "pymysql", "mysql", "mysql.connector")
    shop.project.outputs = {
        "warehouse": shop.project.outputs["warehouse"],
        "crm": {"type": "mysql", "host": "127.0.0.1", "user": "x", "database": "public"},
    }
    shop.project.write_profile()
    message = shop.project.run(*command, code=1).message()
    assert "pip install 'dvt[mysql]'" in message


def block(shop: Shop, *names: str) -> None:
    """Hide modules from the commands of the project."""
    folder = shop.project.folder / "blocker"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(BLOCKER.format(names=names))
    shop.project.env["PYTHONPATH"] = str(folder)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("drop table {0}", "tries to change a relation"),
        ("insert into {0} select 9, 'x' from {0}", "tries to change a relation"),
        ("create or replace table {0} as select 9 as id, 'x' as name", "tries to change a relation"),
        ("vacuum {0}", "runs what is not a query"),
    ],
)
def test_a_macro_that_wants_to_change_what_it_may_only_read(shop: Shop, statement: str, says: str) -> None:
    shop.build_old()
    asked = (
        statement.replace("{0}", "' ~ source('crm', 'customers') ~ '").replace(" '' ", " ").replace("'x'", "\\'x\\'")
    )
    shop.project.write(models__m__sql="{% do run_query('" + asked + "') %}" + MODEL)
    message = shop.project.run("run", code=1).message()
    for word in (
        "DVT340",
        "node m",
        f"a macro {says} through the engine, which may only read",
        "pre_hook or post_hook",
    ):
        assert word in message, message
    if says.startswith("tries"):
        assert "read crm.customers of connection crm" in message
        assert "a model that lands on connection crm" in message
    assert shop.source("select * from customers order by 1") == "1|Ann\n2|Bob"
    shop.check_whole()


def test_a_macro_that_runs_two_queries_in_one_call(shop: Shop) -> None:
    asked = "{% do run_query('select 1 from ' ~ source('crm', 'customers') ~ '; select 2') %}"
    shop.project.write(models__m__sql=asked + MODEL)
    message = shop.project.run("run", code=1).message()
    for word in ("node m", "a macro runs 2 queries in one call", "run_query"):
        assert word in message, message


def test_a_model_that_is_not_a_query(shop: Shop) -> None:
    shop.project.write(models__m__sql="drop table {{ source('crm', 'customers') }}")
    message = shop.project.run("run", code=1).message()
    for word in ("node m", "the model is not a query", "Leave one SELECT"):
        assert word in message, message
    assert shop.source("select count(*) from customers") == "2"
