"""The conformance kit against the double of Oracle's driver, with tables in SQL. There is no Oracle that runs here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.oracle_driver import oracle_double
from servers.oracle_sql import OracleSQLDouble, oracle_sql_place
from servers.oracle_writing import OracleWritingDouble

from dvt.testing import ExtractorContract, LoaderContract, Place

pytest.importorskip("oracledb")


class TestOracle(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        double = OracleSQLDouble()
        with oracle_double(double):
            yield oracle_sql_place(double)


class TestLoadingOracle(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        double = OracleWritingDouble()
        with oracle_double(double):
            yield oracle_sql_place(double)
