"""What the emulated BigQuery leaves out of the Storage Write API: which types it takes, how large a request is, faults.

It runs beside `bigquery_emulator`, in local-bigquery's environment. Streams, offsets and states are local-bigquery's.
Ours are: the table of Arrow types as Google documents it, the limit of a request, the rows put into the table as Arrow
(the emulator goes by way of JSON, which has no NaN), the log, and faults that a test has asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types
from google.rpc import status_pb2
from local_bigquery.catalog import tables
from local_bigquery.engine import database
from local_bigquery.engine.database import quote
from local_bigquery.grpc import read, write

MOST_BYTES = 10_000_000
_SILENT_S = 20
_ARROW: dict[str, Callable[[pa.DataType], bool]] = {
    "BOOLEAN": pa.types.is_boolean,
    "BYTES": pa.types.is_binary,
    "DATE": pa.types.is_date32,
    "DATETIME": lambda type_: type_ == pa.timestamp("us"),
    "TIMESTAMP": lambda type_: type_ == pa.timestamp("us", "UTC"),
    "FLOAT": lambda type_: type_ in (pa.float32(), pa.float64()),
    "INTEGER": pa.types.is_integer,
    "JSON": pa.types.is_string,
    "STRING": pa.types.is_string,
    "NUMERIC": pa.types.is_decimal128,
    "BIGNUMERIC": pa.types.is_decimal256,
}


class Writing:
    """The service's functions as they are to be, over local-bigquery's.

    Args:
        log: Where what is asked is noted.
    """

    def __init__(self, log: list[str]) -> None:
        self._log = log
        self._fault: dict[str, Any] = {}
        self._seen = 0
        self._open = 0
        self._commit = write.commit
        self._finalize, self._create, self._append = write.finalize, write.create, write._append

    def install(self) -> None:
        """Put them in local-bigquery's place; its server takes them as they are then."""
        write.append, write.commit = self.append, self.commit
        write.finalize, write.create = self.finalize, self.create

    def asked(self, body: dict[str, Any]) -> dict[str, int]:
        """The next fault (`fault`, at the append of number `at`), and how many calls are open."""
        if "fault" in body:
            self._fault, self._seen = body, 0
        return {"open": self._open}

    def create(self, request: Any) -> Any:
        """A stream."""
        self._log.append(f"create {types.WriteStream.Type(request.write_stream.type_).name} stream")
        return self._create(request)

    def append(self, requests: Iterator[Any]) -> Iterator[Any]:
        """Answers to requests, one by one."""
        name, schema = "", None
        self._open += 1
        try:
            for request in requests:
                name = request.write_stream or name
                stream = write._stream(name)
                if given := request.arrow_rows.writer_schema.serialized_schema:
                    schema = pa.ipc.read_schema(pa.py_buffer(given))
                    _require_types(schema, tables.columns(*stream.table))
                if len(type(request).serialize(request)) > MOST_BYTES:
                    raise read.StorageError(grpc.StatusCode.INVALID_ARGUMENT, "AppendRows request too large")
                data = request.arrow_rows.rows.serialized_record_batch
                batch = pa.ipc.read_record_batch(pa.py_buffer(data), schema)
                offset = request.offset if "offset" in request else None
                self._log.append(f"append {batch.num_rows} at {offset}")
                yield from self._answers(stream, batch, offset)
        finally:
            self._open -= 1

    def _answers(self, stream: Any, batch: pa.RecordBatch, offset: int | None) -> Iterator[Any]:
        self._seen += 1
        kind = self._fault.get("fault") if self._fault.get("at") == self._seen else None
        if self._fault.get("fault") == "cut always":
            kind = "cut"
        if kind == "refused":
            yield self._refused(stream, self._fault["message"])
            return
        if kind == "lost":  # taken by nobody, and answered as if
            yield types.AppendRowsResponse(append_result={"offset": offset}, write_stream=stream.name)
            return
        if kind == "busy":
            error = status_pb2.Status(code=grpc.StatusCode.INTERNAL.value[0], message="made by the test: busy")
            yield types.AppendRowsResponse(error=error, write_stream=stream.name)
            return
        answer = self._append(stream, [batch], offset)
        if "append_result" in answer:
            stream.count += batch.num_rows - 1  # it counted one row
        if kind == "silent":  # taken, and not answered while the call lasts
            time.sleep(_SILENT_S)
        if kind == "cut":
            raise read.StorageError(grpc.StatusCode.UNAVAILABLE, "made by the test: cut")
        yield answer

    def _refused(self, stream: Any, message: str) -> Any:
        code = grpc.StatusCode.INVALID_ARGUMENT.value[0]
        row = types.RowError(index=1, code=types.RowError.RowErrorCode.FIELDS_ERROR, message=message)
        error = status_pb2.Status(code=code, message="Errors found while processing rows")
        return types.AppendRowsResponse(error=error, row_errors=[row], write_stream=stream.name)

    def finalize(self, request: Any) -> Any:
        """No more rows."""
        self._log.append("finalize")
        return self._finalize(request)

    def commit(self, request: Any) -> Any:
        """The rows of finalized streams into their tables, as they came."""
        self._log.append("commit")
        streams = [write._stream(name) for name in request.write_streams]
        batches = {stream.name: stream.rows for stream in streams}
        for stream in streams:
            stream.rows = []
        answer = self._commit(request)
        if not answer.stream_errors:
            for stream in streams:
                _put(stream.table, batches[stream.name])
        return answer


def _require_types(schema: pa.Schema, fields: list[Any]) -> None:
    known = {field.name.casefold(): field for field in fields}
    for column in schema:
        field = known.get(column.name.casefold())
        if field is None or not _is_taken(column.type, field):
            kind = field.type if field else "no column"
            message = f"Input schema has {column.name} of {column.type}, the table {kind}"
            raise read.StorageError(grpc.StatusCode.INVALID_ARGUMENT, message)


def _is_taken(type_: pa.DataType, field: Any) -> bool:
    if field.mode == "REPEATED":
        return pa.types.is_list(type_) and _is_taken(type_.value_type, field.replace(mode="NULLABLE"))
    if field.type == "RECORD":
        children = {child.name.casefold(): child for child in field.fields}
        return pa.types.is_struct(type_) and all(
            f.name.casefold() in children and _is_taken(f.type, children[f.name.casefold()]) for f in type_
        )
    return field.type in _ARROW and _ARROW[field.type](type_)


def _put(table: tuple[str, str, str], batches: list[pa.RecordBatch]) -> None:
    if not batches:
        return
    rows = pa.Table.from_batches(batches)
    for index, column in enumerate(rows.schema):
        if pa.types.is_decimal256(column.type):  # DuckDB has none
            narrow = pa.decimal128(column.type.precision, column.type.scale)
            rows = rows.set_column(index, column.name, rows.column(index).cast(narrow))
    columns = ", ".join(quote(name) for name in rows.schema.names)
    with database.cursor() as cur:
        cur.register("dvt_written", rows)
        cur.execute(f"insert into {tables.name(*table)} ({columns}) select {columns} from dvt_written")
        cur.unregister("dvt_written")
