"""Managed folders: parts and manifests, partitions, what readers and other programs see; DuckDB reads it as well."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from local_engines import connection, from_table, read, stream

from dvt.connections.connection import Connection
from dvt.errors import ConfigurationError, DataError, QueryError
from dvt.federation.extractors.files import FilesExtractor
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.files import FilesLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

FORMATS = ("parquet", "csv", "jsonl")


def lake(folder: Path, format_: str = "parquet", **dvt: Any) -> Connection:
    return connection("files", folder, path=".", format=format_, dvt={"layout": "folder", **dvt})


def load(con: Connection, rows: Any, name: str = "t", run_id: str = "0a1b2c3d", **config: Any) -> Any:
    given = rows if isinstance(rows, RowStream) else stream(rows) if isinstance(rows, str) else from_table(rows)
    with FilesLoader(con) as loader:
        return loader.load(given, LoadConfig(Relation(name), run_id=run_id, **config))


def found(con: Connection, name: str = "t", **more: Any) -> pa.Table:
    with FilesExtractor(con) as extractor:
        return read(extractor, name, **more)


def manifests(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((folder / "_dvt").glob("*.json"))]


def every_file(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("format_", FORMATS)
def test_partitions_are_folders_that_duckdb_reads(tmp_path: Path, format_: str) -> None:
    rows = (
        "select i::bigint as i, case when i % 7 = 0 then null else date '2024-01-01' + (i % 3)::int end as day,"
        " 'a/b=' || (i % 2) || ' ö' as \"k=/\" from range(5000) r(i)"
    )
    con = lake(tmp_path, format_, part_bytes=8192)
    done = load(con, rows, file_options={"partition_by": ["day", "k=/"]})
    (manifest,) = manifests(tmp_path / "t")
    assert done.rows == manifest["rows"] == sum(part["rows"] for part in manifest["parts"]) == 5000
    sizes = {part["path"]: part["bytes"] for part in manifest["parts"]}
    assert sizes == {name: (tmp_path / "t" / name).stat().st_size for name in manifest["files"]}
    version = manifest["files"][0].split("/")[0]
    folders = {name.rpartition("/")[0].removeprefix(f"{version}/") for name in manifest["files"]}
    days = ["2024-01-01", "2024-01-02", "2024-01-03", "__HIVE_DEFAULT_PARTITION__"]
    assert folders == {f"day={day}/k%3D%2F=a%2Fb%3D{k} ö" for day in days for k in (0, 1)}
    reader = {"parquet": "read_parquet", "csv": "read_csv", "jsonl": "read_json"}[format_]
    with duckdb.connect() as session:
        files = [f"{tmp_path}/t/{name}" for name in manifest["files"]]
        asked = f'select i, day::varchar, "k=/" from {reader}({files!r}, hive_partitioning = false) order by 1'
        expected = session.execute(f'select i, day::varchar, "k=/" from ({rows}) order by 1').fetchall()
        assert session.execute(asked).fetchall() == expected
        by_name = f"select count(*) from {reader}({files!r}, hive_partitioning = true) where day = date '2024-01-02'"
        assert session.execute(by_name).fetchone() == (sum(row[1] == "2024-01-02" for row in expected),)
    back = found(con).sort_by("i")
    assert back.schema.types == [pa.int64(), pa.date32(), pa.string()]
    assert back.equals(stream(rows).to_table().sort_by("i"))


@pytest.mark.parametrize(
    ("sql", "by", "kind"),
    [
        ("select '' as p", "p", DataError),
        ("select '__HIVE_DEFAULT_PARTITION__' as p", "p", DataError),
        ("select 1.5::double as p", "p", DataError),
        ("select repeat('x', 300) as p", "p", DataError),
        ("select 'infinity'::date as p", "p", DataError),
        ("select 1 as q", "p", ConfigurationError),
    ],
)
def test_values_that_name_no_folder_are_refused(tmp_path: Path, sql: str, by: str, kind: type[Exception]) -> None:
    con = lake(tmp_path)
    load(con, "select 1 as old")
    before = every_file(tmp_path)
    with pytest.raises(kind) as caught:
        load(con, sql, file_options={"partition_by": by})
    assert caught.value.column == "p"  # type: ignore[attr-defined]
    assert every_file(tmp_path) == before
    with pytest.raises(kind):
        load(con, sql, "new", file_options={"partition_by": by})
    assert os.listdir(tmp_path) == ["t"]


@pytest.mark.parametrize("format_", FORMATS)
def test_an_append_is_further_parts(tmp_path: Path, format_: str) -> None:
    con = lake(tmp_path, format_)
    load(con, "select 1 as a, 'x' as b, 1.5::decimal(9,2) as c")
    first = every_file(tmp_path / "t")
    load(con, "select 'y' as b, 2 as a", mode="append")
    load(con, "select 3 as a where false", mode="append")
    assert set(first) < set(every_file(tmp_path / "t"))
    assert found(con).sort_by("a").to_pydict() == {
        "a": [1, 2], "b": ["x", "y"], "c": [stream("select 1.5::decimal(9,2) c").to_table()["c"][0].as_py(), None],
    }  # fmt: skip
    for wrong, column in (("select 1::bigint as a", "a"), ("select 1 as other", "other")):
        before = every_file(tmp_path / "t")
        with pytest.raises(DataError) as caught:
            load(con, wrong, mode="append")
        assert caught.value.column == column
        assert every_file(tmp_path / "t") == before


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
def test_a_load_that_breaks_after_some_parts_leaves_nothing(tmp_path: Path, format_: str) -> None:
    con = lake(tmp_path, format_, part_bytes=1024)
    parts: list[int] = []

    def broken() -> Iterator[pa.RecordBatch]:
        yield from stream("select i from range(5000) r(i)").batches()
        parts.append(len(every_file(tmp_path)))
        raise QueryError("the source broke")

    for name in ("t", "new"):
        with pytest.raises(QueryError):
            load(con, RowStream([ColumnSchema("i", pa.int64())], broken()), name, streaming_batch_size=500)
    assert min(parts) > 2
    assert os.listdir(tmp_path) == []


def test_many_partitions_come_whole_though_few_files_are_open(tmp_path: Path) -> None:
    con = lake(tmp_path, part_bytes=4096, partition_by="p")
    rows = "select i, i % 40 as p, repeat('x', 2000) as t from range(30000) r(i)"
    load(con, rows)
    back = found(con, columns=("i", "p"))
    assert back.num_rows == 30000
    assert back.sort_by("i").equals(stream(rows).to_table().select(["i", "p"]).sort_by("i"))
    assert len(manifests(tmp_path / "t")[-1]["parts"]) > 40


@pytest.mark.parametrize("keep_old_s", [0, 3600])
def test_old_versions_stay_for_their_readers_as_long_as_said(tmp_path: Path, keep_old_s: int) -> None:
    con = lake(tmp_path, keep_old_s=keep_old_s, partition_by="p")
    load(con, "select 1 as v, 'a' as p")
    with FilesExtractor(con) as extractor:
        request = {"name": "t"}
        began = extractor.scan(_request(**request))
        load(con, "select 2 as v, 'a' as p")
        load(con, "select 3 as v, 'b' as p", mode="append")
        if keep_old_s:
            assert began.to_table().to_pydict() == {"v": [1], "p": ["a"]}
        began.close()
    assert sorted(found(con).column("v").to_pylist()) == [2, 3]
    assert len(manifests(tmp_path / "t")) == (3 if keep_old_s else 1)
    named = {name for manifest in manifests(tmp_path / "t") for name in manifest["files"]}
    assert {name for name in every_file(tmp_path / "t") if not name.startswith("_dvt/")} == named
    assert len(named) == (3 if keep_old_s else 2)
    assert len(list((tmp_path / "t").iterdir())) == len(named) + 1  # no folder is left that is empty


def test_the_newest_manifest_that_is_whole_counts(tmp_path: Path) -> None:
    con = lake(tmp_path)
    load(con, "select 1 as v")
    path = next((tmp_path / "t" / "_dvt").iterdir())
    for name, content in (("empty", ""), ("torn", path.read_text()[:-9])):
        (path.parent / f"{10**19}-{name}.json").write_text(content)
    (path.parent / ".99999999999999999999-x.json").write_text("{}")
    assert found(con).to_pydict() == {"v": [1]}
    ahead = path.parent / f"{2 * 10**18 + 5:020d}-ahead.json"  # of a machine whose clock is far ahead
    path.rename(ahead)
    load(con, "select 2 as v")
    assert found(con).to_pydict() == {"v": [2]}


def test_a_folder_of_other_files_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    con = lake(tmp_path)
    load(connection("files", tmp_path, path="."), "select 1 as v", "one")
    (tmp_path / "one.parquet").rename(tmp_path / "t" / "theirs.parquet")
    for mode in ("table", "append"):
        with pytest.raises(DataError, match="not landed with layout"):
            load(con, "select 2 as v", mode=mode)
    assert every_file(tmp_path) == ["t/theirs.parquet"]
    load(con, "select 2 as v", "two")
    with pytest.raises(DataError, match="layout: folder"):
        load(connection("files", tmp_path, path="."), "select 3 as v", "two")
    assert found(con, "two").to_pydict() == {"v": [2]}
    with pytest.raises(ConfigurationError, match="no single file"):
        load(con, "select 3 as v", "two", file_options={"layout": "file", "partition_by": "v"})


@pytest.mark.parametrize("format_", FORMATS)
def test_readers_of_partitions_see_the_old_rows_or_the_new(tmp_path: Path, format_: str) -> None:
    con = lake(tmp_path, format_, partition_by="p", keep_old_s=60)
    rows = "select {v}::int as v, i % 3 as p from range({n}) r(i)"
    sizes = {0: 300, 1: 500}
    load(con, rows.format(v=0, n=300))
    is_over, seen, problems = threading.Event(), set(), []

    def look() -> None:
        while not is_over.is_set():
            try:
                values = found(con).column("v")
                seen.add((len(values), *values.unique().to_pylist()))
            except Exception as error:
                problems.append(error)

    def broken() -> Iterator[pa.RecordBatch]:
        yield from stream(rows.format(v=9, n=5000)).batches()
        raise QueryError("the source broke")

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for version in range(1, 200):
            if version % 3 == 2:
                columns = [ColumnSchema("v", pa.int32()), ColumnSchema("p", pa.int64())]
                with pytest.raises(QueryError):
                    load(con, RowStream(columns, broken()))
            else:
                load(con, rows.format(v=version % 2, n=sizes[version % 2]))
            if problems or (version > 12 and len(seen) == 2):
                break
    finally:
        is_over.set()
        reader.join()
    assert not problems
    assert seen == {(300, 0), (500, 1)}
    named = {name for manifest in manifests(tmp_path / "t") for name in manifest["files"]}
    assert {name for name in every_file(tmp_path / "t") if not name.startswith("_dvt/")} == named


def _request(name: str) -> Any:
    from dvt.federation.extractors.base import ExtractionConfig

    return ExtractionConfig(relation=Relation(name))


@pytest.mark.parametrize("layout", ["folder", "file"])
@pytest.mark.parametrize("format_", ["parquet", "jsonl"])
def test_appends_at_the_same_time_are_all_there(tmp_path: Path, layout: str, format_: str) -> None:
    con = lake(tmp_path, format_, layout=layout)
    load(con, "select 0 as id")
    at_once = threading.Barrier(4)

    def append(number: int) -> None:
        at_once.wait()
        for id_ in range(number, number + 4):
            load(con, f"select {id_} as id", run_id=f"{number:08d}", mode="append")

    threads = [threading.Thread(target=append, args=(number,)) for number in (1, 5, 9, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found(con)["id"].to_pylist()) == [*range(17)]
