"""What loading into Snowflake keeps and refuses, beside what the kit asks of all loaders; the server is emulated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from integration.snowflake_kit import connect, read
from servers.snowflake import SnowflakeServer

from dvt.errors import DataError
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.snowflake import SnowflakeLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

pytestmark = [pytest.mark.snowflake, pytest.mark.slow]


def _load(server: SnowflakeServer, table: pa.Table, kind: type[SnowflakeLoader] = SnowflakeLoader, **more: Any) -> int:
    columns = [ColumnSchema(field.name, field.type) for field in table.schema]
    with kind(connect(server)) as loader:
        config = LoadConfig(Relation("landed"), **more)
        return loader.load(RowStream(columns, iter(table.to_batches(max_chunksize=2))), config).rows


@pytest.fixture
def server(snowflake_server: SnowflakeServer) -> Iterator[SnowflakeServer]:
    yield snowflake_server
    snowflake_server.execute("drop table if exists LANDED")


def test_names_without_quotes_are_upper_case(server: SnowflakeServer) -> None:
    _load(server, pa.table({"id": [1, 2], "It is": ["a", "b"]}))
    _load(server, pa.table({"id": [2, 3], "It is": ["B", "c"]}), mode="merge", unique_key=("id",))
    found = server.query('select ID::varchar as N, "It is" as T from LANDED order by 1')
    assert [(row["N"], row["T"]) for row in found] == [("1", "a"), ("2", "B"), ("3", "c")]
    with pytest.raises(DataError, match="two columns would be named ID") as raised:
        _load(server, pa.table({"id": [1], "ID": [2]}))
    assert raised.value.column == "ID"


def test_grants_and_comments_are_kept(server: SnowflakeServer) -> None:
    _load(server, pa.table({"id": [1], "old": ["a"]}))
    server.execute('grant select on table "SHOP"."PUBLIC"."LANDED" to role reader')
    server.execute("comment on table LANDED is 'it''s ours'")
    server.execute("""comment on column "SHOP"."PUBLIC"."LANDED"."ID" is 'a key'""")
    for _ in range(2):
        _load(server, pa.table({"id": [7], "new": ["b"]}))
    assert server.grants()['"SHOP"."PUBLIC"."LANDED"'] == ["select reader"]
    said = server.query("select comment as C from information_schema.tables where table_name = 'LANDED'")
    assert [row["C"] for row in said] == ["it's ours"]
    assert server.query("select * from LANDED") == [{"ID": 7, "NEW": "b"}]


def test_no_text_becomes_null_and_no_blank_is_lost(server: SnowflakeServer) -> None:
    texts = ["\\N", "", " a ", "NULL", "\\", None]
    _load(server, pa.table({"n": list(range(6)), "t": texts}))
    assert read(connect(server), "landed").sort_by("N").column("T").to_pylist() == texts


def test_many_files_are_one_load(server: SnowflakeServer) -> None:
    class Small(SnowflakeLoader):
        piece_bytes = 1

    text = "x" * (5 << 20)
    server.statements()
    assert _load(server, pa.table({"n": range(4), "t": [text] * 4}), Small) == 4
    words = [sql.split()[0] for sql in server.statements()]
    assert (words.count("put"), words.count("copy")) == (4, 1)
    assert server.stages() == []


def test_what_breaks_leaves_no_stage(server: SnowflakeServer) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from pa.table({"n": [1]}).to_batches()
        assert server.stages()
        raise DataError("the source has gone", connection="crm")

    with SnowflakeLoader(connect(server)) as loader:
        with pytest.raises(DataError, match="the source has gone"):
            loader.load(RowStream([ColumnSchema("n", pa.int64())], broken()), LoadConfig(Relation("landed")))
        assert server.stages() == []  # before the session ends


def test_what_a_declared_type_has_not_is_refused(server: SnowflakeServer) -> None:
    with pytest.raises(DataError, match="more than 0 digits of a second") as raised:
        _load(server, pa.table({"moment": pa.array([1], pa.timestamp("us"))}), declared={"moment": "timestamp_ntz(0)"})
    assert raised.value.column == "moment"
    with pytest.raises(DataError, match="puts no values into a column of type geography"):
        _load(server, pa.table({"moment": ["POINT(1 2)"]}), declared={"moment": "geography"})
