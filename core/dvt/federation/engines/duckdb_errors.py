"""DuckDB's errors as dvt's families, by the words with which DuckDB itself begins them.

An error that is raised while a result is streamed arrives as `OSError` from Arrow, so the class alone does not tell.
"""

from __future__ import annotations

import re

from dvt.errors import DataError, DvtError, InterruptedRunError, PlanError, QueryError, ResourceError
from dvt.federation.plan.syntax_errors import details_of, place_of_byte
from dvt.types.duckdb import CAST_ERROR

_KIND = re.compile(r"^\s*(?P<kind>[A-Za-z ]+?) Error: (?P<text>.*)$", re.DOTALL)
_CAST_COLUMN = re.compile(re.escape(CAST_ERROR) + r'"(?P<column>(?:[^"]|"")*)" (?P<what>.*)$', re.DOTALL)
# DuckDB's own list of remedies speaks of SET statements, which a model cannot run.
_ADVICE = re.compile(r"\s*Possible solutions:.*$", re.DOTALL)

_PLAN = frozenset({"Parser", "Syntax", "Binder", "Catalog", "Not implemented", "Permission", "Missing Extension"})
_DATA = frozenset(
    {"Conversion", "Out of Range", "Invalid Input", "Mismatch Type", "Invalid Type", "Decimal", "Parameter"}
)
_DISK = re.compile(
    r"no space left|disk (?:is )?full|max_temp_directory_size|could not write|quota exceeded", re.IGNORECASE
)


def translate(error: BaseException, *, is_binding: bool = False) -> DvtError:
    """The dvt error for an error of the engine; the caller raises it from the original.

    Args:
        error: What DuckDB, or Arrow on its behalf, raised.
        is_binding: Whether the statement had not begun to run, so that the query is at fault and not a value.
    """
    found = _KIND.match(str(error))
    kind, text = (found["kind"], found["text"].strip()) if found else ("", str(error))
    if kind.upper() == "INTERRUPT":
        return InterruptedRunError("the query was interrupted", phase="compute")
    if kind == "Out of Memory" or _DISK.search(text):
        return _exhausted(text)
    if "requires the extension" in text:
        return PlanError(
            text.splitlines()[0],
            phase="compute",
            remedy="dvt loads no extensions; read the data through a connection of its own",
        )
    cast = _CAST_COLUMN.search(text)
    if cast:
        return DataError(
            f"a value cannot be carried exactly: the column {cast['what']}",
            column=cast["column"].replace('""', '"'),
            phase="compute",
            remedy="Cast the column in the model to a type that holds the value, for example varchar",
        )
    if kind in _PLAN or (is_binding and kind in _DATA):
        return PlanError(f"the engine refuses the query: {text}", phase="compute", remedy="Correct the model's SQL")
    if kind in _DATA:
        return DataError(f"a value does not fit: {text}", phase="compute", remedy="Correct the value or the cast")
    return QueryError(f"the engine failed: {kind + ': ' if kind else ''}{text}", phase="compute")


def refused(error: BaseException, sql: str) -> DvtError:
    """The dvt error for a query that does not bind.

    Args:
        error: What DuckDB raised in a session with `errors_as_json`.
        sql: The query.
    """
    found = details_of(error)
    if not found:
        return translate(error, is_binding=True)
    text = " ".join(str(found["exception_message"]).split()).replace("Values list ", "Table ")
    if "position" in found:
        text = f"{place_of_byte(sql, int(found['position']))}: {text}"
    return PlanError(f"the engine refuses the query: {text}", phase="compute", remedy="Correct the model's SQL")


def _exhausted(text: str) -> ResourceError:
    what = _ADVICE.sub("", text)
    if _DISK.search(text):
        remedy = "Free disk space, or set staging_folder in dvt.yml to a larger disk"
        return ResourceError(f"the spill folder is full: {what}", phase="compute", remedy=remedy)
    return ResourceError(
        f"the query needs more memory than its share of the budget: {what}",
        phase="compute",
        remedy="Raise memory_limit in dvt.yml, lower its threads, or run fewer models at a time (dbt --threads)",
    )
