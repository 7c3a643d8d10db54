"""A seed's file as a stream of rows."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dvt.dbt_bridge.seed_formats import format_of
from dvt.errors import ConfigurationError, DataError, DvtError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.registry import new_extractor, open_connection
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation
from dvt.types.declared import declared_arrow_type

_BLANK = re.compile(r"[ \t\r\n]*")


@contextmanager
def seed_rows(path: Path, given: Mapping[str, str]) -> Iterator[RowStream]:
    """The rows of a file in Parquet or JSON.

    Args:
        path: The file.
        given: Types of columns as the seed's config has them, in the landing's words. JSON's values are read as these,
            where they are known.

    Raises:
        DataError: The file is not of its format.
    """
    if format_of(path.name) == "json":
        with tempfile.TemporaryDirectory(prefix="dvt-seed-") as folder:
            lines = Path(folder) / f"{path.stem}.jsonl"
            _write_lines(path, lines)
            with _in_words_of(path, lines), _read(lines, "jsonl", given) as stream:
                yield stream
        return
    with _read(path, str(format_of(path.name)), given) as stream:
        yield stream


@contextmanager
def _read(path: Path, format_: str, given: Mapping[str, str]) -> Iterator[RowStream]:
    connection = open_connection("seed", {"type": "files", "path": str(path.parent)}, path.parent)
    declared = {} if format_ == "parquet" else {name: type_ for name, type_ in given.items() if _is_known(name, type_)}
    request = ExtractionConfig(
        relation=Relation(path.name),
        declared=declared,
        file_options={"format": format_},
    )
    with new_extractor(connection) as extractor, extractor.scan(request) as stream:
        yield stream


@contextmanager
def _in_words_of(path: Path, lines: Path) -> Iterator[None]:
    """Errors name the file that the user knows."""
    try:
        yield
    except DvtError as error:
        error.message = error.message.replace(str(lines), str(path))
        error.rows = error.rows and error.rows.replace("line", "element")
        raise


def _is_known(column: str, type_: str) -> bool:
    """Whether a type of the landing's is also one of those in which text is read."""
    try:
        declared_arrow_type(type_, column)
    except ConfigurationError:
        return False
    return True


def _write_lines(path: Path, lines: Path) -> None:
    """The objects of a JSON array, or of a sequence, each on a line of its own, with the digits that stand there.

    Raises:
        DataError: It is neither.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error}") from error
    with lines.open("w", encoding="utf-8") as file:
        for start, end in _elements(path, text):
            # A line's end within a text is escaped: those that stand there are between the parts.
            file.write(text[start:end].replace("\r", " ").replace("\n", " ") + "\n")


def _elements(path: Path, text: str) -> Iterator[tuple[int, int]]:
    """Where each object begins and ends."""
    decoder = json.JSONDecoder()
    at = _after_blanks(text, 0)
    is_array = text.startswith("[", at)
    if is_array:
        at = _after_blanks(text, at + 1)
        if text.startswith("]", at):
            return
    while at < len(text):
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise _refusal(path, text, at, str(error)) from error
        if not isinstance(found, dict):
            raise _refusal(path, text, at, "an element is no object")
        yield at, end
        at = _after_blanks(text, end)
        if not is_array:
            continue
        if text.startswith("]", at):
            if _after_blanks(text, at + 1) < len(text):
                raise _refusal(path, text, at + 1, "something stands behind the array")
            return
        if not text.startswith(",", at):
            raise _refusal(path, text, at, "a comma is missing between two elements")
        at = _after_blanks(text, at + 1)
    if is_array:
        raise _refusal(path, text, at, "the array has no end")


def _after_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()


def _refusal(path: Path, text: str, at: int, why: str) -> DataError:
    return DataError(
        f"{path.name}: {why}",
        rows=f"line {text.count(chr(10), 0, at) + 1}",
        phase="read",
        remedy="A JSON seed is an array of objects, or one object after the other",
    )
