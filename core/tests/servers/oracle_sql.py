"""A double of python-oracledb whose tables are made and asked in SQL: DuckDB behind Oracle's words.

It shows that the statements of the extractor say together what they are to say, as far as sqlglot and DuckDB read
them: which columns, rows, texts of numbers and moments, hashes. What it does as Oracle does: '' is NULL, CHAR is
padded, names are told apart by case, those without a schema are the login's own, numbers and moments become text by
their formats, and a frame holds what the driver's types become. It is no Oracle.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from sqlglot import exp

from servers.driver_double import NativeSQL, created_table, dropped_table, native_text, parts
from servers.fake_sql import FakeColumn, FakeCursor, FakeResult, FakeSQLError
from servers.hash_words import number_of
from servers.oracle_driver import Info, OracleDouble, failure, output
from servers.place import Place, Tag

SCHEMA = "KIT"
_LEVELS = re.compile(r"(?i)from dual connect by level <= (\d+)")
_INSERT = re.compile(r"(?is)^insert into ((?:\"(?:[^\"]|\"\")*\"|\w+|\.)+)")
_PADDED = re.compile(r"(?i)N?CHAR\((\d+)\)")
_WORDS = (
    (_LEVELS, r"from range(1, \1 + 1) as dual(level)"),
    (re.compile(r"XMLSERIALIZE\(CONTENT (.+?) AS CLOB\)"), r"TO_CLOB(\1)"),
    (re.compile(r" AS OF SCN \d+"), ""),  # nothing changes behind a reader's back
    (re.compile(r"JSON_SERIALIZE\((.+?) RETURNING CLOB\)"), r"TO_CLOB(\1)"),
)
# Texts of numbers: Oracle writes no zero before the point, nor any at the end of a fraction.
_PLAIN = "case when contains(n::varchar, '.') then rtrim(rtrim(n::varchar, '0'), '.') else n::varchar end"
_MACROS = (f"create macro fake.\"{SCHEMA}\".ora_tm9(n) as regexp_replace({_PLAIN}, '^(-?)0[.]', '\\1.')",)
_FORMATS = (("YYYY", "%Y"), ("MM", "%m"), ("DD", "%d"), ("HH24", "%H"), ("MI", "%M"), ("SS", "%S"))
_CHARACTERS = ("CHAR", "NCHAR", "VARCHAR2", "NVARCHAR2", "CLOB", "NCLOB", "JSON", "XMLTYPE", "ROWID", "INTERVAL")
_GIVEN = {"VARCHAR": pa.large_string(), "BLOB": pa.large_binary(), "FLOAT": pa.float32(), "DOUBLE": pa.float64()}
# The driver's name of a type, by how the type begins.
_KINDS = (
    ("TIMESTAMP.* LOCAL", "TIMESTAMP_LTZ"), ("TIMESTAMP.* ZONE", "TIMESTAMP_TZ"), ("TIMESTAMP", "TIMESTAMP"),
    ("INTERVAL DAY", "INTERVAL_DS"), ("INTERVAL YEAR", "INTERVAL_YM"), ("VARCHAR2", "VARCHAR"),
    ("NVARCHAR2", "NVARCHAR"), ("NUMBER|FLOAT", "NUMBER"), ("", ""),
)  # fmt: skip


class OracleSQLDouble(OracleDouble):
    """What stands for a server with one schema."""

    def __init__(self) -> None:
        super().__init__()
        self.sql = NativeSQL("oracle", stored, self._words)
        self.names: set[tuple[str, ...]] = set()
        self.scns = itertools.repeat(1)
        self.sql.run(f'create schema "{SCHEMA}"')
        self.sql.define(*_MACROS)

    def execute(self, sql: str) -> None:
        """Run a statement beside dvt; what is put into a CHAR is padded."""
        self._run(sql)
        if created := created_table(sql):
            self.names.add(created)
        elif dropped := dropped_table(sql):
            self.names.discard(dropped)
        if inserted := _INSERT.match(sql):
            for name, native in self.sql.natives(SCHEMA, parts(inserted.group(1))[-1]).items():
                if padded := _PADDED.fullmatch(native):
                    column = '"' + name.replace('"', '""') + '"'
                    self._run(f"update {inserted.group(1)} set {column} = rpad({column}, {padded.group(1)}, ' ')")

    def asked(self, sql: str) -> list[str]:
        """The first column of a query's rows as texts."""
        return [str(row[0]) for row in self._run(sql).fetchmany(1000)]

    def cancelled(self) -> None:
        """A session asked that what it runs ends; others go on."""
        self.is_cancelled = True

    def described(self, sql: str) -> list[Info]:
        """The columns of a query's result."""
        return [_info(column) for column in self._run(sql).columns]

    def counted(self, sql: str, seen: int) -> int:
        """What a `SELECT COUNT(*)` gives; nothing changes behind a reader's back."""
        return int(self._run(sql).fetchmany(1)[0][0])

    def size_of(self, owner: str, name: str) -> int | None:
        """Nothing was analysed."""
        return 0 if (owner, name) in self.names else None

    def extremes(self, sql: str) -> tuple[float, float]:
        """What the query gives, as floats."""
        low, high = self._run(sql).fetchmany(1)[0]
        return float(low), float(high)

    def frames(self, sql: str, size: int, seen: int) -> Iterator[pa.Table]:
        """A query's rows, in frames of a number of rows; at least one."""
        self.is_cancelled = False
        result = self._run(sql)
        rows = result.fetchmany(size)
        yield _framed(rows, result.columns)
        while rows := result.fetchmany(size):
            if self.is_cancelled:
                raise failure("ORA-01013: user requested cancel of current operation")
            yield _framed(rows, result.columns)

    def _words(self, tree: exp.Expr) -> exp.Expr:
        if isinstance(tree, exp.Query):
            own = {cte.alias for cte in tree.find_all(exp.CTE)}
            for table in tree.find_all(exp.Table):
                place = tuple(part.name if part.quoted else part.name.upper() for part in table.parts)
                if place not in self.names and not (len(place) == 1 and table.name in own):
                    raise FakeSQLError("table", "no such table", table.name)
        return oracle_words(tree)

    def _run(self, sql: str, cursor: FakeCursor | None = None) -> FakeResult:
        text = sql
        for pattern, words in _WORDS:
            text = pattern.sub(words, text)
        try:
            return self.sql.run(text, SCHEMA, sql, *([] if cursor is None else [cursor]))
        except FakeSQLError as error:
            words = {
                "table": f'ORA-00942: table or view "{SCHEMA}"."{error.name}" does not exist',
                "schema": f'ORA-00942: table or view "{error.name}" does not exist',
                "column": f'ORA-00904: "{error.name}": invalid identifier',
            }
            raise failure(words.get(error.kind, f"ORA-00900: invalid SQL statement: {error.message[:200]}")) from None


def stored(native: str) -> str:
    """DuckDB's type for one of Oracle's."""
    base, _, rest = native.upper().partition("(")
    numbers = rest.partition(")")[0]
    if base == "NUMBER":
        return f"DECIMAL({numbers})" if numbers and "-" not in numbers else "DECIMAL(38, 10)"
    if base.strip() in ("RAW", "BLOB"):
        return "BLOB"
    if base.startswith("TIMESTAMP"):
        if "ZONE" in native.upper():
            return "TIMESTAMPTZ"
        return "TIMESTAMP_NS" if numbers and int(numbers) > 6 else "TIMESTAMP"
    if base.startswith(_CHARACTERS):
        return "VARCHAR"
    return {"DATE": "TIMESTAMP", "BINARY_FLOAT": "FLOAT", "BINARY_DOUBLE": "DOUBLE", "BOOLEAN": "BOOLEAN"}[base]


def oracle_words(tree: exp.Expr) -> exp.Expr:
    """A statement whose functions mean in DuckDB what they mean in Oracle."""
    for node in [*tree.walk()][::-1]:  # what is inside comes first
        said = _said_in_duckdb(node)
        if said is not node:
            node.replace(said)
    return tree


def _said_in_duckdb(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal) and node.is_string and not node.name:
        return exp.null()
    if isinstance(node, exp.ToChar):
        return _text_of(node.this, node.args["format"].name if node.args.get("format") else "")
    if isinstance(node, (exp.StrToTime, exp.StrToDate, exp.DateStrToDate)):
        return exp.cast(node.this, "TIMESTAMP", dialect="duckdb")
    if isinstance(node, exp.ToNumber):
        return number_of(node.this)
    if isinstance(node, exp.StandardHash):
        return _call("unhex", _call("md5", node.this))
    if isinstance(node, exp.Anonymous) and node.name.lower() in _FUNCTIONS:
        return _FUNCTIONS[node.name.lower()](node.expressions[0])
    return node


def _moment(text: exp.Expr) -> exp.Expr:
    """A moment with its offset, which DuckDB reads without a blank before it."""
    close = _call("regexp_replace", text, exp.Literal.string(" ([+-])"), exp.Literal.string("\\1"))
    return exp.cast(close, "TIMESTAMPTZ", dialect="duckdb")


_FUNCTIONS: dict[str, Callable[[exp.Expr], exp.Expr]] = {
    "to_clob": lambda value: exp.cast(value, "VARCHAR", dialect="duckdb"),
    "to_binary_double": lambda value: exp.cast(value, "DOUBLE", dialect="duckdb"),
    "to_binary_float": lambda value: exp.cast(value, "FLOAT", dialect="duckdb"),
    "to_timestamp_tz": _moment,
    "sys_extract_utc": lambda value: _call("timezone", exp.Literal.string("UTC"), value),
    "from_tz": lambda value: _call("timezone", exp.Literal.string("UTC"), value),
    "hextoraw": lambda value: _call("unhex", value),
    "rawtohex": lambda value: _call("hex", value),
}


def _text_of(value: exp.Expr, format_: str) -> exp.Expr:
    """TO_CHAR: of a number, of a moment by its format, or of a text."""
    if format_ in ("", "TM9"):
        return _call("ora_tm9", value) if format_ else exp.cast(value, "VARCHAR", dialect="duckdb")
    words, head = format_, ""
    if words.startswith("S"):
        words, head = words[1:], " "
    for oracle, duckdb in _FORMATS:
        words = words.replace(oracle, duckdb)
    words = words.replace(".FF9", ".%n").replace(".FF6", ".%f")
    return _call("strftime", value, exp.Literal.string(head + words))


def _call(name: str, *values: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(values))


def _info(column: FakeColumn) -> Info:
    """A column as the driver describes it."""
    import oracledb

    native = native_text(column.native) or {"BLOB": "RAW(2000)", "BIGINT": "NUMBER", "HUGEINT": "NUMBER"}.get(
        column.stored, "VARCHAR2(4000)"
    )
    kind = next(name for begin, name in _KINDS if re.match(begin, native.upper()))
    base = native.upper().partition("(")[0].strip()
    numbers = [int(text) for text in re.findall(r"-?\d+", native.partition("(")[2].partition(")")[0])]
    precision, scale = (numbers[0], [*numbers, 0][1]) if kind == "NUMBER" and numbers else (None, None)
    size = numbers[0] if numbers and kind != "NUMBER" else None
    return Info(column.name, getattr(oracledb, f"DB_TYPE_{kind or base}"), precision, scale, size)


def _framed(rows: list[tuple[Any, ...]], columns: list[FakeColumn]) -> pa.Table:
    """Rows as the driver gives them: texts, bytes and binary floats; the rest is to be asked for as text."""
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [pa.array(v, _GIVEN[column.stored]) for v, column in zip(values, columns, strict=True)]
    return pa.table(arrays, names=[column.name for column in columns])


def oracle_sql_place(double: OracleSQLDouble) -> Place:
    """The double as the kit needs it. Its tables have names in lower case, so that names are meant letter by letter."""
    given = output(port=1521, schema=SCHEMA, dvt={"names_as": "exact"})
    return Place(
        "oracle",
        Tag.DRIVER,
        given,
        double.execute,
        double.statements,
        schema=SCHEMA,
        refused={**given, "password": "wr0ng-pass"},
        running=lambda: double.open_results,
        ask=double.asked,
        tables=lambda: sorted(name for _, name in (place for place in double.names if len(place) == 2)),
    )
