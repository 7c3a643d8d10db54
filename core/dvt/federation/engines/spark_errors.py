"""What Spark says of a query, as dvt's families."""

from __future__ import annotations

from dvt.connections.spark_errors import fault
from dvt.connections.spark_process import SparkSaidError
from dvt.errors import (
    DataError,
    DvtError,
    InterruptedRunError,
    PlanError,
    QueryError,
    RelationNotFoundError,
    ResourceError,
)

_OF_DATA = "Correct the value or the cast"
_OF_MEMORY = "Raise memory under engines.spark in dvt.yml, or free disk space"
_STOPPED = "dvt: "


def translate(error: SparkSaidError) -> DvtError:
    """The dvt error; the caller raises it from the original."""
    text = str(error)
    if "[USER_RAISED_EXCEPTION]" in text and _STOPPED in text:
        said = text.partition(_STOPPED)[2].partition(" SQLSTATE")[0].strip()
        return DataError(
            f"the engine stops: {said}", phase="compute", remedy="Compute the model with dvt_engine: duckdb"
        )
    if "No space left" in text or "OutOfMemoryError" in text:
        return ResourceError(f"Spark ran out of memory or disk: {text[:500]}", phase="compute", remedy=_OF_MEMORY)
    found = fault(text, error.sqlstate)
    if issubclass(found.family, DataError):
        return DataError(f"a value does not fit: {found.words}", phase="compute", remedy=found.remedy or _OF_DATA)
    if issubclass(found.family, (ResourceError, InterruptedRunError)):
        return found.family(found.words, phase="compute", remedy=found.remedy)
    if found.family is RelationNotFoundError or "AnalysisException" in error.kind or "ParseException" in error.kind:
        return PlanError(f"Spark refuses the query: {found.words}", phase="compute", remedy="Correct the model's SQL")
    return QueryError(f"Spark failed: {found.words}", phase="compute", remedy=found.remedy)
