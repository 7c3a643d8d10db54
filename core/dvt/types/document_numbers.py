"""Whether a JSON document keeps its numbers and keys in an engine that takes documents apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any


def require_kept(text: str, is_kept: Callable[[str], bool]) -> None:
    """Raise ValueError for a document with a number that the engine changes, or with a key that stands twice.

    Args:
        text: The document.
        is_kept: Whether the engine keeps a number, given its digits.
    """

    def number(digits: str) -> str:
        if not is_kept(digits):
            raise ValueError(f"the number {digits} of a document would become another one")
        return digits

    json.loads(text, parse_float=number, parse_int=number, object_pairs_hook=_unique)


def is_double(digits: str) -> bool:
    """Whether a double has the number exactly as it is written.

    >>> is_double("0.1"), is_double("1e2"), is_double("0.12345678901234567890")
    (True, True, False)
    """
    return Decimal(repr(float(digits))) == Decimal(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a document has a key twice")
    return found
