"""A condition that a user writes in a source's own SQL: sent as it stands, once it reads as one condition."""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dvt.errors import ConfigurationError

# What the parser calls its own parts says nothing to who wrote the condition.
_CLASS = re.compile(r" for (?:<class '[^']*'>|[a-z_]+\.[A-Za-z_.]+)")
_NO_CONDITIONS = (exp.Query, exp.Literal, exp.PropertyEQ, exp.Star)


def parsed_condition(text: str, dialect: str) -> exp.Expr:
    """A condition as an AST.

    Args:
        text: What would stand behind WHERE.
        dialect: sqlglot's name of the source's dialect.

    Raises:
        ConfigurationError: It is no condition, or more than one statement.
    """
    try:
        found = [each for each in sqlglot.parse(text, read=dialect) if each is not None]
    except SqlglotError as error:
        raise _refusal(text, f": {_first_line(error)}") from error
    if len(found) != 1 or not isinstance(found[0], exp.Condition) or isinstance(found[0], _NO_CONDITIONS):
        raise _refusal(text, " but nothing, or a statement" if len(found) != 1 else f" but {_kind(found[0])}")
    return found[0]


def verbatim(text: str, dialect: str) -> exp.Expr:
    """A condition that every dialect renders as it is written here.

    Raises:
        ConfigurationError: It is no condition.
    """
    parsed_condition(text, dialect)
    # A comment at its end must not take the bracket with it.
    ended = text.strip().rstrip(";").rstrip()
    return exp.Paren(this=exp.Var(this=f"{ended}\n" if "--" in ended or "#" in ended else ended))


def _kind(found: exp.Expr) -> str:
    if isinstance(found, exp.Query):
        return "a query"
    if isinstance(found, exp.Alias):
        return f"something with the word {found.alias!r} behind it"
    return "a statement" if not isinstance(found, exp.Literal) else "a constant"


def _first_line(error: SqlglotError) -> str:
    return _CLASS.sub("", str(error).splitlines()[0]).strip(" .")


def _refusal(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{text!r} is not one condition{why}",
        code="DVT113",
        remedy="Write what would stand behind WHERE at the source, for example \"amount > 100 and city = 'Rome'\"",
    )
