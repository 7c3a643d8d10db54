"""How an engine says the kit's tables: a YAML file of words for each, and the statements made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from dvt.connections.connection import Connection
from dvt.errors import ConfigurationError
from dvt.identifiers import Relation, quote
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID, is_json

_FILES = Path(__file__).with_name("engines")
_ARROW: Mapping[str, pa.DataType] = {
    **{f"{sign}int{bits}": getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "bool": pa.bool_(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "time": TIME,
    "timestamp": MICROS,
    "instant": MICROS_UTC,
    "uuid": UUID,
    "json": JSON,
    "interval": pa.month_day_nano_interval(),
}


@dataclass(frozen=True)
class ValueCase:
    """A native type with one value.

    Args:
        native: The type in CREATE TABLE.
        literal: The value in INSERT.
        arrow: What carries it; "refused" where it cannot be carried, and the extractor has to say so.
        text: The value as the kit writes it.
        declared: The type that the project declares for its column, where drivers name none.
    """

    native: str
    literal: str
    arrow: str
    text: str = ""
    declared: str = ""


@dataclass(frozen=True)
class EngineWords:
    """One engine's words.

    Args:
        types: For each of the kit's kinds of columns the native type, and what carries it. A kind that is missing is
            one that the engine has not.
        literals: For kinds whose values need more than quotes: a template with `{v}`.
        create: The statement that creates a table, with `{table}` and `{columns}`.
        drop: The statement that drops it.
        numbers: Statement that fills a table `(id integer, name text)` with `{n}` rows: 1 and "row 1", and so on.
        skipped: Checks that the engine cannot take part in, with the reason.
        values: Native types by value.
        has_backslash: Whether a backslash in a literal is written twice.
        escapes: How other characters are written in a literal.
        cases: What differs in the kit's cases, by name: the rows `expected` from reading, the values `refused` by
            loading for a column, or a reason to `skip` it.
        method: The method by which its rows are read.
        plain_relations: Whether names of relations are plain words, so that odd names are those of columns only.
        declared: For each kind of columns the type that the project declares, where drivers name none.
        loads: For cases of `loads.yml` what carries the values on the way back, where it is not the type that was
            loaded; with texts, where they are others; "refused" where they cannot be held and the loader says so;
            "unread" where the extractor reads them only with another option.
        load_method: The method by which rows are loaded.
        long_text: The type to declare for texts that are longer than those that the loader's own type takes.
        unfit: An Arrow type, a value, and a declared type that does not hold it; no declared type where the engine's
            own has not all of its values.
        verifies: The levels beyond the count at which what landed is compared with what was sent.
        load_mb: Megabytes of Arrow that a load of 40 may hold; files in a bucket go up in parts of 10.
    """

    types: Mapping[str, tuple[str, str]]
    literals: Mapping[str, str] = field(default_factory=dict)
    create: str = "create table {table} ({columns})"
    drop: str = "drop table if exists {table}"
    numbers: str = ""
    skipped: Mapping[str, str] = field(default_factory=dict)
    values: Sequence[ValueCase] = ()
    has_backslash: bool = False
    escapes: Mapping[str, str] = field(default_factory=lambda: {"'": "''"})
    cases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    method: str = ""
    plain_relations: bool = False
    declared: Mapping[str, str] = field(default_factory=dict)
    loads: Mapping[str, Any] = field(default_factory=dict)
    load_method: str = ""
    long_text: str = ""
    unfit: Sequence[str] = ()
    verifies: Sequence[str] = ("sums", "hash")
    load_mb: int = 16

    def create_sql(self, relation: Relation, connection: Connection, columns: Mapping[str, str]) -> str:
        """CREATE TABLE with columns of the kit's kinds, by name."""
        listed = ", ".join(f"{quote(name, connection.dialect)} {self.types[kind][0]}" for name, kind in columns.items())
        return self.create.format(table=relation.sql(connection.dialect), columns=listed)

    def insert_sql(
        self, relation: Relation, connection: Connection, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]
    ) -> str:
        """INSERT of rows; a value is NULL, a number, a truth value or a text."""
        listed = ", ".join(
            "(" + ", ".join(self.literal(value, kind) for value, kind in zip(row, columns.values(), strict=True)) + ")"
            for row in rows
        )
        return " ".join(["insert into", relation.sql(connection.dialect), "values", listed])

    def drop_sql(self, relation: Relation, connection: Connection) -> str:
        """DROP TABLE, which is no error when there is none."""
        return self.drop.format(table=relation.sql(connection.dialect))

    def literal(self, value: Any, kind: str) -> str:
        """A value in a statement."""
        if value is None:
            return "null"
        if isinstance(value, bool):
            return self.literals.get(str(value).lower(), str(value).lower())
        text = str(value)
        if isinstance(value, str):
            text = text.replace("\\", "\\\\") if self.has_backslash else text
            for plain, written in self.escapes.items():
                text = text.replace(plain, written)
            text = "'" + text + "'"
        return self.literals.get(kind, "{v}").format(v=text)


def engine_words(type_: str, file: Path | str | None = None) -> EngineWords:
    """The words of a connection type.

    A file that is `based_on` others of the kit's, of which later ones count more, says only what differs: what is null
    there is not taken over, and of the values those that begin with the same type and literal are replaced, or taken
    out where no more follows.

    Args:
        type_: The type, which is the name of its file.
        file: A file, or the name of another one of the kit's.

    Raises:
        ConfigurationError: The kit has none; a plugin brings its own file.
    """
    content = _content(file if isinstance(file, Path) else _FILES / f"{file or type_}.yml")
    content["types"] = {kind: tuple(pair) for kind, pair in content["types"].items()}
    content["values"] = [ValueCase(*map(str, value)) for value in content.get("values", ())]
    return EngineWords(**content)


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigurationError(f"the kit has no words for type {path.stem}", remedy="Give the place a file of words")
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    bases = content.pop("based_on", ())
    whole: dict[str, Any] = {}
    values: dict[tuple[str, ...], list[str]] = {}
    named = [bases] if isinstance(bases, str) else bases
    for part in (*(_content(_FILES / f"{base}.yml") for base in named), content):
        whole = _laid_over(whole, part)
        values.update({tuple(map(str, value[:2])): value for value in part.get("values", ())})
    return {**whole, "values": [value for value in values.values() if len(value) > 2]}


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping whose entries another one's replace, within mappings too; null takes one away."""
    found = dict(below)
    for key, value in above.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(found.get(key), Mapping):
            found[key] = _laid_over(found[key], value)
        else:
            found[key] = value
    return found


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type that the kit's files call so; others in Arrow's own words, such as `decimal(12, 2)`.

    >>> arrow_type("decimal(12, 2)"), arrow_type("list(int32)")
    (Decimal128Type(decimal128(12, 2)), ListType(list<item: int32>))
    """
    if name in _ARROW:
        return _ARROW[name]
    kind, _, rest = name.partition("(")
    arguments = rest.rstrip(")")
    if kind == "decimal":
        precision, scale = arguments.split(",")
        return pa.decimal128(int(precision), int(scale))
    if kind == "list":
        return pa.list_(arrow_type(rest.removesuffix(")")))
    raise ConfigurationError(f"the kit knows no type {name}")


def shown(array: pa.Array | pa.ChunkedArray) -> list[str | None]:
    """Values as the kit's files write them: bytes in hexadecimal digits, times in ISO form, lists in brackets.

    >>> shown(pa.array([None, True])), shown(pa.array([b"a"])), shown(pa.array([[1, None]]))
    ([None, 'true'], ['61'], ['[1, null]'])
    """
    if is_json(array.type):
        array = array.cast(pa.string()) if isinstance(array, pa.Array) else array.combine_chunks().cast(pa.string())
    return [None if value is None else _shown(value) for value in array.to_pylist()]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return "[" + ", ".join("null" if item is None else _shown(item) for item in value) + "]"
    if hasattr(value, "hour") and hasattr(value, "year"):
        return str(value.isoformat(" "))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
