"""How each engine shows a kind of value, and the documented ways in which two engines spell one value differently.

An entry of `SPELLINGS` is a function with a reason: it maps the text of either side to one spelling. None of them
rounds, cuts or defaults anything; a text that it does not understand raises.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

# The expression whose text is compared; "{c}" itself where the engine's plain text will do.
ORACLES: dict[str, dict[str, str]] = {
    "postgres": {
        "bytes": "encode({c}, 'hex')",
        "interval": (
            "(extract(year from {c}) * 12 + extract(month from {c}))::bigint || ' ' || extract(day from {c})::bigint"
            " || ' ' || (extract(hour from {c})::numeric * 3600000000 + extract(minute from {c})::numeric * 60000000"
            " + extract(microseconds from {c})::numeric)::bigint"
        ),
        "list": "to_json({c})",
        "blobs": "(select string_agg(encode(b, 'hex'), ',' order by n) from unnest({c}) with ordinality as u(b, n))",
    },
    "mariadb": {"bytes": "hex({c})", "double": "{c} * 1e0", "float": "{c} * 1e0", "year": "{c} + 0"},
    "sqlite": {"bytes": "case typeof({c}) when 'null' then null when 'blob' then hex({c}) else 'no bytes' end"},
    "duckdb": {
        "bytes": "hex({c})",
        "interval": (
            "(date_part('year', {c}) * 12 + date_part('month', {c})) || ' ' || date_part('day', {c})"
            " || ' ' || (date_part('hour', {c}) * 3600000000 + date_part('minute', {c}) * 60000000"
            " + date_part('microsecond', {c}))"
        ),
        "list": "to_json({c})",
        "nested": "to_json({c})",
        "blobs": "array_to_string([lower(hex(b)) for b in {c}], ',')",
    },
}
ORACLES["parquet"] = {kind: shown for kind, shown in ORACLES["duckdb"].items() if kind != "interval"}  # ISO text
ORACLES["csv"] = {}


def oracle(engine: str, kind: str, column: str) -> str:
    return ORACLES[engine].get(kind, "{c}").replace("{c}", column)


def _boolean(text: str) -> str:
    return {"true": "true", "false": "false", "t": "true", "f": "false", "1": "true", "0": "false"}[text]


def _decimal(text: str) -> str:
    number = Decimal(text)
    shown = format(number, "f")
    return (shown.rstrip("0").rstrip(".") if "." in shown else shown) if number else "0"


def _double(text: str) -> str:
    return float(text).hex()


def _float(text: str) -> str:
    return struct.pack(">f", float(text)).hex()


def _moment(text: str) -> str:
    text = re.sub(r"^(\S+) \(BC\)(.*)$", r"\1\2 BC", text)  # DuckDB puts the era behind the day
    text = re.sub(r"\+00(:00)?(?=$| BC)", "", text)
    return re.sub(r"(\.\d*?)0+(?=$| )", r"\1", text).replace(". ", " ").removesuffix(".")


def _interval(text: str) -> str:
    """Months, days and microseconds; the targets without intervals hold ISO 8601 text."""
    if not text.startswith("P"):
        return text
    found = re.fullmatch(
        r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?[\d.]+)S)?)?", text
    )
    assert found, text
    years, months, days, hours, minutes = (int(part or 0) for part in found.groups()[:5])
    micros = Decimal(found[6] or 0) * 1_000_000 + (hours * 60 + minutes) * 60_000_000
    assert micros == int(micros), text
    return f"{years * 12 + months} {days} {int(micros)}"


def _nested(text: str) -> str:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        return f"number {_decimal(str(value))}" if isinstance(value, Decimal) else value

    # NaN is bare in DuckDB's JSON and a text in PostgreSQL's.
    found = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
    return json.dumps(plain(found), ensure_ascii=False)


def _day_times(text: str) -> str:
    return re.sub(r"(\d\d)[ T](\d\d:)", r"\1T\2", _nested(text))


SPELLINGS: dict[str, tuple[Callable[[str], str], str]] = {
    "boolean": (_boolean, "MySQL and SQLite have no boolean: they keep 1 and 0"),
    "decimal": (
        _decimal,
        "zeros behind the last digit belong to the type's scale; SQLite keeps a number without scale",
    ),
    "double": (_double, "the same 64 bits are spelled 1e15, 1E+15 or 1000000000000000; compared as bits"),
    "float": (_float, "MySQL and SQLite show the double of the same value; compared as the 32 bits"),
    "bytes": (str.lower, "hexadecimal digits of either case"),
    "date": (_moment, "BC is spelled BC or (BC)"),
    "time": (_moment, "zeros behind the last digit of a fraction are shown or not"),
    "timestamp": (
        _moment,
        "zeros behind the last digit of a fraction, BC, and the zone of an instant in UTC: +00 or +00:00",
    ),
    "interval": (_interval, "months, days and microseconds; ISO 8601 text where the engine has no intervals"),
    "list": (_nested, "an array, or its JSON text: white space, and zeros behind the last digit of a decimal"),
    "nested": (_day_times, "JSON text; ISO 8601 has T or a space between day and time"),
    "year": (lambda text: str(int(text)), "YEAR lands as a number"),
}


# The one value that a target may change, by the rule in plans/0002-types.md: these have a single zero.
ONE_ZERO = ("mariadb", "sqlite")


def landed(target: str, kind: str, text: str | None) -> str | None:
    """The one spelling of what the target is to hold for a text of the source."""
    found = spelled(kind, text)
    if kind in ("double", "float") and target in ONE_ZERO and found == spelled(kind, "-0.0"):
        return spelled(kind, "0.0")
    return found


def spelled(kind: str, text: str | None) -> str | None:
    """One spelling for a text of either side; a kind that is not in the table is compared as it is."""
    return text if text is None or kind not in SPELLINGS else SPELLINGS[kind][0](text)
