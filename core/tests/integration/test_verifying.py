"""A landed table against what was sent: equal on each engine, and each kind of damage found by name."""

from __future__ import annotations

import datetime
import random
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer
from servers.snowflake import SCHEMA, SnowflakeServer

from dvt.connections.connection import Connection
from dvt.errors import UnsupportedError, VerificationError
from dvt.federation.loaders.base import BaseLoader
from dvt.federation.registry import loader_class, open_connection
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.federation.verifying.level import Verify
from dvt.federation.verifying.verifier import Verifier
from dvt.identifiers import Relation
from dvt.types.vocabulary import MICROS, MICROS_UTC, UUID

_TEXTS = ["", "~N", "a|b~c", "größe 😀  ", "x'y\"z", " tail ", "\\N", "tab\tnewline\n", "0"]
_MOMENT = datetime.datetime(2026, 1, 31, 23, 59, 59, 1)


@dataclass
class Landing:
    """A loader, a relation in which it may land, and its connection."""

    loader: BaseLoader
    connection: Connection
    relation: Relation


@pytest.fixture(params=["postgres", "mariadb", "sqlite", "duckdb"])
def landing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Landing]:
    name, schema = request.param, "main"
    if name == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        output, schema = server.output(server.create_database("verifying")), "public"
    elif name == "mariadb":
        maria: MariaDBServer = request.getfixturevalue("mariadb_server")
        output, schema = maria.output(maria.create_database("verifying")), "verifying"
    else:
        output = {"type": name, "path": str(tmp_path / f"v.{name}")}
    connection = open_connection("dw", output, tmp_path)
    with ExitStack() as stack:
        loader = stack.enter_context(loader_class(connection.type)(connection))
        relation = Relation("landed", schema)
        loader.ensure_schema(relation)
        yield Landing(loader, connection, relation)


def _maybe(chance: random.Random, value: object) -> object:
    return None if chance.random() < 0.15 else value


def random_table(seed: int, rows: int, dialect: str) -> pa.Table:
    """Every type that lands; edges among the values."""
    chance = random.Random(seed)
    second = datetime.timedelta(seconds=1)

    def moment() -> datetime.datetime:  # MySQL's instants begin in 1970 and end in 2038
        return _MOMENT + chance.randrange(-(10**9), 10**8) * second

    columns = {
        "big": (pa.int64(), lambda: chance.choice([2**63 - 1, -(2**63), 0, chance.randrange(10**9)])),
        "small": (pa.int16(), lambda: chance.randrange(-(2**15), 2**15)),
        "amount": (pa.decimal128(15, 2), lambda: Decimal(chance.randrange(-(10**15) + 1, 10**15)).scaleb(-2)),
        "wide": (pa.decimal128(28, 9), lambda: Decimal(chance.randrange(-(10**28) + 1, 10**28)).scaleb(-9)),
        "flag": (pa.bool_(), lambda: chance.random() < 0.5),
        "word": (pa.string(), lambda: chance.choice(_TEXTS)),
        "day": (pa.date32(), lambda: moment().date()),
        "at": (MICROS, moment),
        "instant": (MICROS_UTC, lambda: moment().replace(tzinfo=datetime.timezone.utc)),
        "bytes": (pa.binary(), lambda: bytes(chance.randrange(256) for _ in range(chance.randrange(9)))),
        "real": (pa.float64(), lambda: chance.uniform(-1e9, 1e9)),
        "all null": (pa.int32(), lambda: None),
    }
    if dialect == "sqlite":  # it has no decimals of so many digits
        del columns["wide"]
    arrays = [pa.array([_maybe(chance, make()) for _ in range(rows)], type_) for type_, make in columns.values()]
    ids = [_maybe(chance, uuid.UUID(int=chance.getrandbits(128)).bytes) for _ in range(rows)]
    arrays.append(pa.ExtensionArray.from_storage(UUID, pa.array(ids, pa.binary(16))))
    return pa.Table.from_arrays(arrays, names=[*columns, "key"])


def stream(table: pa.Table, batch_rows: int = 7) -> RowStream:
    columns = [ColumnSchema(field.name, field.type) for field in table.schema]
    return RowStream(columns, iter(table.to_batches(batch_rows)))


def landed(landing: Landing, table: pa.Table, level: Verify) -> Verifier:
    """Stage a table under the eyes of a verifier."""
    verifier = Verifier(level, landing.connection)
    landing.loader.stage(verifier.watched(stream(table)), landing.relation)
    return verifier


@pytest.mark.parametrize("level", [Verify.SUMS, Verify.HASH])
@pytest.mark.parametrize("rows", [0, 1, 300])
def test_what_landed_is_what_was_sent(landing: Landing, level: Verify, rows: int) -> None:
    verifier = landed(landing, random_table(rows, rows, landing.connection.dialect), level)
    verifier.check(landing.relation, landing.relation)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("delete from {t} where id = 2", "3 rows were sent, 2 are there"),
        ("update {t} set word = null where id = 1", "column word: 3 values were sent, 2 are there"),
        ("update {t} set amount = amount + 0.01 where id = 3", "column amount: the values sent add up to 6.60"),
        ("update {t} set id = id + 1 where id = 3", "column id: the values sent add up to 6, those there to 7"),
    ],
)
@pytest.mark.parametrize("level", [Verify.SUMS, Verify.HASH])
def test_damage_is_found_by_name(landing: Landing, level: Verify, change: str, words: str) -> None:
    verifier = landed(landing, _three(), level)
    landing.loader.execute([change.format(t=landing.relation.sql(landing.connection.dialect))])
    with pytest.raises(VerificationError, match=words) as raised:
        verifier.check(landing.relation, Relation("orders", "shop"))
    assert (raised.value.relation, raised.value.phase) == ("shop.orders", "verify")


@pytest.mark.parametrize(
    "changes",
    [
        ["update {t} set word = 'C' where id = 3"],  # other letters
        ["update {t} set word = 'b ' where id = 2"],
        # What two rows have in one column, the other way round: all sums are the same.
        ["update {t} set amount = 4.40 - amount where id <> 2", "update {t} set amount = amount where id = 1"],
        ["update {t} set day = '2026-01-01' where id = 1"],
        ["update {t} set flag = not flag where id <> 2"],
    ],
)
def test_only_hashes_find_values_that_add_up(landing: Landing, changes: list[str]) -> None:
    for level in (Verify.SUMS, Verify.HASH):
        verifier = landed(landing, _three(), level)
        landing.loader.execute([sql.format(t=landing.relation.sql(landing.connection.dialect)) for sql in changes])
        if level is Verify.SUMS:
            verifier.check(landing.relation, landing.relation)
            landing.loader.drop(landing.relation)
    with pytest.raises(VerificationError, match="hashes do not add up"):
        verifier.check(landing.relation, landing.relation)


def test_a_table_of_many_columns(landing: Landing) -> None:
    table = pa.table({f"c{number}": pa.array([number, None], pa.int32()) for number in range(320)})
    verifier = landed(landing, table, Verify.SUMS)
    verifier.check(landing.relation, landing.relation)
    name = landing.relation.sql(landing.connection.dialect)
    landing.loader.execute([f"update {name} set c310 = 1 where c310 is not null"])
    with pytest.raises(VerificationError, match="column c310"):
        verifier.check(landing.relation, landing.relation)


def test_nanoseconds_are_counted_and_not_hashed(tmp_path: Path) -> None:
    connection = open_connection("dw", {"type": "duckdb", "path": str(tmp_path / "v.duckdb")}, tmp_path)
    with loader_class(connection.type)(connection) as loader:
        landing = Landing(loader, connection, Relation("landed", "main"))
        fine = pa.table({"id": [1, 2], "at": pa.array([1, None], pa.timestamp("ns"))})
        verifier = landed(landing, fine, Verify.HASH)
        verifier.check(landing.relation, landing.relation)
        loader.execute(['update main.landed set "at" = null'])
        with pytest.raises(VerificationError, match="column at: 1 values were sent, 0 are there"):
            verifier.check(landing.relation, landing.relation)


def test_an_engine_without_words_is_refused_beforehand(tmp_path: Path) -> None:
    connection = open_connection("lake", {"type": "files", "path": str(tmp_path)}, tmp_path)
    with pytest.raises(UnsupportedError, match=r"cannot be compared by sums\. Ask for `count`"):
        Verifier(Verify.SUMS, connection)
    warehouse = open_connection("wh", {"type": "teradata", "host": "h", "user": "u", "password": "p"}, tmp_path)
    Verifier(Verify.SUMS, warehouse)
    with pytest.raises(UnsupportedError, match=r"cannot be compared by hash\. Ask for `sums`"):
        Verifier(Verify.HASH, warehouse)
    other = {"type": "generic", "method": "adbc", "driver": "some_driver"}
    with pytest.raises(UnsupportedError, match="name in the output's `dialect` that of a known engine"):
        Verifier(Verify.SUMS, open_connection("other", other, tmp_path))
    Verifier(Verify.SUMS, open_connection("other", {**other, "dialect": "tsql"}, tmp_path))


def test_names_are_folded_as_the_loader_folds_them(snowflake_server: SnowflakeServer, tmp_path: Path) -> None:
    connection = open_connection("dw", snowflake_server.output(), tmp_path)
    with loader_class(connection.type)(connection) as loader:
        landing = Landing(loader, connection, Relation("verified", SCHEMA))
        try:
            verifier = landed(landing, _three(), Verify.SUMS)
            verifier.check(landing.relation, landing.relation)
            snowflake_server.execute(f"update {SCHEMA}.VERIFIED set ID = 5 where ID = 3")
            with pytest.raises(VerificationError, match="column id: the values sent add up to 6, those there to 8"):
                verifier.check(landing.relation, landing.relation)
        finally:
            loader.drop(landing.relation)


def _three() -> pa.Table:
    day = datetime.date(2026, 1, 31)
    return pa.table(
        {
            "id": pa.array([1, 2, 3], pa.int32()),
            "word": ["a", "b", "c"],
            "amount": pa.array([Decimal("1.10"), Decimal("2.20"), Decimal("3.30")], pa.decimal128(9, 2)),
            "day": pa.array([day, day, None], pa.date32()),
            "flag": pa.array([True, None, False]),
        }
    )
