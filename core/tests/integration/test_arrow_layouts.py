"""Text, bytes and lists in the layouts that other libraries prefer (views, large, dictionary) land as any others.

The streams are made of Arrow tables, as plugins may give them; what landed is what each engine's own client says.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from integration.types_sides import DuckDB, MariaDB, Postgres, Side, SQLite
from local_engines import from_table

from dvt.federation.loaders.base import LoadConfig
from dvt.federation.registry import loader_class

TEXTS = ["tab\there", "back\\slash \\N", "new\nline", "quote'\"", "", None, "é" * 50]
BYTES = [b"\x00\xff", b"\\\t\n", b"", None, b"x" * 50, b"'", b"\x1a"]
LISTS = [["a", None], [], None, ["é"], ["'"], ["\\"], ["b" * 20]]
LAYOUTS = {
    "view": (pa.string_view(), pa.binary_view(), pa.list_(pa.string_view())),
    "large": (pa.large_string(), pa.large_binary(), pa.large_list(pa.large_string())),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int8(), pa.binary()), pa.list_(pa.string())),
}
HEX = {"postgres": "encode(b, 'hex')", "mariadb": "lower(hex(b))", "sqlite": "lower(hex(b))", "duckdb": "lower(hex(b))"}
SHOWN_LIST = {"postgres": "to_json(l)", "mariadb": "l", "sqlite": "l", "duckdb": "to_json(l)"}


@pytest.fixture(params=["duckdb", "sqlite", "postgres", "mariadb"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Side:
    if request.param == "postgres":
        return Postgres(request.getfixturevalue("postgres_server"), "layouts")
    if request.param == "mariadb":
        return MariaDB(request.getfixturevalue("mariadb_server"), "layouts")
    return DuckDB(tmp_path / "a.duckdb") if request.param == "duckdb" else SQLite(tmp_path / "a.sqlite")


@pytest.mark.postgres
@pytest.mark.mysql
@pytest.mark.parametrize("layout", LAYOUTS)
def test_databases(side: Side, layout: str) -> None:
    engine = {"my": "mariadb", "pg": "postgres", "sl": "sqlite", "dk": "duckdb"}[side.connection.name]
    with loader_class(side.connection.type)(side.connection) as loader:
        rows = loader.load(from_table(_table(layout), 3), LoadConfig(side.relation("t"))).rows
    found = side.ask("t", ["id", "s", HEX[engine], SHOWN_LIST[engine]])
    assert rows == len(found) == len(TEXTS)
    assert [row[1] for row in found] == TEXTS
    # SQLite's hex() of NULL is the empty text.
    hexadecimal = [None if b is None and engine != "sqlite" else (b or b"").hex() for b in BYTES]
    assert [row[2] for row in found] == hexadecimal
    plain = {"[]": [], '["a",null]': ["a", None], '["é"]': ["é"], '["\'"]': ["'"], '["\\\\"]': ["\\"]}
    plain[f'["{"b" * 20}"]'] = ["b" * 20]
    assert [None if row[3] is None else plain[row[3]] for row in found] == LISTS


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("format_", ["parquet", "csv"])
def test_files(format_: str, layout: str, tmp_path: Path) -> None:
    import duckdb

    from dvt.federation.registry import open_connection
    from dvt.identifiers import Relation

    connection = open_connection("files", {"type": "files", "path": str(tmp_path), "format": format_})
    table = _table(layout)
    table = table.drop_columns(["b"]) if format_ == "csv" else table  # CSV carries no bytes
    with loader_class("files")(connection) as loader:
        loader.load(from_table(table, 3), LoadConfig(Relation("t")))
    path = str(tmp_path / f"t.{format_}")
    if format_ == "parquet":
        found = duckdb.execute("select s, b, l from read_parquet(?) order by id", [path]).fetchall()
        assert found == list(zip(TEXTS, BYTES, LISTS, strict=True))
        return
    reading = "read_csv(?, header = true, all_varchar = true, quote = '\"', escape = '\"', allow_quoted_nulls = false)"
    found = duckdb.execute(
        " ".join(["select s, l::json::varchar[] from", reading, "order by id::int"]), [path]
    ).fetchall()
    assert found == list(zip(TEXTS, LISTS, strict=True))


def _table(layout: str) -> pa.Table:
    text, binary, list_ = LAYOUTS[layout]
    return pa.table(
        {
            "id": pa.array(range(len(TEXTS)), pa.int32()),
            "s": pa.array(TEXTS, text),
            "b": pa.array(BYTES, binary),
            "l": pa.array(LISTS, list_),
        }
    )
