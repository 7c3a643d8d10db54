"""The Thrift service of the stand-in for Databricks: sessions, operations, results in batches and by links."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

import lz4.frame
import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

from servers.databricks_operation import STATE as _STATE
from servers.databricks_operation import Operation
from servers.databricks_volume import Volumes
from servers.databricks_words import as_sent, asked, in_duckdb, spark_error, stored_as, thrift_column
from servers.databricks_writing import ROWS, Writing, limited
from servers.fake_sql import FakeSQL

_OK = ttypes.TStatus(statusCode=ttypes.TStatusCode.SUCCESS_STATUS)
_DIRECT_S = 0.3  # so long the first answer waits for the result
_LINKED_ROWS = 60_000  # results from here on come as links
_BATCH_ROWS = 10_000


class Warehouse:
    """What is behind the port. Tests set how it behaves, and read what it was asked.

    Args:
        port: Its port, for links.
        token: The access token that it knows.
    """

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.tokens = {token}
        self.token_s = 3600
        self.engine = FakeSQL("databricks", "lake", stored_as, lambda tree: limited(in_duckdb(tree)))
        self.volumes = Volumes(port)
        self.writing = Writing(self.engine, self.volumes)
        self.given: dict[str, pa.Table] = {}
        self.refusals: list[int] = []
        self.login_faults: list[str] = []
        self.link_faults: list[int | str] = []
        self.link_seconds = 3600
        self.rows_of_a_link = 20_000
        self.rows_of_an_answer = 1_000_000
        self.downloads: list[dict[str, str]] = []
        self.agents: list[str] = []
        self.sessions: dict[bytes, str] = {}  # the schema of each
        self.configurations: list[Mapping[str, str]] = []
        self.operations: dict[bytes, Operation] = {}
        self.cancelled: list[str] = []
        self._statements: list[str] = []
        self._files: dict[str, bytes] = {}
        self._processor = TCLIService.Processor(_Service(self))

    def execute(self, *statements: str) -> None:
        """Run statements of Databricks' dialect, not through the protocol."""
        for statement in statements:
            self.engine.run(statement)

    def taken(self) -> list[str]:
        """The statements since it was last asked."""
        found, self._statements = self._statements, []
        return found

    @property
    def left_open(self) -> list[str]:
        """The statements whose operations no one closed."""
        return [operation.statement for operation in self.operations.values() if not operation.is_closed]

    def answer(self, message: bytes) -> bytes:
        """One Thrift call."""
        out = TMemoryBuffer()
        self._processor.process(TBinaryProtocol(TMemoryBuffer(message)), TBinaryProtocol(out))
        return bytes(out.getvalue())

    def download(self, name: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """One file: a status and its bytes; status 0 for a connection that is to break."""
        self.downloads.append(dict(headers))
        fault = self.link_faults.pop(0) if self.link_faults else 200
        if fault == "cut":
            return 0, self._files[name]
        if fault == "short":  # a whole answer, whose stream of batches has no end
            return 200, lz4.frame.compress(lz4.frame.decompress(self._files[name])[:-4000])
        assert isinstance(fault, int)
        return (200, self._files[name]) if fault == 200 else (fault, b"<Error>AccessDenied</Error>")

    def run(self, operation: Operation, schema: str) -> None:
        """Work a statement out, in a thread of its own. A warehouse has the whole result before it says so."""
        try:
            operation.table = self._result(operation, schema)
            operation.ended(_STATE.FINISHED_STATE)
        except Exception as error:
            operation.ended(_STATE.ERROR_STATE, spark_error(error))
        finally:
            operation.given = {}
            operation.cursor.own.unregister(ROWS)

    def _result(self, operation: Operation, schema: str) -> pa.Table:
        statement = operation.statement
        given = next((name for name in self.given if f"`{name}`" in statement), None)
        if given:
            return self.given[given].slice(0, 0 if statement.endswith("LIMIT 0") else None)
        if statement.upper().startswith("SET "):
            return pa.table({"key": ["set"]})
        staged = self.volumes.staging(statement)
        if staged is not None:
            operation.is_staging = True
            return staged
        answer, statement = self.writing.answer(statement, operation.given, schema, operation.cursor)
        if answer is not None:
            return answer
        result = self.engine.run(asked(statement), schema, statement, operation.cursor, _BATCH_ROWS)
        return as_sent(result.reader.read_all(), result.columns) if result.reader else pa.table({})

    def start(self, request: Any) -> bytes:
        """Begin a statement; its operation's name."""
        self._statements.append(request.statement)
        name = uuid.uuid4().bytes
        operation = Operation(request.statement, self.engine.cursor(), is_lz4=bool(request.canDecompressLZ4Result))
        operation.is_linked = bool(request.canDownloadResult)
        operation.given = {each.name: each.value.stringValue for each in request.parameters or ()}
        self.operations[name] = operation
        schema = self.sessions[request.sessionHandle.sessionId.guid]
        threading.Thread(target=self.run, args=(operation, schema), daemon=True).start()
        operation.done.wait(_DIRECT_S)
        return name

    def metadata(self, operation: Operation) -> Any:
        """What the columns are, as the server announces it."""
        table = operation.table
        assert table is not None
        operation.is_linked = operation.is_linked and table.num_rows >= _LINKED_ROWS
        kind = ttypes.TSparkRowSetType
        return ttypes.TGetResultSetMetadataResp(
            status=_OK,
            schema=ttypes.TTableSchema(columns=[thrift_column(i, f) for i, f in enumerate(table.schema)]),
            resultFormat=kind.URL_BASED_SET if operation.is_linked else kind.ARROW_BASED_SET,
            lz4Compressed=operation.is_lz4,
            arrowSchema=table.schema.serialize().to_pybytes(),
            isStagingOperation=operation.is_staging,
        )

    def rows(self, operation: Operation, at_most: int) -> Any:
        """The next rows: inline, or as links to files."""
        assert operation.table is not None
        at_most = min(at_most, self.rows_of_an_answer)
        start, part = operation.offset, operation.table.slice(operation.offset, at_most)
        operation.offset += part.num_rows
        if operation.is_linked:
            links = [self._link(part.slice(n, self.rows_of_a_link), start + n, operation.is_lz4)
                     for n in range(0, part.num_rows, self.rows_of_a_link)]  # fmt: skip
            rows = ttypes.TRowSet(startRowOffset=start, rows=[], resultLinks=links)
        else:
            batches = [
                ttypes.TSparkArrowBatch(
                    batch=_packed(b.serialize().to_pybytes(), operation.is_lz4), rowCount=b.num_rows
                )
                for b in part.combine_chunks().to_batches(max_chunksize=_BATCH_ROWS)
            ]
            rows = ttypes.TRowSet(startRowOffset=start, rows=[], arrowBatches=batches)
        has_more = operation.offset < operation.table.num_rows
        return ttypes.TFetchResultsResp(
            status=_OK, hasMoreRows=has_more, results=rows, resultSetMetadata=self.metadata(operation)
        )

    def _link(self, part: pa.Table, start: int, is_lz4: bool) -> Any:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, part.schema) as writer:
            writer.write_table(part)
        raw, name = sink.getvalue().to_pybytes(), uuid.uuid4().hex
        self._files[name] = _packed(raw, is_lz4)
        return ttypes.TSparkArrowResultLink(
            fileLink=f"http://127.0.0.1:{self.port}/files/{name}",
            expiryTime=int(time.time()) + self.link_seconds,
            startRowOffset=start,
            rowCount=part.num_rows,
            bytesNum=len(raw),
            httpHeaders={},
        )


class _Service:
    """The calls of the protocol that the connector makes."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def OpenSession(self, request: Any) -> Any:
        space = request.initialNamespace
        if space and space.catalogName not in (None, "lake"):
            words = f"[NO_SUCH_CATALOG_EXCEPTION] Catalog '{space.catalogName}' was not found. SQLSTATE: 42704"
            return _no_session(words, "42704")
        if self._warehouse.login_faults:
            return _no_session(self._warehouse.login_faults.pop(0), "XX000")
        name = uuid.uuid4().bytes
        schema = space.schemaName if space and space.schemaName else "main"
        if not self._warehouse.writing.has_schema(schema):
            return _no_session(f"[SCHEMA_NOT_FOUND] The schema `lake`.`{schema}` cannot be found.", "42704")
        self._warehouse.sessions[name] = schema
        self._warehouse.configurations.append(dict(request.configuration or {}))
        return ttypes.TOpenSessionResp(
            status=_OK,
            serverProtocolVersion=ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7,
            sessionHandle=ttypes.TSessionHandle(sessionId=ttypes.THandleIdentifier(guid=name, secret=name)),
            initialNamespace=space,
            canUseMultipleCatalogs=True,
        )

    def CloseSession(self, request: Any) -> Any:
        self._warehouse.sessions.pop(request.sessionHandle.sessionId.guid, None)
        return ttypes.TCloseSessionResp(status=_OK)

    def ExecuteStatement(self, request: Any) -> Any:
        name = self._warehouse.start(request)
        operation = self._warehouse.operations[name]
        handle = ttypes.TOperationHandle(
            operationId=ttypes.THandleIdentifier(guid=name, secret=name), operationType=0, hasResultSet=True
        )
        direct = ttypes.TSparkDirectResults(operationStatus=_status(operation))
        if operation.state == _STATE.FINISHED_STATE and request.getDirectResults:
            direct.resultSetMetadata = self._warehouse.metadata(operation)
            direct.resultSet = self._warehouse.rows(operation, request.getDirectResults.maxRows)
            if not direct.resultSet.hasMoreRows:
                operation.is_closed = True
                direct.closeOperation = ttypes.TCloseOperationResp(status=_OK)
        if operation.state == _STATE.ERROR_STATE:
            operation.is_closed = True
        return ttypes.TExecuteStatementResp(status=_OK, operationHandle=handle, directResults=direct)

    def GetOperationStatus(self, request: Any) -> Any:
        operation = self._of(request)
        operation.done.wait(_DIRECT_S)
        if operation.state == _STATE.ERROR_STATE:
            operation.is_closed = True
        return _status(operation)

    def GetResultSetMetadata(self, request: Any) -> Any:
        operation = self._of(request)
        if operation.table is None:
            return ttypes.TGetResultSetMetadataResp(status=_failed("the operation has no result"))
        return self._warehouse.metadata(operation)

    def FetchResults(self, request: Any) -> Any:
        return self._warehouse.rows(self._of(request), request.maxRows)

    def CancelOperation(self, request: Any) -> Any:
        operation = self._of(request)
        self._warehouse.cancelled.append(operation.statement)
        operation.ended(_STATE.CANCELED_STATE)
        operation.cursor.interrupt()
        return ttypes.TCancelOperationResp(status=_OK)

    def CloseOperation(self, request: Any) -> Any:
        operation = self._of(request)
        operation.is_closed = True
        operation.cursor.interrupt()
        return ttypes.TCloseOperationResp(status=_OK)

    def _of(self, request: Any) -> Operation:
        return self._warehouse.operations[request.operationHandle.operationId.guid]


def _status(operation: Operation) -> Any:
    words, state = operation.error
    return ttypes.TGetOperationStatusResp(
        status=_OK,
        operationState=operation.state,
        sqlState=state or None,
        errorMessage=words or None,
        displayMessage=words or None,
        diagnosticInfo="org.apache.spark.SparkException: at line 1" if words else None,
    )


def _no_session(words: str, state: str) -> Any:
    failed = ttypes.TStatus(statusCode=ttypes.TStatusCode.ERROR_STATUS, errorMessage=words, sqlState=state)
    version = ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7
    return ttypes.TOpenSessionResp(status=failed, serverProtocolVersion=version)


def _failed(words: str) -> Any:
    return ttypes.TStatus(statusCode=ttypes.TStatusCode.ERROR_STATUS, errorMessage=words, sqlState="HY000")


def _packed(data: bytes, is_lz4: bool) -> bytes:
    return bytes(lz4.frame.compress(data)) if is_lz4 else data
