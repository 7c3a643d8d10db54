"""What keys are in dictionaries of hashes: texts on SQL Server and Oracle, whatever the column's type is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from servers.oracle_driver import oracle_double
from servers.oracle_driver import output as oracle_output
from servers.oracle_sql import SCHEMA, OracleSQLDouble
from servers.sqlserver import SqlServerFake

from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.hashing.rows import KeyForm
from dvt.federation.registry import extractor_class, open_connection
from dvt.identifiers import Relation

ROWS = "values (1, N'a ', 1.50), (-20, N'b', 0)"


@pytest.fixture(params=["sqlserver", "oracle"])
def extractor(request: pytest.FixtureRequest) -> Iterator[BaseExtractor]:
    """Reads a table `keyed`, which lies in the schema of the output, not in the login's own."""
    if request.param == "sqlserver":
        server: SqlServerFake = request.getfixturevalue("sqlserver_fake")
        server.execute("create schema hashed", "create table hashed.keyed (id int not null, name nvarchar(9), n float)")
        server.execute(f"insert into hashed.keyed {ROWS}")
        connection = open_connection("erp", server.output(schema="hashed"))
        with extractor_class("sqlserver")(connection) as found:
            yield found
        server.execute("drop table hashed.keyed", "drop schema hashed")
        return
    pytest.importorskip("oracledb")
    double = OracleSQLDouble()
    double.execute(f'create table "{SCHEMA}"."KEYED" ("id" NUMBER(9,0), "name" VARCHAR2(9), "n" NUMBER(9,2))')
    double.execute(f'insert into "{SCHEMA}"."KEYED" {ROWS}')
    with oracle_double(double):
        with extractor_class("oracle")(open_connection("erp", oracle_output(schema=SCHEMA))) as found:
            yield found


def test_a_key_of_whole_numbers_comes_as_text_and_no_text_is_stripped(extractor: BaseExtractor) -> None:
    of_numbers = extractor.extract_hashes(ExtractionConfig(Relation("keyed"), columns=("name",), key_columns=("id",)))
    assert of_numbers == {"1": hashlib.md5(b"a |").hexdigest(), "-20": hashlib.md5(b"b|").hexdigest()}
    of_texts = extractor.extract_hashes(ExtractionConfig(Relation("keyed"), columns=("id",), key_columns=("name",)))
    assert of_texts == {"a ": hashlib.md5(b"1|").hexdigest(), "b": hashlib.md5(b"-20|").hexdigest()}
    assert KeyForm[extractor.hash_keys] is KeyForm.TEXT


def test_hashes_of_some_rows(extractor: BaseExtractor) -> None:
    found = extractor.extract_hashes(
        ExtractionConfig(Relation("keyed"), columns=("name",), key_columns=("id",), limit=1)
    )
    assert len(found) == 1
