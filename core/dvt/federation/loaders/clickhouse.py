"""Writes ClickHouse over HTTP: one INSERT of an Arrow stream into a private table, and EXCHANGE TABLES."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.clickhouse import SPEC, connect, default_database, kill, new_query_id, translate, write_settings
from dvt.errors import DataError, DvtError
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Words
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation, quote_all
from dvt.types.clickhouse_landing import clickhouse_type, sent

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_PIECE_BYTES = 32 << 20
_DIGITS = re.compile(r"DateTime(?:64\((\d))?")


class ClickHouseLoader(SQLLoader):
    """Writes to one ClickHouse server.

    There are no transactions. A table is exchanged in one step; where rows are taken out of it, that is done on a
    clone, which shares its parts, and then exchanged. An append is one INSERT ... SELECT: a reader may see it grow by
    the server's blocks of about a million rows.
    """

    spec = SPEC
    words = Words(rename="rename table {private} to {target}", exchange="exchange tables {private} and {target}")
    change_words = ChangeWords(delete="in", merge="replace")
    table_options = "engine = MergeTree order by tuple()"
    create_schema_words = "create database if not exists"
    begins = ""
    _query_id = ""

    def connect(self) -> Client:
        """A client of the server."""
        return connect(self.connection, self.cancelled)

    def disconnect(self, session: Client) -> None:
        """End it."""
        session.close()

    def interrupt(self, session: Client) -> None:
        """Kill what runs on the server."""
        kill(session, self._query_id)

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the driver, the server or the socket raises."""
        import urllib3
        from clickhouse_connect.driver.exceptions import ClickHouseError

        is_own = isinstance(error, (ClickHouseError, urllib3.exceptions.HTTPError, OSError))
        return translate(error, self.connection, phase=phase, relation=relation) if is_own else None

    def run(self, sql: str) -> None:
        """Run one statement."""
        client: Client = self.session()
        client.command(sql, settings=self._settings())

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        client: Client = self.session()
        return list(client.query(sql, settings=self._settings()).result_rows)

    def _settings(self) -> dict[str, Any]:
        self._query_id = new_query_id()
        return write_settings(self.connection, self._query_id)

    def native_type(self, field: pa.Field) -> str | None:
        """ClickHouse's type for a column."""
        return clickhouse_type(field.type)

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """One INSERT of an Arrow stream."""
        return [LoadMethod("insert_arrow", fill=self._insert)]

    def _insert(self, filling: Filling) -> Filled:
        client: Client = self.session()
        # A body that is generated is never sent twice: the driver repeats only what it holds as a whole.
        body = _arrow_stream(filling)
        names = filling.schema.names
        client.raw_insert(filling.relation.sql("clickhouse"), names, body, self._settings(), fmt="ArrowStream")
        return Filled()

    def qualified(self, relation: Relation) -> Relation:
        """With the connection's database."""
        return relation if relation.schema else dataclasses.replace(relation, schema=default_database(self.connection))

    def has_schema(self, name: str) -> bool:
        """Whether there is a database of that name."""
        return bool(self.rows(" ".join(["select 1 from system.databases where name =", self.literal(name)])))

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        engine = self._engine(relation)
        return engine and ("view" if "View" in engine else "table")

    def _engine(self, relation: Relation) -> str | None:
        where = ["database =", self.literal(relation.schema or ""), "and name =", self.literal(relation.name)]
        found = self.rows(" ".join(["select engine from system.tables where", *where]))
        return str(found[0][0]) if found else None

    def remove(self, relation: Relation) -> None:
        """Drop a private table, and the clone that may have been made for it."""
        for name in (relation, _clone(relation)):
            self.run(" ".join(["drop table if exists", name.sql("clickhouse"), "sync"]))

    def changing(self, private: Relation, target: Relation, config: LoadConfig) -> list[str]:
        """Append to the target; or take rows out of a clone, put the new ones in, and exchange it."""
        statements = super().changing(private, target, config)
        if config.mode == "append":
            return statements
        clone, old, (delete, insert) = _clone(private).sql("clickhouse"), target.sql("clickhouse"), statements
        made = [" ".join(["create table", clone, "as", old])]
        if "MergeTree" in (self._engine(target) or ""):
            made += [" ".join(["alter table", clone, "attach partition all from", old]), delete]
        else:
            names = quote_all(config.unique_key, "clickhouse")
            others = ["where (", names, ") not in (select", names, "from", private.sql("clickhouse"), ")"]
            made.append(" ".join(["insert into", clone, "select * from", old, *others]))
        swap = self.words.exchange.format(private=clone, target=old)
        return [*made, insert, swap, " ".join(["drop table", clone, "sync"])]

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """Refuses also moments that the target would cut: what carries them in Arrow is the same."""
        changes = super().changes(private, target, config)
        old = {column.name: column.native_type for column in self.describe(target) or []}
        for column in self.describe(private) or []:
            there = old.get(column.name, "")
            if _digits(there) < _digits(column.native_type) and _DIGITS.search(there):
                message = f"the target holds {there}, the new rows {column.native_type}"
                raise DataError(message, column=column.name, remedy="Cut it in the model, or run with --full-refresh")
        return changes if config.mode == "append" else dataclasses.replace(changes, target=_clone(private))


def _clone(private: Relation) -> Relation:
    return private.sibling(f"{private.name}_next")


def _digits(native: str) -> int:
    """The fewest digits of a second that a type's moments have."""
    return min((int(digits or 0) for digits in _DIGITS.findall(native)), default=0)


def _arrow_stream(filling: Filling) -> Iterator[bytes]:
    """The rows as one Arrow stream, batch by batch."""
    names = filling.schema.names
    empty = [pa.array([], field.type) for field in filling.schema]
    schema = pa.schema([(name, sent(column, name).type) for name, column in zip(names, empty, strict=True)])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        for batch in filling.batches(_PIECE_BYTES):
            arrays = [sent(column, name) for name, column in zip(names, batch.columns, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
    yield sink.getvalue()
