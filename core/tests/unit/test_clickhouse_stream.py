"""An Arrow stream in an HTTP body: only a whole one ends, wherever it breaks."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow as pa
import pytest

from dvt.connections.clickhouse_errors import CutOffError, ServerError
from dvt.federation.extractors.clickhouse_stream import ArrowBody


class Response:
    """A body that arrives in pieces, and perhaps breaks."""

    def __init__(self, body: bytes, failure: Exception | None = None, piece: int = 7) -> None:
        self._body, self._failure, self._piece = io.BytesIO(body), failure, piece

    def stream(self, amount: int, decode_content: bool) -> Iterator[bytes]:
        while piece := self._body.read(self._piece):
            yield piece
        if self._failure is not None:
            raise self._failure


def body(rows: int = 5) -> bytes:
    sink = io.BytesIO()
    table = pa.table({"n": pa.array(range(rows), pa.int64())})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return sink.getvalue()


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_a_whole_stream(piece: int) -> None:
    found = [n for batch in ArrowBody(Response(body(), piece=piece)).batches() for n in batch["n"].to_pylist()]
    assert found == [0, 1, 2, 3, 4]
    assert list(ArrowBody(Response(body(0))).batches()) == []


def test_a_stream_that_stops_anywhere_is_no_end() -> None:
    whole = body()
    for length in range(len(whole)):
        with pytest.raises(CutOffError):
            list(ArrowBody(Response(whole[:length])).batches())


def test_a_connection_that_breaks_is_no_end() -> None:
    for failure in (ConnectionResetError("reset"), TimeoutError("timed out")):
        with pytest.raises(CutOffError, match=str(failure)):
            list(ArrowBody(Response(body(), failure)).batches())


@pytest.mark.parametrize("is_ended", [True, False])
def test_the_server_s_words_behind_the_rows_are_its_error(is_ended: bool) -> None:
    rows = body() if is_ended else body()[:-8]
    text = b"\r\n__exception__\r\nCode: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)"
    with pytest.raises(ServerError, match=r"Code: 241\. DB::Exception: Memory limit"):
        list(ArrowBody(Response(rows + text)).batches())


def test_anything_else_behind_the_rows_is_no_end() -> None:
    with pytest.raises(CutOffError):
        list(ArrowBody(Response(body() + body())).batches())
