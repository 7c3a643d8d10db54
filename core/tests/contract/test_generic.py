"""The conformance kit against generic connections: ADBC, ODBC, DB-API and JDBC drivers of the engines that run here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.generic_contract import CONTRACT_PLACES, contract_place

from dvt.testing import ExtractorContract, LoaderContract, Place


class TestGeneric(ExtractorContract):
    @pytest.fixture(scope="class", params=CONTRACT_PLACES)
    @classmethod
    def place(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        name = str(request.param)
        with contract_place(name, request, tmp_path_factory.mktemp(name.replace("-", "_"))) as place:
            yield place


class TestLoadingGeneric(LoaderContract):
    # One of each method; all fourteen places take every type in integration/test_generic_load.py.
    @pytest.fixture(scope="class", params=("adbc-postgres", "odbc-mariadb", "dbapi-postgres", "jdbc-h2"))
    @classmethod
    def place(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        name = str(request.param)
        with contract_place(name, request, tmp_path_factory.mktemp(name.replace("-", "_"))) as place:
            yield place
