"""`x > (select max(x) from {{ this }})`: the newest value is asked of its owner first, and then is a constant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pyarrow as pa
from sqlglot import exp

from dvt.federation.engines.base import Handle
from dvt.federation.plan.condition_reading import family_of
from dvt.federation.plan.constants import CONSTANT_PARTS
from dvt.federation.plan.model import Decision, Input, ScanPlan
from dvt.federation.plan.parse import Handles
from dvt.federation.plan.predicates import Family
from dvt.federation.plan.reasons import Reason
from dvt.federation.stream import ColumnSchema

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between, exp.Coalesce, exp.Paren)
# Families whose largest value is the same for every engine, with the type of a literal.
_TYPES = {
    Family.INTEGER: "",
    Family.DECIMAL: "",
    Family.DATE: "DATE",
    Family.TIMESTAMP: "TIMESTAMP",
    Family.INSTANT: "TIMESTAMP WITH TIME ZONE",
}


@dataclass(frozen=True)
class Watermark:
    """One scalar subquery over the largest value of a column.

    Args:
        handle: The relation.
        column: The column's name as the relation has it.
        subquery: The node, in the tree that was searched.
        largest: The call of max in it.
    """

    handle: Handle
    column: str
    subquery: exp.Subquery
    largest: exp.Max


@dataclass(frozen=True)
class Watermarks:
    """The query with its watermarks as constants, for the planner's eyes only.

    Args:
        root: A copy of the query; the query itself where there are none.
        scans: The read that finds each watermark's row, for relations of which the query needs no other.
        known: What these reads gave.
    """

    root: exp.Expr
    scans: Mapping[Handle, ScanPlan] = field(default_factory=dict)
    known: Mapping[Handle, pa.Table] = field(default_factory=dict)


def resolved_watermarks(
    root: exp.Expr,
    handles: Handles,
    inputs: Mapping[Handle, Input],
    columns: Mapping[Handle, Sequence[ColumnSchema]],
    evaluate: Callable[[ScanPlan], pa.Table] | None,
) -> Watermarks:
    """Ask the owners of all watermarks for their values.

    Args:
        root: The query.
        handles: Its handles.
        inputs: What they stand for.
        columns: Columns of the inputs.
        evaluate: Reads a scan of one row; None when no data is to be read, then nothing is a constant.
    """
    tree = root.copy()
    found = [mark for node in tree.find_all(exp.Subquery) if (mark := _watermark(node, handles, inputs, columns))]
    # What is read elsewhere in the query too may have lost the row by then: its watermark is no constant.
    only = _read_only_so(root, handles, found)
    found = [mark for mark in found if mark.handle in only]
    if not found:
        return Watermarks(root)
    scans: dict[tuple[Handle, str], ScanPlan] = {}
    for mark in found:
        scans[mark.handle, mark.column] = _scan(inputs[mark.handle], mark.column)
    values = {key: evaluate(scan) for key, scan in scans.items()} if evaluate is not None else {}
    for mark in found:
        value = _literal(values.get((mark.handle, mark.column)))
        if value is not None:
            mark.largest.replace(value)
            mark.subquery.replace(exp.Paren(this=mark.subquery.this.expressions[0].unalias().copy()))
    return Watermarks(
        tree,
        {handle: scan for (handle, _), scan in scans.items()},
        {handle: value for (handle, _), value in values.items()},
    )


def _watermark(
    node: exp.Subquery,
    handles: Handles,
    inputs: Mapping[Handle, Input],
    columns: Mapping[Handle, Sequence[ColumnSchema]],
) -> Watermark | None:
    select, parent = node.this, node.parent
    if not isinstance(parent, _COMPARISONS) or not isinstance(select, exp.Select) or node.args.get("alias"):
        return None
    if {key for key, value in select.args.items() if value} != {"expressions", "from_"} or len(select.expressions) != 1:
        return None
    table = select.args["from_"].this
    if not isinstance(table, exp.Table) or {key for key, v in table.args.items() if v} - {
        "this",
        "db",
        "catalog",
        "alias",
    }:
        return None
    handle, calls = handles.of_table(table), list(select.expressions[0].find_all(exp.Max))
    if (
        handle is None
        or len(calls) != 1
        or not isinstance(calls[0].this, exp.Column)
        or calls[0].args.get("expressions")
    ):
        return None
    if not _is_only_largest(select.expressions[0]):
        return None
    name = calls[0].this.name.lower()
    if calls[0].this.table.lower() not in ("", (table.alias or table.name).lower()):
        return None
    for column in columns.get(handle, ()):
        if column.name.lower() == name and _is_comparable(column, inputs[handle]):
            return Watermark(handle, column.name, node, calls[0])
    return None


def _is_only_largest(item: exp.Expr) -> bool:
    """Whether nothing but constants stands beside the largest value: another aggregate is over more than its row."""
    known = (*CONSTANT_PARTS, exp.Max, exp.Column, exp.Alias)
    return all(isinstance(node, known) for node in item.walk()) and len(list(item.find_all(exp.Column))) == 1


def _is_comparable(column: ColumnSchema, input_: Input) -> bool:
    family = family_of(column.type)
    facts = input_.connection.spec.comparing
    is_declared = facts.reads_declared and column.name in input_.declared
    return family in _TYPES and not is_declared and facts.of(family.value, column.native_type) is not None


def _scan(input_: Input, column: str) -> ScanPlan:
    """Reads a row with the largest value, as the column's own type: an aggregate's may be another."""
    name = exp.column(exp.to_identifier(column, quoted=True))
    largest = exp.Select().select(exp.Max(this=name.copy())).from_(input_.relation.ast())
    told = Decision(f"max({column})", True, True, Reason.WATERMARK)
    predicate = exp.EQ(this=name, expression=largest.subquery())
    return ScanPlan(input_, (column,), "", predicates=(predicate,), limit=1, decisions=(told,))


def _literal(table: pa.Table | None) -> exp.Expr | None:
    """The value as a constant; None when there is none: what is compared with NULL is read whole."""
    if table is None or table.num_rows == 0 or not table.column(0)[0].is_valid:
        return None
    family = family_of(table.schema.field(0).type)
    try:
        value = table.column(0)[0].as_py()
    except (OverflowError, ValueError):  # infinity, or a year that Python has not
        return None
    if family in (Family.INTEGER, Family.DECIMAL):
        text = f"{Decimal(value):f}"
        number = exp.Literal.number(text.lstrip("-"))
        return exp.Neg(this=number) if text.startswith("-") else number
    text = value.isoformat() if family is Family.DATE else value.isoformat(" ", "microseconds")
    return exp.Cast(this=exp.Literal.string(text), to=exp.DataType.build(_TYPES[family], dialect="duckdb"))


def _read_only_so(root: exp.Expr, handles: Handles, found: Sequence[Watermark]) -> set[Handle]:
    """Relations of which nothing is read but the watermark of one column."""
    tables = [handles.of_table(table) for table in root.find_all(exp.Table)]
    values = {handles.of_column(column) for column in root.find_all(exp.Column)}
    only = set()
    for handle in {mark.handle for mark in found}:
        marks = [mark for mark in found if mark.handle == handle]
        is_all = tables.count(handle) == len(marks) and handle not in values
        if is_all and len({mark.column for mark in marks}) == 1:
            only.add(handle)
    return only
