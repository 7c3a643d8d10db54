"""The conformance kit against the double of Db2's driver. There is no Db2 that runs here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.db2_driver import db2_double, db2_place
from servers.db2_writing import Db2WritingDouble

from dvt.testing import ExtractorContract, LoaderContract, Place


class TestDb2(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with db2_double() as double:
            yield db2_place(double)


class TestLoadingDb2(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with db2_double(Db2WritingDouble()) as double:
            yield db2_place(double)
