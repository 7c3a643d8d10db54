"""The volumes of the stand-in for Databricks: PUT and REMOVE, which the connector carries out over signed addresses.

The server answers such a statement with one row that says what to do; the connector then does it over HTTP, without its
token, with the headers that the row names.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping

import pyarrow as pa

from servers.fake_cursor import FakeSQLError

_TEXT = r"'((?:[^'\\]|\\.)*)'"
_PUT = re.compile(rf"(?is)^put {_TEXT} into {_TEXT}( overwrite)?$")
_REMOVE = re.compile(rf"(?is)^remove {_TEXT}$")
_PATH = re.compile(r"^/Volumes/([^/]+/[^/]+/[^/]+)/.+$")
SIGNED = "x-signed-for"


class Volumes:
    """Files by their paths.

    Args:
        port: The server's, for addresses.
    """

    def __init__(self, port: int) -> None:
        self.names = {"lake/sales/landing"}
        self.files: dict[str, bytes] = {}
        self.put: list[str] = []  # every path to which something was put
        self.faults: list[int] = []  # answers to the next requests over signed addresses
        self._port = port
        self._signed: dict[str, tuple[str, str]] = {}

    def staging(self, statement: str) -> pa.Table | None:
        """The row that the connector is answered with; None for another statement."""
        if found := _PUT.match(statement):
            local, path = _plain(found.group(1)), _plain(found.group(2))
            self._require_volume(path)
            if path in self.files and not found.group(3):
                raise FakeSQLError("spark", f"[CANNOT_PUT] The file {path} exists already. SQLSTATE: 42710")
            return self._signing("PUT", path, local)
        if found := _REMOVE.match(statement):
            path = _plain(found.group(1))
            self._require_volume(path)
            if path not in self.files:
                raise FakeSQLError("spark", f"[PATH_NOT_FOUND] Path does not exist: {path}. SQLSTATE: 42K03")
            return self._signing("REMOVE", path, None)
        return None

    def request(self, method: str, name: str, headers: Mapping[str, str], body: bytes) -> int:
        """A request over a signed address; its status."""
        if self.faults and (status := self.faults.pop(0)) != 200:
            return status
        allowed, path = self._signed.pop(name, ("", ""))
        is_bare = "Authorization" not in headers  # a storage refuses two log-ins
        if allowed != method or headers.get(SIGNED) != name or not is_bare:
            return 403
        if method == "DELETE":
            del self.files[path]
            return 204
        self.files[path] = body
        self.put.append(path)
        return 200

    def _signing(self, operation: str, path: str, local: str | None) -> pa.Table:
        name = uuid.uuid4().hex
        self._signed[name] = ("DELETE" if operation == "REMOVE" else "PUT", path)
        texts = {
            "operation": operation,
            "localFile": local,
            "presignedUrl": f"http://127.0.0.1:{self._port}/signed/{name}",
            "headers": json.dumps({SIGNED: name}),
        }
        return pa.table({key: pa.array([text], pa.string()) for key, text in texts.items()})

    def _require_volume(self, path: str) -> None:
        found = _PATH.match(path)
        if found is None or found.group(1) not in self.names:
            raise FakeSQLError("spark", f"[UC_VOLUME_NOT_FOUND] Volume of {path} does not exist. SQLSTATE: 42704")


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
