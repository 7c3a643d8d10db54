"""Google's storage, emulated, as a program: `python object_store_gcs.py <port> <bucket>`.

It is a process of its own because pyarrow's client holds Python's lock during some requests: a server in a thread of
the same process could not answer them. It has a thread for each connection, because that client keeps several open.
"""

from __future__ import annotations

import functools
import http.server
import sys


def main(port: int, bucket: str) -> None:
    """Serve a bucket until the process is ended."""
    from gcp_storage_emulator.handlers import buckets
    from gcp_storage_emulator.server import RequestHandler
    from gcp_storage_emulator.storage import Storage

    storage = Storage(use_memory_fs=True)
    buckets.create_bucket(bucket, storage)
    handler = functools.partial(RequestHandler, storage)
    http.server.ThreadingHTTPServer(("127.0.0.1", port), handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
