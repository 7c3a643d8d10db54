"""The conformance kit against the double of Teradata's driver: its cursor, and its export. No Teradata runs here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from servers.teradata_driver import teradata_double, teradata_place
from servers.teradata_writing import TeradataWritingDouble

from dvt.testing import ExtractorContract, LoaderContract, Place

_CURSOR_ONLY = """
  - [NUMBER, "'1E-5'", string, "0.00001"]
  - [TIME(6) WITH TIME ZONE, "'12:34:56.123456+02:00'", string, "12:34:56.123456+02:00"]
  - [CLOB, "'a'", string, "a"]
  - [JSON, "'{\\"a\\": 1}'", string, '{"a": 1}']
  - [XML, "'<a/>'", string, "<a/>"]
  - [BLOB, "'00FF'XB", binary, "00ff"]
"""


class TestTeradata(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        with teradata_double() as double:
            place = teradata_place(double, fastexport="never")
            yield replace(place, words=_words(tmp_path_factory.mktemp("words"), "cursor_streaming", _CURSOR_ONLY))


class TestTeradataExport(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        with teradata_double() as double:
            place = teradata_place(double, fastexport="always")
            words = _words(tmp_path_factory.mktemp("words"), "fastexport_parquet", "")
            yield replace(place, words=words, name="teradata (FastExport)")


def _words(folder: Path, method: str, values: str) -> Path:
    """The kit's words, of one of the two ways."""
    path = folder / "teradata.yml"
    path.write_text(_own().rstrip() + values + f"\nmethod: {method}\n", encoding="utf-8")
    return path


def _own() -> str:
    import dvt.testing

    return (Path(dvt.testing.__file__).parent / "engines" / "teradata.yml").read_text(encoding="utf-8")


class TestLoadingTeradata(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with teradata_double(TeradataWritingDouble()) as double:
            yield teradata_place(double)


class TestLoadingTeradataByFastLoad(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        words = tmp_path_factory.mktemp("words") / "teradata.yml"
        words.write_text(_own().replace("load_method: batch_insert", "load_method: fastload"), encoding="utf-8")
        with teradata_double(TeradataWritingDouble()) as double:
            yield replace(teradata_place(double, load_with="fastload"), words=words, name="teradata (FastLoad)")
            assert not [name for name in double.listed() if "_fl" in name]
