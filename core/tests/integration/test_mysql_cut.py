"""A connection that breaks in the middle: reading and loading say so, and nothing half is left."""

from __future__ import annotations

import pyarrow as pa
import pytest
from integration.mysql_kit import load, read, stream
from servers.cut_off import cut_off
from servers.mariadb import MariaDBServer, numbers

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.mysql import SPEC
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.mysql import MySQLLoader
from dvt.identifiers import Relation

pytestmark = pytest.mark.mysql


@pytest.fixture
def database(mariadb_server: MariaDBServer) -> str:
    name = mariadb_server.create_database("cutting")
    mariadb_server.execute(
        "create table big (id int, filler char(200));"
        f" insert into big select seq, repeat('x', 200) from {numbers(50000)}",
        name,
    )
    return name


def test_a_cut_while_reading(mariadb_server: MariaDBServer, database: str) -> None:
    with cut_off(mariadb_server.port, 5_000_000, of_the_client=False) as port:
        output = mariadb_server.output(database, port=port)
        with pytest.raises(errors.ConnectionLostError) as caught:
            read(Connection.from_output("shop", output, SPEC), "big")
    assert (caught.value.relation, caught.value.phase) == ("cutting.big", "extract")


def test_a_cut_while_loading(mariadb_server: MariaDBServer, database: str) -> None:
    load(Connection.from_output("shop", mariadb_server.output(database), SPEC), pa.table({"t": ["old"]}), "t")
    table = pa.table({"t": ["y" * 200] * 50_000})
    with cut_off(mariadb_server.port, 3_000_000, of_the_client=True) as port:
        output = mariadb_server.output(database, port=port)
        with MySQLLoader(Connection.from_output("shop", output, SPEC)) as loader:
            with pytest.raises(errors.ConnectionLostError):
                loader.load(stream(table), LoadConfig(Relation("t")))
    assert mariadb_server.query("show tables", database) == "big\nt"
    assert mariadb_server.query("select * from t", database) == "old"
