"""Where a query stops being one. Lines and columns begin with 1, and are those of the compiled SQL."""

from __future__ import annotations

import json
import re
from typing import Any

_CLASS = re.compile(r"Required keyword: '\w+' missing for <class '[^']*'>")
_TOKEN = re.compile(r"Expected (?P<what>[^<]*) but got <Token .*text: (?P<text>.*?), line: .*>")


def what_is_wrong(sql: str, error: Exception) -> str:
    """The place and the words of a syntax error: the engine's own, or sqlglot's where the engine would take the query.

    Args:
        sql: The query.
        error: What sqlglot raised.
    """
    return _by_engine(sql) or _by_sqlglot(sql, error)


def place(sql: str, offset: int) -> str:
    """A place in a text.

    >>> place("select a\\nfrom b", 9)
    'line 2, column 1'
    """
    before = sql[:offset].split("\n")
    return f"line {len(before)}, column {len(before[-1]) + 1}"


def place_of_byte(sql: str, position: int) -> str:
    """A place in a text, by its bytes in UTF-8.

    >>> place_of_byte("select 'ä', b", 12)
    'line 1, column 12'
    """
    return place(sql, len(sql.encode()[:position].decode(errors="ignore")))


def details_of(error: BaseException) -> dict[str, Any]:
    """What DuckDB says of an error as JSON; nothing where it says it in words alone."""
    _, _, text = str(error).partition("Error: ")
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _by_engine(sql: str) -> str:
    import duckdb

    with duckdb.connect() as session:
        session.execute("set errors_as_json = true")
        try:
            session.extract_statements(sql)
        except duckdb.Error as error:
            found = details_of(error)
            if "position" in found:
                return f"{place_of_byte(sql, int(found['position']))}: {found['exception_message']}"
    return ""


def _by_sqlglot(sql: str, error: Exception) -> str:
    details = getattr(error, "errors", None)
    if not details:
        return f"{place(sql, len(sql.rstrip()))}: {error}"
    first = details[0]
    text = _CLASS.sub("something is missing", str(first.get("description")))
    text = _TOKEN.sub(r"expected \g<what>", text)
    near = str(first.get("highlight") or "")
    line, last = int(first.get("line") or 1), int(first.get("col") or 1)
    column = max(last - len(near) + 1, 1) if "\n" not in near else last  # sqlglot names a token's last column
    at = f"line {line}, column {column}"
    return f"{at}, near '{near.strip()}': {text}" if near.strip() else f"{at}: {text}"
