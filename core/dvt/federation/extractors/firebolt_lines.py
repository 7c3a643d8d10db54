"""The body of a Firebolt result: one JSON document a line, from START to FINISH_SUCCESSFULLY.

The driver's own reader is not used: it takes U+2028 and its like inside of a text for the end of a line, and forgets
what a column's type was called.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_SUCCESS = "FINISH_SUCCESSFULLY"


class FireboltBody:
    """A streamed result.

    Args:
        response: The driver's response, whose body was not read.
    """

    def __init__(self, response: Any) -> None:
        self._response = response
        self._messages = self._read()
        start = next(self._messages)
        if start.get("message_type") != "START":
            raise BodyError(f"a result begins with {start.get('message_type')}")
        self.query_id = str(start.get("query_id") or "")
        self.columns = [(str(column["name"]), str(column["type"])) for column in start["result_columns"]]

    def rows(self, at_once: int) -> Iterator[list[list[Any]]]:
        """The rows in portions.

        Raises:
            BodyError: The server says that it failed, or the body ends before it is said to end.
        """
        kept: list[list[Any]] = []
        for message in self._messages:
            kept += message["data"]
            while len(kept) >= at_once:
                yield kept[:at_once]
                kept = kept[at_once:]
        if kept:
            yield kept

    def close(self) -> None:
        """Close the connection, when the body was not read to its end."""
        self._response.close()

    def _read(self) -> Iterator[dict[str, Any]]:
        for line in self._lines():
            message = json.loads(line, parse_float=str)  # a fraction keeps its digits
            kind = message.get("message_type")
            if kind == _SUCCESS:
                return
            if kind == "FINISH_WITH_ERRORS":
                raise BodyError("; ".join(str(error.get("description", error)) for error in message["errors"]))
            yield message
        raise BodyError("the connection broke: the result has no end")

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        for part in self._response.iter_bytes():
            *lines, rest = (rest + part).split(b"\n")
            yield from filter(None, lines)
        if rest:
            yield rest


class BodyError(Exception):
    """A result that failed on its way."""
