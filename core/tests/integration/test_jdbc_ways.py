"""An engine's own output, read over JDBC: by choice, or because its client is not installed."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest
from servers.generic import missing
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

from dvt.connections.jdbc_ways import JDBC_WAYS, jdbc_connection, reads_by_jdbc
from dvt.errors import AuthenticationError, ConfigurationError, MissingDriverError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.registry import known_types, new_extractor, open_connection
from dvt.identifiers import Relation


def output(server: PostgresServer, **dvt: Any) -> dict[str, Any]:
    name = server.create_database("jdbc_ways")
    server.psql(name, "create table t as select i as id, 'row ' || i as name from generate_series(1, 5) i")
    return server.output(name, dvt=dvt)


@pytest.fixture(autouse=True)
def _parts_are_there(request: pytest.FixtureRequest) -> None:
    if "server" in "".join(request.fixturenames) and (why := missing("jdbc-postgres") or missing("jdbc-mariadb")):
        pytest.skip(why)


def test_the_choice_is_made_before_the_first_row_and_told(postgres_server: PostgresServer) -> None:
    connection = open_connection("crm", output(postgres_server, read_by="jdbc"))
    with new_extractor(connection) as extractor:
        assert "PostgreSQL" in extractor.ping()
        with extractor.scan(
            ExtractionConfig(relation=Relation("t", "public"), columns=("name", "id"), limit=2)
        ) as rows:
            assert rows.method == "jdbc"
            assert rows.to_table().num_rows == 2
    native = open_connection("crm", output(postgres_server))
    with new_extractor(native) as extractor, extractor.scan(ExtractionConfig(relation=Relation("t", "public"))) as rows:
        assert rows.method == "copy_native"


def test_a_missing_client_leaves_jdbc(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = {"jars": ["/usr/share/java/postgresql.jar"]}
    with_jars = open_connection("crm", output(postgres_server, jdbc=jars))
    without = open_connection("crm", output(postgres_server))
    assert not reads_by_jdbc(with_jars)
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "psycopg" else found(name))
    assert reads_by_jdbc(with_jars)
    with new_extractor(with_jars) as extractor:
        assert extractor.get_row_count(Relation("t", "public")) == 5
    with pytest.raises(MissingDriverError, match="psycopg"):
        new_extractor(without).ping()


def test_mariadb_by_its_own_keys(mariadb_server: MariaDBServer) -> None:
    name = mariadb_server.create_database("jdbc_ways")
    mariadb_server.execute(
        "create table t (id bigint, `select` varchar(20)); insert into t values (1, 'ä'), (2, null)", name
    )
    connection = open_connection("erp", mariadb_server.output(name, dvt={"read_by": "jdbc"}))
    with new_extractor(connection) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("t", name), columns=("select", "id"))) as rows:
            assert rows.to_table().to_pydict() == {"select": ["ä", None], "id": [1, 2]}


def test_errors_name_the_connection_and_no_secret(postgres_server: PostgresServer) -> None:
    wrong = {**output(postgres_server, read_by="jdbc"), "password": "wr0ng-pass"}
    with pytest.raises(AuthenticationError) as raised:
        new_extractor(open_connection("crm", wrong)).ping()
    assert raised.value.connection == "crm"
    assert "wr0ng-pass" not in f"{raised.value} {raised.value!r} {raised.value.__cause__}"


@pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed")
def test_a_jar_that_is_not_there(tmp_path: Path) -> None:
    keys = {
        "type": "postgres",
        "host": "127.0.0.1",
        "port": 1,
        "user": "u",
        "password": "p",
        "dbname": "d",
        "schema": "s",
    }
    missing_jar = {**keys, "dvt": {"read_by": "jdbc", "jdbc": {"jars": "nonesuch.jar"}}}
    with pytest.raises(MissingDriverError, match=r"nonesuch\.jar"):
        new_extractor(open_connection("crm", missing_jar, tmp_path)).ping()


def test_what_cannot_be_is_refused_by_name(tmp_path: Path) -> None:
    files = open_connection("f", {"type": "files", "path": ".", "dvt": {"read_by": "jdbc"}}, tmp_path)
    with pytest.raises(ConfigurationError, match="files is not read over JDBC"):
        new_extractor(files)
    keys = {"type": "postgres", "host": "h", "user": "u", "password": "p", "dbname": "d", "schema": "s"}
    for jdbc, what in (({"jar": "x.jar"}, r"dvt\.jdbc\.jar"), ("x.jar", r"dvt\.jdbc is 'x\.jar'")):
        with pytest.raises(ConfigurationError, match=what):
            new_extractor(open_connection("crm", {**keys, "dvt": {"read_by": "jdbc", "jdbc": jdbc}}, tmp_path))


def test_addresses_are_made_of_the_output() -> None:
    keys = {
        "type": "postgres",
        "host": "db",
        "port": 6432,
        "user": "u",
        "password": "p",
        "dbname": "crm",
        "schema": "s",
    }
    found = jdbc_connection(open_connection("crm", {**keys, "dvt": {"read_by": "jdbc"}}))
    assert found.settings["url"] == "jdbc:postgresql://db:6432/crm"
    own = jdbc_connection(open_connection("crm", {**keys, "dvt": {"jdbc": {"url": "jdbc:postgresql://other/x"}}}))
    assert own.settings["url"] == "jdbc:postgresql://other/x"


def test_every_way_is_of_a_known_type() -> None:
    assert JDBC_WAYS.keys() <= set(known_types())


@pytest.mark.skipif(missing("jdbc-h2") != "", reason="H2 is not installed")
def test_a_generic_output_names_its_jars_where_others_do(tmp_path: Path) -> None:
    def h2(**dvt: Any) -> str:
        output = {"type": "generic", "url": "jdbc:h2:mem:jars", "user": "sa", "dvt": dvt}
        with new_extractor(open_connection("h", output, tmp_path)) as extractor:
            return extractor.ping()

    (tmp_path / "own.jar").symlink_to("/usr/share/java/h2.jar")
    assert "H2" in h2(jdbc={"jars": "own.jar"})
    with pytest.raises(MissingDriverError, match=r"nonesuch\.jar"):  # Debian's jar would have done
        h2(jdbc={"jars": ["own.jar", "nonesuch.jar"]})
