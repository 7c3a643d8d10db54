"""Loads through each kind of driver, into every database that runs here: what another client finds, what is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from servers.generic import PLACES, generic_place, java_asking
from servers.place import Place

from dvt.errors import DataError, UnsupportedError
from dvt.federation.loaders.base import BaseLoader
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.loaders.generic_writer import Rows
from dvt.identifiers import Relation, quote
from dvt.testing.streams import stream_of, typed
from dvt.testing.words import arrow_type

pytestmark = pytest.mark.postgres

Ask = Callable[[str], list[str]]
# By the kit's name of a type: values at its ends, and in the middle of what drivers spoil; then how databases print
# them, of which each prints one way.
VALUES: dict[str, tuple[list[str], list[list[str]]]] = {
    "bool": (["true", "false"], [["t", "f"], ["true", "false"], ["1", "0"], ["TRUE", "FALSE"]]),
    "int8": (["-128", "127"], []),
    "uint32": (["4294967295", "0"], []),
    "int64": (["-9223372036854775807", "9007199254740993"], []),
    "uint64": (["18446744073709551615", "9"], []),
    "float": (
        ["0.1", "-1.25"],
        [["0.10000000149011612", "-1.25"], ["0.100000001490116", "-1.25"], ["0.10000000149011612E0", "-1.25E0"]],
    ),
    "double": (["0.1", "-2.5e-300"], [["0.1", "-2.5E-300"], ["0.1E0", "-2.5E-300"]]),
    "decimal(12, 2)": (["9999999999.99", "-0.01"], []),
    "decimal(31, 10)": (["123456789012345678901.0123456789", "-1.5000000000"], []),
    "string": ([" ä'\"%s ? :1 ", "漢字 😀\\"], []),
    "date": (["0001-01-01", "9999-12-31"], []),
    "time": (
        ["23:59:59.999999", "00:00:00.5"],
        [["23:59:59.999999", "00:00:00.500000"], ["23:59:59.999999", "0:00:00.500000"]],
    ),
    "timestamp": (
        ["1969-12-31 23:59:59.999999", "2000-02-29 01:02:03.5"],
        [["1969-12-31 23:59:59.999999", "2000-02-29 01:02:03.500000"]],
    ),
    "instant": (
        ["1969-12-31 23:59:59.999999+00:00", "2000-02-29 01:02:03+00:00"],
        [
            ["1969-12-31 23:59:59.999999+00", "2000-02-29 01:02:03+00"],
            ["1969-12-31 23:59:59.999999+0:00", "2000-02-29 01:02:03.000000+0:00"],
        ],
    ),
    "uuid": (["00000000-0000-0000-0000-0000000000ff", "ffffffff-ffff-4fff-8fff-ffffffffffff"], []),
    "json": (['{"a": [1, null, "ä"]}', "[]"], []),
    "list(int32)": (["[1, null]", "[]"], [["[1,null]", "[]"]]),
}
BYTES = ["00ff5c27", "61"]
# What the database or its driver has no place for, or cannot be read back: refused, and no row is seen.
REFUSED = {
    "odbc-mariadb": {"instant"},
    "dbapi-mariadb": {"instant", "time"},
    "jdbc-mariadb": {"instant"},
    "odbc-sqlite": {"float", "double"},
    "jdbc-derby": {"instant", "time"},
}


@pytest.fixture(scope="module", params=[name for name in PLACES if name != "adbc-duckdb"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def place(name: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return generic_place(name, request, tmp_path_factory.mktemp(name.replace("-", "_")))


@pytest.fixture(scope="module")
def ask(name: str, place: Place, request: pytest.FixtureRequest) -> Ask:
    """The first column of a query, as the database's own texts through another client (in Java, the driver's)."""
    database = name.partition("-")[2]
    if database == "postgres":
        server = request.getfixturevalue("postgres_server")
        return lambda sql: server.psql("generic", sql).split("\n")
    if database == "mariadb":
        server = request.getfixturevalue("mariadb_server")
        return lambda sql: server.query(sql, "generic").split("\n")
    if database == "sqlite":
        return lambda sql: asked_of_a_file(place, sql)
    return java_asking(place)


def asked_of_a_file(place: Place, sql: str) -> list[str]:
    settings = {**place.output.get("db_kwargs", {}), **place.output.get("connect_args", {})}
    given = str(place.output.get("connection_string", "")).removeprefix("Database=")
    with contextlib.closing(sqlite3.connect(settings.get("uri") or settings.get("database") or given)) as session:
        return [str(row[0]) for row in session.execute(sql).fetchall()]


def load(place: Place, table: pa.Table, **options: object) -> LoadResult:
    with place.loader(**options) as loader:
        return loader.load(stream_of(table), LoadConfig(Relation("landed"), run_id="0c0ffee0"))


def columns_of(kinds: list[str]) -> pa.Table:
    arrays = {f"c{number}": typed([*VALUES[kind][0], None], arrow_type(kind)) for number, kind in enumerate(kinds)}
    return pa.table({"id": [1, 2, 3], **arrays})


def test_every_type_arrives(place: Place, name: str, ask: Ask) -> None:
    kinds = [kind for kind in VALUES if kind not in REFUSED.get(name, ())]
    result = load(place, columns_of(kinds))
    assert result.rows == 3
    dialect = place.connection().dialect
    table = quote("landed", dialect)
    wrong = []
    for number, kind in enumerate(kinds):
        column = quote(f"c{number}", dialect)
        given, printed = VALUES[kind]
        where = " ".join([column, "is not null order by", quote("id", dialect)])
        found = ask(" ".join(["select", column, "from", table, "where", where]))
        if found not in [given, *printed]:
            wrong.append(f"{kind}: {found}")
        if ask(" ".join(["select count(*) from", table, "where", column, "is null"])) != ["1"]:
            wrong.append(f"{kind}: its NULL")
    assert not wrong, wrong


def test_bytes_arrive(place: Place, name: str, ask: Ask) -> None:
    table = pa.table({"id": [1, 2, 3], "c": pa.array([*map(bytes.fromhex, BYTES), None], pa.binary())})
    if name == "odbc-sqlite":  # its driver would cut or lengthen them to the first one's length
        with pytest.raises(DataError) as raised:
            load(place, table)
        assert raised.value.column == "c"
        return
    load(place, table)
    dialect = place.connection().dialect
    column = quote("c", dialect)
    database = name.partition("-")[2]
    words = {"postgres": f"encode({column}, 'hex')", "h2": f"rawtohex({column})", "derby": column, "hsqldb": column}
    said = words.get(database, f"hex({column})")
    where = " ".join([column, "is not null order by", quote("id", dialect)])
    found = ask(" ".join(["select", said, "from", quote("landed", dialect), "where", where]))
    assert [text.lower() for text in found] == BYTES


def test_what_has_no_place_is_refused_by_name(place: Place, name: str) -> None:
    load(place, pa.table({"id": [7]}))
    for kind in REFUSED.get(name, ()):
        with pytest.raises((DataError, UnsupportedError)) as raised:
            load(place, columns_of([kind]))
        assert raised.value.connection == "kit"
        assert raised.value.column in ("c0", None if (name, kind) == ("jdbc-derby", "time") else "c0"), raised.value
    for value, type_ in ((2**63 - 1, pa.timestamp("us")), (2**31 - 1, pa.date32()), (0, pa.duration("us"))):
        storage = pa.int32() if type_ == pa.date32() else pa.int64()
        with pytest.raises(DataError) as raised:
            load(place, pa.table({"id": [1], "c": pa.array([value], storage).view(type_)}))
        assert raised.value.column == "c"
    with place.loader() as loader:
        assert left(loader) is None
        found = loader.rows(" ".join(["select count(*) from", quote("landed", loader.dialect)]))
        assert int(found[0][0]) == 1


def left(loader: BaseLoader) -> object:
    return loader.describe(loader.private_relation(LoadConfig(Relation("landed"), run_id="0c0ffee0")))


CHANGED = pa.table({"id": [2, 3], "c": ["new", None]})


@pytest.mark.parametrize("mode", ["table", "append", "merge", "delete+insert"])
def test_rows_change(place: Place, name: str, ask: Ask, mode: str) -> None:
    load(place, pa.table({"id": [1, 2], "c": ["a", "b"]}))
    with place.loader() as loader:
        config = LoadConfig(Relation("landed"), mode=mode, unique_key=("id",), run_id="0c0ffee0")  # type: ignore[arg-type]
        loader.load(stream_of(CHANGED), config)
        assert left(loader) is None
        names = [found for found, _ in loader.listed(None)]
        assert "landed" in names
        assert not [found for found in names if "0c0ffee0" in found]
        dialect = loader.dialect
    found = ask(" ".join(["select", quote("id", dialect), "from", quote("landed", dialect), "order by 1"]))
    assert found == {"table": ["2", "3"], "append": ["1", "2", "2", "3"]}.get(mode, ["1", "2", "3"])
    where = " ".join([quote("id", dialect), "= 2 and", quote("c", dialect), "= 'new'"])
    assert ask(" ".join(["select count(*) from", quote("landed", dialect), "where", where])) == ["1"]


class Cutting:
    """A driver that changes a value without a word."""

    def __init__(self, insert: object) -> None:
        self._insert = insert

    def __call__(self, rows: Rows) -> int | None:
        cut = (
            batch.set_column(1, "c", pa.array([value and value.rstrip() for value in batch.column(1).to_pylist()]))
            for batch in rows.batches
        )
        taken: int | None = self._insert(dataclasses.replace(rows, batches=cut))  # type: ignore[operator]
        return taken


@pytest.mark.parametrize("check", ["values", "count"])
def test_a_value_that_the_driver_cuts_is_found(place: Place, check: str) -> None:
    load(place, pa.table({"id": [7], "c": ["x"]}))
    with place.loader(check_loads=check) as loader:
        writer = loader.session()
        writer.insert = Cutting(writer.insert)
        table = stream_of(pa.table({"id": [1, 2], "c": ["a ", "b"]}))
        if check == "count":  # which is what it says
            assert loader.load(table, LoadConfig(Relation("landed"))).rows == 2
            return
        with pytest.raises(DataError, match="does not hold the values") as raised:
            loader.load(table, LoadConfig(Relation("landed")))
        assert raised.value.column == "c"
        assert int(loader.rows(" ".join(["select count(*) from", quote("landed", loader.dialect)]))[0][0]) == 1


def test_a_file_of_duckdb_is_left_to_its_own_type(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    place = generic_place("adbc-duckdb", request, tmp_path)
    with pytest.raises(UnsupportedError, match="opened twice"):
        load(place, pa.table({"id": [1]}))
