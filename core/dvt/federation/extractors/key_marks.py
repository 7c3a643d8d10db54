"""Where to cut a key so that its parts are of one size: by the source's estimates, or evenly."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import Any

from sqlglot import exp

from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.key_ranges import Mark

# A stretch this much smaller than a part is cut no further.
_PIECES_OF_A_PART = 4
_MOST_QUESTIONS = 128


def undivided(request: ExtractionConfig) -> str:
    """Why a request is read as one part whatever its source is; empty where the source may cut it."""
    if request.relation is None:
        return "a query is read as one"
    return "a limit is of the whole" if request.limit is not None else ""


def asked_of(request: ExtractionConfig, *what: exp.Expr) -> exp.Select:
    """A question about the rows that a request reads of its relation."""
    assert request.relation is not None, "a query is never cut"
    select = exp.Select().select(*what).from_(request.relation.ast())
    for predicate in request.predicates:
        select = select.where(predicate.copy())
    return select


def extent(column: str) -> tuple[exp.Expr, exp.Expr]:
    """What to select for the smallest and the largest key."""
    key = exp.column(exp.to_identifier(column, quoted=True))
    return exp.Min(this=key), exp.Max(this=key.copy())


def even_marks(low: Mark, high: Mark, parts: int) -> list[Mark]:
    """Marks that cut the way from the smallest to the largest key in stretches of one length.

    Right for keys that are spread evenly, such as numbers from a sequence.

    >>> even_marks(1, 100, 4)
    [25, 50, 75]
    >>> even_marks(7, 7, 4)
    []
    """
    found = [_between(low, high, number, parts) for number in range(1, parts)]
    return sorted({mark for mark in found if mark is not None and low < mark <= high})  # type: ignore[operator]


def balanced_marks(low: Mark, high: Mark, parts: int, rows_between: Callable[[Mark, Mark], float]) -> list[Mark]:
    """Marks by what the source estimates, also where nearly all keys lie close together.

    The stretch with the most rows is halved again and again, until each is much smaller than a part.

    Args:
        low: The smallest key.
        high: The largest.
        parts: How many parts there are to be.
        rows_between: Estimated rows from one key on and before another.
    """
    if not low < high:  # type: ignore[operator]
        return []
    # (-rows, number, from, to): the number keeps the heap from comparing keys.
    heap: list[tuple[float, int, Any, Any]] = [(-rows_between(low, high), 0, low, high)]
    done: list[tuple[float, int, Any, Any]] = []
    enough, asked = -heap[0][0] / (parts * _PIECES_OF_A_PART), 1
    while heap and -heap[0][0] > enough and asked < _MOST_QUESTIONS:
        piece = heapq.heappop(heap)
        _, _, start, end = piece
        middle = _between(start, end, 1, 2)
        if middle is None or not start < middle < end:
            done.append(piece)
            continue
        for number, stretch in enumerate(((start, middle), (middle, end)), 1):
            heapq.heappush(heap, (-rows_between(*stretch), asked + number, *stretch))
        asked += 2
    pieces = sorted([*heap, *done], key=lambda piece: piece[2])
    return _by_weight([(piece[2], -piece[0]) for piece in pieces], parts)


def _by_weight(pieces: list[tuple[Any, float]], parts: int) -> list[Mark]:
    """The starts of those pieces before which one, two, three... parts of all rows lie."""
    total, before = sum(rows for _, rows in pieces), 0.0
    marks: list[Mark] = []
    for number, (start, rows) in enumerate(pieces):
        if number and len(marks) + 1 < parts and before >= total * (len(marks) + 1) / parts:
            marks.append(start)
        before += rows
    return marks


def _between(low: Any, high: Any, share: int, of: int) -> Mark | None:
    """The key at some share of the way; None where there is none to be said."""
    if isinstance(low, int) and isinstance(high, int):
        return low + (high - low) * share // of
    if isinstance(low, float) or isinstance(high, float):
        double = float(low) * (1 - share / of) + float(high) * (share / of)
        return double if math.isfinite(double) else None
    if isinstance(low, (datetime, date)):
        moment: Mark = low + (high - low) * share // of
        return moment
    with localcontext() as context:
        context.prec = 80
        low, high = Decimal(low), Decimal(high)
        if not (low.is_finite() and high.is_finite()):
            return None
        scale = min(low.as_tuple().exponent, high.as_tuple().exponent, 0)
        found: Decimal = (low + (high - low) * share / of).quantize(Decimal(1).scaleb(int(scale)))
        return found
