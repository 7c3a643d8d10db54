"""What PostgreSQL's catalogue says about the columns of a request."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dvt.connections.connection import Connection
from dvt.errors import PlanError, RelationNotFoundError, UnsupportedError, nearest
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation
from dvt.types.postgres import VECTORS, Carrier, array, scalar

if TYPE_CHECKING:
    import psycopg

# A domain's base type counts: RowDescription gives it for the column itself, but not for the elements of an array. A
# domain may be over another one.
_TYPES = """
with recursive given as (
    select c.oid, c.typmod, c.position, t.typtype,
           case when t.typlen = -1 and t.typcategory = 'A' then t.typelem else 0 end as element
    from unnest(%s::oid[], %s::int[]) with ordinality as c(oid, typmod, position)
    join pg_catalog.pg_type t on t.oid = c.oid
), bases(position, oid, typmod) as (
    select position, element, typmod from given where element <> 0
    union all
    select bases.position, d.typbasetype, d.typtypmod
    from bases join pg_catalog.pg_type d on d.oid = bases.oid where d.typtype = 'd'
)
select format_type(given.oid, given.typmod), given.oid, given.typmod, given.element,
       coalesce(b.oid, 0), coalesce(bases.typmod, given.typmod),
       coalesce(e.typdelim, ','), given.typtype = 'e', coalesce(b.typtype = 'e', false)
from given
left join pg_catalog.pg_type e on e.oid = given.element
left join (bases join pg_catalog.pg_type b on b.oid = bases.oid and b.typtype <> 'd')
       on bases.position = given.position
order by given.position
"""

# A foreign table's NOT NULL is a claim of the local catalogue, and PostgreSQL 18 has NOT NULL that is not validated.
_NOT_NULL = """
select a.attrelid, a.attnum
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid
where a.attrelid = any(%s::oid[]) and a.attnotnull and c.relkind in ('r', 'p')
  and not exists (select 1 from pg_catalog.pg_constraint k
                  where k.conrelid = a.attrelid and k.contype = 'n' and not k.convalidated
                    and k.conkey[1] = a.attnum)
"""

_RELATION = """
select c.relkind::text, c.reltuples::bigint, pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::bigint
from pg_catalog.pg_class c
where c.oid = to_regclass(%s)
"""

# A partitioned table, or a parent of an inheritance, is as large as all below it. As the server's own planner does, the
# density of the last ANALYZE is taken times the size of now. A table without pages was never analysed before
# PostgreSQL 14, which says -1. A foreign table has no size here.
_STATISTICS = """
with recursive parts(oid) as (
    select to_regclass(%s)::oid
    union
    select i.inhrelid from pg_catalog.pg_inherits i join parts on i.inhparent = parts.oid
)
select bool_or(c.relkind in ('r', 'm', 'f')) and not bool_or(c.relkind not in ('r', 'm', 'f', 'p')),
       bool_and(c.reltuples >= 0 and (c.relpages > 0 or current_setting('server_version_num')::int >= 140000))
           filter (where c.relkind <> 'p'),
       sum(case when c.relpages > 0 and c.relkind <> 'f'
                then c.reltuples / c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::int)
                else c.reltuples end) filter (where c.relkind <> 'p'),
       case when not bool_or(c.relkind = 'f') then sum(pg_table_size(c.oid)) end
from parts join pg_catalog.pg_class c on c.oid = parts.oid
"""

# A relation and all that is read with it: partitions, heirs, and what views select from.
_REACH = """
with recursive reached(oid) as (
    select to_regclass(%s)::oid
    union
    select below.oid from reached, lateral (
        select i.inhrelid from pg_catalog.pg_inherits i where i.inhparent = reached.oid
        union all
        select d.refobjid
        from pg_catalog.pg_class v
        join pg_catalog.pg_rewrite w on w.ev_class = v.oid
        join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = w.oid
        where v.oid = reached.oid and v.relkind = 'v' and d.refclassid = 'pg_catalog.pg_class'::regclass
    ) as below(oid)
)
select c.relkind::text, c.relpersistence::text, case when c.relkind = 'v' then pg_catalog.pg_get_viewdef(c.oid) end,
       c.reltuples::bigint, pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::bigint,
       c.oid = to_regclass(%s)
from reached join pg_catalog.pg_class c on c.oid = reached.oid
"""

_PRIMARY_KEY = """
select a.attname
from pg_catalog.pg_constraint c
cross join unnest(c.conkey) with ordinality as k(number, position)
join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.number
where c.conrelid = to_regclass(%s) and c.contype = 'p' and not c.condeferrable
order by k.position
"""

_SIMILAR = """
select n.nspname, c.relname
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
limit 10000
"""


@dataclass(frozen=True)
class RelationFacts:
    """What the catalogue says about a relation.

    Args:
        kind: `pg_class.relkind`.
        estimated_rows: The planner's figure, None when the table was never analysed.
        blocks: Size of the main fork in blocks.
    """

    kind: str
    estimated_rows: int | None
    blocks: int


@dataclass(frozen=True)
class Reach:
    """A relation, and what is read with it.

    Args:
        own: The relation's own facts; None when there is no such relation.
        kinds: Each `pg_class.relkind` that occurs.
        is_persistent: Whether all of it is there for other sessions too.
        definitions: Of the views.
        blocks: Size of the main forks of all of it.
    """

    own: RelationFacts | None
    kinds: frozenset[str]
    is_persistent: bool
    definitions: tuple[str, ...]
    blocks: int


def reach(session: psycopg.Connection[Any], relation: Relation) -> Reach:
    """What is read with a relation."""
    name = relation.sql("postgres")
    found = session.execute(_REACH, [name, name]).fetchall()
    return Reach(
        own=next((_facts(kind, rows, blocks) for kind, _, _, rows, blocks, is_own in found if is_own), None),
        kinds=frozenset(row[0] for row in found),
        is_persistent=all(row[1] != "t" for row in found),
        definitions=tuple(row[2] for row in found if row[2] is not None),
        blocks=sum(int(row[4] or 0) for row in found),
    )


def relation_facts(session: psycopg.Connection[Any], relation: Relation) -> RelationFacts | None:
    """Facts of a relation, None when there is no such relation."""
    found = session.execute(_RELATION, [relation.sql("postgres")]).fetchone()
    return _facts(*found) if found is not None else None


def _facts(kind: str, rows: int, blocks: int | None) -> RelationFacts:
    return RelationFacts(kind, rows if rows >= 0 and kind in "rmp" else None, blocks or 0)


def table_statistics(session: psycopg.Connection[Any], relation: Relation) -> TableStatistics | None:
    """Size of a table with all its partitions; None for a view, and for what is not there."""
    found = session.execute(_STATISTICS, [relation.sql("postgres")]).fetchone()
    if found is None or not found[0]:
        return None
    _, is_analysed, rows, size = found
    known_rows = round(float(rows)) if is_analysed and rows is not None else None
    return TableStatistics(known_rows, int(size) if size is not None else None)


def primary_key(session: psycopg.Connection[Any], relation: Relation) -> tuple[str, ...]:
    """The columns of a primary key that is checked with each statement, in its order."""
    return tuple(str(row[0]) for row in session.execute(_PRIMARY_KEY, [relation.sql("postgres")]).fetchall())


def columns_of(
    session: psycopg.Connection[Any],
    described: list[tuple[str, int, int, int, int]],
    request: ExtractionConfig,
    connection: Connection,
) -> tuple[tuple[ColumnSchema, ...], tuple[Carrier, ...]]:
    """Schema and carriers for a described statement.

    Raises:
        UnsupportedError: No columns.
        PlanError: Two columns of one name.
    """
    if not described:
        raise UnsupportedError("the result has no columns", relation=request.label, remedy="Select at least one column")
    names = Counter(name for name, *_ in described)
    doubled = [name for name, count in names.items() if count > 1]
    if doubled:
        raise PlanError(
            f"more than one column is called {doubled[0]!r}",
            relation=request.label,
            column=doubled[0],
            remedy="Give each column of the query a name of its own",
        )
    oids, typmods = [row[1] for row in described], [row[2] for row in described]
    scale = int(connection.options["numeric_scale"])
    not_null = _not_null(session, described) if request.relation is not None else set()
    server = session.info.parameter_status("server_encoding") or ""
    encoding = "" if server == "UTF8" else server
    columns, carriers = [], []
    for (name, _, _, table, number), facts in zip(
        described, session.execute(_TYPES, [oids, typmods]).fetchall(), strict=True
    ):
        native, oid, typmod, element, element_base, element_typmod, delimiter, is_enum, of_enums = facts
        carrier = scalar(oid, typmod, scale, is_enum=is_enum)
        if element and oid not in VECTORS:
            of_elements = scalar(element_base, element_typmod, scale, is_enum=bool(of_enums))
            carrier = array(of_elements, str(delimiter), oid, element)
        carriers.append(carrier)
        columns.append(ColumnSchema(name, carrier.type, (table, number) not in not_null, native, encoding))
    return tuple(columns), tuple(carriers)


def _not_null(
    session: psycopg.Connection[Any], described: list[tuple[str, int, int, int, int]]
) -> set[tuple[int, int]]:
    tables = sorted({table for _, _, _, table, _ in described if table})
    return {(row[0], row[1]) for row in session.execute(_NOT_NULL, [tables]).fetchall()}


def missing_relation(
    session: psycopg.Connection[Any], relation: Relation, connection: Connection, phase: str
) -> RelationNotFoundError:
    """The error for a relation that is not there, with the nearest name that is."""
    rows = session.execute(_SIMILAR).fetchall()
    known = [".".join(row) for row in rows]
    hint = nearest(".".join(relation.parts[-2:]), known)
    return RelationNotFoundError(
        f"relation {relation} does not exist: {hint}",
        connection=connection.name,
        relation=str(relation),
        phase=phase,
        remedy="Check schema and name; the login must have USAGE on the schema",
    )
