"""Google's storage, emulated, as a program: `python object_store_gcs.py <port> <bucket> [<folder> <token>]`.

It is a process of its own because pyarrow's client holds Python's lock during some requests: a server in a thread of
the same process could not answer them. It has a thread for each connection, because that client keeps several open.

With a folder the objects are its files, which others may write, rename and delete at any time; and who has not the
token is refused.
"""

from __future__ import annotations

import functools
import http.server
import json
import sys
import threading
from pathlib import Path
from typing import Any

from gcp_storage_emulator.handlers import buckets, objects
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.settings import STORAGE_DIR
from gcp_storage_emulator.storage import Storage


def main(port: int, bucket: str, folder: str = "", token: str = "") -> None:
    """Serve a bucket until the process is ended."""
    storage = Storage(use_memory_fs=True) if not folder else Storage(data_dir=folder)
    buckets.create_bucket(bucket, storage)
    if folder:
        look = functools.partial(_look, storage, bucket, bucket_folder(Path(folder), bucket), threading.Lock())
        handler: Any = functools.partial(_Shared, look, token, storage)
    else:
        handler = functools.partial(RequestHandler, storage)
    http.server.ThreadingHTTPServer(("127.0.0.1", port), handler).serve_forever()


def bucket_folder(folder: Path, bucket: str) -> Path:
    """Where the objects of a bucket lie as files."""
    return folder / STORAGE_DIR / bucket


def _look(storage: Any, bucket: str, folder: Path, alone: threading.Lock) -> None:
    """Learn what others have written and deleted."""
    with alone:
        known = storage.objects.setdefault(bucket, {})
        there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        for name in [name for name in known if name not in there]:
            del known[name]
        for name, path in there.items():
            try:
                content = path.read_bytes() if _size(known.get(name)) != path.stat().st_size else None
            except FileNotFoundError:  # it was there a moment ago
                continue
            if content is not None:
                made = objects._make_object_resource("", bucket, name, "application/octet-stream", str(len(content)))
                known[name] = objects._checksums(content, made)


def _size(known: Any) -> int:
    return int(known["size"]) if known else -1


class _Shared(RequestHandler):  # type: ignore[misc]
    """Looks at the folder, and at who asks, before it answers."""

    def __init__(self, look: Any, token: str, *rest: Any) -> None:
        self._look = look
        self._token = token
        super().__init__(*rest)

    def _answer(self, method: str) -> None:
        given = self.headers.get("Authorization")
        if given != f"Bearer {self._token}":
            # As bad as a server can be: it tells everybody what it was told.
            told = json.dumps({"error": {"code": 401, "message": f"Invalid Credentials: {given}"}}).encode()
            self.send_response(401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)
            return
        self._look()
        getattr(RequestHandler, f"do_{method}")(self)

    do_GET = functools.partialmethod(_answer, "GET")
    do_POST = functools.partialmethod(_answer, "POST")
    do_PUT = functools.partialmethod(_answer, "PUT")
    do_DELETE = functools.partialmethod(_answer, "DELETE")


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
