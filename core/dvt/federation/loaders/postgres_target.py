"""What PostgreSQL's catalogue knows about a target: its columns, what reads it, what hangs on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dvt.federation.extractors.postgres_raw import speaks_binary
from dvt.identifiers import Relation

if TYPE_CHECKING:
    import psycopg

_CLASS = """
select c.oid, c.relkind::text, pg_catalog.pg_get_userbyid(c.relowner), c.relowner = current_user::regrole
from pg_catalog.pg_class c where c.oid = to_regclass(%s)
"""

_COLUMNS = """
select a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated::text <> '', a.attidentity::text = 'a'
from pg_catalog.pg_attribute a
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped order by a.attnum
"""

_IS_ORDINARY = """
select c.relkind = 'r' and not c.relhastriggers and not c.relhasrules
from pg_catalog.pg_class c where c.oid = to_regclass(%s)
"""

# A view hangs on a table through its rewrite rule. The longest way counts: a view goes before what it reads.
_VIEWS = """
with recursive reading(view, depth) as (
  select r.ev_class, 1
  from pg_catalog.pg_depend d join pg_catalog.pg_rewrite r on r.oid = d.objid
  where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass
    and d.refobjid = to_regclass(%s) and r.ev_class <> d.refobjid
  union
  select r.ev_class, reading.depth + 1
  from reading join pg_catalog.pg_depend d on d.refobjid = reading.view
  join pg_catalog.pg_rewrite r on r.oid = d.objid
  where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass
    and r.ev_class <> d.refobjid
)
select n.nspname, c.relname, c.relkind::text
from reading join pg_catalog.pg_class c on c.oid = reading.view
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
group by n.nspname, c.relname, c.relkind order by max(reading.depth) desc, n.nspname, c.relname
"""

# Whatever else would forbid to drop the table, or be lost with it without a way to write it down again here.
_HELD = """
select format('foreign key %%s of table %%s', k.conname, k.conrelid::regclass)
from pg_catalog.pg_constraint k where k.confrelid = %(oid)s and k.conrelid <> %(oid)s and k.contype = 'f'
union all
select format('child table %%s', i.inhrelid::regclass) from pg_catalog.pg_inherits i where i.inhparent = %(oid)s
union all
select format('parent table %%s', i.inhparent::regclass) from pg_catalog.pg_inherits i where i.inhrelid = %(oid)s
union all
select pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
from pg_catalog.pg_depend d
where d.deptype = 'n' and d.classid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_class'::regclass,
                                        'pg_catalog.pg_type'::regclass)
  and (d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = %(oid)s and d.objid <> %(oid)s
       or d.refclassid = 'pg_catalog.pg_type'::regclass
          and d.refobjid in (select t.oid from pg_catalog.pg_type t where t.typrelid = %(oid)s
                             union select t.typarray from pg_catalog.pg_type t where t.typrelid = %(oid)s))
union all
select format('trigger %%s', t.tgname) from pg_catalog.pg_trigger t where t.tgrelid = %(oid)s and not t.tgisinternal
union all
select format('policy %%s', p.polname) from pg_catalog.pg_policy p where p.polrelid = %(oid)s
union all
select 'row level security' from pg_catalog.pg_class c where c.oid = %(oid)s and c.relrowsecurity
union all
select format('publication %%s', p.pubname)
from pg_catalog.pg_publication_rel r join pg_catalog.pg_publication p on p.oid = r.prpubid where r.prrelid = %(oid)s
union all
select format('rule %%s', r.rulename)
from pg_catalog.pg_rewrite r where r.ev_class = %(oid)s and r.rulename <> '_RETURN'
union all
select format('extended statistics %%s', s.stxname) from pg_catalog.pg_statistic_ext s where s.stxrelid = %(oid)s
"""


@dataclass(frozen=True)
class TargetColumn:
    """One column of a target.

    Args:
        name: Its name.
        type: Its type with modifiers, as `format_type` writes it.
        is_generated: Whether the server computes it.
        is_identity_always: Whether values given for it need `overriding system value`.
    """

    name: str
    type: str
    is_generated: bool = False
    is_identity_always: bool = False


@dataclass(frozen=True)
class Target:
    """A relation that exists under the target's name.

    Args:
        oid: Its object id.
        kind: `pg_class.relkind`.
        owner: Its owner's role.
        is_own: Whether the session's role owns it.
        columns: Its columns in order.
    """

    oid: int
    kind: str
    owner: str
    is_own: bool
    columns: tuple[TargetColumn, ...]

    @property
    def shape(self) -> tuple[tuple[str, str], ...]:
        """Names and types in order: equal shapes can take each other's rows unchanged."""
        return tuple((column.name, column.type) for column in self.columns)


@dataclass(frozen=True)
class View:
    """A view or materialized view."""

    relation: Relation
    is_materialized: bool


def find_target(session: psycopg.Connection[Any], relation: Relation) -> Target | None:
    """The relation under that name, None when there is none."""
    row = session.execute(_CLASS, [relation.sql("postgres")]).fetchone()
    if row is None:
        return None
    oid, kind, owner, is_own = row
    columns = session.execute(_COLUMNS, [oid]).fetchall()
    return Target(oid, kind, owner, is_own, tuple(TargetColumn(*column) for column in columns))


def copy_counts(session: psycopg.Connection[Any], relation: Relation) -> bool:
    """Whether the rows that a COPY's answer counts are those of a private relation that had none.

    PostgreSQL counts the rows that it stored. Only a trigger or a rule, as an event trigger may give to each new table,
    does away with some of them afterwards; and only of PostgreSQL itself is this known.
    """
    if not speaks_binary(session):
        return False
    row = session.execute(_IS_ORDINARY, [relation.sql("postgres")]).fetchone()
    return bool(row and row[0])


def dependent_views(session: psycopg.Connection[Any], relation: Relation) -> list[View]:
    """The views that read a relation, directly or not, in an order in which they can be dropped."""
    rows = session.execute(_VIEWS, [relation.sql("postgres")]).fetchall()
    return [View(Relation(name, schema), kind == "m") for schema, name, kind in rows]


def held_by(session: psycopg.Connection[Any], target: Target) -> list[str]:
    """What besides views forbids to drop a table, or would be lost with it."""
    return [str(row[0]) for row in session.execute(_HELD, {"oid": target.oid}).fetchall()]
