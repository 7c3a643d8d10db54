"""About how much each scan moves: the source's own figures, fixed selectivities, and widths by type.

The selectivities are the defaults of System R (Selinger et al., 1979), for want of histograms: an equality keeps a
tenth of the rows, a comparison a third, IN a tenth for each value but at most half. They are good enough to see which
scan is large; no answer depends on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from dvt.federation.extractors.base import TableStatistics
from dvt.federation.plan.model import Input, ScanPlan
from dvt.federation.stream import ColumnSchema
from dvt.types.vocabulary import is_uuid

if TYPE_CHECKING:
    from dvt.federation.plan.blocks import BlockColumn
    from dvt.federation.plan.members import Told

_EQUAL = 1 / 10
_COMPARED = 1 / 3
_IN_AT_MOST = 1 / 2
_NULL = 1 / 10
_COMPARISONS = (exp.LT, exp.LTE, exp.GT, exp.GTE)
# Bytes of a value whose length is not known, where the source does not say how large the table is; and of a list, a
# text and the like the four bytes of its offset.
_UNKNOWN_LENGTH = 32
_OFFSET = 4
_UNKNOWN_ROWS = 1_000


def estimated(
    scans: Sequence[ScanPlan],
    describe: Callable[[Input], list[ColumnSchema]],
    statistics: Callable[[Input], TableStatistics],
) -> list[ScanPlan]:
    """The scans with rows and bytes, as far as their sources give a ground for them.

    Args:
        scans: The scans.
        describe: Gives an input's columns.
        statistics: Gives what an input's source knows of its size.
    """
    return [_estimated(scan, describe(scan.input), statistics(scan.input)) for scan in scans]


def selectivity(condition: exp.Expr) -> float:
    """Which share of a relation's rows a condition keeps, about.

    >>> from sqlglot import parse_one
    >>> round(selectivity(parse_one("a = 1 and b > 2")), 4)
    0.0333
    """
    if isinstance(condition, exp.Paren):
        return selectivity(condition.this)
    if isinstance(condition, exp.And):
        return math.prod(selectivity(part) for part in condition.flatten())
    if isinstance(condition, exp.Or):
        return 1 - math.prod(1 - selectivity(part) for part in condition.flatten())
    if isinstance(condition, exp.Not):
        return 1 - selectivity(condition.this)
    if isinstance(condition, (exp.EQ, exp.Like, exp.Escape)):
        return _EQUAL
    if isinstance(condition, exp.NEQ):
        return 1 - _EQUAL
    if isinstance(condition, exp.In) and condition.expressions:
        return min(len(condition.expressions) * _EQUAL, _IN_AT_MOST)
    if isinstance(condition, exp.Is):
        return _NULL
    return _COMPARED  # a range, or something that nothing is known of


def block_is_smaller(
    rows: Sequence[int | None],
    columns: Sequence[BlockColumn],
    schema: Sequence[ColumnSchema],
    conditions: Sequence[Told],
    order: Sequence[int],
) -> bool:
    """Whether a join moves less than its relations by themselves. Yes, where nobody knows how large they are.

    A join is taken to have as many rows as its largest relation, as one along foreign keys has; every filter on one
    of the relations leaves out its share of them.

    Args:
        rows: About how many rows each relation has.
        columns: The block's columns.
        schema: Their types.
        conditions: What the query asks of the relations.
        order: The relations' numbers in the conditions.
    """
    known = [count for count in rows if count is not None]
    if len(known) < len(rows):
        return True
    shares = [
        math.prod(selectivity(c.sent) for c in conditions if c.sent is not None and c.sources == {index})
        for index in order
    ]
    widths = [fixed_width(column.type) or _UNKNOWN_LENGTH for column in schema]
    apart = sum(
        count * share * sum(width for column, width in zip(columns, widths, strict=True) if column.member == member)
        for member, (count, share) in enumerate(zip(known, shares, strict=True))
    )
    return max(known) * math.prod(shares) * sum(widths) <= apart


def scan_bytes(scan: ScanPlan, columns: Sequence[ColumnSchema], known: TableStatistics) -> float:
    """About how many bytes a scan moves, to be compared with those of other scans of its relation, if of no others.

    Args:
        scan: The scan.
        columns: The relation's columns.
        known: What its source knows of its size; a thousand rows where that is nothing.
    """
    rows = float(_UNKNOWN_ROWS if known.rows is None else known.rows)
    rows *= math.prod(selectivity(predicate) for predicate in scan.predicates)
    wanted = [column for column in columns if scan.columns is None or column.name in scan.columns]
    return min(rows, rows if scan.limit is None else scan.limit) * _row_width(wanted, columns, known)


def _estimated(scan: ScanPlan, columns: Sequence[ColumnSchema], known: TableStatistics) -> ScanPlan:
    share = math.prod(selectivity(predicate) for predicate in scan.predicates)
    rows = None if known.rows is None else _at_least_one(known.rows * share, known.rows)
    if scan.limit is not None:
        rows = scan.limit if rows is None else min(rows, scan.limit)
    wanted = [column for column in columns if scan.columns is None or column.name in scan.columns]
    if rows is not None:
        return replace(scan, estimated_rows=rows, estimated_bytes=round(rows * _row_width(wanted, columns, known)))
    if known.bytes is None:
        return scan
    part = _row_width(wanted, columns, TableStatistics()) / max(_row_width(columns, columns, TableStatistics()), 1)
    return replace(scan, estimated_bytes=round(known.bytes * share * min(part, 1)))


def _at_least_one(rows: float, all_rows: int) -> int:
    """Whole rows; of a table that has some, a filter is taken to leave one."""
    return min(max(round(rows), 1), all_rows)


def _row_width(wanted: Sequence[ColumnSchema], columns: Sequence[ColumnSchema], known: TableStatistics) -> float:
    """Bytes of a row in Arrow. What the fixed widths leave of the source's bytes is shared by the other columns."""
    length = float(_UNKNOWN_LENGTH)
    loose = [column for column in columns if fixed_width(column.type) is None]
    if known.rows and known.bytes and loose:
        fixed = sum(fixed_width(column.type) or 0 for column in columns)
        length = max((known.bytes / known.rows - fixed) / len(loose), 1.0)
    widths = (fixed_width(column.type) for column in wanted)
    return sum(_OFFSET + length if width is None else width for width in widths)


def fixed_width(type_: pa.DataType) -> float | None:
    """Bytes that each value of a type takes in Arrow; None where it depends on the value.

    >>> fixed_width(pa.int32()), fixed_width(pa.bool_()), fixed_width(pa.string())
    (4.0, 0.125, None)
    """
    if is_uuid(type_):
        return 16.0
    try:
        return float(type_.bit_width) / 8
    except ValueError:
        return None
