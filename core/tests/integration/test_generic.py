"""The generic extractor over every kind of driver, beside the conformance kit: values, shapes, limits, odd names."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from integration.generic_kit import extractor, read
from servers.generic import PLACES, generic_place
from servers.place import Place

from dvt import errors
from dvt.federation.extractors.base import ExtractionConfig
from dvt.identifiers import Relation, quote

METHODS = {"adbc": "adbc_streaming", "odbc": "odbc_streaming", "dbapi": "dbapi_streaming", "jdbc": "jdbc"}
# Drivers of SQLite say nothing of types: the project does.
DECLARED = {
    "id": "integer",
    "word": "text",
    "price": "decimal(12, 2)",
    "ratio": "double",
    "day": "date",
    "moment": "timestamp",
}
_VALUES: tuple[tuple[Any, ...], ...] = (
    (
        1,
        "it's",
        Decimal("-1.50"),
        0.30000000000000004,
        dt.date(2024, 2, 29),
        dt.datetime(2024, 3, 31, 2, 30, 0, 123456),
    ),
    (2, "ä🙂", Decimal("9999999999.99"), -2.5, dt.date(1582, 10, 10), dt.datetime(1, 1, 1)),
    (None,) * 6,
    (2147483647, 'a\nb\t"c" \\', Decimal("0.00"), 1e300, dt.date(9999, 12, 31), dt.datetime.max),
)
ROWS = [dict(zip(DECLARED, values, strict=True)) for values in _VALUES]
CREATED = (
    "create table {goods} ({id} integer, {word} varchar(40), {price} decimal(12, 2), {ratio} double precision,"
    " {day} date, {moment} timestamp{digits})"
)
MANY = 1000


class _Shop:
    """A filled place.

    Args:
        name: The place's name.
        place: The place.
        mark: How it quotes names.
    """

    def __init__(self, name: str, place: Place) -> None:
        self.name, self.place = name, place
        self.method, _, self.database = name.partition("-")
        self.mark = "mysql" if self.database == "mariadb" else "ansi"
        # Floats come with 15 digits over ODBC, and a price as a float where it has a point.
        self.is_odbc_sqlite = name == "odbc-sqlite"
        self.columns = tuple(name for name in DECLARED if not self.is_odbc_sqlite or name != "ratio")
        self.rows = [{**row} for row in ROWS]
        if self.database in ("hsqldb", "derby"):  # to which the ten days of 1582 do not exist
            self.rows[1]["day"] = dt.date(1400, 2, 28)
        self.declared = dict(DECLARED) if self.database == "sqlite" else {}

    def quoted(self, name: str) -> str:
        return quote(name, self.mark)

    def request(self, **more: Any) -> ExtractionConfig:
        return ExtractionConfig(
            **{"relation": Relation("goods"), "columns": self.columns, "declared": self.declared, **more}
        )

    def fill(self) -> None:
        digits = {"mariadb": "", "derby": "", "sqlite": "", "duckdb": ""}.get(self.database, "(6)")
        sql = CREATED.replace("{digits}", digits)
        if self.database == "mariadb":
            sql = sql.replace(" timestamp", " datetime(6)")
        names = {"goods": self.quoted("goods"), **{name: self.quoted(name) for name in DECLARED}}
        sql = sql.format(**names)
        inserts = [
            f"insert into {names['goods']} values ({', '.join(map(self.literal, DECLARED, row.values()))})"
            for row in self.rows
        ]
        many = f"create table {self.quoted('many')} ({self.quoted('n')} integer)"
        numbers = ", ".join(f"({n})" for n in range(MANY))
        empty = sql.replace(names["goods"], self.quoted("nothing"))
        self.place.execute(
            ";\n".join([sql, *inserts, empty, many, f"insert into {self.quoted('many')} values {numbers}"])
        )

    def literal(self, name: str, value: Any) -> str:
        if value is None:
            return "null"
        if self.database == "sqlite":
            if name == "price":
                return str(int(value))
            return repr(value) if isinstance(value, (int, float)) else "'" + str(value).replace("'", "''") + "'"
        if isinstance(value, str):
            if self.database == "mariadb":
                value = value.replace("\\", "\\\\")
            return "'" + value.replace("'", "''") + "'"
        if isinstance(value, dt.datetime):
            return (
                f"timestamp '{value.isoformat(' ', 'microseconds')}'"
                if self.database != "derby"
                else f"timestamp('{value.isoformat(' ', 'microseconds')}')"
            )
        if isinstance(value, dt.date):
            return f"date '{value}'" if self.database != "derby" else f"date('{value}')"
        return repr(value) if isinstance(value, float) else str(value)

    def expected(self, *names: str) -> list[dict[str, Any]]:
        """Rows as they were written. A decimal of SQLite that has a point is a float there, and was not written."""

        def written(name: str, value: Any) -> Any:
            is_whole = self.database == "sqlite" and name == "price" and value is not None
            return Decimal(int(value)) if is_whole else value

        return [{name: written(name, row[name]) for name in names or self.columns} for row in self.rows]


@pytest.fixture(scope="module", params=PLACES)
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> _Shop:
    folder: Path = tmp_path_factory.mktemp(str(request.param).replace("-", "_"))
    made = _Shop(request.param, generic_place(request.param, request, folder))
    made.fill()
    return made


def by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["id"] or 0)


def test_every_value_is_the_one_that_was_written(shop: _Shop) -> None:
    with extractor(shop.place) as reader, reader.scan(shop.request()) as rows:
        assert rows.method == METHODS[shop.method]
        table = rows.to_table()
    assert by_id(table.to_pylist()) == by_id(shop.expected())
    assert tuple(table.column_names) == shop.columns


def test_describe_says_what_scan_gives(shop: _Shop) -> None:
    text = f"select {shop.quoted('word')}, {shop.quoted('id')} from {shop.quoted('goods')}"
    for request in (shop.request(), ExtractionConfig(query=text, declared=shop.declared)):
        with extractor(shop.place) as reader:
            described = reader.describe(request)
            with reader.scan(request) as rows:
                assert rows.columns == described
    assert [column.name for column in described] == ["word", "id"]


def test_a_query_is_sent_as_it_stands_and_cut_here(shop: _Shop) -> None:
    n, m = shop.quoted("n"), shop.quoted("m")
    text = f"select {n}, {n} + 1 as {m} from {shop.quoted('many')} order by 1 -- all;"
    declared = {"n": "integer", "m": "integer"}
    table = read(shop.place, query=text, columns=("m",), limit=3, declared=declared)
    assert table.to_pylist() == [{"m": 1}, {"m": 2}, {"m": 3}]


def test_batches_are_of_the_asked_size_and_a_limit_ends_them(shop: _Shop) -> None:
    declared = {"n": "integer"} if shop.declared else {}
    for limit, wanted in ((None, MANY), (450, 450), (300, 300), (0, 0)):
        request = ExtractionConfig(relation=Relation("many"), declared=declared, limit=limit, batch_size=300)
        with extractor(shop.place) as reader, reader.scan(request) as rows:
            sizes, numbers = [], []
            for batch in rows.batches():
                sizes.append(batch.num_rows)
                numbers += batch.column(0).to_pylist()
        assert sum(sizes) == wanted
        assert len(set(numbers)) == wanted
        assert max(sizes, default=0) <= 300
    assert sorted(read(shop.place, "many", declared=declared)["n"].to_pylist()) == list(range(MANY))


def test_a_scan_that_is_not_read_leaves_the_next_one_room(shop: _Shop) -> None:
    declared = {"n": "integer"} if shop.declared else {}
    with extractor(shop.place) as reader:
        unread = reader.scan(ExtractionConfig(relation=Relation("many"), declared=declared, batch_size=10))
        unread.close()
        unread.close()
        assert reader.get_row_count(Relation("many")) == MANY


# Beside those of the conformance kit.
NASTY = ("a\\b", "dot.ted", "new\nline", "Ünï🙂", "?", "/* c */", ":x", "x'); drop table many; --")


@pytest.mark.parametrize("name", NASTY)
def test_nasty_identifiers(shop: _Shop, name: str) -> None:
    if shop.database == "mariadb" and "🙂" in name:
        name = "Ünï"  # MariaDB has no such names
    column = name + " c"
    shop.place.execute(
        f"create table {shop.quoted(name)} ({shop.quoted(column)} integer);\ninsert into {shop.quoted(name)} values (7)"
    )
    try:
        declared = {column: "integer"}
        request = ExtractionConfig(relation=Relation(name), columns=(column,), declared=declared)
        with extractor(shop.place) as reader, reader.scan(request) as rows:
            assert rows.to_table().to_pylist() == [{column: 7}]
        if shop.name != "odbc-sqlite" or "." not in name:  # its driver cuts names of a star at their last dot
            assert read(shop.place, name, declared=declared).to_pylist() == [{column: 7}]
    finally:
        shop.place.execute(f"drop table {shop.quoted(name)}")


def test_conditions_are_sent_for_relations_only(shop: _Shop) -> None:
    from sqlglot import exp

    condition = exp.column("n", quoted=True) > 997
    declared = {"n": "integer"}
    table = read(shop.place, "many", predicates=(condition,), declared=declared)
    assert sorted(table["n"].to_pylist()) == [998, 999]
    with pytest.raises(errors.UnsupportedError):
        read(shop.place, query="select 1 as n", predicates=(condition,))


def test_a_value_that_is_not_of_its_type_names_its_column(shop: _Shop) -> None:
    request = shop.request(columns=("word",), declared={**shop.declared, "word": "integer"})
    with extractor(shop.place) as reader:
        with pytest.raises(errors.DataError) as caught, reader.scan(request) as rows:
            rows.to_table()
    assert (caught.value.connection, caught.value.column) == ("shop", "word")
