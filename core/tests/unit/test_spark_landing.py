"""Who lands a result of Spark's, by its options; and what goes to executors: no secret is shown, no heavy import."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dvt.connections.object_store_clients import client
from dvt.errors import ConfigurationError
from dvt.federation.engines.spark import SparkEngine
from dvt.federation.engines.spark_bucket import BucketStaging
from dvt.federation.engines.spark_landing import landing_remark
from dvt.federation.engines.spark_options import SparkOptions
from dvt.federation.loaders.postgres_executor import Task
from dvt.federation.loaders.postgres_spread import ledger_of
from dvt.federation.registry import loader_class, open_connection
from dvt.federation.settings import ProjectSettings
from dvt.federation.spread import BY_COPY
from dvt.identifiers import Relation

BUCKET = {"staging": "s3://bucket/x"}
CLUSTER = {"master": "spark://there:7077", "staging": "/shared"}


@pytest.mark.parametrize(
    ("given", "by", "why_not"),
    [
        ({}, "", ""),
        ({"master": "local[4]"}, "", ""),
        ({"landing": "executors"}, "executors", ""),
        ({"landing": "driver"}, "driver", ""),
        (CLUSTER, "executors", ""),
        ({**CLUSTER, "landing": "dvt"}, "", ""),
        ({"master": "local-cluster[2,1,1024]"}, "executors", ""),
        ({"remote": "sc://localhost:15002"}, "executors", ""),
        ({"remote": "sc://there:15002", "staging": "/shared"}, "executors", "without TLS"),
        ({"remote": "sc://there:15002/;use_ssl=true", "staging": "/shared"}, "executors", ""),
    ],
)
def test_who_lands_a_result(given: dict[str, Any], by: str, why_not: str) -> None:
    options = SparkOptions.of(given)
    assert options.lands_by == by
    assert (why_not in options.why_not_executors()) if why_not else not options.why_not_executors()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"landing": "workers"}, "landing is 'workers'"),
        ({"landing_sessions": 0}, "landing_sessions is 0"),
        ({"landing_sessions": True}, "landing_sessions is True"),
        ({"staging_as": "s3a://bucket/x"}, "without staging"),
        ({"staging": "ftp://there/x"}, "staging is no address of an object store: ftp://"),
        ({"staging": "s3://me:secret@bucket/x"}, "staging is no address"),
        ({"staging": "/shared", "store": {"anonymous": True}}, "store stands without a bucket"),
        ({**BUCKET, "store": "me"}, "store is 'me'"),
        ({**BUCKET, "store": {"account_key": "k"}}, "account_key stands in dvt.yml, which is committed"),
        ({**BUCKET, "store": {"account_key_env": "KEY"}}, "'account_key' means nothing for s3://"),
        ({**BUCKET, "store": {"regio_name": "x"}}, "unknown key 'store.regio_name'.*region_name"),
        ({**BUCKET, "store": {"region_name_env": 1}}, "store.region_name_env is 1"),
        ({**BUCKET, "store": {"endpoint_url": "there"}}, "endpoint_url is no address of a server"),
        ({"staging": 1}, "staging is 1"),
    ],
)
def test_what_the_options_do_not_take(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        SparkOptions.of(given)


@pytest.mark.parametrize("given", [{"master": "spark://there:7077"}, {"master": "yarn"}, {"remote": "sc://there:1"}])
def test_a_cluster_elsewhere_wants_a_folder_that_it_sees(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="no folder is named") as raised:
        SparkEngine.check_place(given)
    assert raised.value.remedy is not None
    assert "engines.spark.staging" in raised.value.remedy
    SparkEngine.check_place({**given, "staging": "/shared"})
    SparkEngine.check_place({**given, **BUCKET})


@pytest.mark.parametrize("given", [{}, {"master": "spark://127.0.0.1:7077"}, {"remote": "sc://localhost:15002"}])
def test_what_runs_here_wants_none(given: dict[str, Any]) -> None:
    SparkEngine.check_place(given)


def test_a_staged_file_has_the_name_that_executors_know() -> None:
    there = SparkOptions.of({"staging": "/mnt/shared", "staging_as": "s3a://bucket/dvt/"})
    assert (
        there.seen(Path("/mnt/shared/spark_1/input_1/part_0.parquet"))
        == "s3a://bucket/dvt/spark_1/input_1/part_0.parquet"
    )
    assert SparkOptions.of({}).seen(Path("/tmp/x.parquet")) == "/tmp/x.parquet"


@pytest.mark.parametrize(
    ("given", "seen", "told"),
    [
        (BUCKET, "s3a://bucket/x/", "s3://bucket/x/"),
        ({"staging": "s3a://bucket//x/"}, "s3a://bucket/x/", "s3://bucket/x/"),
        ({"staging": "gs://bucket"}, "gs://bucket/", "gs://bucket/"),
        ({**BUCKET, "staging_as": "/mnt/x/"}, "/mnt/x/", "s3://bucket/x/"),
        (
            {"staging": "abfss://box@acc.dfs.core.windows.net/x", "store": {"account_key_env": "DVT_TEST_KEY"}},
            "abfss://box@acc.dfs.core.windows.net/x/",
            "az://box/x/",
        ),
        (
            {"staging": "az://box/x", "store": {"account_name": "acc", "account_key_env": "DVT_TEST_KEY"}},
            "abfss://box@acc.dfs.core.windows.net/x/",
            "az://box/x/",
        ),
    ],
)
def test_a_bucket_has_the_names_that_spark_and_python_know(
    given: dict[str, Any], seen: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No two engines have one prefix; nothing is sent before a file is written."""
    monkeypatch.setenv("DVT_TEST_KEY", "c3RvcmUtazN5")
    one, other = BucketStaging(SparkOptions.of(given)), BucketStaging(SparkOptions.of(given))
    file = one.file("input_1/part_0.parquet")
    private = file.split("/")[-3]
    assert one.seen(file) == f"{seen}{private}/input_1/part_0.parquet"
    assert one.told(file) == f"{told}{private}/input_1/part_0.parquet"
    assert other.file("x").split("/")[-2] != private
    assert "c3RvcmUtazN5" not in repr(one.folder)


def test_credentials_are_handed_on_and_the_machine_s_own_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """What executors are told is JSON."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-machine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret-of-the-machine")
    monkeypatch.setenv("DVT_TEST_KEY", "s3cret-of-the-store")
    plain = {**BUCKET, "store": {"region_name": "us-east-1"}}
    keys = {"aws_access_key_id": "me", "aws_secret_access_key_env": "DVT_TEST_KEY", "region_name": "us-east-1"}
    told = [json.dumps(BucketStaging(SparkOptions.of(each)).store()) for each in (plain, {**plain, "store": keys})]
    assert "of-the-machine" not in "".join(told)
    assert ["s3cret-of-the-store" in each for each in told] == [False, True]
    gcs = {"staging": "gs://bucket/x", "store": {"token_env": "DVT_TEST_KEY"}}
    told_gcs = json.loads(json.dumps(BucketStaging(SparkOptions.of(gcs)).store()))
    assert client(told_gcs["kind"], told_gcs["options"]).type_name == "gcs"


def test_paths_of_a_project_do_not_depend_on_where_it_runs(tmp_path: Path) -> None:
    engines = {"spark": {"staging": "gs://bucket/x", "store": {"keyfile": "key.json"}, "home": "spark"}}
    found = ProjectSettings.from_mapping({"engines": engines}, tmp_path).engine_options["spark"]
    assert found == {
        "staging": "gs://bucket/x",
        "store": {"keyfile": str(tmp_path / "key.json")},
        "home": str(tmp_path / "spark"),
    }


def test_a_plan_says_who_lands() -> None:
    assert landing_remark(SparkOptions.of(CLUSTER), BY_COPY).startswith(
        "lands from Spark's executors, by COPY, at most 8 at a time"
    )
    by_driver = SparkOptions.of({**CLUSTER, "landing": "driver"})
    assert landing_remark(by_driver, BY_COPY) == "lands through Spark's driver, by one COPY"
    assert not landing_remark(by_driver, "as files in s3://b/in")
    assert "by one COPY" not in landing_remark(SparkOptions.of(CLUSTER), "as files in s3://b/in")
    assert "without TLS" in landing_remark(SparkOptions.of({"remote": "sc://there:1"}), BY_COPY)
    assert landing_remark(SparkOptions.of({**CLUSTER, **BUCKET}), BY_COPY).endswith(
        "the server or the bucket of staging"
    )
    assert not landing_remark(SparkOptions.of(CLUSTER), "")
    assert not landing_remark(SparkOptions.of({}), BY_COPY)


_LOGIN = {"host": "h", "user": "u"}
_TRINO = {"type": "trino", **_LOGIN, "port": 1, "database": "d", "schema": "s"}
_REDSHIFT = {"type": "redshift", **_LOGIN, "password": "p", "dbname": "d", "schema": "s"}


@pytest.mark.parametrize(
    ("output", "how"),
    [
        ({"type": "postgres", **_LOGIN, "dbname": "d"}, BY_COPY),
        ({**_REDSHIFT, "dvt": {"load_through": "s3://b/in"}}, "as files in s3://b/in"),
        (_REDSHIFT, ""),
        ({**_TRINO, "dvt": {"load_through": "s3://b/in"}}, "as files in s3://b/in"),
        (
            {"type": "athena", "s3_staging_dir": "s3://b/x", "region_name": "r", "database": "d", "schema": "s"},
            "as files in the table's own folder",
        ),
        ({"type": "mysql", "server": "h", "username": "u", "schema": "s"}, ""),
    ],
)
def test_what_executors_are_asked_to_do(output: dict[str, Any], how: str) -> None:
    connection = open_connection("dw", output)
    assert loader_class(connection.type).landed_by_executors(connection) == how


def test_an_order_shows_no_secret_and_is_written_by_name() -> None:
    """What an executor needs to unpickle it is dvt's own package, not the function's code."""
    order = {"login": {"parameters": {"password": "hunter2hunter2"}}}
    assert "hunter2" not in repr(Task(order))
    assert b"dvt.federation.loaders.postgres_executor" in pickle.dumps(Task(order))
    order = {
        "login": {"parameters": {"password": "hunter2hunter2"}},
        "store": {"kind": "gs", "options": {"access_token": "hunter2hunter2"}},
    }
    assert "hunter2" not in repr(Task(order))
    assert b"dvt.federation.loaders.postgres_executor" in pickle.dumps(Task(order))


def test_executors_need_no_more_than_pyarrow_and_psycopg() -> None:
    """In a fresh interpreter in which nothing else can be imported."""
    asked = """
import sys
for name in ("duckdb", "sqlglot", "dbt", "yaml", "click", "pandas", "numpy"):
    sys.modules[name] = None
import dvt.federation.loaders.postgres_executor, dvt.federation.loaders.files_executor
"""
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_ledger_is_called_like_its_table_and_fits() -> None:
    assert ledger_of(Relation("orders__dvt_1a2b3c4d", "public")) == Relation("orders__dvt_1a2b3c4d_parts", "public")
    longest = ledger_of(Relation("é" * 24 + "__dvt_1a2b3c4d", None))
    assert len(longest.name.encode()) <= 63
    assert longest.name.endswith("_parts")
