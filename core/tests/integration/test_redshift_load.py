"""Loads into Redshift (PostgreSQL behind a proxy, moto's S3): what the kit cannot say of both of its ways."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from servers import s3
from servers.postgres import PostgresServer
from servers.redshift import RedshiftServer, running

from dvt.connections.connection import Connection
from dvt.connections.redshift import SPEC
from dvt.errors import ConfigurationError, DataError, DvtError
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.redshift import RedshiftLoader
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation
from dvt.testing.streams import stream_of
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME

pytest.importorskip("redshift_connector")
pytestmark = pytest.mark.postgres

DATABASE = "dvt_redshift_load"
COPY = {"load_through": f"s3://{s3.BUCKET}/in", "unload_role": "arn:aws:iam::1:role/r'x"}
ROWS = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        "Text": ["it's \\ a\tb\n%s 漢字", "", None],
        "bytes": [b"\x00\xff\\", b"", None],
        "amount": pa.array([Decimal("-0.01"), Decimal("99999999.99"), None], pa.decimal128(10, 2)),
        "part": [5e-324, float("nan"), None],
        "short": pa.array([0.5, float("-inf"), None], pa.float32()),
        "day": [dt.date(1, 1, 1), dt.date(9999, 12, 31), None],
        "time": pa.array([dt.time(23, 59, 59, 999999), dt.time(0), None], TIME),
        "wall": pa.array([dt.datetime(1969, 12, 31, 23, 59, 59, 999999), dt.datetime(9999, 12, 31), None], MICROS),
        "moment": pa.array([-1, 1, None], MICROS_UTC),
        "doc": pa.array(['{"a": [1, null]}', '"x"', None]),
        "yes": [True, False, None],
        "small": pa.array([-128, 127, None], pa.int8()),
        "huge": pa.array([2**64 - 1, 0, None], pa.uint64()),
    }
)


@pytest.fixture(scope="module")
def server(postgres_server: PostgresServer) -> Iterator[RedshiftServer]:
    with s3.running() as url, running(postgres_server, DATABASE, url) as server:
        yield server


@pytest.fixture(autouse=True)
def _clean(server: RedshiftServer) -> Iterator[None]:
    yield
    assert s3.keys() == []


def ask(server: RedshiftServer, sql: str) -> str:
    return server.postgres.psql(DATABASE, sql)


def loader(server: RedshiftServer, **options: Any) -> RedshiftLoader:
    return RedshiftLoader(Connection.from_output("rs", server.output(dvt=options), SPEC))


def load(server: RedshiftServer, table: pa.Table, name: str, config: dict[str, Any] | None = None, **o: Any) -> str:
    with loader(server, **o) as loading:
        return loading.load(stream_of(table), LoadConfig(Relation(name, "public"), **(config or {}))).method


@pytest.mark.parametrize(
    "declared", [{}, {"doc": "super", "Text": "varchar(40)", "id": "integer", "amount": "decimal(20,4)"}]
)
def test_both_ways_leave_the_same_rows(server: RedshiftServer, declared: dict[str, str]) -> None:
    ways = {"copied": ("copy_parquet", COPY), "inserted": ("insert", {})}
    for name, (method, options) in ways.items():
        assert load(server, ROWS, name, {"declared": declared}, **options) == method
    texts = [ask(server, f"select * from {name} order by id") for name in ways]
    assert texts[0] == texts[1]
    assert ask(server, 'select octet_length("Text"), "Text" = \'\' from copied order by id') == "20|f\n0|t\n|"
    assert ask(
        server, "select bytes, \"time\", amount, part, wall, moment at time zone 'UTC' from copied where id = 1"
    ) == (
        "00ff5c|23:59:59.999999|" + ("-0.0100" if declared else "-0.01") + "|5e-324|1969-12-31 23:59:59.999999"
        "|1969-12-31 23:59:59.999999"
    )
    types = ask(
        server,
        "select string_agg(format_type(atttypid, atttypmod), ',' order by attnum) from pg_attribute"
        " where attrelid = 'copied'::regclass and attnum > 0",
    )
    assert ("super" in types) == bool(declared)


def test_copy_is_told_the_files_the_role_and_nothing_that_parquet_does_not_take(server: RedshiftServer) -> None:
    server.copies.statements.clear()
    load(server, ROWS.select(["id", "Text"]), "told", **COPY)
    (statement,) = server.copies.statements
    assert statement.startswith('copy "public"."told__dvt_')
    assert "/manifest.json' iam_role 'arn:aws:iam::1:role/r''x' format as parquet manifest" in statement


def test_no_rows_are_no_copy(server: RedshiftServer) -> None:
    server.copies.statements.clear()
    load(server, ROWS.slice(0, 0), "empty", **COPY)
    assert server.copies.statements == []
    assert ask(server, "select count(*) from empty") == "0"


def test_a_bucket_without_a_role_is_a_clear_error(server: RedshiftServer) -> None:
    with pytest.raises(ConfigurationError, match=r"load_through is given without dvt\.load_role"):
        load(server, ROWS, "none", load_through=COPY["load_through"])


def test_long_inserts_are_cut_into_statements(server: RedshiftServer) -> None:
    table = pa.table({"id": range(900), "text": ["x" * 5000] * 900})
    server.statements()
    load(server, table, "cut", {"streaming_batch_size": 900})
    sent = [sql for sql in server.statements() if sql.startswith("insert into")]
    assert len(sent) == 5
    assert max(map(len, sent)) < 1 << 20
    assert ask(server, "select count(*), sum(id), sum(length(text)) from cut") == "900|404550|4500000"


def test_the_driver_keeps_no_statement(server: RedshiftServer) -> None:
    with loader(server) as loading:
        loading.load(stream_of(ROWS), LoadConfig(Relation("kept", "public")))
        caches = [cache for style in loading.session()._caches.values() for cache in style.values()]
        assert [cache["statement"] for cache in caches] == [{}] * len(caches)
        assert all("insert into" not in str(key) for cache in caches for key in cache["ps"])


def test_grants_and_comments_are_kept(server: RedshiftServer) -> None:
    load(server, ROWS, "kept", **COPY)
    ask(
        server,
        "drop role if exists rs_reader; create role rs_reader; grant select on kept to rs_reader;"
        " grant insert on kept to public; comment on table kept is 'it''s \\\\ one';"
        " comment on column kept.\"Text\" is 'two'",
    )
    before = ask(server, "select relacl from pg_class where relname = 'kept'")
    old = ask(server, "select 'kept'::regclass::oid")
    load(server, ROWS, "kept", **COPY)
    assert ask(server, "select 'kept'::regclass::oid") != old
    kept = ask(server, "select relacl from pg_class where relname = 'kept'")
    assert sorted(kept.strip("{}").split(",")) == sorted(before.strip("{}").split(","))
    said = "select obj_description('kept'::regclass), col_description('kept'::regclass, 2)"
    assert ask(server, said) == "it's \\ one|two"
    ask(server, "drop owned by rs_reader; drop role rs_reader")


def test_a_table_with_views_keeps_its_place(server: RedshiftServer) -> None:
    load(server, ROWS.select(["id"]), "viewed")
    ask(server, "create view on_viewed as select id from viewed")
    old = ask(server, "select 'viewed'::regclass::oid")
    load(server, ROWS.select(["id"]).slice(1), "viewed")
    assert ask(server, "select 'viewed'::regclass::oid") == old
    assert ask(server, "select id from on_viewed order by 1") == "2\n3"
    with pytest.raises(DataError, match=r"public\.on_viewed"):
        load(server, ROWS.select(["id", "Text"]), "viewed")
    assert ask(server, "select id from on_viewed order by 1") == "2\n3"
    load(server, ROWS.select(["id", "Text"]), "viewed", {"drop_dependents": True})
    assert ask(server, "select count(*) from pg_views where viewname = 'on_viewed'") == "0"


@pytest.mark.parametrize(("kind", "text"), [("varchar(3)", "abcd"), ("varchar(3)", "éé"), ("char(5)", "a ")])
def test_a_target_without_room_is_found_before_anything_changes(server: RedshiftServer, kind: str, text: str) -> None:
    ask(server, f"drop table if exists narrow; create table narrow (name {kind}); insert into narrow values ('old')")
    with pytest.raises(DataError) as raised:
        load(server, pa.table({"name": [text]}), "narrow", {"mode": "append"})
    assert raised.value.column == "name"
    load(server, pa.table({"name": ["new"]}), "narrow", {"mode": "append"})
    assert ask(server, "select trim(name) from narrow order by 1") == "new\nold"


@pytest.mark.parametrize("options", [COPY, {}])
def test_a_load_that_breaks_leaves_no_table_and_no_file(server: RedshiftServer, options: dict[str, str]) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from ROWS.to_batches()
        raise DvtError("the source broke", connection="crm")

    stream = RowStream(stream_of(ROWS).columns, broken())
    with loader(server, **options) as loading, pytest.raises(DvtError, match="the source broke") as raised:
        loading.load(stream, LoadConfig(Relation("broke", "public")))
    assert raised.value.connection == "crm"
    assert ask(server, "select count(*) from pg_class where relname like 'broke%'") == "0"


def test_what_the_cluster_refuses_of_the_files_is_told(server: RedshiftServer) -> None:
    s3.clear()
    server.copies.tables.clear()  # the cluster knows nothing of it
    with loader(server, **COPY) as loading, pytest.raises(DvtError) as raised:
        _with_another_width(loading, server)
    assert "incompatible Parquet schema" in str(raised.value)


def _with_another_width(loading: RedshiftLoader, server: RedshiftServer) -> None:
    """A table whose column is wider than the file's."""
    from dvt.federation.extractors.redshift_unload import private_folder
    from dvt.federation.loaders.bucket_files import BucketFiles

    loading.run("create table wider (id bigint)")
    schema = pa.schema([("id", pa.int32())])
    with BucketFiles(private_folder(loading.connection, "load_through")) as files, loading.guarded("load", None):
        files.write(schema, [pa.record_batch([pa.array([1], pa.int32())], schema)])
        loading.run(f"copy wider from '{files.folder.url}' iam_role 'x' format as parquet")


def test_json_has_its_text(server: RedshiftServer) -> None:
    texts = pa.array(['{"b": 1.0, "a":  1}', None])
    load(server, pa.table({"doc": pa.ExtensionArray.from_storage(JSON, texts)}), "docs", **COPY)
    assert ask(server, "select doc from docs where doc is not null") == '{"b": 1.0, "a":  1}'
