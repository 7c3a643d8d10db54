"""How a private table takes its target's place on Redshift, and what the new table gets of the old one's."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from dvt.connections.landing_ways import Way
from dvt.errors import DataError
from dvt.federation.extractors.redshift_unload import literal
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.landing import Landing, Words, replacing
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation, quote

Rows = Callable[[str], Sequence[Sequence[Any]]]

_ABOUT = (
    "from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = {schema} and c.relname = {name}"
)
# Views that are bound to the table; those WITH NO SCHEMA BINDING go by its name.
_VIEWS = (
    "select distinct w.nspname::varchar, v.relname::varchar from pg_depend d join pg_rewrite r on r.oid = d.objid"
    " join pg_class v on v.oid = r.ev_class join pg_namespace w on w.oid = v.relnamespace"
    " where v.oid <> d.refobjid and d.refobjid = (select c.oid {about}) order by 1, 2"
)
_GRANTS = (
    "select privilege_type::varchar, identity_type::varchar, identity_name::varchar, admin_option"
    " from svv_relation_privileges where namespace_name = {schema} and relation_name = {name}"
    " and identity_name <> current_user order by 2, 3, 1"
)
_COMMENTS = (
    "select coalesce(a.attname, '')::varchar, d.description::varchar from pg_description d"
    " left join pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid and d.objsubid > 0"
    " where d.objoid = (select c.oid {about}) order by d.objsubid"
)
_TO = {"user": "", "group": "group ", "role": "role "}
_LENGTH = re.compile(r"(character(?: varying)?)\((\d+)\)")


class RedshiftLanding:
    """What stands under a target's name.

    Args:
        rows: Runs a query.
        target: The name.
    """

    def __init__(self, rows: Rows, target: Relation) -> None:
        self._rows = rows
        self._target = target

    def _asked(self, query: str) -> Sequence[Sequence[Any]]:
        place = {"schema": literal(self._target.schema or ""), "name": literal(self._target.name)}
        return self._rows(query.replace("{about}", _ABOUT).format(**place))

    @cached_property
    def kind(self) -> str | None:
        """The catalogue's letter for it, None where nothing is."""
        found = self._asked("select c.relkind::varchar {about}")
        return str(found[0][0]) if found else None

    def replaced(self, private: Relation, same_columns: list[str] | None, config: LoadConfig) -> Landing:
        """The private table in its place. A table on which views hang keeps its place, and its rows are exchanged.

        Raises:
            DataError: Views hang on it, and its columns change.
        """
        views = [Relation(name, schema) for schema, name in self._asked(_VIEWS)]
        drops = [" ".join(["drop view if exists", view.sql("redshift"), "cascade"]) for view in views]
        if self.kind != "r":
            name = self._target.sql("redshift")
            if drops and not config.drop_dependents:
                raise self._refusal(views)
            return Landing(Way.TRANSACTION, (*drops, f"drop view {name}", *_renamed((private, self._target))))
        if views and same_columns and not config.drop_dependents:
            kind = "table"
            return replacing(Words(), Way.ROWS, "redshift", private, self._target, kind=kind, columns=same_columns)
        if views and not config.drop_dependents:
            raise self._refusal(views)
        spare = self._target.sibling(f"dvt_old_{uuid.uuid4().hex[:16]}")
        swapped = _renamed((self._target, spare), (private, self._target), (spare, private))
        return Landing(Way.TRANSACTION, (*drops, *swapped, *self._kept()))

    def _kept(self) -> list[str]:
        """Grants and comments, for the new table."""
        table = self._target.sql("redshift")
        found = []
        for privilege, kind, name, is_grantable in self._asked(_GRANTS):
            to = "public" if kind == "public" else _TO[kind] + quote(name, "redshift")
            option = ["with grant option"] if is_grantable else []
            found.append(" ".join(["grant", privilege.lower(), "on", table, "to", to, *option]))
        for column, text in self._asked(_COMMENTS):
            place = f"column {table}.{quote(column, 'redshift')}" if column else f"table {table}"
            found.append(" ".join(["comment on", place, "is", literal(text)]))
        return found

    def _refusal(self, views: list[Relation]) -> DataError:
        listed = ", ".join(map(str, views))
        return DataError(
            f"its columns change, and on it hang the views {listed}",
            remedy="Make them WITH NO SCHEMA BINDING, drop them, or run with --full-refresh, which drops them",
        )


def _renamed(*pairs: tuple[Relation, Relation]) -> list[str]:
    return [
        " ".join(["alter table", old.sql("redshift"), "rename to", quote(new.name, "redshift")]) for old, new in pairs
    ]


def check_room(rows: Rows, private: Relation, names: Iterable[str], target: Sequence[ColumnSchema]) -> None:
    """Raise for texts that are longer than the target's column, or end with blanks that it does not keep."""
    known = {column.name: column for column in target}
    for name in names:
        found = _LENGTH.fullmatch(known[name].native_type or "")
        if found is None:
            continue
        quoted = quote(name, "redshift")
        padded = f"max(case when {quoted} like '% ' then 1 else 0 end)" if found[1] == "character" else "0"
        query = " ".join([f"select coalesce(max(octet_length({quoted})), 0), {padded} from", private.sql("redshift")])
        longest, has_blanks = rows(query)[0]
        if longest > int(found[2]) or has_blanks:
            raise DataError(
                f"the target holds {known[name].native_type}, and a text has {longest} bytes"
                + (" or ends with a blank" if has_blanks else ""),
                column=name,
                remedy="Cut it in the model, or run with --full-refresh",
            )
