"""The relations of one SELECT that may be read as one, and what their source says to conditions on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.federation.plan.answers import Answer, Source
from dvt.federation.plan.bases import Base
from dvt.federation.plan.condition_reading import ConditionReader, Reading
from dvt.federation.plan.constants import Constants
from dvt.federation.plan.model import Input
from dvt.federation.plan.predicates import ColumnComparison, Operator
from dvt.federation.plan.scopes import Place, Scope
from dvt.federation.stream import ColumnSchema


@dataclass(frozen=True)
class Told:
    """A condition, and what the source makes of it.

    Args:
        condition: Over the names of `Members`, in lower case.
        node: The conjunct of the query that it is; None when it comes from a CTE.
        sent: The same in the source's words; None when it is not asked.
        is_exact: Whether the source leaves nothing to check.
        sources: Which relations it speaks of.
        links: Whether it is an equality of columns of two relations.
    """

    condition: exp.Expr
    node: exp.Expr | None
    sent: exp.Expr | None
    is_exact: bool
    sources: frozenset[int]
    links: bool


@dataclass
class Members:
    """Relations of one connection in one scope, each column under a name of its own.

    Args:
        scope: The scope.
        bases: What stands behind its sources, by their number.
        inputs: The inputs, by the same.
        described: Their columns, by lower-case name.
        constants: Works out constants.
    """

    scope: Scope
    bases: Mapping[int, Base]
    inputs: Mapping[int, Input]
    described: Mapping[int, Mapping[str, ColumnSchema]]
    constants: Constants
    names: dict[Place, str] = field(default_factory=dict)
    columns: dict[str, ColumnSchema] = field(default_factory=dict)

    def __post_init__(self) -> None:
        declared: dict[str, str] = {}
        for index in sorted(self.bases):
            for column, described in self.described[index].items():
                name = self._fresh(f"{self.scope.sources[index].alias}_{described.name}")
                self.names[index, column] = name
                self.columns[name.lower()] = replace(described, name=name)
                if described.name in self.inputs[index].declared:
                    declared[name] = self.inputs[index].declared[described.name]
        self.declared: Mapping[str, str] = declared
        first = next(iter(self.inputs.values()))
        self.facts: ComparingFacts = first.comparing
        types = {name: column.type for name, column in self.columns.items()}
        self._reader = ConditionReader(types, self.constants)
        self._source = Source(list(self.columns.values()), self.facts, first.connection.spec.dialect, declared)

    def _fresh(self, name: str) -> str:
        found, number = name, 2
        while found.lower() in self.columns:
            found, number = f"{name}_{number}", number + 1
        return found

    def name_of(self, place: Place) -> str | None:
        """The name of a place of the scope; None when it is no plain column of a member."""
        base = self.bases.get(place[0])
        column = base.columns.get(place[1]) if base is not None else None
        return self.names.get((place[0], column)) if column is not None else None

    def kind(self, name: str) -> Comparing | None:
        """How the source compares a column; None when it is not asked about it."""
        return self._source.kind(name.lower())

    def column(self, name: str) -> tuple[int, str]:
        """The relation of a name, and its column as it is written there."""
        index, column = next(place for place, known in self.names.items() if known == name)
        return index, self.described[index][column].name

    def told(self, node: exp.Expr) -> Told | None:
        """What the source says to a conjunct of the scope; None when it speaks of something else than members."""
        places = self.scope.places(node)
        if not places or any(self.name_of(place) is None for place in places):
            return None

        def rename(part: exp.Expr) -> exp.Expr:
            place = self.scope.resolve(part) if isinstance(part, exp.Column) else None
            return exp.column(str(self.name_of(place)).lower(), quoted=True) if place is not None else part

        return self._asked(node.copy().transform(rename), node, frozenset(place[0] for place in places))

    def told_of_base(self, index: int) -> list[Told]:
        """The same for what the CTEs say between a relation and the scope."""

        def rename(part: exp.Expr) -> exp.Expr:
            return (
                exp.column(self.names[index, part.name].lower(), quoted=True) if isinstance(part, exp.Column) else part
            )

        conditions = (condition.copy().transform(rename) for condition in self.bases[index].conditions)
        return [self._asked(condition, None, frozenset({index})) for condition in conditions]

    def _asked(self, condition: exp.Expr, node: exp.Expr | None, sources: frozenset[int]) -> Told:
        reading = self._reader.read(condition)
        if reading.predicate is None:
            return Told(condition, node, None, False, sources, False)
        answer = self._source.answer(reading.predicate)
        predicate = reading.predicate
        is_equality = isinstance(predicate, ColumnComparison) and predicate.operator is Operator.EQUAL
        is_exact = answer.sql is not None and _is_exact(reading, answer)
        links = is_equality and answer.sql is not None and len(sources) == 2
        return Told(condition, node, answer.sql, is_exact, sources, links)


def _is_exact(reading: Reading, answer: Answer) -> bool:
    """Whether the source leaves nothing of a condition to check."""
    return reading.is_whole and answer.trust is Trust.EXACT


def linked(members: Sequence[int], conditions: Sequence[Told]) -> list[frozenset[int]]:
    """The members in groups that equalities hold together."""
    groups: dict[int, frozenset[int]] = {member: frozenset({member}) for member in members}
    for told in conditions:
        if told.links:
            whole = frozenset().union(*(groups[member] for member in told.sources))
            groups.update(dict.fromkeys(whole, whole))
    return sorted(set(groups.values()), key=min)
