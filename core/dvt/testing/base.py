"""What the parts of the contract share: the place's words, tables that are made and dropped, skipping by reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.loaders.config import LoadResult
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation
from dvt.testing.place import Place
from dvt.testing.words import EngineWords, engine_words

CASES = Path(__file__).with_name("cases")


class Noted:
    """What a check has seen, for the kit's page: how rows were fetched, and which types came by value.

    Args:
        told: What the check tells of itself; it is written into that.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        self._methods: list[str] = told.setdefault("methods", [])
        self._types: list[list[str]] = told.setdefault("types", [])

    def method(self, result: RowStream | LoadResult) -> None:
        """The method by which rows are fetched or loaded."""
        if result.method not in self._methods:
            self._methods.append(result.method)

    def type(self, native: str, carrier: pa.DataType) -> None:
        """A native type, of which at least one value came as it was written, and what carried it."""
        name = carrier.extension_name if isinstance(carrier, pa.BaseExtensionType) else str(carrier)
        if [native, name] not in self._types:
            self._types.append([native, name])


def cases(file: str) -> Any:
    """The content of one of the kit's case files."""
    return yaml.safe_load((CASES / file).read_text(encoding="utf-8"))


class Maker:
    """Makes tables, and drops them at the end.

    Args:
        place: Where.
        words: How they are said there.
    """

    def __init__(self, place: Place, words: EngineWords) -> None:
        self._place, self._words, self._connection = place, words, place.connection()
        self._columns: dict[Relation, Mapping[str, str]] = {}

    def __call__(
        self, columns: Mapping[str, str], rows: Sequence[Sequence[Any]] = (), name: str = "dvt_kit"
    ) -> Relation:
        """A table with columns of the kit's kinds, by name, and with these rows."""
        place, words, relation = self._place, self._words, self._place.relation(name)
        place.execute(words.drop_sql(relation, self._connection))
        self._columns[relation] = columns
        place.execute(words.create_sql(relation, self._connection, columns))
        if rows:
            place.execute(words.insert_sql(relation, self._connection, columns, rows))
        return relation

    def declared(self, relation: Relation) -> dict[str, str]:
        """The types that a project declares for the columns of a table of ours, where drivers name none."""
        known = self._words.declared
        return {name: known[kind] for name, kind in self._columns[relation].items() if kind in known}

    def request(self, relation: Relation, **more: Any) -> ExtractionConfig:
        """A scan of a table of ours."""
        return ExtractionConfig(relation=relation, declared=self.declared(relation), **more)

    def drop_all(self) -> None:
        """Drop the tables."""
        for relation in self._columns:
            self._place.execute(self._words.drop_sql(relation, self._connection))


class Contract:
    """Fixtures of all parts."""

    direction = "reading"

    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Place:
        """The engine under test."""
        raise NotImplementedError("give the contract a fixture `place`")

    @pytest.fixture(scope="class")
    @classmethod
    def words(cls, place: Place) -> EngineWords:
        """How it says the kit's tables."""
        return engine_words(place.type, place.words)

    @pytest.fixture(autouse=True)
    def noted(self, request: pytest.FixtureRequest, place: Place, words: EngineWords) -> Noted:
        """Takes part in every check; those that are left out say why."""
        check = request.node.originalname.removeprefix("test_")
        told = {"place": place.label, "tag": place.tag.value, "direction": self.direction}
        request.node.user_properties.append(("dvt_contract", told))
        if check in words.skipped:
            pytest.skip(words.skipped[check])
        return Noted(told)

    @pytest.fixture
    def made(self, place: Place, words: EngineWords) -> Iterator[Maker]:
        """What makes the check's tables."""
        maker = Maker(place, words)
        yield maker
        maker.drop_all()


def only_known(columns: Mapping[str, str], rows: Sequence[Sequence[Any]], words: EngineWords) -> tuple[Any, Any]:
    """Columns and rows without the kinds that an engine has not."""
    kept = [index for index, kind in enumerate(columns.values()) if kind in words.types]
    names = list(columns)
    return {names[i]: columns[names[i]] for i in kept}, [[row[i] for i in kept] for row in rows]
