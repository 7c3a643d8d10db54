"""Statements that give a new table what hung on the old one: owner, grants, comments, constraints, indexes.

The server writes the literals, index and constraint definitions itself; names are quoted here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dvt.federation.loaders.postgres_target import Target
from dvt.identifiers import Relation, quote

if TYPE_CHECKING:
    import psycopg

# Column 0 stands for the table. PUBLIC is grantee 0. The owner's own rights come with the ownership.
_GRANTS = """
select coalesce(a.attname, ''), acl.privilege_type, acl.is_grantable,
       case when acl.grantee = 0 then null else pg_catalog.pg_get_userbyid(acl.grantee) end
from pg_catalog.pg_class c
left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  and a.attacl is not null
cross join lateral aclexplode(a.attacl) acl
where c.oid = %(oid)s and acl.grantee <> c.relowner
union all
select '', acl.privilege_type, acl.is_grantable,
       case when acl.grantee = 0 then null else pg_catalog.pg_get_userbyid(acl.grantee) end
from pg_catalog.pg_class c cross join lateral aclexplode(c.relacl) acl
where c.oid = %(oid)s and acl.grantee <> c.relowner
order by 1, 4, 2
"""

_COMMENTS = """
select coalesce(a.attname, ''), pg_catalog.quote_literal(d.description)
from pg_catalog.pg_description d
left join pg_catalog.pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid and d.objsubid > 0
where d.classoid = 'pg_catalog.pg_class'::regclass and d.objoid = %(oid)s and (a.attnum is null or not a.attisdropped)
order by d.objsubid
"""

_CONSTRAINTS = """
select k.conname, pg_catalog.pg_get_constraintdef(k.oid),
       array(select a.attname::text from pg_catalog.pg_attribute a
             where a.attrelid = k.conrelid and a.attnum = any(k.conkey))
from pg_catalog.pg_constraint k
where k.conrelid = %(oid)s and k.contype in ('p', 'u', 'x', 'c', 'f')
order by array_position(array['p', 'u', 'x', 'c', 'f'], k.contype::text), k.conname
"""

# Names of 32 hexadecimal digits are those that dbt gives to the indexes of a model's `indexes` config; dbt makes
# them anew after each run, so that keeping them would double them.
_INDEXES = """
select c.relname, pg_catalog.pg_get_indexdef(i.indexrelid),
       array(select distinct a.attname::text from pg_catalog.pg_depend d
             join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
             where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = i.indexrelid
               and d.refobjid = i.indrelid and d.refobjsubid > 0)
from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
where i.indrelid = %(oid)s and c.relname !~ '^[0-9a-f]{32}$'
  and not exists (select 1 from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.conrelid = i.indrelid)
order by c.relname
"""

_DBT_INDEXES = """
select n.nspname, c.relname
from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where i.indrelid = %(oid)s and c.relname ~ '^[0-9a-f]{32}$' order by c.relname
"""

_NOT_NULL = """
select a.attname from pg_catalog.pg_attribute a
where a.attrelid = %(oid)s and a.attnum > 0 and a.attnotnull and not a.attisdropped order by a.attnum
"""


def kept_statements(
    session: psycopg.Connection[Any], old: Target, new: Target, target: Relation, *, keep_constraints: bool = True
) -> list[str]:
    """Statements for a new table under the target's name, to run when the old table is gone.

    What was on a column that the new table does not have is left out, as PostgreSQL itself drops it with a column.
    """
    table = target.sql("postgres")
    names = {column.name for column in new.columns}
    alter = ["alter table", table]
    statements = []
    with session.transaction():
        # With no search path the server qualifies every name that it writes.
        session.execute("set local search_path to pg_catalog")
        rows = {
            what: session.execute(query, {"oid": old.oid}).fetchall()
            for what, query in (
                ("comments", _COMMENTS),
                ("constraints", _CONSTRAINTS),
                ("indexes", _INDEXES),
                ("not null", _NOT_NULL),
            )
        }
        grants = session.execute(_GRANTS, {"oid": old.oid}).fetchall()
        given = session.execute(_GRANTS, {"oid": new.oid}).fetchall()
    for (name,) in rows["not null"] if keep_constraints else ():
        if name in names:
            statements.append([*alter, "alter column", quote(name, "postgres"), "set not null"])
    for name, definition, columns in rows["constraints"] if keep_constraints else ():
        if names.issuperset(columns):
            statements.append([*alter, "add constraint", quote(name, "postgres"), definition])
    statements += [[definition] for _, definition, columns in rows["indexes"] if names.issuperset(columns)]
    for column, literal in rows["comments"]:
        if not column:
            statements.append(["comment on table", table, "is", literal])
        elif column in names:
            statements.append(["comment on column", f"{table}.{quote(column, 'postgres')}", "is", literal])
    statements += [_revoke(table, row) for row in given if row not in grants]
    statements += [_grant(table, row) for row in grants if row not in given and (not row[0] or row[0] in names)]
    if not old.is_own:
        statements.append([*alter, "owner to", quote(old.owner, "postgres")])
    return [" ".join(parts) for parts in statements]


def dbt_index_drops(session: psycopg.Connection[Any], target: Target) -> list[str]:
    """Statements that drop the indexes that dbt will make anew on a table that stays."""
    rows = session.execute(_DBT_INDEXES, {"oid": target.oid}).fetchall()
    return [" ".join(["drop index", Relation(name, schema).sql("postgres")]) for schema, name in rows]


def _privilege(row: tuple[Any, ...]) -> str:
    column, privilege = row[0], str(row[1])
    return f"{privilege} ({quote(column, 'postgres')})" if column else privilege


def _role(row: tuple[Any, ...]) -> str:
    return "public" if row[3] is None else quote(row[3], "postgres")


def _grant(table: str, row: tuple[Any, ...]) -> list[str]:
    return ["grant", _privilege(row), "on", table, "to", _role(row), *(["with grant option"] if row[2] else [])]


def _revoke(table: str, row: tuple[Any, ...]) -> list[str]:
    return ["revoke", _privilege(row), "on", table, "from", _role(row)]
