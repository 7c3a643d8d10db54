"""How a private table is put in place of its target: statements, by a way that has a name."""

from __future__ import annotations

from dataclasses import dataclass

from dvt.connections.landing_ways import Way
from dvt.identifiers import Relation, quote, quote_all


@dataclass(frozen=True)
class Landing:
    """The statements that put a private table in place.

    Args:
        way: How.
        statements: In order, for one transaction where the engine has them.
        is_atomic: Whether readers see the old state or the new one at every moment; the way's own when not given.
    """

    way: Way
    statements: tuple[str, ...]
    is_atomic: bool = True


@dataclass(frozen=True)
class Words:
    """How an engine says the statements of its way; a template's `{private}` and `{target}` are quoted names.

    Args:
        rename: Gives the private table the target's name, which is free; `{bare}` is that name without its schema.
        drop: Drops a target; `{kind}` is "table" or "view".
        exchange: For `Way.STATEMENT`: one statement after which the target has the private table's rows. What it
            leaves under the private name is dropped afterwards.
        delete_all: For `Way.ROWS`: takes out all rows. Not TRUNCATE where that commits.
    """

    rename: str = "alter table {private} rename to {bare}"
    drop: str = "drop {kind} {target}"
    exchange: str = ""
    delete_all: str = "delete from {target}"


def replacing(
    words: Words,
    way: Way,
    dialect: str,
    private: Relation,
    target: Relation,
    *,
    kind: str | None,
    columns: list[str] | None = None,
) -> Landing:
    """The statements that put a private table in place of what stands under the target's name.

    Args:
        words: How the engine says them.
        way: The engine's way.
        dialect: For quoting.
        private: The staged table.
        target: Its place.
        kind: "table" or "view" for what is there, None for nothing.
        columns: The columns, where the target has the same ones with the same types; for `Way.ROWS`.
    """
    names = {
        "private": private.sql(dialect),
        "target": target.sql(dialect),
        "bare": quote(target.name, dialect),
        "kind": kind,
    }
    rename = words.rename.format(**names)
    if kind is None:
        return Landing(way, (rename,))
    drop = words.drop.format(**names)
    if way is Way.TRANSACTION:
        return Landing(way, (drop, rename))
    if way is Way.STATEMENT and kind == "table":
        return Landing(way, (words.exchange.format(**names),))
    if way is Way.ROWS and kind == "table" and columns:
        listed = quote_all(columns, dialect)
        insert = ["insert into", names["target"], "(", listed, ") select", listed, "from", names["private"]]
        return Landing(way, (words.delete_all.format(**names), " ".join(map(str, insert))))
    return Landing(Way.STEPS, (drop, rename), is_atomic=False)
