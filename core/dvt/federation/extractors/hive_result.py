"""The result of a HiveServer2 statement, asked for past the client's own list of types, which lacks the newer ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impala.hiveserver2 import HiveServer2Cursor

# The numbers of types in HiveServer2's TCLIService.
_NAMES = (
    *("BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "STRING", "TIMESTAMP", "BINARY", "ARRAY"),
    *("MAP", "STRUCT", "UNION", "USER", "DECIMAL", "NULL", "DATE", "VARCHAR", "CHAR", "INTERVAL", "INTERVAL"),
    "TIMESTAMP WITH LOCAL TIME ZONE",
)
# Which of the client's names stands for the column of the protocol in which such values come; all others are texts.
_SENT_AS = frozenset({"BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "BINARY"})


@dataclass(frozen=True)
class HiveColumn:
    """A column of a result.

    Args:
        name: Its name.
        kind: HiveServer2's name of its type.
        precision: Digits of a decimal.
        scale: Of these, the ones behind the point.
    """

    name: str
    kind: str
    precision: int | None = None
    scale: int | None = None


def result_columns(cursor: HiveServer2Cursor) -> list[HiveColumn]:
    """The columns of what a cursor has executed."""
    from impala._thrift_gen.TCLIService.ttypes import TGetResultSetMetadataReq

    operation = cursor._last_operation
    answer = operation._rpc("GetResultSetMetadata", TGetResultSetMetadataReq(operationHandle=operation.handle), True)
    return [_column(column) for column in answer.schema.columns]


def _column(column: Any) -> HiveColumn:
    entry = column.typeDesc.types[0].primitiveEntry
    kind = _NAMES[entry.type] if entry.type < len(_NAMES) else f"type {entry.type}"
    if kind != "DECIMAL":
        return HiveColumn(column.columnName, kind)
    numbers = entry.typeQualifiers.qualifiers
    return HiveColumn(column.columnName, kind, numbers["precision"].i32Value, numbers["scale"].i32Value)


def next_rows(cursor: HiveServer2Cursor, columns: list[HiveColumn], rows: int) -> list[Any] | None:
    """The next rows, column by column: values and the bits of NULLs; None at the end.

    Args:
        cursor: What has executed a statement.
        columns: Its columns.
        rows: At most that many.
    """
    shape = [(c.name, c.kind if c.kind in _SENT_AS else "STRING", *(None,) * 5) for c in columns]
    batch = cursor._last_operation.fetch(shape, rows, convert_types=False, convert_strings_to_unicode=False)
    return list(batch.columns) if len(batch) else None
