"""Columns over ODBC: nearly all values are asked for as their text, and read from it here.

What drivers convert themselves they change without a word: psqlodbc makes NaN 0, the year 10000 this year and BC the
year of our Lord, MariaDB's a zero date NULL and 2^64-1 -1, SQLite's a text in a column of numbers NULL. The first two
spoil some texts, too: there the server makes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa

from dvt.types.generic import Reading, declared_type, text_reader
from dvt.types.vocabulary import MICROS, TIME

# What drivers are asked for where their own defaults would hold a whole result in memory, hide a type (NumericAs=12: a
# numeric without precision is a text; its digits would be those of the first rows), or announce 8190 characters for all
# texts. `{longest}` is the option max_value_length.
DRIVER_SETTINGS: tuple[tuple[str, Mapping[str, str]], ...] = (
    (
        "psqlodbc|postgres",
        {
            "UseDeclareFetch": "1",
            "Fetch": "10000",
            "BoolsAsChar": "0",
            "NumericAs": "12",
            "MaxLongVarcharSize": "{longest}",
            "ByteaAsLongVarBinary": "1",
        },
    ),
    ("maria|myodbc|mysql", {"NO_CACHE": "1", "FORWARDONLY": "1"}),
)
# The driver that knows no escapes in a connection string.
FREETDS = "freetds|tdsodbc"
# By sqlglot's name of the database's SQL.
VERSION_QUERIES: Mapping[str, str] = {
    "postgres": "select version() as dvt_version",
    "mysql": "select version() as dvt_version",
    "sqlite": "select sqlite_version() as dvt_version",
    "tsql": "select @@version as dvt_version",
}

# Of moments MariaDB's driver and SQLite's announce fewer characters than they have. psqlodbc also writes UUIDs in
# capitals, and announces them as texts.
_SPOILT_MOMENTS = frozenset({"postgres", "mysql", "sqlite"})
MOMENT = "VARCHAR(64)"


def asked_type(type_: pa.DataType) -> pa.DataType:
    """The Arrow type in which the driver is asked for a column that it announces as another."""
    return pa.binary() if _is_bytes(type_) else pa.string()


def server_cast(type_: pa.DataType, dialect: str) -> str:
    """The type to which the server casts a column, so that the driver sees a text only; empty where it need not.

    Arrow-odbc makes room for the longest value in every row: a moment is no longer than the type says.
    """
    if pa.types.is_temporal(type_) and dialect in _SPOILT_MOMENTS:
        return MOMENT
    return "TEXT" if pa.types.is_string(type_) and dialect == "postgres" else ""


def odbc_reading(field: pa.Field, driver: str, declared: Mapping[str, str]) -> Reading:
    """How a column of an ODBC result is read.

    Args:
        field: As arrow-odbc announces it from what the driver says.
        driver: The driver's name.
        declared: Types that the project declares; they count, because texts are read as any type.
    """
    announced, native = _carried(field.type), str(field.type)
    wanted = declared_type(declared, field.name, is_needed=False)
    if asked_type(field.type) == pa.binary():
        return Reading(field.name, pa.binary(), native)
    type_ = wanted or announced
    refused = ""
    if pa.types.is_floating(type_) and re.search("sqlite", driver, re.IGNORECASE):
        refused = "SQLite's ODBC driver gives 15 digits of a float: use `type: sqlite`"
    return Reading(field.name, type_, native, text_reader(type_), refused)


def _is_bytes(type_: pa.DataType) -> bool:
    return bool(pa.types.is_binary(type_) or pa.types.is_fixed_size_binary(type_))


def _carried(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_floating(type_):
        return pa.float64()  # psqlodbc announces double precision as real
    if pa.types.is_timestamp(type_):
        return MICROS
    if pa.types.is_time(type_):
        return TIME
    return type_
