"""Secrets with a masked repr, and the one redaction through which text leaves the program."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
# Shorter values would mangle ordinary words; they are still masked by the patterns below.
_SHORTEST_REPLACED = 4

# What drivers call settings that hold secrets, or addresses in which one may stand.
_SECRET_NAME = re.compile(r"(?i)pass|pwd|secret|token|credential|private|api_?key|auth|ur[il]$|dsn|conninfo")

_lock = threading.Lock()
_known: set[str] = set()

# `password=...` in a DSN, `:...@` in a URL: the forms in which drivers echo what they were given.
_DSN = re.compile(r"(?i)\b(password|passwd|pwd|secret|token)(\s*[=:]\s*)('(?:[^'\\]|\\.)*'|\"[^\"]*\"|[^\s,;&'\")]+)")
# What signs an address of a store, which opens it to whoever reads it.
_SIGNED = re.compile(r"(?i)([?&](?:sig|x-(?:amz|goog)-(?:signature|security-token))=)[^\s&'\"]+")
_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s/:@]*):([^\s/@]+)@")


class Secret:
    """A text that is never printed. `reveal()` is the only way to the value.

    >>> Secret("hunter2")
    Secret('***')
    >>> f"{Secret('hunter2')}"
    '***'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = str(value)
        register(self._value)

    def reveal(self) -> str:
        """The value itself, for a driver's connect call only."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not to be written anywhere")


def wrapped(value: Any) -> Any:
    """A setting as a secret. In a mapping of a driver's own settings those are, whose names say so.

    >>> wrapped({"user": "joe", "Password": "hunter2"})
    {'user': 'joe', 'Password': Secret('***')}
    """
    if not isinstance(value, Mapping):
        return Secret(str(value))
    return {
        name: wrapped(inner) if isinstance(inner, Mapping) or _SECRET_NAME.search(str(name)) else inner
        for name, inner in value.items()
    }


def register(value: str) -> None:
    """Remember a secret value, also in the forms in which URLs carry it, so that `redact` finds it."""
    if len(value) < _SHORTEST_REPLACED:
        return
    with _lock:
        _known.update({value, quote(value, safe=""), quote(value), quote_plus(value), repr(value)[1:-1]})


def redact(text: str) -> str:
    """The text with every known secret, and every value that looks like one, replaced by a mask.

    >>> redact("postgresql://joe:s3cret@db/x password=abc")
    'postgresql://joe:***@db/x password=***'
    >>> redact("https://a.blob.core.windows.net/c?sp=rw&sig=abc%2F")
    'https://a.blob.core.windows.net/c?sp=rw&sig=***'
    """
    with _lock:
        values = sorted(_known, key=len, reverse=True)
    for value in values:
        if value in text:
            text = text.replace(value, MASK)
    text = _SIGNED.sub(rf"\1{MASK}", _URL.sub(rf"\1:{MASK}@", text))
    return _DSN.sub(rf"\1\2{MASK}", text)


def revealed(value: Any) -> Any:
    """A setting without its wrapping, for a driver's connect call only."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: revealed(inner) for key, inner in value.items()}
    return value
