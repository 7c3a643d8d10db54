"""The conformance kit against files: in a folder, and in emulated object stores; read, and landed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.file_places import parts_place, store_place
from servers.object_stores import STORES
from servers.tables_as_files import TablesAsFiles

from dvt.testing import ExtractorContract, LoaderContract, Place, Tag

_NAMES = {"s3": "files on S3 (moto)", "gs": "files on GCS (gcp-storage-emulator)", "az": "files on Azure (Azurite)"}


class TestFolder(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Place:
        folder = tmp_path_factory.mktemp("lake")
        tables = TablesAsFiles(
            lambda name, content: (folder / name).write_bytes(content), lambda name: (folder / name).unlink()
        )
        return Place("files", Tag.REAL, {"type": "files", "path": str(folder)}, tables.execute)


def _place(kind: str) -> Iterator[Place]:
    with STORES[kind]() as store:
        tables = TablesAsFiles(
            lambda name, content: store.put(f"lake/{name}", content), lambda name: store.remove(f"lake/{name}")
        )
        store.put("lake/readme.txt", b"The root is there, whatever the kit has made.")
        refused = None if store.refused is None else {**store.output(), **store.refused}
        output = store.output()
        yield Place("files", Tag.EMULATED, output, tables.execute, refused=refused, name=_NAMES[kind], root=Path.cwd())


class TestS3(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        yield from _place("s3")


class TestGCS(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        yield from _place("gs")


class TestAzure(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        yield from _place("az")


class TestLandingParquetParts(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Place:
        return parts_place(tmp_path_factory.mktemp("parts"), "parquet")


class TestLandingCsvParts(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Place:
        return parts_place(tmp_path_factory.mktemp("parts"), "csv")


class TestLandingJsonLinesParts(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Place:
        return parts_place(tmp_path_factory.mktemp("parts"), "jsonl")


class TestLandingOnS3(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with store_place("s3", "file") as place:
            yield place


class TestLandingPartsOnS3(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with store_place("s3", "folder") as place:
            yield place


class TestLandingOnGCS(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with store_place("gs", "file") as place:
            yield place


class TestLandingPartsOnAzure(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with store_place("az", "folder") as place:
            yield place
