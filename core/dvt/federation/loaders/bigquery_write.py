"""Rows into a BigQuery table by the Storage Write API: Arrow batches in a pending stream, visible by one commit.

Each request says the row at which it begins. The server takes each such place once: a request that is sent again, as
its answer did not come, is answered by ALREADY_EXISTS where it had been taken, and doubles nothing.
"""

from __future__ import annotations

import queue
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.errors import ConnectionLostError, DataError, InternalError
from dvt.federation.loaders.pieces import halved

if TYPE_CHECKING:
    from google.cloud.bigquery_storage import BigQueryWriteClient

MOST_BYTES = 10_000_000  # of one request; newer servers take twice as many
_AIM_BYTES = 4 << 20
_IN_FLIGHT = 4  # requests that are sent before the first is answered
_TRIES = 5  # of one request
_FIRST_WAIT_S = 0.2
_CALL_S = 120.0  # for what is asked beside the rows
# gRPC's codes: what the API's reference says may be sent again.
_OK, _ALREADY_EXISTS, _OUT_OF_RANGE = 0, 6, 11
_PASSING = (4, 10, 13, 14)  # DEADLINE_EXCEEDED, ABORTED, INTERNAL, UNAVAILABLE


@dataclass
class _Request:
    """Rows on their way: where they begin, how many, and the batch as it is sent."""

    offset: int
    rows: int
    batch: bytes
    tries: int = 0


class PendingStream:
    """One pending stream of a table. Its rows are seen by nobody before `commit`.

    Args:
        client: The API's client, with a channel of its own.
        table: The table's path.
        schema: The columns, in types that the API takes.
        answer_s: Seconds in which a request is to be answered; then it is sent again.
        wait: Waits so many seconds, or until the load is cancelled.
        check: Raises when the load was cancelled.
    """

    def __init__(
        self,
        client: BigQueryWriteClient,
        table: str,
        schema: pa.Schema,
        answer_s: float,
        wait: Callable[[float], object],
        check: Callable[[], None],
    ) -> None:
        from google.api_core.exceptions import NotFound, ServiceUnavailable
        from google.api_core.retry import Retry, if_exception_type
        from google.cloud.bigquery_storage_v1 import types

        self._client, self._schema = client, schema
        self._table, self._answer_s, self._wait, self._check = table, answer_s, wait, check
        pending = types.WriteStream(type_=types.WriteStream.Type.PENDING)
        # A table that was just made may not be known yet to this interface.
        retry = Retry(predicate=if_exception_type(NotFound, ServiceUnavailable), timeout=answer_s)
        made = client.create_write_stream(parent=table, write_stream=pending, retry=retry, timeout=_CALL_S)
        self._name = made.name
        self._sent = 0
        self._unanswered: deque[_Request] = deque()
        self._call: _Call | None = None

    def append(self, batches: Iterable[pa.RecordBatch]) -> int:
        """Send rows, and wait until all are taken; how many bytes that were.

        Raises:
            DataError: A row that is too large, or one that the server refuses; the row is named.
            ConnectionLostError: A request was not answered, however often it was sent.
        """
        total = 0
        for batch in batches:
            for piece in self._pieces(batch):
                total += len(piece.batch)
                self._unanswered.append(piece)
                self._send(piece)
                while len(self._unanswered) >= _IN_FLIGHT:
                    self._answered()
        while self._unanswered:
            self._answered()
        return total

    def commit(self) -> int:
        """Make the rows those of the table, and say how many they are."""
        from google.cloud.bigquery_storage_v1 import types

        self.close()
        self._check()
        count = int(self._client.finalize_write_stream(name=self._name, timeout=_CALL_S).row_count)
        if count != self._sent:
            raise ConnectionLostError(
                f"{self._sent} rows were sent, and BigQuery's stream has {count}", remedy="Run it again"
            )
        self._check()
        asked = types.BatchCommitWriteStreamsRequest(parent=self._table, write_streams=[self._name])
        answer = self._client.batch_commit_write_streams(asked, timeout=_CALL_S)
        # Committed already: the answer to the first request was lost, and the client asked again.
        is_done = types.StorageError.StorageErrorCode.STREAM_ALREADY_COMMITTED
        if refused := [error for error in answer.stream_errors if error.code != is_done]:
            raise ConnectionLostError(f"the rows were not committed: {refused[0].error_message}", remedy="Run it again")
        return count

    def cancel(self) -> None:
        """From another thread: end what is waited for."""
        if self._call is not None:
            self._call.close()

    def close(self) -> None:
        """End the call; what was not committed is thrown away by the server."""
        call, self._call = self._call, None
        if call is not None:
            call.close()

    def _pieces(self, batch: pa.RecordBatch) -> Iterable[_Request]:
        for part in halved(batch, _AIM_BYTES):
            data = part.serialize().to_pybytes()
            if len(data) + self._overhead <= MOST_BYTES:
                yield _Request(self._sent, part.num_rows, data)
                self._sent += part.num_rows
            elif part.num_rows > 1:
                middle = part.num_rows // 2
                yield from self._pieces(part.slice(0, middle))
                yield from self._pieces(part.slice(middle))
            else:
                raise DataError(
                    f"the row has {len(data)} bytes, and a request of BigQuery's Storage Write API has {MOST_BYTES}",
                    rows=f"row {self._sent + 1}",
                    remedy="Set dvt.load_with to jobs",
                )

    @property
    def _overhead(self) -> int:
        return len(self._schema.serialize()) + len(self._name) + 1024

    def _send(self, request: _Request) -> None:
        from google.cloud.bigquery_storage_v1 import types

        self._check()
        rows = types.AppendRowsRequest.ArrowData(rows=types.ArrowRecordBatch(serialized_record_batch=request.batch))
        message = types.AppendRowsRequest(offset=request.offset, arrow_rows=rows)
        if self._call is None:
            message.write_stream, message.trace_id = self._name, "dvt"
            message.arrow_rows.writer_schema.serialized_schema = self._schema.serialize().to_pybytes()
            self._call = _Call(self._client, self._name)
            self._check()  # who cancelled meanwhile saw no call
        request.tries += 1
        self._call.send(message)

    def _answered(self) -> None:
        """Take the next answer, which is about the first request that has none; send again what may be."""
        first = self._unanswered[0]
        try:
            assert self._call is not None
            answer = self._call.answer(self._answer_s)
        except _PassingError as error:
            self._check()
            self._again(first, error)
            return
        except Exception:
            self._check()
            raise
        code = int(answer.error.code)
        is_taken = code == _OK or (code == _ALREADY_EXISTS and first.tries > 1)
        if is_taken and not answer.row_errors:
            if code == _OK and ("append_result" not in answer or (answer.append_result.offset or 0) != first.offset):
                raise InternalError(f"rows were sent to {first.offset}, and the answer is {answer}")
            self._unanswered.popleft()
        elif answer.row_errors:
            raise _refused(answer.row_errors, first, self._schema)
        elif code in _PASSING:
            self._again(first, _PassingError(answer.error.message))
        else:
            raise _failed(code, answer.error.message)

    def _again(self, first: _Request, error: Exception) -> None:
        """Send all that has no answer over a new call, in order."""
        if first.tries >= _TRIES:
            raise ConnectionLostError(
                f"rows {first.offset + 1} to {first.offset + first.rows} were sent {first.tries} times: {error}",
                remedy="Run it again",
            ) from error.__cause__
        self.close()
        self._wait(_FIRST_WAIT_S * 2 ** (first.tries - 1))
        for request in self._unanswered:
            self._send(request)


class _PassingError(Exception):
    """What may not happen again when a request is sent anew."""


class _Call:
    """One call of AppendRows: requests go in, answers come out in the same order."""

    def __init__(self, client: BigQueryWriteClient, stream: str) -> None:
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # The server finds a stream's place by this header. Of the client's own wrapper a retry would send the rest of
        # the requests only.
        header = ("x-goog-request-params", f"write_stream={stream}")
        self._call = client.transport.append_rows(iter(self._requests.get, None), metadata=[header])
        self._reader = threading.Thread(target=self._read, name="dvt-bigquery-answers", daemon=True)
        self._reader.start()

    def send(self, message: Any) -> None:
        self._requests.put(message)

    def answer(self, within_s: float) -> Any:
        """The next answer.

        Raises:
            _PassingError: There is none, for a reason that may pass.
        """
        try:
            found = self._answers.get(timeout=within_s)
        except queue.Empty:
            raise _PassingError(f"there was no answer within {within_s:g} seconds") from None
        if isinstance(found, BaseException):
            code = getattr(found, "grpc_status_code", None)
            if code is None or code.value[0] in _PASSING:
                raise _PassingError(str(found)) from found
            raise found
        return found

    def close(self) -> None:
        """End it, also from another thread, and twice."""
        self._requests.put(None)
        self._call.cancel()

    def _read(self) -> None:
        import grpc
        from google.api_core.exceptions import from_grpc_error

        try:
            for answer in self._call:
                self._answers.put(answer)
            self._answers.put(ConnectionError("the server ended the call"))
        except grpc.RpcError as error:
            self._answers.put(from_grpc_error(error))


def _refused(errors: Any, request: _Request, schema: pa.Schema) -> DataError:
    first = min(errors, key=lambda error: error.index)
    named = [name for name in schema.names if re.search(rf"(?i)(?<!\w){re.escape(name)}(?!\w)", first.message)]
    return DataError(
        f"BigQuery refuses {len(errors)} rows, the first by: {first.message}",
        rows=f"row {request.offset + int(first.index) + 1}",
        column=named[0] if len(named) == 1 else None,
    )


def _failed(code: int, message: str) -> Exception:
    from google.api_core.exceptions import from_grpc_status
    from grpc import StatusCode

    if code in (_OUT_OF_RANGE, _ALREADY_EXISTS):  # the stream is at another row than all that was answered says
        return ConnectionLostError(
            f"BigQuery's stream is not at the row that comes next: {message}", remedy="Run it again"
        )
    status = next((each for each in StatusCode if each.value[0] == code), StatusCode.UNKNOWN)
    found: Exception = from_grpc_status(status, message)
    return found
