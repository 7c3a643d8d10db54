"""How each engine says the canonical text of a value, and the MD5 of a text: data, in the engine's own SQL.

Canonical texts are the same on all engines: whole numbers and decimals as plain digits without zeros at the end of a
fraction, `true` and `false`, dates and times in ISO form with six digits of a second (nine, where nanoseconds are
carried and some are there), moments in UTC, bytes and UUIDs in lower-case hexadecimal digits, texts as they are.
Floats are as the engine writes them.

`{x}` stands for the column, or for the text that is digested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dvt.federation.hashing.form import HashWords

__all__ = ["HASH_WORDS", "HashWords"]


_BOOLEAN = "case when {x} then 'true' when not {x} then 'false' end"


def _trimmed(text: str) -> str:
    """The text of a number without the zeros at the end of its fraction, in standard SQL."""
    return f"case when {text} like '%.%' then trim(trailing '.' from trim(trailing '0' from {text})) else {text} end"


def _rtrimmed(text: str) -> str:
    """The same for engines whose `rtrim` takes what is to be cut off."""
    return f"case when {text} like '%.%' then rtrim(rtrim({text}, '0'), '.') else {text} end"


def _with_era(moment: str) -> str:
    """For to_char, a year before Christ is the same as one after."""
    era = f"case when extract(year from {moment}) < 0 then ' BC' else '' end"
    return f"to_char({moment}, 'YYYY-MM-DD HH24:MI:SS.US') || {era}"


def _finite(moment: str) -> str:
    """The text of infinity is empty for to_char."""
    return f"case when isfinite({moment}) then {_with_era(moment)} else cast({moment} as text) end"


def _duckdb_moment(moment: str) -> str:
    """Nanoseconds where there are some, and the era; strftime has infinity as a text."""
    text = f"regexp_replace(strftime({moment}, '%Y-%m-%d %H:%M:%S.%n'), '000$', '')"
    day = f"replace(cast(cast({moment} as date) as varchar), ' (BC)', '')"
    before = f"{day} || substr({text}, instr({text}, ' ')) || ' BC'"
    is_before = f"isfinite({moment}) and cast({moment} as date) < date '0001-01-01'"
    return f"case when {is_before} then {before} else {text} end"


_POSTGRES = HashWords(
    text="cast({x} as text)",
    integer="cast({x} as text)",
    decimal=_trimmed("cast({x} as text)"),
    double="cast({x} as text)",
    boolean=_BOOLEAN,
    date="cast({x} as text)",
    timestamp=_finite("{x}"),
    instant=_finite("({x} at time zone 'UTC')"),
    time="to_char({x}, 'HH24:MI:SS.US')",
    binary="encode({x}, 'hex')",
    uuid="cast({x} as text)",
    digest="md5({x})",
)
_MYSQL = HashWords(
    text="convert({x} using utf8mb4)",
    integer="cast({x} as char)",
    decimal=_trimmed("cast({x} as char)"),
    double="cast({x} * 1e0 as char)",  # the text of a float of 32 bits has six digits
    boolean=_BOOLEAN,
    date="date_format({x}, '%Y-%m-%d')",
    timestamp="date_format({x}, '%Y-%m-%d %H:%i:%s.%f')",
    instant="date_format({x}, '%Y-%m-%d %H:%i:%s.%f')",  # a session of dvt is in UTC
    time="time_format({x}, '%H:%i:%s.%f')",
    binary="lower(hex({x}))",
    uuid="lower(cast({x} as char))",
    digest="md5({x})",
    joined="concat",
)
_DUCKDB = HashWords(
    text="cast({x} as varchar)",
    integer="cast({x} as varchar)",
    decimal=_rtrimmed("cast({x} as varchar)"),
    double="cast({x} as varchar)",
    boolean=_BOOLEAN,
    date="replace(replace(cast({x} as varchar), '(', ''), ')', '')",
    timestamp=_duckdb_moment("{x}"),
    instant=_duckdb_moment("timezone('UTC', {x})"),
    time="case when {x} = time '24:00:00' then '24:00:00.000000' "
    "else strftime(date '2000-01-01' + {x}, '%H:%M:%S.%f') end",
    binary="lower(hex({x}))",
    uuid="cast({x} as varchar)",
    digest="md5({x})",
)
_SQLITE = HashWords(
    text="cast({x} as text)",
    integer="cast({x} as text)",
    decimal=_rtrimmed("cast({x} as text)"),
    double="dvt_double({x})",  # made for the session; SQLite's own text has 15 digits
    boolean="case {x} when 1 then 'true' when 0 then 'false' end",
    # As the texts are that are stored: SQLite has no dates.
    date="cast({x} as text)",
    timestamp="cast({x} as text)",
    instant="cast({x} as text)",
    time="cast({x} as text)",
    binary="case when {x} is not null then lower(hex({x})) end",  # hex of NULL is an empty text
    uuid="lower(cast({x} as text))",
    digest="dvt_md5({x})",  # made for the session
)
_CLICKHOUSE = HashWords(
    text="toString({x})",
    integer="toString({x})",
    decimal="toString({x})",
    double="toString({x})",
    boolean=_BOOLEAN,
    date="toString({x})",
    timestamp="formatDateTime({x}, '%Y-%m-%d %H:%i:%S.%f', 'UTC')",
    instant="formatDateTime({x}, '%Y-%m-%d %H:%i:%S.%f', 'UTC')",
    time="",
    binary="lower(hex({x}))",
    uuid="toString({x})",
    digest="lower(hex(MD5({x})))",
)
_SNOWFLAKE = HashWords(
    text="cast({x} as varchar)",
    integer="cast({x} as varchar)",
    decimal=_rtrimmed("cast({x} as varchar)"),
    double="cast({x} as varchar)",
    boolean=_BOOLEAN,
    date="to_char({x}, 'YYYY-MM-DD')",
    timestamp="to_char({x}, 'YYYY-MM-DD HH24:MI:SS.FF6')",
    instant="to_char(convert_timezone('UTC', {x}), 'YYYY-MM-DD HH24:MI:SS.FF6')",
    time="to_char({x}, 'HH24:MI:SS.FF6')",
    binary="lower(hex_encode({x}))",
    uuid="cast({x} as varchar)",
    digest="md5({x})",
)
_BIGQUERY = HashWords(
    text="cast({x} as string)",
    integer="cast({x} as string)",
    decimal=_rtrimmed("cast({x} as string)"),
    double="cast({x} as string)",
    boolean=_BOOLEAN,
    date="cast({x} as string)",
    timestamp="format_datetime('%E4Y-%m-%d %H:%M:%E6S', {x})",
    instant="format_timestamp('%E4Y-%m-%d %H:%M:%E6S', {x}, 'UTC')",
    time="format_time('%H:%M:%E6S', {x})",
    binary="to_hex({x})",
    uuid="cast({x} as string)",
    digest="to_hex(md5({x}))",
)
# Where ANSI is off, the text of a small number has an exponent; a formatted one never has.
_SPARK_DECIMAL = "regexp_replace(replace(format_number({x}, 38), ',', ''), '[.]?0*$', '')"
_SPARK = HashWords(
    text="cast({x} as string)",
    integer="cast({x} as string)",
    decimal=_SPARK_DECIMAL,
    double="cast({x} as string)",
    boolean=_BOOLEAN,
    date="date_format({x}, 'yyyy-MM-dd')",
    timestamp="date_format({x}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')",
    instant="date_format({x}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')",  # a session of dvt is in UTC
    time="",
    binary="lower(hex({x}))",
    uuid="cast({x} as string)",
    digest="md5({x})",
    joined="concat",  # a chain of `||` is as deep as there are columns
)
# Hive's date_format counts in milliseconds before Hive 4; nanoseconds stay, where there are some.
_HIVE_FRACTION = "substr(cast({x} as string), 21)"
_HIVE = replace(
    _SPARK,
    date="cast({x} as string)",
    timestamp="concat(substr(cast({x} as string), 1, 19), '.', "
    f"rpad({_HIVE_FRACTION}, greatest(6, length({_HIVE_FRACTION})), '0'))",
    instant="",
    uuid="",
)
_TRINO = HashWords(
    text="cast({x} as varchar)",
    integer="cast({x} as varchar)",
    decimal=_trimmed("cast({x} as varchar)"),
    double="cast({x} as varchar)",
    boolean=_BOOLEAN,
    date="cast({x} as varchar)",
    timestamp="cast(cast({x} as timestamp(6)) as varchar)",
    instant="cast(cast(at_timezone({x}, 'UTC') as timestamp(6)) as varchar)",
    time="cast(cast({x} as time(6)) as varchar)",
    binary="lower(to_hex({x}))",
    uuid="cast({x} as varchar)",
    digest="lower(to_hex(md5(to_utf8({x}))))",
)
_SQLSERVER = HashWords(
    # REPLACE goes by the collation, by which a tilde of full width may equal a plain one.
    text="cast({x} as nvarchar(max)) collate Latin1_General_100_BIN2",
    integer="cast({x} as varchar(40))",
    # An outermost zero that stands for a blank: TRIM of other characters came with SQL Server 2022.
    decimal="case when cast({x} as varchar(50)) like '%.%' then replace(rtrim(replace(replace(rtrim(replace("
    "cast({x} as varchar(50)), '0', ' ')), ' ', '0'), '.', ' ')), ' ', '.') else cast({x} as varchar(50)) end",
    double="convert(varchar(40), {x}, 3)",
    boolean="case {x} when 1 then 'true' when 0 then 'false' end",
    date="convert(char(10), {x}, 23)",
    timestamp="convert(varchar(26), cast({x} as datetime2(6)), 121)",
    instant="convert(varchar(26), cast(switchoffset({x}, '+00:00') as datetime2(6)), 121)",
    time="convert(varchar(15), cast({x} as time(6)), 121)",
    binary="lower(convert(varchar(max), {x}, 2))",
    uuid="lower(convert(char(36), {x}))",
    digest="lower(convert(char(32), hashbytes('MD5', "
    "cast({x} collate Latin1_General_100_BIN2_UTF8 as varchar(max))), 2))",
    joined="+",
    first="cast(N'' as nvarchar(max))",  # what is longer than 8000 bytes is cut otherwise, without a word
)
# TM9 writes no zero before the point; a format with all digits would be longer than Oracle takes.
_TM9 = "to_char({x}, 'TM9')"
_ORACLE_DECIMAL = (
    f"case when {_TM9} like '.%' then '0' || {_TM9} "
    f"when {_TM9} like '-.%' then '-0' || substr({_TM9}, 2) else {_TM9} end"
)
_ORACLE = HashWords(
    text="cast({x} as varchar2(4000))",
    integer="to_char({x})",
    decimal=_ORACLE_DECIMAL,
    double="to_char({x})",
    boolean=_BOOLEAN,  # of Oracle 23; older ones have no such columns
    date="to_char({x}, 'YYYY-MM-DD')",
    timestamp="to_char(cast({x} as timestamp), 'YYYY-MM-DD HH24:MI:SS.FF6')",
    instant="to_char(sys_extract_utc({x}), 'YYYY-MM-DD HH24:MI:SS.FF6')",
    time="",
    binary="lower(rawtohex({x}))",
    uuid="",
    digest="lower(rawtohex(standard_hash({x}, 'MD5')))",
)
_EXASOL = HashWords(
    text="cast({x} as varchar(2000000))",
    integer="to_char({x})",
    decimal=_rtrimmed("to_char({x})"),
    double="to_char({x})",
    boolean=_BOOLEAN,
    date="to_char({x}, 'YYYY-MM-DD')",
    timestamp="to_char({x}, 'YYYY-MM-DD HH24:MI:SS.FF6')",
    instant="to_char(convert_tz({x}, sessiontimezone, 'UTC'), 'YYYY-MM-DD HH24:MI:SS.FF6')",
    time="",
    binary="",
    uuid="",
    digest="hash_md5({x})",
)

_REDSHIFT = replace(
    _POSTGRES,
    text="cast({x} as varchar(65535))",
    timestamp=_with_era("{x}"),
    instant=_with_era("({x} at time zone 'UTC')"),
    binary="to_hex({x})",
    uuid="",
)
_FIREBOLT = replace(
    _POSTGRES,
    timestamp="to_char({x}, 'YYYY-MM-DD HH24:MI:SS.US')",
    instant="to_char({x} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    uuid="",
)

HASH_WORDS: Mapping[str, HashWords] = {
    "postgres": _POSTGRES,
    "redshift": _REDSHIFT,
    "vertica": replace(_POSTGRES, text="cast({x} as long varchar)", binary="to_hex({x})"),
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": _SQLITE,
    "duckdb": _DUCKDB,
    "firebolt": _FIREBOLT,
    "clickhouse": _CLICKHOUSE,
    "snowflake": _SNOWFLAKE,
    "bigquery": _BIGQUERY,
    "databricks": replace(_SPARK),
    "spark": _SPARK,
    "hive": _HIVE,
    "trino": _TRINO,
    "athena": replace(_TRINO),
    "sqlserver": _SQLSERVER,
    "oracle": _ORACLE,
    "exasol": _EXASOL,
}
"""By connection type. An engine that is not here has its rows hashed by dvt."""
