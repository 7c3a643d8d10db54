"""What a source says to a predicate: the same rows, these and perhaps more, or it is not asked at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.federation.extractors.base import Ordering
from dvt.federation.plan.condition_reading import family_of
from dvt.federation.plan.key_filters import FAMILIES
from dvt.federation.plan.predicates import (
    AllOf,
    AnyOf,
    ColumnComparison,
    Comparison,
    Constant,
    Family,
    NullTest,
    OneOf,
    Operator,
    Predicate,
    Prefix,
)
from dvt.federation.plan.reasons import Reason
from dvt.federation.stream import ColumnSchema

_NODES: dict[Operator, type[exp.Binary]] = {
    Operator.EQUAL: exp.EQ,
    Operator.UNEQUAL: exp.NEQ,
    Operator.LESS: exp.LT,
    Operator.LESS_EQUAL: exp.LTE,
    Operator.GREATER: exp.GT,
    Operator.GREATER_EQUAL: exp.GTE,
}
_WEAKER = {Trust.EXACT: 2, Trust.SUPERSET: 1, Trust.UNKNOWN: 0}
# Of wildcards and the escape character itself.
_ESCAPE = "!"


@dataclass(frozen=True)
class Answer:
    """What is sent for a predicate.

    Args:
        trust: What is known of the rows that come back.
        sql: The condition in the source's words; None when it is not sent.
        reason: Why it is not sent, or not exact.
    """

    trust: Trust
    sql: exp.Expr | None = None
    reason: Reason | None = None


class Source:
    """A relation, as far as its conditions go.

    Args:
        columns: Its columns.
        facts: How its engine compares.
        dialect: sqlglot dialect of the engine.
        declared: Columns whose type the project declares: what the compute engine compares may be of another type.
    """

    def __init__(
        self, columns: list[ColumnSchema], facts: ComparingFacts, dialect: str, declared: Mapping[str, str]
    ) -> None:
        self._columns = {column.name.lower(): column for column in columns}
        self._facts = facts
        self._dialect = dialect
        self._declared = {name.lower() for name in declared} if facts.reads_declared else set()

    def answer(self, predicate: Predicate) -> Answer:
        """What the source says to a predicate."""
        if isinstance(predicate, AllOf):
            return self._all(predicate)
        if isinstance(predicate, AnyOf):
            return self._any(predicate)
        names = {predicate.column, *([predicate.other] if isinstance(predicate, ColumnComparison) else [])}
        if names & self._declared:
            return Answer(Trust.UNKNOWN, reason=Reason.DECLARED)
        if isinstance(predicate, NullTest):
            return self._null_test(predicate)
        kinds = [self.kind(name) for name in sorted(names)]
        if any(kind is None for kind in kinds):
            return Answer(Trust.UNKNOWN, reason=Reason.SOURCE_UNKNOWN)
        return self._compared(predicate, [kind for kind in kinds if kind is not None])

    def keyed(self, name: str) -> tuple[str, Family] | None:
        """A column by its own name, with its family, when the source can be asked for a list of its values."""
        column, kind = self._columns[name], self.kind(name)
        family = family_of(column.type)
        if kind is None or not kind.takes_lists or kind.equal is Trust.UNKNOWN or self._is_limited(name):
            return None
        if name in self._declared or family not in FAMILIES:
            return None
        return column.name, family

    def ordered(self, order: Sequence[Ordering]) -> tuple[Ordering, ...] | None:
        """An order in the source's own names; None when it may be another one there."""
        found = []
        if order and not self._facts.takes_order:
            return None
        for item in order:
            kind = self.kind(item.column)
            is_text = family_of(self._columns[item.column].type) is Family.TEXT
            if kind is None or kind.order is not Trust.EXACT or is_text or item.column in self._declared:
                return None
            found.append(replace(item, column=self._columns[item.column].name))
        return tuple(found)

    def kind(self, name: str) -> Comparing | None:
        """How the source compares a column; None when it is not asked about it."""
        column = self._columns[name]
        return self._facts.of(family_of(column.type).value, column.native_type)

    def _is_limited(self, name: str) -> bool:
        """Whether a text of other characters than ASCII may be an error at the source, and is none in the engine."""
        column = self._columns[name]
        return bool(column.encoding) and family_of(column.type) is Family.TEXT

    def _all(self, predicate: AllOf) -> Answer:
        answers = [self.answer(part) for part in predicate.parts]
        sent = [answer.sql for answer in answers if answer.sql is not None]
        if not sent:
            return Answer(Trust.UNKNOWN, reason=answers[0].reason)
        trust = min((answer.trust for answer in answers), key=_WEAKER.__getitem__)
        reason = next((answer.reason for answer in answers if answer.reason is not None), None)
        return Answer(trust if trust is Trust.EXACT else Trust.SUPERSET, exp.and_(*sent), reason)

    def _any(self, predicate: AnyOf) -> Answer:
        answers = [self.answer(part) for part in predicate.parts]
        sent = [answer.sql for answer in answers if answer.sql is not None]
        reason = next((answer.reason for answer in answers if answer.reason is not None), None)
        if len(sent) < len(answers):
            return Answer(Trust.UNKNOWN, reason=reason)
        return Answer(min((a.trust for a in answers), key=_WEAKER.__getitem__), exp.or_(*sent), reason)

    def _null_test(self, predicate: NullTest) -> Answer:
        trust = self._facts.null_test(self.kind(predicate.column), is_null=predicate.is_null)
        if trust is Trust.UNKNOWN:
            return Answer(trust, reason=Reason.SOURCE_DIFFERS)
        test: exp.Expr = exp.Is(this=self._column(predicate.column), expression=exp.Null())
        reason = Reason.SOURCE_INEXACT if trust is Trust.SUPERSET else None
        return Answer(trust, test if predicate.is_null else exp.Not(this=test), reason)

    def _compared(self, predicate: Comparison | ColumnComparison | OneOf | Prefix, kinds: list[Comparing]) -> Answer:
        kind = kinds[0]
        sql: exp.Expr
        constants = _constants(predicate)
        if not kind.takes(constants) or (self._is_limited(predicate.column) and not "".join(constants).isascii()):
            return Answer(Trust.UNKNOWN, reason=Reason.SOURCE_DIFFERS)
        if isinstance(predicate, ColumnComparison):
            trust = self._of_columns(predicate.operator, kinds)
            by_name = dict(zip(sorted({predicate.column, predicate.other}), kinds, strict=True))
            left, other = (self._column(n, by_name[n].collation) for n in (predicate.column, predicate.other))
            sql = _NODES[predicate.operator](this=left, expression=other)
        elif isinstance(predicate, OneOf):
            trust = kind.equal
            values = [self._constant(predicate.column, value) for value in predicate.values]
            column = self._column(predicate.column)
            sql = exp.In(this=column, expressions=values)
            if not kind.takes_lists:
                sql = exp.or_(*(exp.EQ(this=column.copy(), expression=value) for value in values))
        elif isinstance(predicate, Prefix):
            trust, sql = kind.prefix, self._prefix(predicate, kind)
        else:
            trust = _trust(kind, predicate.operator)
            is_forced = predicate.operator is not Operator.EQUAL
            left = self._column(predicate.column, kind.collation if is_forced else "")
            sql = _NODES[predicate.operator](this=left, expression=self._constant(predicate.column, predicate.value))
        if trust is Trust.UNKNOWN:
            return Answer(trust, reason=Reason.SOURCE_DIFFERS)
        return Answer(trust, sql, Reason.SOURCE_INEXACT if trust is Trust.SUPERSET else None)

    def _of_columns(self, operator: Operator, kinds: Sequence[Comparing]) -> Trust:
        """What a comparison of two columns is worth; texts are equal where their characters' codes are."""
        is_equality = operator in (Operator.EQUAL, Operator.UNEQUAL)
        if is_equality and self._facts.takes_joins and all(kind.tells_apart for kind in kinds):
            return Trust.EXACT
        return min((kind.columns for kind in kinds), key=_WEAKER.__getitem__)

    def _prefix(self, predicate: Prefix, kind: Comparing) -> exp.Expr:
        if self._dialect == "clickhouse":  # its LIKE has no ESCAPE
            start = exp.Literal.string(predicate.text)
            return exp.StartsWith(this=self._column(predicate.column), expression=start)
        text = "".join(_ESCAPE + letter if letter in f"%_{_ESCAPE}" else letter for letter in predicate.text)
        like = exp.Like(this=self._column(predicate.column, kind.collation), expression=exp.Literal.string(text + "%"))
        return exp.Escape(this=like, expression=exp.Literal.string(_ESCAPE))

    def _column(self, name: str, collation: str = "") -> exp.Expr:
        column = exp.column(exp.to_identifier(self._columns[name].name, quoted=True))
        if not collation:
            return column
        return exp.Paren(this=exp.Collate(this=column, expression=exp.to_identifier(collation, quoted=True)))

    def _constant(self, column: str, value: Constant) -> exp.Expr:
        return literal(value, self._dialect, family_of(self._columns[column].type))


def literal(value: Constant, dialect: str, column: Family | None = None) -> exp.Expr:
    """A constant in a source's words, for a column of some family."""
    is_float = dialect == "clickhouse" and column is Family.DECIMAL  # what a bare number would become
    if value.family in (Family.INTEGER, Family.DECIMAL) and not is_float:
        number = exp.Literal.number(value.text.lstrip("-"))
        return exp.Neg(this=number) if value.text.startswith("-") else number
    if value.family is Family.BOOLEAN:
        return exp.Boolean(this=value.text == "true")
    # A session at MySQL has no other zone than UTC, and its literals none at all; ClickHouse's name it in their type.
    is_bare = value.family is Family.INSTANT and dialect in ("mysql", "clickhouse")
    text = exp.Literal.string(value.text.removesuffix("+00") if is_bare else value.text)
    if value.family is Family.TEXT:
        return text
    to = _literal_type(value, dialect)
    return exp.Cast(this=text, to=exp.DataType.build(to, dialect=dialect)) if to else text


def _trust(kind: Comparing, operator: Operator) -> Trust:
    if operator is Operator.EQUAL:
        return kind.equal
    return kind.unequal if operator is Operator.UNEQUAL else kind.order


def _constants(predicate: Comparison | ColumnComparison | OneOf | Prefix) -> list[str]:
    """The texts that a predicate compares with."""
    if isinstance(predicate, OneOf):
        return [value.text for value in predicate.values]
    if isinstance(predicate, Prefix):
        return [predicate.text]
    return [predicate.value.text] if isinstance(predicate, Comparison) else []


def _literal_type(value: Constant, dialect: str) -> str:
    """The type to which the text of a constant is cast."""
    family = value.family
    if dialect == "clickhouse":
        if family in (Family.INTEGER, Family.DECIMAL):
            return f"Decimal(38, {len(value.text.partition('.')[2])})"
        moment = "DateTime64(6, 'UTC')"
        return {Family.DOUBLE: "Float64", Family.DATE: "Date32", Family.UUID: "UUID"}.get(family, moment)
    if dialect == "mysql":
        # DATETIME alone would round to seconds.
        return {Family.DATE: "DATE", Family.DOUBLE: ""}.get(family, "DATETIME(6)")
    if dialect == "sqlite":
        return "REAL"
    return {
        Family.DOUBLE: "DOUBLE PRECISION",
        Family.DATE: "DATE",
        Family.TIMESTAMP: "TIMESTAMP",
        Family.INSTANT: "TIMESTAMPTZ",
        Family.UUID: "UUID",
    }[family]
