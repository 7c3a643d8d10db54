"""What Athena has no statement for, said as statements and done by calls of Glue's API.

`alter table t exchange with p`: t has p's columns and files, in one UpdateTable; p is gone.
`alter table p rename to t`: one CreateTable. `alter table t append files of p`: p's files beside t's.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import sqlglot
from sqlglot import exp

from dvt.errors import DataError
from dvt.federation.loaders.athena_session import REPLACED, AthenaSession, replaced
from dvt.identifiers import Relation

Kind = Literal["rename", "exchange", "append"]
_NAME = r'(?:"(?:[^"]|"")+"|\w+)(?:\.(?:"(?:[^"]|"")+"|\w+))*'
_FORMS: dict[Kind, re.Pattern[str]] = {
    "exchange": re.compile(rf"(?is)^alter table (?P<target>{_NAME}) exchange with (?P<private>{_NAME})$"),
    "rename": re.compile(rf"(?is)^alter table (?P<private>{_NAME}) rename to (?P<target>{_NAME})$"),
    "append": re.compile(rf"(?is)^alter table (?P<target>{_NAME}) append files of (?P<private>{_NAME})$"),
}
# What Glue says of a table and takes back.
_INPUT = ("Description", "Owner", "Retention", "TableType")


@dataclass(frozen=True)
class Statement:
    """One of them."""

    kind: Kind
    target: Relation
    private: Relation


def as_statement(sql: str) -> Statement | None:
    """The statement that a text is; None for Athena's own."""
    bare = re.sub(r"(?s)^\s*(?:/\*.*?\*/\s*)*", "", sql).rstrip(" ;\n")
    for kind, form in _FORMS.items():
        if found := form.match(bare):
            return Statement(kind, _relation(found["target"]), _relation(found["private"]))
    return None


def _relation(text: str) -> Relation:
    table = sqlglot.parse_one(text, read="trino", into=exp.Table)
    return Relation(table.name, table.db or None)


def require_plain(table: dict[str, Any]) -> None:
    """Raise for a target that is no plain table of files."""
    if table.get("PartitionKeys"):
        what = "it is partitioned"
    elif str(table.get("Parameters", {}).get("table_type", "")).upper() in ("ICEBERG", "DELTA", "HUDI"):
        what = f"it is a table of {table['Parameters']['table_type']}"
    else:
        return
    raise DataError(
        f"dvt lands on Athena's plain tables of files, and of the target {what}",
        remedy="Drop it, land under another name, or load it with a model that runs on Athena",
    )


def rename(session: AthenaSession, statement: Statement, keep_s: int) -> None:
    """The private table under the target's name, which is free."""
    with _released(session, statement) as private:
        session.glue.create_table(DatabaseName=statement.target.schema, TableInput=_input(private, statement.target))


def swap(session: AthenaSession, statement: Statement, keep_s: int) -> None:
    """The private table's columns and files in the target's place. Description, parameters and comments stay."""
    target = _there(session, statement.target)
    with _released(session, statement) as private:
        _update(session, statement.target, target, dict(private["StorageDescriptor"]), keep_s)


@contextlib.contextmanager
def _released(session: AthenaSession, statement: Statement) -> Iterator[dict[str, Any]]:
    """The private table, which Glue has no more: within the block its files become the target's.

    While both have them, who drops the private table takes the target's rows: the clean-up of a landing of which a
    later step failed. Files that Glue refused to give to the target are removed; where there was no answer they stay,
    since the target may have them.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    private = _there(session, statement.private)
    session.glue.delete_table(DatabaseName=statement.private.schema, Name=statement.private.name)
    try:
        yield private
    except ClientError:
        with contextlib.suppress(BotoCoreError, ClientError):  # the first error is the one to tell
            session.remove_files(private, unless_of=statement.target)
        raise


def append(session: AthenaSession, statement: Statement, keep_s: int) -> None:
    """The private table's files beside the target's."""
    private, target = _there(session, statement.private), _there(session, statement.target)
    location = session.append_files(private, target, statement.target)
    if location is not None:
        _update(session, statement.target, target, {**target["StorageDescriptor"], "Location": location}, keep_s)


def _update(
    session: AthenaSession, relation: Relation, target: dict[str, Any], storage: dict[str, Any], keep_s: int
) -> None:
    """One UpdateTable; afterwards the files go away that nobody reads any more."""
    now = time.time()
    old = str(target["StorageDescriptor"].get("Location", ""))
    waiting = [*replaced(target), *([(old, now)] if session.is_own(old) else [])]
    left = [(location, moment) for location, moment in waiting if moment + keep_s > now]
    comments = {column["Name"]: column.get("Comment") for column in target["StorageDescriptor"].get("Columns", [])}
    storage["Columns"] = [
        {**column, **({"Comment": comments[column["Name"]]} if comments.get(column["Name"]) else {})}
        for column in storage["Columns"]
    ]
    parameters = {key: value for key, value in target.get("Parameters", {}).items() if key != REPLACED}
    if left:
        parameters[REPLACED] = " ".join(f"{moment:.0f}@{location}" for location, moment in left)
    given = {**_input(target, relation), "StorageDescriptor": storage, "Parameters": parameters}
    session.glue.update_table(DatabaseName=relation.schema, TableInput=given)
    for location in {location for location, _ in waiting} - {location for location, _ in left}:
        if session.is_own(location):
            session.folder_at(location).remove()


def _input(table: dict[str, Any], relation: Relation) -> dict[str, Any]:
    kept = {key: table[key] for key in _INPUT if table.get(key) is not None}
    more = {"StorageDescriptor": table["StorageDescriptor"], "Parameters": table.get("Parameters", {})}
    return {**kept, **more, "PartitionKeys": [], "Name": relation.name}


def _there(session: AthenaSession, relation: Relation) -> dict[str, Any]:
    found = session.table(relation)
    if found is None:
        raise DataError(f"{relation} is not there", phase="land", remedy="Run it again")
    return found
