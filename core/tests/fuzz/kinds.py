"""What a column can be on each engine, and the awkward values that go into it.

A cell is text or None: the engine's own reading of a quoted literal gives it its type. So a case file is plain JSON.
"""

from __future__ import annotations

from dataclasses import dataclass

TEXTS = (
    *("a", "A", "ä", "Ä", "a ", "A ", "b", "B", "", " ", "%", "_", "a_c", "abc", "a%c", "ABC", "1", "01", "1.5", "-2"),
    *("NULL", "ß", "ss", "é", "e", "z", "Z", "\\", "it's", "a\\_c", "10", "9", "OPEN", "open", "closed ", "\t"),
)
LATIN = tuple(text for text in TEXTS if text.isprintable() or text == "\t")
WIDE = (*TEXTS, "日本", "🙂", "i", "I", "İ", "ı", "a\u0308", "ﬁ", "fi")

SMALL_INTS = ("0", "1", "2", "3", "4", "5", "-1", "-2", "7")
INTS = (*SMALL_INTS, *SMALL_INTS, "100", "2147483647", "-2147483648")
BIGINTS = (
    *SMALL_INTS,
    "9007199254740993",
    "9007199254740992",
    "9007199254740994",
    "9223372036854775807",
    "-9223372036854775808",
)
DECIMALS = ("0.00", "1.00", "1.50", "-1.50", "0.10", "-0.01", "10.00", "99999999.99", "2.25", "1.01")
WIDE_DECIMALS = ("0", "1", "1.5", "-1.5", "0.1", "1.10", "123456789012345678.123456789", "-0.000000001", "10")
DOUBLES = ("0", "1", "1.5", "-1.5", "0.25", "1e300", "-1e-300", "2", "-0.0", "1.1", "9007199254740993")
NOT_NUMBERS = ("NaN", "Infinity", "-Infinity", "NaN")
FLOATS = ("0", "1", "1.5", "-2.25", "1.1", "0.1", "16777217")
DATES = ("2024-02-29", "2024-01-01", "2024-12-31", "2023-06-15", "1970-01-01", "0001-01-01", "9999-12-31", "1999-12-31")
OLD_DATES = tuple(date for date in DATES if date > "1000")
STAMPS = (
    *("2024-01-01 00:00:00", "2024-02-29 23:59:59.999999", "2024-03-31 02:30:00", "1970-01-01 00:00:00"),
    *("2024-02-29 12:00:00", "2024-02-29 12:00:00.123456", "1999-12-31 23:59:59.5", "2024-03-31 00:30:00"),
)
FAR_STAMPS = (*STAMPS, "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999")
INFINITE = ("infinity", "-infinity")
ZONED = tuple(f"{stamp}+00" for stamp in STAMPS)
TIMES = ("00:00:00", "12:00:00", "23:59:59.999999", "12:00:00.5")
BOOLS = ("1", "0", "1")
UUIDS = ("6f2c1f9e-1111-4222-8333-444455556666", "00000000-0000-0000-0000-000000000000")


@dataclass(frozen=True)
class Kind:
    """A type of column on one engine.

    Args:
        ddl: Its declaration there.
        family: What the query generator takes it for.
        values: What it may hold, NULL apart.
        needs: A power of the server without which it is left out: "icu", "citext".
    """

    ddl: str
    family: str
    values: tuple[str, ...]
    needs: str = ""


POSTGRES = (
    Kind("integer", "int", INTS),
    Kind("bigint", "int", BIGINTS),
    Kind("smallint", "int", SMALL_INTS),
    Kind("numeric(10,2)", "dec", DECIMALS),
    Kind("numeric", "dec", WIDE_DECIMALS),
    Kind("double precision", "double", (*DOUBLES, *NOT_NUMBERS)),
    Kind("real", "double", (*FLOATS, *NOT_NUMBERS)),
    Kind("text", "text", WIDE),
    Kind("varchar(20)", "text", TEXTS),
    Kind("char(6)", "text", TEXTS),
    Kind('text collate "C"', "text", TEXTS),
    Kind("text collate dvt_ci", "text", WIDE, "icu"),
    Kind("text collate dvt_de", "text", WIDE, "icu"),
    Kind("citext", "text", TEXTS, "citext"),
    Kind("date", "date", (*DATES, *INFINITE)),
    Kind("timestamp", "ts", (*FAR_STAMPS, *INFINITE)),
    Kind("timestamp(0)", "ts", STAMPS),
    Kind("timestamptz", "tstz", (*ZONED, *INFINITE)),
    Kind("time", "time", TIMES),
    Kind("boolean", "bool", BOOLS),
    Kind("uuid", "uuid", UUIDS),
)
MYSQL = (
    Kind("int", "int", INTS),
    Kind("bigint", "int", BIGINTS),
    Kind("bigint unsigned", "int", ("0", "1", "2", "5", "18446744073709551615")),
    Kind("tinyint(1)", "int", ("0", "1", "2", "-1")),
    Kind("decimal(10,2)", "dec", DECIMALS),
    Kind("decimal(30,9)", "dec", WIDE_DECIMALS),
    Kind("double", "double", DOUBLES),
    Kind("float", "double", FLOATS),
    Kind("varchar(20) character set utf8mb4 collate utf8mb4_general_ci", "text", WIDE),
    Kind("varchar(20) character set utf8mb4 collate utf8mb4_unicode_ci", "text", WIDE),
    Kind("text character set utf8mb4 collate utf8mb4_general_ci", "text", WIDE),
    Kind("varchar(20) character set utf8mb4 collate utf8mb4_bin", "text", WIDE),
    Kind("varchar(20) character set utf8mb4 collate utf8mb4_nopad_bin", "text", WIDE),
    Kind("varchar(20) character set latin1 collate latin1_swedish_ci", "text", LATIN),
    Kind("char(6) character set utf8mb4 collate utf8mb4_bin", "text", TEXTS),
    Kind("enum('b','a','A ','OPEN') character set utf8mb4 collate utf8mb4_bin", "text", ("b", "a", "OPEN")),
    Kind("date", "date", OLD_DATES),
    Kind("datetime(6)", "ts", STAMPS),
    Kind("datetime", "ts", ("2024-01-01 00:00:00", "2024-02-29 12:00:00", "1999-12-31 23:59:59")),
    Kind("timestamp(6) null", "tstz", tuple(stamp for stamp in STAMPS if not stamp.startswith("1970"))),
    Kind("time(6)", "time", TIMES),
    Kind("uuid", "uuid", UUIDS),
)
SQLITE = (
    Kind("integer", "int", BIGINTS),
    Kind("real", "double", DOUBLES),
    Kind("double", "double", DOUBLES),
    Kind("text", "text", WIDE),
    Kind("text collate nocase", "text", WIDE),
    Kind("text collate rtrim", "text", WIDE),
    Kind("varchar(20)", "text", TEXTS),
    Kind("decimal(10,2)", "dec", DECIMALS),
    Kind("boolean", "bool", BOOLS),
    Kind("date", "date", DATES),
    Kind("timestamp", "ts", FAR_STAMPS),
)
DUCKDB = (
    Kind("integer", "int", INTS),
    Kind("bigint", "int", BIGINTS),
    Kind("utinyint", "int", ("0", "1", "2", "5", "255")),
    Kind("hugeint", "int", (*BIGINTS, "99999999999999999999999999999999999999")),
    Kind("decimal(10,2)", "dec", DECIMALS),
    Kind("decimal(38,9)", "dec", WIDE_DECIMALS),
    Kind("double", "double", (*DOUBLES, *NOT_NUMBERS)),
    Kind("float", "double", (*FLOATS, *NOT_NUMBERS)),
    Kind("varchar", "text", WIDE),
    Kind("varchar", "text", TEXTS),
    Kind("varchar collate nocase", "text", TEXTS),
    Kind("enum('b','a','A ','OPEN')", "text", ("b", "a", "OPEN")),
    Kind("date", "date", (*DATES, *INFINITE)),
    Kind("timestamp", "ts", (*FAR_STAMPS, *INFINITE)),
    Kind("timestamptz", "tstz", (*ZONED, *INFINITE)),
    Kind("time", "time", TIMES),
    Kind("boolean", "bool", BOOLS),
    Kind("uuid", "uuid", UUIDS),
    Kind("integer[]", "list", ("[1, 2]", "[]", "[3, NULL, 3]", "[0]")),
    Kind("struct(x integer, y varchar)", "struct", ("{'x': 1, 'y': a}", "{'x': NULL, 'y': B}", "{'x': 2, 'y': NULL}")),
)
_LEFT_OUT_OF_FILES = ("varchar collate nocase", "hugeint")
PARQUET = tuple(kind for kind in DUCKDB if kind.ddl not in _LEFT_OUT_OF_FILES)

KINDS = {"postgres": POSTGRES, "mysql": MYSQL, "sqlite": SQLITE, "duckdb": DUCKDB, "parquet": PARQUET}
