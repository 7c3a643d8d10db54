"""Answers of the emulated Snowflake in the protocol's form; `snowflake_http` loads it, in fakesnow's environment."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# What describes a column whose entry says less.
_COLUMN = {"nullable": True, "length": 16777216, "byteLength": 16777216, "precision": None, "scale": None}


def failed(code: str, state: str, message: str) -> dict[str, Any]:
    return {"data": {"errorCode": code, "sqlState": state}, "code": code, "message": message, "success": False}


def whole(column: dict[str, Any]) -> dict[str, Any]:
    inner = {"fields": [whole(field) for field in column["fields"]]} if "fields" in column else {}
    return {**_COLUMN, **column, **inner}


def text_column(name: str) -> list[dict[str, Any]]:
    return [{**_COLUMN, "name": name, "type": "text"}]


def with_nulls(table: pa.Table) -> pa.Table:
    """fakesnow sends a NULL moment as a struct of NULLs, which the connector reads as 1970; Snowflake sends a NULL."""
    for index, field in enumerate(table.schema):
        if pa.types.is_struct(field.type):
            column = table.column(index).combine_chunks()
            children = [pc.fill_null(child, 0) for child in column.flatten()]
            mask = column.flatten()[0].is_null()
            mended = pa.StructArray.from_arrays(children, fields=list(field.type), mask=mask)
            table = table.set_column(index, field.with_nullable(True), mended)
    return table


def ipc(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
