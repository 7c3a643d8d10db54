"""dvt.yml: what it takes, what it refuses and with which words; the machine's memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvt.errors import ConfigurationError
from dvt.federation.engines.spark_options import SparkOptions
from dvt.federation.machine import memory_bytes
from dvt.federation.plan.pushdown import Move
from dvt.federation.settings import ProjectSettings, load_settings


def load(folder: Path, text: str) -> ProjectSettings:
    (folder / "dvt.yml").write_text(text)
    return load_settings(folder / "dvt.yml")


def test_defaults_without_a_file(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "dvt.yml")
    assert settings == ProjectSettings("duckdb", memory_bytes() // 2, os.cpu_count() or 1, None)
    assert settings.staging_folder(Path("t")) == Path("t/dvt")
    assert load(tmp_path, "# nothing\n") == settings


def test_what_it_takes(tmp_path: Path) -> None:
    settings = load(tmp_path, "engine: duckdb\nmemory_limit: 1.5GiB\nthreads: 3\nstaging_folder: big/disk\n")
    assert settings == ProjectSettings("duckdb", 3 << 29, 3, tmp_path / "big/disk")
    assert settings.staging_folder(Path("t")) == tmp_path / "big/disk"


def test_where_spark_runs(tmp_path: Path) -> None:
    text = "engine: auto\nauto_bytes: 2GB\nengines: {spark: {master: 'local[2]', config: {a.b: true}, home: sp}}"
    settings = load(tmp_path, text)
    assert (settings.engine, settings.auto_bytes) == ("auto", 2 * 10**9)
    options = settings.engine_options["spark"]
    assert options == {"master": "local[2]", "config": {"a.b": True}, "home": str(tmp_path / "sp")}
    found = SparkOptions.of(options).settings(4, 2 << 30)
    assert (found["spark.master"], found["a.b"], found["spark.driver.memory"]) == ("local[2]", "true", "2048m")
    assert found["spark.sql.ansi.enabled"] == "true"


def test_a_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    options = SparkOptions.of({"remote": "sc://h:1/;use_ssl=true", "token_env": "DVT_T"})
    with pytest.raises(ConfigurationError, match="DVT_T is not set"):
        options.settings(1, 1)
    monkeypatch.setenv("DVT_T", "a b/c")
    settings = options.settings(1, 1)
    assert settings["spark.remote"] == "sc://h:1/;use_ssl=true;token=a%20b%2Fc"
    assert "spark.master" not in settings


def test_what_full_leaves_out(tmp_path: Path) -> None:
    assert load(tmp_path, "pushdown: full").moves == frozenset(Move)
    assert load(tmp_path, "pushdown_without: [keys, joins]").moves == {Move.GROUPS}


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("4gb", 4 * 10**9), ("100 MB", 10**8), ("64MiB", 64 << 20), ("80000000", 80_000_000)],
)
def test_sizes(tmp_path: Path, text: str, size: int) -> None:
    assert load(tmp_path, f"memory_limit: '{text}'").memory_bytes == size


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("thread: 3", r"dvt\.yml: unknown key 'thread': did you mean 'threads'"),
        ("engine: sparkle", "one of: duckdb, spark, auto"),
        ("auto_bytes: 50%", "auto_bytes is '50%'"),
        ("engines: spark", "a mapping for each engine"),
        ("engines: {sparkle: {}}", "did you mean 'spark'"),
        ("engines: {auto: {}}", "unknown engine 'auto'"),
        ("engines: {duckdb: {memory: 1g}}", "takes no option 'memory'"),
        ("engines: {spark: {mastr: local}}", "did you mean 'master'"),
        ("engines: {spark: {memory: 4}}", "memory is 4"),
        ("engines: {spark: {packages: a}}", "a list of Maven coordinates"),
        ("engines: {spark: {config: [a]}}", "config is"),
        ("engines: {spark: {remote: 'sc://h', master: local}}", "remote stands beside"),
        ("engines: {spark: {remote: 'sc://h/;token=secret'}}", "holds a token"),
        ("memory_limit: lots", "'lots'"),
        ("memory_limit: 4", "memory_limit is 4"),
        ("memory_limit: 101%", "at most 100%"),
        ("memory_limit: 1MB", "smallest"),
        ("memory_limit: -4GB", "'-4GB'"),
        ("threads: 0", "at least 1"),
        ("threads: true", "whole number"),
        ("staging_folder: 3", "It takes a path"),
        ("pushdown_without: keys", "It takes a list of: joins, groups, keys"),
        ("pushdown_without: [key]", r"\['key'\]"),
        ("- a", "not a mapping"),
        ("threads: 1\nthreads: 2", "line 2, column 1: key 'threads' stands twice"),
        ("a: &x [1]\nb: *x", "anchors and aliases"),
        ("threads: !!python/object/apply:os.system [id]", "tag tag:yaml.org"),
        ("threads: !env X", "tag !env"),
        ("threads: [1", "line 1"),
        ("a: 1\n---\nb: 2", "line"),
        ("? [1, 2]\n: 3", "not a plain word"),
        ("[" * 5000, "line 1, column 21: it is nested too deeply"),
        ("threads: 2020-99-99", "month|threads is"),
    ],
)
def test_what_it_refuses(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        load(tmp_path, text)
    assert "dvt.yml" in str(caught.value)


def test_a_cgroup_limit_counts(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    inner = tmp_path / "fs" / "a.slice" / "b.scope"
    inner.mkdir(parents=True)
    (inner / "memory.max").write_text("max\n")
    membership.write_text("0::/a.slice/b.scope\n")
    physical = memory_bytes(tmp_path / "none", membership)
    assert memory_bytes(tmp_path / "fs", membership) == physical
    (inner.parent / "memory.max").write_text(f"{64 << 20}\n")
    assert memory_bytes(tmp_path / "fs", membership) == 64 << 20
    membership.write_text("4:cpu,memory:/gone\n3:cpu:/\n")
    (tmp_path / "fs" / "memory").mkdir()
    (tmp_path / "fs" / "memory" / "memory.limit_in_bytes").write_text(f"{32 << 20}")
    assert memory_bytes(tmp_path / "fs", membership) == 32 << 20
