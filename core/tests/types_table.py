"""The table of plans/0002-types.md, made from the mapping tables: `python core/tests/types_table.py` writes it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from dvt.federation.duckdb_result import describe_result
from dvt.types import clickhouse, mysql, oracle, postgres, sqlite, sqlserver
from dvt.types.duckdb import SESSION_SETTINGS
from dvt.types.duckdb_landing import duckdb_type
from dvt.types.vocabulary import is_json, is_uuid

PLAN = Path(__file__).parents[2] / "plans" / "0002-types.md"
_BEGIN, _END = "<!-- types: begin, written by core/tests/types_table.py -->", "<!-- types: end -->"

# PostgreSQL's names with their object ids (pg_type.dat) and, for numeric, the modifier.
_POSTGRES = {
    "boolean": 16, "smallint": 21, "integer": 23, "bigint": 20, "oid": 26, "real": 700, "double precision": 701,
    "numeric": 1700, "text, varchar(n)": 25, "char(n)": 1042, "bytea": 17, "date": 1082, "time": 1083,
    "timetz": 1266, "timestamp": 1114, "timestamptz": 1184, "interval": 1186, "uuid": 2950, "json": 114,
    "jsonb": 3802, "bit(n), varbit": 1560, "money": 790, "inet, cidr, macaddr": 869, "xml": 142, "int4range": 3904,
    "tsvector": 3614, "point, box, geometry": 600, "enum, composite, unknown": 0,
}  # fmt: skip
_NUMERICS = {(10, 2), (38, 38), (45, 5), (5, -2), (3, 5)}
_MYSQL = (
    "tinyint(1)", "tinyint", "tinyint unsigned", "smallint", "smallint unsigned", "mediumint", "mediumint unsigned",
    "int", "int unsigned", "bigint", "bigint unsigned", "float", "double", "decimal(12,2)", "decimal(65,30)", "year",
    "date", "datetime(6)", "timestamp(6)", "time(6)", "char(10)", "varchar(10)", "longtext", "binary(4)",
    "varbinary(4)", "longblob", "bit(20)", "enum('a')", "set('a')", "json", "uuid", "inet6", "point",
)  # fmt: skip
_SQLITE = (
    "INTEGER", "REAL", "TEXT", "BLOB", "BOOLEAN", "DECIMAL(10,2)", "NUMERIC", "DATE", "TIMESTAMP", "TIMESTAMPTZ",
    "TIME", "UUID", "JSONTEXT", "INTERVAL",
)  # fmt: skip
_DUCKDB = (
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT",
    "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL(18,3)", "VARCHAR", "BLOB", "BIT", "DATE", "TIME", "TIMETZ", "TIMESTAMP",
    "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMPTZ", "INTERVAL", "UUID", "JSON", "ENUM('a')",
    "INTEGER[]", "INTEGER[2]", "INTEGER[][]", "STRUCT(a INTEGER)", "MAP(VARCHAR, INTEGER)",
)  # fmt: skip
_ORACLE: dict[str, tuple[str, int, int] | tuple[str]] = {
    "NUMBER(9)": ("DB_TYPE_NUMBER", 9, 0), "NUMBER(10,2)": ("DB_TYPE_NUMBER", 10, 2),
    "NUMBER(38), INTEGER": ("DB_TYPE_NUMBER", 38, 0), "NUMBER(5,-2)": ("DB_TYPE_NUMBER", 5, -2),
    "NUMBER, FLOAT": ("DB_TYPE_NUMBER",), "BINARY_FLOAT": ("DB_TYPE_BINARY_FLOAT",),
    "BINARY_DOUBLE": ("DB_TYPE_BINARY_DOUBLE",), "BOOLEAN": ("DB_TYPE_BOOLEAN",), "CHAR(n)": ("DB_TYPE_CHAR",),
    "VARCHAR2(n)": ("DB_TYPE_VARCHAR",), "NVARCHAR2(n)": ("DB_TYPE_NVARCHAR",), "CLOB": ("DB_TYPE_CLOB",),
    "RAW(n)": ("DB_TYPE_RAW",), "BLOB": ("DB_TYPE_BLOB",), "DATE": ("DB_TYPE_DATE",),
    "TIMESTAMP": ("DB_TYPE_TIMESTAMP",), "TIMESTAMP WITH TIME ZONE": ("DB_TYPE_TIMESTAMP_TZ",),
    "TIMESTAMP WITH LOCAL TIME ZONE": ("DB_TYPE_TIMESTAMP_LTZ",), "INTERVAL": ("DB_TYPE_INTERVAL_DS",),
    "XMLTYPE": ("DB_TYPE_XMLTYPE",), "JSON": ("DB_TYPE_JSON",), "ROWID": ("DB_TYPE_ROWID",),
}  # fmt: skip
_SQLSERVER = (
    "bit", "tinyint", "smallint", "int", "bigint", "real", "float", "money", "smallmoney", "decimal(18,2)",
    "decimal(38,10)", "date", "time(7)", "datetime", "smalldatetime", "datetime2(7)", "datetimeoffset(7)",
    "uniqueidentifier", "char(10)", "varchar(10)", "nvarchar(max)", "text", "binary(4)", "varbinary(max)", "image",
    "rowversion", "xml", "json", "hierarchyid",
)  # fmt: skip
_CLICKHOUSE = (
    "Bool", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Int128", "UInt256", "BFloat16",
    "Float32", "Float64", "Decimal(18, 2)", "Decimal(76, 30)", "String", "FixedString(3)", "LowCardinality(String)",
    "UUID", "Date", "Date32", "DateTime", "DateTime64(3, 'Asia/Tokyo')", "Time64(6)", "Enum8('a' = 1)", "IPv4", "IPv6",
    "JSON", "Dynamic", "Variant(Int8, String)", "Array(Int32)", "Array(Enum8('a' = 1))", "Map(String, UInt8)",
    "Tuple(a Int8, b String)", "Nested(a Int8)", "Point", "SimpleAggregateFunction(sum, UInt64)",
)  # fmt: skip


def table() -> str:
    """The Markdown table: what carries each native type, and where it lands."""
    head = ["source", "type", "Arrow", "PostgreSQL", "MariaDB (MySQL)", "SQLite", "DuckDB"]
    rows = [head, ["---"] * len(head)]
    rows += [[source, name, _shown(type_), *_landings(type_)] for source, name, type_ in _carried()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _carried() -> list[tuple[str, str, pa.DataType]]:
    found = [("PostgreSQL", name, postgres.scalar(oid, -1, 9).type) for name, oid in _POSTGRES.items()]
    for precision, scale in sorted(_NUMERICS):
        modifier = ((precision << 16) | (scale & 0x7FF)) + 4
        found.append(("PostgreSQL", f"numeric({precision},{scale})", postgres.scalar(1700, modifier, 9).type))
    found.append(("PostgreSQL", "integer[]", postgres.array(postgres.scalar(23, -1, 9), ",").type))
    found += [("MySQL, MariaDB", name, mysql.carried(mysql.parse_type(name))) for name in _MYSQL]
    for name in _SQLITE:
        type_ = sqlite.arrow_type(name)
        assert type_ is not None, name
        found.append(("SQLite", name, type_))
    session = duckdb.connect()
    for statement in SESSION_SETTINGS:
        session.execute(statement)
    for name in _DUCKDB:
        found.append(("DuckDB", name, describe_result(session, f"select cast(null as {name}) as v")[0].type))
    found += [("Oracle", name, oracle.reading(*given).type) for name, given in _ORACLE.items()]
    found += [("SQL Server", name, sqlserver.reading(name).type) for name in _SQLSERVER]
    found += [("ClickHouse", name, clickhouse.reading(clickhouse.parse_type(name)).type) for name in _CLICKHOUSE]
    return found


def _landings(type_: pa.DataType) -> list[str]:
    maria, plain = (mysql.native_type(type_, is_mariadb=flag) for flag in (True, False))
    both = maria if maria == plain else f"{maria} ({plain or 'refused'})"
    return [
        postgres.ddl(type_) or "refused",
        both or "refused",
        sqlite.declared_type(type_, "v"),
        duckdb_type(type_, "v"),
    ]


def _shown(type_: pa.DataType) -> str:
    if is_json(type_) or is_uuid(type_):
        return "arrow.json" if is_json(type_) else "arrow.uuid"
    return str(type_).replace("month_day_nano_interval", "month_day_nano").replace("item: ", "")


def written(plan: str) -> str:
    """The plan's text with the table as it is now."""
    before, _, rest = plan.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{table()}\n{_END}{after}"


if __name__ == "__main__":
    PLAN.write_text(written(PLAN.read_text()))
