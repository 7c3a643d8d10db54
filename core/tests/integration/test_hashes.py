"""Hashes of rows, computed by the databases, against hashes of the rows as they are read; and one against another."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from servers.clickhouse import ClickHouseServer
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

from dvt.errors import ConfigurationError, DataError, RelationNotFoundError, UnsupportedError
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.hashing.client import hashed_batch
from dvt.federation.registry import extractor_class, open_connection
from dvt.identifiers import Relation

Open = Callable[[], BaseExtractor]

# A whole number, a decimal of two digits, a text, a truth value, a day and a moment without zone.
ROWS = [
    "1, 1.50, 'a', true, '2026-01-31', '2026-01-31 23:59:59.000001'",
    "2, -0.05, '', false, '0001-01-01', '1999-12-31 00:00:00'",
    "3, 100.00, 'a|b~c', true, '9999-12-31', '2026-06-01 12:00:00.5'",
    "4, 0.00, '~N', null, null, null",
    "5, null, null, false, '2000-02-29', '2000-02-29 01:02:03.123456'",
    "6, 12345678.90, 'größe 😀  ', true, '1970-01-01', '1970-01-01 00:00:00'",
    "7, 7.10, 'x''y\"z', false, '1969-12-31', '1901-01-01 10:10:10.1'",
]
COLUMNS = ("id", "amount", "name", "is_open", "day", "moment")


def statements(*types: str) -> list[str]:
    columns = ", ".join(f"{name} {type_}" for name, type_ in zip(COLUMNS, types, strict=True))
    return [f"create table facts ({columns})", *(f"insert into facts values ({row})" for row in ROWS)]


def _opener(output: dict[str, object], folder: Path) -> Open:
    connection = open_connection("shop", output, folder)
    return lambda: extractor_class(connection.type)(connection)


@pytest.fixture(params=["postgres", "mariadb", "sqlite", "duckdb", "clickhouse", "files"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    name = request.param
    if name == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        database = server.create_database("hashes")
        types = ("bigint", "numeric(12,2)", "text", "boolean", "date", "timestamp")
        server.psql(database, ";\n".join(statements(*types)))
        return _opener(server.output(database), tmp_path)
    if name == "mariadb":
        maria: MariaDBServer = request.getfixturevalue("mariadb_server")
        database = maria.create_database("hashes")
        types = ("bigint", "decimal(12,2)", "varchar(50)", "boolean", "date", "datetime(6)")
        maria.execute(";\n".join(statements(*types)), database)
        return _opener(maria.output(database), tmp_path)
    if name == "sqlite":
        with sqlite3.connect(tmp_path / "s.sqlite") as db:
            for sql in statements("integer", "text", "text", "boolean", "text", "text"):
                db.execute(sql)
        db.close()
        return _opener({"type": "sqlite", "path": str(tmp_path / "s.sqlite")}, tmp_path)
    types = ("bigint", "decimal(12,2)", "varchar", "boolean", "date", "timestamp")
    if name == "clickhouse":
        house: ClickHouseServer = request.getfixturevalue("clickhouse_server")
        database = house.create_database("hashes")
        own = ("Int64", "Nullable(Decimal(12,2))", "Nullable(String)", "Nullable(Bool)", "Nullable(Date32)")
        for sql in statements(*own, "Nullable(DateTime64(6))"):
            house.execute(f"{sql} engine = Memory" if sql.startswith("create") else sql, database=database)
        return _opener(house.output(database), tmp_path)
    with duckdb.connect(str(tmp_path / "d.duckdb")) as db:
        for sql in statements(*types):
            db.execute(sql)
        if name == "files":
            (tmp_path / "files").mkdir()
            pq.write_table(db.sql("from facts").to_arrow_table(), tmp_path / "files" / "facts.parquet")
    if name == "files":
        return _opener({"type": "files", "path": str(tmp_path / "files")}, tmp_path)
    return _opener({"type": "duckdb", "path": str(tmp_path / "d.duckdb")}, tmp_path)


def facts(*columns: str, key: tuple[str, ...] = ("id",), **more: object) -> ExtractionConfig:
    return ExtractionConfig(relation=Relation("facts"), columns=columns or None, key_columns=key, **more)


def test_the_source_makes_the_hashes_that_its_rows_make_here(source: Open) -> None:
    with source() as extractor:
        found = extractor.extract_hashes(facts())
        with extractor.scan(ExtractionConfig(relation=Relation("facts"))) as stream:
            table = stream.to_table()
    batch = hashed_batch(table.combine_chunks().to_batches()[0], table.column_names, ["id"])
    expected = dict(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    assert sorted(expected) == [str(number) for number in range(1, 8)]
    assert found == expected
    assert len(set(found.values())) == len(ROWS)


# The MD5 of the columns id, name and is_open, which every engine has with the same values.
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_equal_rows_have_equal_hashes_on_all_engines(source: Open, size: int) -> None:
    with source() as extractor:
        found = extractor.extract_hashes(facts("id", "name", "is_open", batch_size=size))
        day = extractor.extract_hashes(facts("amount"))["3"]
    texts = {"1": "1|a|true|", "2": "2||false|", "3": "3|a~1b~0c|true|", "4": "4|~0N|~N|", "5": "5|~N|false|"}
    texts |= {"6": "6|größe 😀  |true|", "7": "7|x'y\"z|false|"}
    if source().connection.type in ("mysql", "mariadb"):  # where a truth value is a number
        texts = {key: text.replace("|true|", "|1|").replace("|false|", "|0|") for key, text in texts.items()}
    assert found == {key: hashlib.md5(text.encode()).hexdigest() for key, text in texts.items()}
    assert day == hashlib.md5(b"100|").hexdigest() or extractor.connection.type == "sqlite"


def test_keys_of_several_columns_and_of_none(source: Open) -> None:
    with source() as extractor:
        found = extractor.extract_hashes(facts("id", key=("name", "id")))
        assert {"a|1|", "|2|", "a~1b~0c|3|", "~0N|4|", "~N|5|"} < found.keys()
        with pytest.raises(ConfigurationError, match="key_columns"):
            extractor.extract_hashes(facts("id", key=()))
        with pytest.raises(RelationNotFoundError, match="idd"):
            extractor.extract_hashes(facts("name", key=("idd",)))
        # Three rows are open and three are not; an engine that orders nothing may find either pair first.
        with pytest.raises(DataError, match=r"two rows of .* have the key '(true|1|false|0)'"):
            extractor.extract_hashes(facts("id", key=("is_open",)))


def test_hashes_stream_in_batches_and_end_early(source: Open) -> None:
    with source() as extractor:
        with extractor.hash_stream(facts("name", batch_size=2)) as stream:
            assert stream.schema.names == ["dvt_key", "dvt_hash"]
            batch = stream.read_batch(2)
            assert batch is not None
            assert batch.num_rows == 2
        assert extractor.get_row_count(Relation("facts")) == len(ROWS)
        assert extractor.extract_hashes(facts("name", limit=0)) == {}


def test_what_has_no_text_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute("create table facts as select 1 as id, [1, 2] as items")
    with _opener({"type": "duckdb", "path": str(path)}, tmp_path)() as extractor:
        with pytest.raises(UnsupportedError, match="items"):
            extractor.extract_hashes(facts())
        assert extractor.extract_hashes(facts("id")).keys() == {"1"}


def test_no_two_rows_have_one_text(tmp_path: Path) -> None:
    """Separators, escapes, NULL and the empty text in every order, in two columns."""
    parts = ["", "|", "~", "~N", "~0", "~1", "a|", "|a", "a", None]
    values = [(left, right) for left in parts for right in parts]
    table = pa.table({"l": [left for left, _ in values], "r": [right for _, right in values]})
    hashes = hashed_batch(table.to_batches()[0], ["l", "r"], ["l"]).column(1).to_pylist()
    assert len(set(hashes)) == len(values)


# Numbers of which the engine's own text has fewer digits than they have.
CLOSE = {"sqlite": ("0.3", "0.1 + 0.2"), "mariadb": ("16777214", "16777215"), "duckdb": ("1.0", "1.0000000000000002")}


@pytest.mark.parametrize("engine", CLOSE)
def test_floats_that_differ_in_their_last_digit_differ_in_their_hashes(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    small, large = CLOSE[engine]
    rows = f"insert into facts values (1, {small}), (2, {large}), (3, null), (4, 1.5), (5, -1.5e300)"
    if engine == "mariadb":
        maria: MariaDBServer = request.getfixturevalue("mariadb_server")
        database = maria.create_database("floats")
        maria.execute(f"create table facts (id int, n float); {rows.replace('e300', 'e30')}", database)
        opened = _opener(maria.output(database), tmp_path)
    elif engine == "sqlite":
        with sqlite3.connect(tmp_path / "s.sqlite") as db:
            db.execute("create table facts (id integer, n real)")
            db.execute(rows)
        db.close()
        opened = _opener({"type": "sqlite", "path": str(tmp_path / "s.sqlite")}, tmp_path)
    else:
        with duckdb.connect(str(tmp_path / "d.duckdb")) as duck:
            duck.execute(f"create table facts (id int, n double); {rows}")
        opened = _opener({"type": "duckdb", "path": str(tmp_path / "d.duckdb")}, tmp_path)
    with opened() as extractor:
        found = extractor.extract_hashes(facts("n"))
    assert len(set(found.values())) == 5
    assert found["3"] == hashlib.md5(b"~N|").hexdigest()
    assert found["4"] == hashlib.md5(b"1.5|").hexdigest()


def test_moments_that_differ_by_a_nanosecond_differ_in_their_hashes(tmp_path: Path) -> None:
    moments = ["'2026-01-31 12:00:00.5'", "'2026-01-31 12:00:00.500000001'", "'1901-01-01 00:00:00.000000001'", "null"]
    path = tmp_path / "d.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute("create table facts (id int, moment timestamp_ns)")
        for number, moment in enumerate(moments):
            db.execute(f"insert into facts values ({number}, {moment})")
    with _opener({"type": "duckdb", "path": str(path)}, tmp_path)() as extractor:
        found = extractor.extract_hashes(facts("moment"))
        with extractor.scan(ExtractionConfig(relation=Relation("facts"))) as stream:
            batch = hashed_batch(stream.to_table().combine_chunks().to_batches()[0], ["moment"], ["id"])
    assert found == dict(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    assert found["0"] == hashlib.md5(b"2026-01-31 12:00:00.500000|").hexdigest()
    assert len(set(found.values())) == 4


ODD_MOMENTS = [
    "1, 'infinity', 'infinity', 'infinity', '24:00:00'",
    "2, '-infinity', '-infinity', '-infinity', '00:00:00'",
    "3, '0044-03-15 (BC)', '0044-03-15 (BC) 12:00:00', '0044-03-15 (BC) 12:00:00+00', '23:59:59.999999'",
    "4, '0044-03-15', '0044-03-15 12:00:00', '0044-03-15 12:00:00+00', '12:00:00'",
    "5, '0001-12-31 (BC)', '0001-12-31 (BC) 00:00:00', '0001-12-31 (BC) 00:00:00+00', null",
    "6, '12026-01-31', '12026-01-31 00:00:00.5', '12026-01-31 00:00:00.5+00', '00:00:00.000001'",
    "7, null, null, null, null",
]


@pytest.mark.parametrize("engine", ["postgres", "duckdb"])
def test_infinite_moments_other_eras_and_the_end_of_a_day(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    made = "create table facts (id int, day date, moment timestamp, instant timestamptz, hour time)"
    if engine == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        database = server.create_database("eras")
        rows = [re.sub(r"'([-0-9]+) \(BC\)([^']*)'", r"'\1\2 BC'", row) for row in ODD_MOMENTS]
        server.psql(database, ";\n".join([made, *(f"insert into facts values ({row})" for row in rows)]))
        opened = _opener(server.output(database), tmp_path)
    else:
        with duckdb.connect(str(tmp_path / "d.duckdb")) as duck:
            duck.execute("set timezone = 'UTC'")
            for sql in (made, *(f"insert into facts values ({row})" for row in ODD_MOMENTS)):
                duck.execute(sql)
        opened = _opener({"type": "duckdb", "path": str(tmp_path / "d.duckdb")}, tmp_path)
    for name in ("day", "moment", "instant", "hour"):
        with opened() as extractor:
            found = extractor.extract_hashes(facts(name))
            with extractor.scan(ExtractionConfig(relation=Relation("facts"))) as stream:
                batch = hashed_batch(stream.to_table().combine_chunks().to_batches()[0], [name], ["id"])
        assert found == dict(zip(*(column.to_pylist() for column in batch.columns), strict=True)), name
        assert len(set(found.values())) == (6 if name == "hour" else 7)
        if name == "day":
            assert found["3"] == hashlib.md5(b"0044-03-15 BC|").hexdigest()
