"""The pages of a Trino result as rows, in order: those that came, and segments that are fetched by a few threads."""

from __future__ import annotations

import base64
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa

from dvt.connections.trino_errors import CutOffError

if TYPE_CHECKING:
    import requests

    from dvt.connections.trino_statement import Page

# What a storage or a proxy says when it is asked for too much at once; the client's own list.
_TRY_AGAIN = (429, 502, 503, 504)
_TIMEOUT_S = (10, 60)
_ACKNOWLEDGED_S = 2
_LOOKED_AFTER_S = 0.2


class Segments:
    """Decodes pages.

    Args:
        build: Makes a batch of rows; it is called in the threads.
        check: Raises when the result is wanted no longer.
        threads: How many segments are worked on at a time; as many are ready ahead.
        retries: How often a segment is asked for.
        verify: Whether, or by what file, certificates are checked.
        host: The coordinator's name: only there go `headers`.
        headers: Headers of the output's own.
    """

    def __init__(
        self,
        build: Callable[[list[list[Any]]], pa.RecordBatch],
        check: Callable[[], None],
        *,
        threads: int,
        retries: int,
        verify: bool | str,
        host: str,
        headers: Mapping[str, str],
    ) -> None:
        self._build = build
        self._check = check
        self._threads = threads
        self._retries = retries
        self._verify = verify
        self._host = host
        self._headers = headers
        self._local = threading.local()
        self._is_closed = threading.Event()

    def batches(self, pages: Iterable[Page]) -> Iterator[pa.RecordBatch]:
        """The batches of all pages, one for each page or segment, in their order.

        Raises:
            CutOffError: A segment is not whole.
        """
        pool: ThreadPoolExecutor | None = None
        ahead: deque[Future[pa.RecordBatch]] = deque()
        try:
            for page in pages:
                if isinstance(page, list):
                    yield self._build(page)
                    continue
                encoding = str(page["encoding"])
                for segment in page["segments"]:
                    if pool is None:
                        pool = ThreadPoolExecutor(self._threads, "dvt-trino-segment")
                    ahead.append(pool.submit(self._decoded, segment, encoding))
                    while len(ahead) > self._threads:
                        yield self._first(ahead)
            while ahead:
                yield self._first(ahead)
        finally:
            self._is_closed.set()
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)

    def _first(self, ahead: deque[Future[pa.RecordBatch]]) -> pa.RecordBatch:
        future = ahead.popleft()
        while not future.done():
            wait([future], _LOOKED_AFTER_S)
            self._check()
        return future.result()

    def _decoded(self, segment: Mapping[str, Any], encoding: str) -> pa.RecordBatch:
        import orjson

        metadata = segment.get("metadata") or {}
        is_inline = segment["type"] == "inline"
        data = base64.b64decode(segment["data"]) if is_inline else self._downloaded(segment)
        try:
            rows = orjson.loads(_decompressed(data, encoding, metadata))
        except orjson.JSONDecodeError as error:
            raise CutOffError(f"a segment is not JSON: {error}") from error
        expected = metadata.get("rowsCount")
        if not isinstance(rows, list) or (expected is not None and len(rows) != int(expected)):
            raise CutOffError(f"a segment has not the {expected} rows that it was announced with")
        batch = self._build(rows)
        if not is_inline:
            self._acknowledge(segment)
        return batch

    def _downloaded(self, segment: Mapping[str, Any]) -> bytes:
        if self._is_closed.is_set():
            raise CutOffError("the result was closed")
        address = str(segment["uri"])
        response = self._session().get(address, headers=self._headers_for(segment, address), timeout=_TIMEOUT_S)
        if not response.ok:
            raise CutOffError(
                f"a segment cannot be fetched from {urlsplit(address).hostname}: status {response.status_code}"
            )
        return bytes(response.content)

    def _acknowledge(self, segment: Mapping[str, Any]) -> None:
        """Say that a segment may be thrown away; if it cannot be said, it expires."""
        import requests

        address = segment.get("ackUri")
        if address:
            with suppress(requests.RequestException):
                headers = self._headers_for(segment, str(address))
                self._session().get(str(address), headers=headers, timeout=_ACKNOWLEDGED_S)

    def _headers_for(self, segment: Mapping[str, Any], address: str) -> dict[str, str]:
        own = self._headers if urlsplit(address).hostname == self._host else {}
        return {**own, **{key: ",".join(values) for key, values in (segment.get("headers") or {}).items()}}

    def _session(self) -> requests.Session:
        """A session of this thread's, without the login: segments may lie with another host."""
        found: requests.Session | None = getattr(self._local, "session", None)
        if found is None:
            from dvt.connections.http_session import VerifyingSession

            found = self._local.session = VerifyingSession(self._verify, self._retries, _TRY_AGAIN)
        return found


def _decompressed(data: bytes, encoding: str, metadata: Mapping[str, Any]) -> bytes:
    """A segment's JSON; small ones are not compressed, and then have no other size."""
    size, whole = metadata.get("segmentSize"), metadata.get("uncompressedSize")
    if size is not None and len(data) != int(size):
        raise CutOffError(f"a segment has {len(data)} bytes, announced were {size}")
    if encoding == "json" or whole is None:
        return data
    if encoding == "json+zstd":
        import zstandard

        try:
            raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=int(whole))
        except zstandard.ZstdError as error:
            raise CutOffError(f"a segment cannot be decompressed: {error}") from error
    elif encoding == "json+lz4":
        import lz4.block

        try:
            raw = lz4.block.decompress(data, uncompressed_size=int(whole))
        except (lz4.block.LZ4BlockError, ValueError) as error:
            raise CutOffError(f"a segment cannot be decompressed: {error}") from error
    else:
        raise CutOffError(f"segments of encoding {encoding} were not asked for")
    if len(raw) != int(whole):
        raise CutOffError(f"a segment has {len(raw)} bytes of JSON, announced were {whole}")
    return bytes(raw)
